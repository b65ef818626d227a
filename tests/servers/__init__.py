"""Servers that others wrote, as the tests run them: obtained once, started on loopback, gone after the run."""
