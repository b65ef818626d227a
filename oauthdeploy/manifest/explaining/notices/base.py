"""The form in which notices are written down."""

from __future__ import annotations

Notice = tuple[str, str, str, str, str]
"""Id, severity, title, reason, fix."""
