"""Finds out whether a write changed something else: compares the response with the object as it was, over all fields. Pure.

Servers treat fields that a request omits differently. One that replaces where it should change (RFC 7396 against RFC 9110
section 9.3.4) loses whatever was not sent, and answers 200.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

_NOTHING: Final[tuple[Any, ...]] = (None, "", False, [], {})
MOST: Final = 20
"""The number of fields that are named."""


def lost_fields(
    before: Any, sent: Mapping[str, Any], after: Any, without: Collection[str] = frozenset()
) -> tuple[str, ...]:
    """The fields of `before` that were not `sent` with another value and that `after` no longer has.

    All three are JSON objects of one server; `without` are keys, at any depth, that change by themselves. Entries of a list are
    identified by their text or their name. Numbers and flags may come as strings; empty values cannot get lost.
    """
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return ()
    return tuple(sorted(_lost(before, sent, after, without, "")))[:MOST]


def _lost(
    before: Mapping[str, Any], sent: Mapping[str, Any], after: Mapping[str, Any], without: Collection[str], path: str
) -> Iterator[str]:
    for key, had in before.items():
        if key in without or had in _NOTHING:
            continue
        now, wanted = after.get(key), sent.get(key, had)
        name = f"{path}{key}"
        if isinstance(had, Mapping) and isinstance(wanted, Mapping):
            yield from _lost(had, wanted, now if isinstance(now, Mapping) else {}, without, f"{name}.")
        elif isinstance(had, list):
            yield from (f"{name}[{entry}]" for entry in sorted((_entries(had) & _entries(wanted)) - _entries(now)))
        elif str(wanted).lower() == str(had).lower() and now in _NOTHING:
            yield name


def _entries(value: Any) -> frozenset[str]:
    return frozenset(_entry(item) for item in value) if isinstance(value, list | tuple) else frozenset()


def _entry(item: Any) -> str:
    if isinstance(item, str):
        return str(item)
    if isinstance(item, Mapping) and isinstance(item.get("name"), str):
        return str(item["name"])
    return json.dumps(item, sort_keys=True, default=str)
