"""The words that every other part speaks; imports nothing else of this project."""
