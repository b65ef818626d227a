"""Drivers: one package for each kind of server, one HTTP client for all."""
