"""Real bytes in real time: what users' files become as pages, and what compressors make of them side by side."""
