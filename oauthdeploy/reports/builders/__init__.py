"""From what planning and running give to the one value that reports are written from. Pure functions."""
