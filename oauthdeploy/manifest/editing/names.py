"""Generates names for a manifest: free ones, and those of environment variables."""

from __future__ import annotations

import re
from collections.abc import Container

_NOT_IN_VARIABLES = re.compile(r"[^A-Z0-9]")


def free_name(name: str, used: Container[str], sign: str = "-") -> str:
    """The name, with a number if it is taken."""
    candidate, number = name, 2
    while candidate in used:
        candidate = f"{name}{sign}{number}"
        number += 1
    return candidate


def variable_name(words: str, used: Container[str], *, what: str) -> str:
    """The name of an environment variable, from words; `what` is prefixed if it would start with a digit."""
    name = _NOT_IN_VARIABLES.sub("_", words.upper())
    return free_name(f"{what}_{name}" if name[:1].isdigit() else name, used, "_")
