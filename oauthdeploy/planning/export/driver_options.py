"""The drivers' options in an export: those in the manifest get the servers' values, and those that differ from the defaults
of a new object are added.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.fields import format_duration, parse_duration
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.diff import options_for
from oauthdeploy.planning.export.values import Keys, Left, OptionEdit, can_be_written
from oauthdeploy.planning.inventory import Inventory
from oauthdeploy.planning.normalize import OPTIONS
from oauthdeploy.planning.opaque_secrets import plain


def option_edits(
    inventory: Inventory,
    kind: Kind,
    name: str,
    sides: Mapping[str, LiveObject],
    left: Collection[Left],
) -> tuple[OptionEdit, ...]:
    """The options to write, change or take out, so that the entry says what `sides`, the live objects by server, hold.

    `left` are the options not to write.
    """
    found: dict[Keys, dict[str, Any]] = {}
    managing: dict[str, set[str]] = {}
    for server, there in sides.items():
        address = Address.singleton(kind, server) if kind.is_singleton else Address(kind, name, server)
        wanted = inventory.desired.objects.get(address)
        driver = inventory.driver(server).name
        asked = plain(options_for(wanted, driver)) if wanted is not None else {}
        whole = there.options
        if not asked and not whole:
            continue
        have = plain(options_for(there.value, driver))
        managing.setdefault(driver, set()).add(server)
        for keys, value in (*_differing(asked, have), *_unwritten(asked, whole)):
            found.setdefault((driver, *keys), {})[server] = value
    return tuple(_edit(kind, name, keys, values, managing[keys[0]], left) for keys, values in sorted(found.items()))


def _unwritten(asked: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[tuple[Keys, Any]]:
    """Live options that are not defaults and that the manifest does not write, at the highest key that has a name."""
    for key, value in whole.items():
        if key not in asked:
            yield (key,), value
        elif isinstance(asked[key], Mapping) and isinstance(value, Mapping):
            yield from (((key, *keys), inner) for keys, inner in _unwritten(asked[key], value))


class _Hidden:
    """Stands for a value that a server does not return, or that must not be shown."""


_HIDDEN = _Hidden()


def _edit(
    kind: Kind, name: str, keys: Keys, values: Mapping[str, Any], managing: Collection[str], left: Collection[Left]
) -> OptionEdit:
    first = next(iter(values.values()))
    alike = values.keys() == set(managing) and all(value == first for value in values.values())
    path = ".".join((OPTIONS, *keys))
    names = values if kind.is_singleton else (name,)
    said = all(not isinstance(value, _Hidden) and can_be_written(value) for value in values.values())
    gone = not said or any(_left_out(kind, one, path, left) for one in names)
    return OptionEdit(keys, dict.fromkeys(values) if gone else values, alike=alike, gone=gone)


def _left_out(kind: Kind, name: str, path: str, left: Collection[Left]) -> bool:
    """Whether the option, a part of it or an option that contains it cannot be expressed."""
    return any(
        (kind.value, name) == (item[0], item[1]) and item[2] and (_within(path, item[2]) or _within(item[2], path))
        for item in left
    )


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith((f"{outer}.", f"{outer}["))


def _differing(asked: Mapping[str, Any], have: Mapping[str, Any]) -> Iterator[tuple[Keys, Any]]:
    """The written keys, at the deepest named level, whose live value differs, with that value."""
    for key, wanted in asked.items():
        there = have.get(key, _HIDDEN)
        if isinstance(wanted, Mapping) and isinstance(there, Mapping):
            yield from (((key, *keys), value) for keys, value in _differing(wanted, there))
        elif isinstance(wanted, Secret):
            # If the manifest has a secret here, the live value may be one too.
            yield from ([((key,), _HIDDEN)] if wanted != there else [])
        elif wanted != there:
            yield (key,), _as_written(wanted, there)


def _as_written(wanted: Any, there: Any) -> Any:
    """A duration with its unit, if the manifest writes one there."""
    if isinstance(wanted, str) and not wanted.isdigit() and type(there) is int:
        try:
            parse_duration(wanted)
        except ValueError:
            return there
        return format_duration(there)
    return there
