"""The saved plan: a plan to a document and back, its file, and what has moved since it was saved."""
