"""Values in words: escaped text, durations, secrets, lists, counts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Final

from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.fields import KnownAfterApply, Model, Unparsed, format_duration, managed
from oauthdeploy.reports.escape import visible as visible

NONE_TEXT: Final = "(none)"
_PLAIN = re.compile(r"(?!(?:true|false|null|[0-9.]+)\Z)[A-Za-z0-9_./~+-][^\s\"'(),\[\]{}]*\Z")


def text_value(text: str) -> str:
    """A text in a report: in quotes if it could be misread without them."""
    shown = visible(text)
    return shown if shown == text and _PLAIN.match(text) else '"' + shown.replace('"', '\\"') + '"'


def value_text(path: str, value: Any) -> str:
    """One value of the field at the dotted `path`, in words; a secret is always shown by its origin."""
    if value is None:
        return NONE_TEXT
    if isinstance(value, Secret):
        origin = value.origin
        if origin.startswith("${") and origin.endswith("}"):
            origin = origin[2:-1]
        return f"(secret from {visible(origin)})"
    if isinstance(value, KnownAfterApply):
        return repr(value)
    if isinstance(value, Unparsed):
        return f"(cannot be parsed: {visible(value.text)})"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return format_duration(value) if _is_duration(path) else str(value)
    if isinstance(value, Enum):
        return visible(str(value.value))
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return text_value(value)
    return _compound_text(path, value)


def _compound_text(path: str, value: Any) -> str:
    if isinstance(value, Model):
        return "{" + ", ".join(f"{name}: {value_text(name, inner)}" for name, inner in managed(value)) + "}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{visible(str(key))}: {value_text('', inner)}" for key, inner in value.items()) + "}"
    if is_list(value):
        return listing([value_text(path, item) for item in value])
    return visible(json.dumps(value, default=str, ensure_ascii=False))


def listing(items: Sequence[str]) -> str:
    """The entries of a list, already in words, as one text."""
    return ", ".join(items) or "(empty list)"


def is_list(value: Any) -> bool:
    """True for the model's lists of any Python type."""
    return isinstance(value, list | tuple | set | frozenset)


def _is_duration(path: str) -> bool:
    """The suffix of all fields in whole seconds; a test checks the model for it."""
    return path.endswith("_lifetime")


def requests_text(reads: int | None, writes: int | None) -> str:
    """The requests to a server, `5 reads, 1 write`, without those that were not counted."""
    counts = ((reads, "read"), (writes, "write"))
    return ", ".join(counted(number, noun) for number, noun in counts if number is not None)


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 client`, `2 clients`; `plural` for irregular forms."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def seconds_text(seconds: float) -> str:
    """A duration: `12 ms`, `3.4 s`, `2 m 5 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest} s"


def listed(items: list[str], most: int = 5) -> str:
    """`a, b and 3 more`: the first `most` items and the number of others."""
    if len(items) <= most:
        return ", ".join(items)
    return f"{', '.join(items[:most])} and {len(items) - most:,} more"
