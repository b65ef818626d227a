"""Drift: how live differs from the manifest, what of that is accepted, and two sides compared."""
