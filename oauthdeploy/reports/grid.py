"""The two sides of one object as one row: the object once, and in a column for each server what is done there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Path, SourceSpan
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Risk, Stage
from oauthdeploy.planning.plan import Plan
from oauthdeploy.reports.words import value_text

Locate = Callable[[Path], SourceSpan | None]
"""Finds the place of a manifest's path in its files."""

_REASONS = {
    Reason.MISSING: "missing",
    Reason.DIFFERS: "differs",
    Reason.MARKED_ABSENT: "marked absent",
    Reason.NOT_IN_MANIFEST: "not in the manifest",
    Reason.RENAMED: "renamed",
    Reason.CUT_OFF: "cut off",
    Reason.SECRET_REVISION: "new secret revision",
}


@dataclass(frozen=True)
class FieldRow:
    """One field and the servers on which it changes so; `servers` is empty where that is all servers of the row."""

    change: FieldChange
    servers: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The path, with the servers where they matter."""
        return self.change.path + "".join(f" @{name}" for name in self.servers)


@dataclass(frozen=True)
class Row:
    """One object and its changes by server, in the order of the plan's servers."""

    name: str
    changes: Mapping[str, Change]

    @property
    def action(self) -> Action:
        """The weightiest of the actions, for the colour of the row."""
        return max((change.action for change in self.changes.values()), key=list(Action).index)

    @property
    def risk(self) -> Risk:
        """The greatest risk."""
        return max(change.risk for change in self.changes.values())

    @property
    def reason(self) -> str:
        """Why, in words; by server where the reasons differ."""
        return self._spread({name: _REASONS[change.reason] for name, change in self.changes.items()})

    @property
    def notes(self) -> tuple[str, ...]:
        """What is said beside the changes, each once."""
        return tuple(dict.fromkeys(change.note for change in self.changes.values() if change.note))

    def place(self, locate: Locate | None) -> str:
        """`file:line` of the object in the manifest, or nothing."""
        for change in self.changes.values():
            span = locate(change.place) if locate is not None and change.place else None
            if span is not None:
                return f"{span.file}:{span.line}"
        return ""

    @cached_property
    def fields(self) -> tuple[FieldRow, ...]:
        """The fields of all sides, equal ones once."""
        found: dict[tuple[str, str, str], tuple[FieldChange, list[str]]] = {}
        for server, change in self.changes.items():
            for field in change.fields:
                key = (field.path, value_text(field.path, field.before), value_text(field.path, field.after))
                found.setdefault(key, (field, []))[1].append(server)
        return tuple(
            FieldRow(field, () if len(servers) == len(self.changes) else tuple(servers))
            for field, servers in found.values()
        )

    @staticmethod
    def _spread(words: Mapping[str, str]) -> str:
        if len(set(words.values())) == 1:
            return next(iter(words.values()))
        return ", ".join(f"{word} on {name}" for name, word in words.items())


def bare(address: Address) -> str:
    """The written address without its server."""
    return str(address).rpartition("@")[0]


def rows_of(plan: Plan) -> tuple[Row, ...]:
    """The plan by object: cut-offs first, then by kind and name."""
    order = server_names(plan)
    found: dict[str, dict[str, Change]] = {}
    for change in sorted(plan.changes, key=_place):
        found.setdefault(bare(change.address), {})[change.address.server] = change
    return tuple(
        Row(name, {server: changes[server] for server in order if server in changes}) for name, changes in found.items()
    )


def _place(change: Change) -> tuple[bool, Address]:
    cut_off = change.stage in (Stage.CUT_OFF_RESOURCE, Stage.CUT_OFF_AUTHORIZATION)
    return (not cut_off, change.address)


def server_names(plan: Plan) -> tuple[str, ...]:
    """The servers of the plan: authorization servers first, then the others; those only changes name, last."""
    sides = {"authorization": 0, "both": 1, "resource": 2}
    known = sorted(plan.servers, key=lambda server: (sides.get(server.role, 3), server.name))
    return tuple(dict.fromkeys([*(s.name for s in known), *sorted({c.address.server for c in plan.changes})]))


@dataclass(frozen=True)
class Columns:
    """The columns of the servers: what stands above them and how wide each is."""

    servers: tuple[str, ...]
    heads: tuple[str, ...]
    numbered: bool

    @property
    def width(self) -> int:
        """Columns taken, with the space behind."""
        return 2 + sum(len(head) + 2 for head in self.heads)

    def numbers(self) -> Mapping[str, str]:
        """The number of each server, where columns have numbers; else nothing."""
        return dict(zip(self.servers, self.heads, strict=True)) if self.numbered else {}

    @classmethod
    def fitting(cls, servers: Sequence[str], room: int) -> Columns:
        """Names as heads where they take no more than `room`, else numbers."""
        named = cls(tuple(servers), tuple(servers), numbered=False)
        if named.width <= room:
            return named
        return cls(tuple(servers), tuple(str(number) for number in range(1, len(servers) + 1)), numbered=True)
