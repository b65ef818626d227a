"""Plans, outcomes, drift and findings as text: every renderer takes a value and gives a string; none prints."""
