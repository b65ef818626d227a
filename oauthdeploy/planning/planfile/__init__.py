"""Saved plans: document, file, and what has changed since the plan was saved."""
