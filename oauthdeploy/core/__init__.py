"""Types shared by every other part; imports nothing else of this project."""
