"""The account that runs the tool, for locks and journals."""

from __future__ import annotations

import getpass


def account_name() -> str:
    """The account's name; `unknown` where there is none, as in a bare container."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
