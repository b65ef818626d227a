"""The error of a server that cannot start."""

from __future__ import annotations


class ConfigError(ValueError):
    """A configuration, seed or profile with which a server cannot start."""
