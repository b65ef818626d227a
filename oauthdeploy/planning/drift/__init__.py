"""Drift: differences between live state and manifest, the baseline of accepted ones, and comparisons of two sides."""
