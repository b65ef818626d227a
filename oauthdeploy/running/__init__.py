"""Reads and writes the servers: apply, verify, journal, lock and secret sinks."""
