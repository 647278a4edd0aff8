"""What experiments look like: pictures made from their reports, with matplotlib."""
