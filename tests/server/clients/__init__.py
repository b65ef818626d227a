"""OAuth clients that others wrote, each driven by a few lines in its own language."""
