"""Parts of all reports: values in words, states, servers, columns and rows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Path, SourceSpan
from oauthdeploy.model.state import Ownership
from oauthdeploy.planning.changes import Action, FieldChange
from oauthdeploy.planning.drift.classification import DriftClass
from oauthdeploy.planning.plan import Plan, ServerSummary
from oauthdeploy.planning.unmanaged import Kept
from oauthdeploy.planning.unmanaged import counted as kept_of
from oauthdeploy.reports.document import Field, Item, Locate, Remark, Row, Server, State, Value
from oauthdeploy.reports.formatting import counted, is_list, listed, listing, value_text, visible

ACTIONS: Final = {
    Action.CREATE: State("create", "+", "to create", style="create"),
    Action.UPDATE: State("update", "~", "to change", style="update"),
    Action.REPLACE: State("replace", "-/+", "to replace", style="replace"),
    Action.DELETE: State("delete", "-", "to delete", style="delete"),
    Action.DISABLE: State("disable", "!", "to disable", style="disable"),
    Action.REVOKE: State("revoke", "!", "to revoke", style="revoke"),
}
ALWAYS_COUNTED: Final = (Action.CREATE, Action.UPDATE, Action.DELETE, Action.REVOKE)
"""Actions that the summary counts even if there are none."""

# The symbols and colours are not those of a plan: drift says what happened on the servers, and an apply turns it round.
_IN_MANIFEST, _LIVE = "<", ">"
_SIGNS: Final = (_LIVE, _IN_MANIFEST)
CLASSES: Final = {
    DriftClass.MISSING: State(
        "missing", _IN_MANIFEST, "missing", "Missing: in the manifest, not on the server", "missing", signs=_SIGNS
    ),
    DriftClass.UNEXPECTED: State(
        "unexpected", _LIVE, "unexpected", "Unexpected: on the server, not in the manifest", "unexpected", signs=_SIGNS
    ),
    DriftClass.CHANGED: State(
        "changed",
        "~",
        "changed",
        "Changed: the server differs from the manifest, shown as live -> manifest",
        "update",
        signs=_SIGNS,
    ),
    DriftClass.SIDES_DISAGREE: State(
        "sides-disagree",
        "!",
        "where the sides disagree",
        "Sides disagree: a resource server and its authorization server differ",
        "replace",
        signs=_SIGNS,
    ),
    DriftClass.CANNOT_COMPARE: State(
        "cannot-compare",
        "?",
        "cannot be compared",
        "Cannot be compared: the servers do not return these values",
        "faint",
        real=False,
        signs=_SIGNS,
    ),
    DriftClass.UNREADABLE: State("unreadable", "x", "unreadable", "Unreadable: could not be read", "faint", real=False),
}

ACCEPTED: Final = State("accepted", "=", "accepted", "Accepted by the baseline", "faint", real=False, signs=_SIGNS)
"""An accepted difference, which does not count, whatever its class."""


SHOWN: Final = 20
"""The number of names of objects left alone that text shows without -v."""

_SHOWN_LAST: Final = 3


def kept_remarks(kept: Iterable[Kept]) -> Iterator[Remark]:
    """Objects that stay although the manifest does not name them, by server and kind, followed once by the advice."""
    groups: dict[tuple[str, str], list[Kept]] = {}
    for item in kept:
        groups.setdefault((item.address.server, item.address.kind.value), []).append(item)
    for (server, kind), items in sorted(groups.items()):
        names = tuple(_kept_name(item) for item in items if not item.silenced)
        yield Remark(
            f"Left alone: {counted(len(items), kind)} on {visible(server)} that the manifest does not name",
            names,
            SHOWN,
        )
    if any(not item.silenced for items in groups.values() for item in items):
        yield Remark(
            "To delete one, write it with `state: absent` or set policy.prune; to have it left alone for good, write it with "
            "`external: true`"
        )


def _kept_name(item: Kept) -> str:
    name = item.address.without_server
    if item.orphaned:
        return visible(f"{name} (orphaned)")
    return visible(f"{name} (marked by {item.owner})" if item.ownership is Ownership.FOREIGN else name)


def differing_lines(
    orphaned: Iterable[Address], unexpected: Iterable[Address] = (), disagreeing: Iterable[Address] = ()
) -> tuple[str, ...]:
    """What an apply does not repair, in sentences: `Orphaned: client/old@login.`"""
    found = (
        ("The sides disagree", [str(address) for address in disagreeing]),
        ("Unexpected", [str(address) for address in unexpected]),
        ("Orphaned", [str(address) for address in orphaned]),
    )
    return tuple(f"{word}: {visible(listed(names, _SHOWN_LAST))}." for word, names in found if names)


def lines_of(plan: Plan) -> tuple[str, ...]:
    """What an apply of the plan does not repair, in sentences."""
    kept = kept_of(plan.kept)
    return differing_lines(
        (item.address for item in kept if item.orphaned),
        (item.address for item in kept if not item.orphaned),
        plan.disagreeing,
    )


def value_of(path: str, value: Any) -> Value | None:
    """A value of the field at the dotted `path`, in words; None if absent."""
    if value is None:
        return None
    if not is_list(value):
        return Value(value_text(path, value))
    items = tuple(value_text(path, item) for item in value)
    return Value(listing(items), items)


def field_of(change: FieldChange) -> Field:
    """One changed field in words."""
    return Field(visible(change.path), value_of(change.path, change.before), value_of(change.path, change.after))


def fields_of(changes: Iterable[FieldChange]) -> tuple[Field, ...]:
    """Changed fields in words."""
    return tuple(field_of(change) for change in changes)


def placed(locate: Locate, path: Path) -> SourceSpan | None:
    """The position of a path in the manifest; None if the path does not exist."""
    return locate(path) if path else None


def server_of(summary: ServerSummary) -> Server:
    """A server of a plan."""
    return Server(
        visible(summary.name),
        "authorization and resource" if summary.role == "both" else summary.role,
        visible(summary.driver),
        visible(summary.product),
        visible(summary.url),
        summary.reads,
        summary.writes,
    )


def in_order(servers: Iterable[ServerSummary]) -> tuple[Server, ...]:
    """Authorization servers first, then those of both roles, then resource servers; by name."""
    sides = {"authorization": 0, "both": 1, "resource": 2}
    return tuple(
        server_of(server) for server in sorted(servers, key=lambda server: (sides.get(server.role, 3), server.name))
    )


def columns_of(servers: Sequence[Server], items: Iterable[Item]) -> tuple[str, ...]:
    """The servers that have items, in their order, then servers that only items name."""
    used = {item.address.server for item in items}
    known = [server.name for server in servers if server.name in used]
    return (*known, *sorted(used - set(known)))


def rows_of(
    items: Iterable[Item],
    columns: Sequence[str],
    key: Callable[[Item], Hashable] = lambda item: item.address.without_server,
) -> tuple[Row, ...]:
    """Items as rows, in the order of their first items; one row for each `key`, by default the object. Several items of a
    key on one server are merged.
    """
    found: dict[Hashable, dict[str, Item]] = {}
    for item in items:
        sides = found.setdefault(key(item), {})
        known = sides.get(item.address.server)
        sides[item.address.server] = item if known is None else _merged(known, item)
    place = {name: number for number, name in enumerate(columns)}
    return tuple(
        Row(
            next(iter(sides.values())).address.without_server,
            dict(sorted(sides.items(), key=lambda side: place[side[0]])),
        )
        for sides in found.values()
    )


def _merged(first: Item, second: Item) -> Item:
    return replace(
        first,
        fields=(*first.fields, *second.fields),
        note=" ".join(dict.fromkeys(note for note in (first.note, second.note) if note)),
        risk=max(first.risk, second.risk),
        place=first.place or second.place,
    )
