"""Builds the one value that all report formats render, from the results of `planning` and `running`. Pure functions."""
