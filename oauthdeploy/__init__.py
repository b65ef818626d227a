"""Declarative OAuth configuration for authorization servers and resource servers."""

from __future__ import annotations

__version__ = "0.1.0"
