"""What is stored where: entries, the map from slots to them, and the lists that tell the oldest.

`inventory` changes all of it together, each change in one call that cannot be interrupted.
"""
