"""Renderers of plans, outcomes, drift and findings: each takes a value and returns a string; none prints."""
