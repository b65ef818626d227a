"""The fields of one kind of object as a driver declares them: what it supports, and how to read and write it.

Such a table is the part of `DriverFacts.fields` for that kind, and reading and writing go through it. A field that is not in
it is rejected by name before a driver sees it; a field that is in it is both read and written. Pure, and without the HTTP
library, because `validate` loads the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oauthdeploy.drivers.json_values import NOT_RETURNED, FieldReader
from oauthdeploy.model.held_fields import HeldField

Table = Mapping[str, HeldField]
"""Fields by dotted path; an entry that is not a `WireField` is rejected with its own reason."""


class WireField(HeldField, frozen=True, kw_only=True):
    """A field that a driver supports, and its place in the server's JSON.

    `keys` are its names there. `read` returns the value, in terms of the model, from a response, or NOT_RETURNED if the
    field is missing; raises Garbled. `write` puts a value into the body of a request. Either is None if no response returns
    the field, or no request has it by itself.
    """

    keys: tuple[str, ...] = ()
    read: Callable[[Any], Any] | None = None
    write: Callable[[Any, Any], None] | None = None


def at(
    key: str,
    read: Callable[[Mapping[str, Any], str], Any],
    encode: Callable[[Any], Any] = lambda value: value,
    **declared: Any,
) -> WireField:
    """A field that is one value under one key; `declared` are the other parts of a HeldField."""

    def write(body: dict[str, Any], value: Any) -> None:
        body[key] = encode(value)

    return WireField(keys=(key,), read=lambda raw: read(raw, key), write=write, **declared)


def if_present(read: Callable[[Mapping[str, Any], str], Any]) -> Callable[[Mapping[str, Any], str], Any]:
    """Read a key only if the response has it, for servers that omit fields without a value."""
    return lambda raw, key: read(raw, key) if key in raw else NOT_RETURNED


def keys_of(table: Table, path: str) -> tuple[str, ...]:
    """The names of a field in the server's JSON; empty if it is not supported."""
    entry = table.get(path)
    return entry.keys if isinstance(entry, WireField) else ()


def once_each(values: tuple[str, ...]) -> list[str]:
    """A list to send, without duplicates."""
    return list(dict.fromkeys(values))


def read_fields(table: Table, source: Any) -> FieldReader:
    """Read every field of a table that the server returns, from `source`."""
    fields = FieldReader()
    for path, entry in table.items():
        if isinstance(entry, WireField) and entry.read is not None:
            fields.take(path, entry.read, source)
    return fields


def not_returned(table: Table, *others: Table) -> frozenset[str]:
    """The fields of this table, and of `others`, that are supported but that no response returns by this table."""
    supported = {path for one in (table, *others) for path, entry in one.items() if entry.support}
    return frozenset(supported - {path for path, entry in table.items() if isinstance(entry, WireField) and entry.read})


def write_fields(table: Table, values: Mapping[str, Any], target: Any) -> None:
    """Put values, by dotted path, into a request body. Raises ValueError for a field that the driver does not support."""
    for path, value in values.items():
        entry = table.get(path)
        if not isinstance(entry, WireField):
            raise ValueError(f"the driver does not hold {path}; this is a bug in oauthdeploy")
        if entry.write is not None:
            entry.write(target, value)
