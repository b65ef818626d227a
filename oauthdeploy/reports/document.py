"""The one value that every report format renders: text, JSON, NDJSON, Markdown, HTML, JUnit and SARIF.

Pure functions (`reports.builders`) build it from a plan, an apply, a drift report, the findings of a validation or a
comparison, so that all formats say the same. A row is one object, with an item for each server or side that has a change or
a finding:

    Report -> Row (client/web-shop) -> Item (@login: create, missing, its fields, its place in the manifest)

Texts of values are escaped when the report is built and contain no secret: a secret is shown by its origin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct, field

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Path, SourceSpan
from oauthdeploy.core.values import LateTyped
from oauthdeploy.planning.changes import Risk, Stage
from oauthdeploy.planning.outcome import Status

if TYPE_CHECKING:
    # Findings about a manifest do not need these, and importing them would slow down `validate`.
    from oauthdeploy.model.state import DesiredState
    from oauthdeploy.planning.drift.classification import DriftReport
    from oauthdeploy.planning.omissions import Omission
    from oauthdeploy.planning.outcome import ApplyReport
    from oauthdeploy.planning.plan import Plan
    from oauthdeploy.planning.unread import Unread

    Subject = Plan | ApplyReport | DriftReport | None
    """The value that the report was built from, if its JSON form is a document of its own."""

Locate = Callable[[Path], SourceSpan | None]
"""Finds the position of a path of the manifest in its files."""


class ManifestView(LateTyped, frozen=True):
    """What a report uses of the manifest: positions, files, and desired state. All of it is optional."""

    locate: Locate = lambda _path: None
    files: tuple[str, ...] = ()
    desired: DesiredState | None = None


class Run(StrEnum):
    """The command that was run."""

    PLAN = "plan"
    APPLY = "apply"
    DRIFT = "drift"
    VALIDATE = "validate"
    COMPARE = "compare"


class Verdict(StrEnum):
    """The overall status. `waiting`: changes are pending or sides differ, and nothing failed."""

    CLEAN = "clean"
    WAITING = "waiting"
    FAILED = "failed"


class State(Struct, frozen=True):
    """A change or difference of an object: `create`, `missing`. `symbol` represents it in a column, `title` is the heading
    of a group of rows, `counted` follows a number (`3 to create`), and `real` is false if the state is only unknown. `style`
    is a style of `console`. `signs` stand in front of what only the former value of a field has, and only the latter: removed
    and added, or on one side and on the other.
    """

    word: str
    symbol: str
    counted: str
    title: str = ""
    style: str = ""
    real: bool = True
    signs: tuple[str, str] = ("-", "+")

    @property
    def comes_and_goes(self) -> bool:
        """Whether its fields change; otherwise two sides have them, and nothing is added or removed."""
        return self.signs == ("-", "+")

    @property
    def words(self) -> str:
        """The label for people: `sides disagree`."""
        return self.word.replace("-", " ")


class Value(Struct, frozen=True):
    """A value in words; `items` are the entries of a list, None for anything else."""

    text: str
    items: tuple[str, ...] | None = None


class Field(Struct, frozen=True):
    """One field; None is the absence of a value. `servers` are those with this change, empty for all servers of the row."""

    path: str
    before: Value | None
    after: Value | None
    servers: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The path, with the servers if not all have the change."""
        return self.path + "".join(f" @{name}" for name in self.servers) if self.servers else self.path

    @property
    def gone(self) -> tuple[str, ...]:
        """The removed entries of a list."""
        return _only_in(self.before, self.after)

    @property
    def come(self) -> tuple[str, ...]:
        """The added entries of a list."""
        return _only_in(self.after, self.before)

    @property
    def kept(self) -> int:
        """The number of unchanged entries of a list."""
        if self.before is None or self.after is None:
            return 0
        return len(set(self.before.items or ()) & set(self.after.items or ()))

    @property
    def is_list(self) -> bool:
        """True if both sides are lists, so that single entries can be shown."""
        return all(value is not None and value.items is not None for value in (self.before, self.after))


def _only_in(some: Value | None, other: Value | None) -> tuple[str, ...]:
    known = set(other.items or ()) if other is not None else set()
    return tuple(entry for entry in (some.items or () if some is not None else ()) if entry not in known)


class End(Struct, frozen=True):
    """The outcome of a change. `because` says why it failed or was skipped; `note` describes what was done."""

    status: Status
    words: str
    because: Diagnostic | None = None
    note: str = ""
    seconds: float = 0.0


class Item(Struct, frozen=True):
    """One object on one server or side. `note` is shown beside it: which live tokens survive, which list differs.

    `place` is the position of the object in the manifest. `waits_for` are the addresses that come first. `end` is set after
    an apply.
    """

    address: Address
    state: State
    reason: str = ""
    fields: tuple[Field, ...] = ()
    risk: Risk = Risk.NONE
    note: str = ""
    place: SourceSpan | None = None
    stage: Stage | None = None
    waits_for: tuple[str, ...] = ()
    end: End | None = None


class Row(Struct, frozen=True, dict=True):
    """One object: its items by server, in the order of the report's columns. `name` is its address without a server."""

    name: str
    items: Mapping[str, Item]

    @cached_property
    def state(self) -> State:
        """The most important state, for colour and filter."""
        return max((item.state for item in self.items.values()), key=lambda state: _WEIGHT.get(state.word, 0))

    @property
    def risk(self) -> Risk:
        """The greatest risk."""
        return max(item.risk for item in self.items.values())

    @property
    def reason(self) -> str:
        """The reason in words, by server if reasons differ."""
        words = {server: item.reason for server, item in self.items.items() if item.reason}
        if len(set(words.values())) <= 1:
            return next(iter(words.values()), "")
        return ", ".join(f"{word} on {server}" for server, word in words.items())

    @property
    def why(self) -> str:
        """The reason, or the state if it is the reason."""
        return self.reason or self.state.words

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of the items, without repetition."""
        return tuple(dict.fromkeys(item.note for item in self.items.values() if item.note))

    @property
    def place(self) -> SourceSpan | None:
        """The place of the object in the manifest."""
        return next((item.place for item in self.items.values() if item.place is not None), None)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The fields of all sides, without repetition."""
        if len(self.items) == 1:
            return tuple(dict.fromkeys(*(item.fields for item in self.items.values())))
        found: dict[Field, list[str]] = {}
        for server, item in self.items.items():
            for each in item.fields:
                found.setdefault(each, []).append(server)
        return tuple(
            Field(each.path, each.before, each.after, () if len(servers) == len(self.items) else tuple(servers))
            for each, servers in found.items()
        )


_WEIGHT = {
    word: weight
    for weight, word in enumerate(
        ("accepted", "cannot-compare", "unreadable", "create", "update", "replace", "delete", "disable", "revoke")
    )
}


class Server(Struct, frozen=True):
    """One server or side, and the numbers of requests; None if unknown."""

    name: str
    role: str
    driver: str = ""
    product: str = ""
    url: str = ""
    reads: int | None = None
    writes: int | None = None


class Count(Struct, frozen=True):
    """A number of the summary."""

    number: int
    state: State

    @property
    def words(self) -> str:
        """`3 to create`."""
        return f"{self.number:,} {self.state.counted}"


class Stop(Struct, frozen=True):
    """A safety rule that the plan violates; `lifted` if --allow names it in this run."""

    finding: Diagnostic
    lifted: bool = False


class Step(Struct, frozen=True):
    """One step of the two-sided order of work: its name, and the number of changes on each server."""

    words: str
    counts: tuple[tuple[str, int], ...]


class Remark(Struct, frozen=True):
    """A remark in addition to the rows, with its addresses, of which text shows the first `shown`."""

    words: str
    about: tuple[str, ...] = ()
    shown: int = 3


class Report(LateTyped, frozen=True):
    """The result of one command.

    `name` is the manifest's (`A and B` for a comparison), `headline` the summary, which comes last in text. `servers` are
    all servers involved, `columns` the names of those with items, both with authorization servers first. `counts` are the
    numbers of the headline. `second_look` are the findings of the verification after an apply. `stops` are those of a plan,
    `steps` its order of work, `facts` are sentences about the run (journal, verification, lifted rules), `delivered` are the
    destinations of secrets, by address. `files` are the manifest's, and `estate` is its desired state, for the diagram.
    `unread` could not be read. `closing` are the sentences at the end of the headline that have their own lines in text:
    what apply would stop at, and what is unknown. `omissions` are what a comparison leaves out, by object and field;
    `beyond` says what is never compared.
    """

    run: Run
    name: str
    verdict: Verdict
    headline: str
    subject: Subject = None
    servers: tuple[Server, ...] = ()
    columns: tuple[str, ...] = ()
    counts: tuple[Count, ...] = ()
    rows: tuple[Row, ...] = ()
    findings: Diagnostics = field(default_factory=Diagnostics)
    second_look: Diagnostics = field(default_factory=Diagnostics)
    stops: tuple[Stop, ...] = ()
    steps: tuple[Step, ...] = ()
    remarks: tuple[Remark, ...] = ()
    facts: tuple[str, ...] = ()
    delivered: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    files: tuple[str, ...] = ()
    estate: DesiredState | None = None
    unread: tuple[Unread, ...] = ()
    closing: tuple[str, ...] = ()
    omissions: tuple[Omission, ...] = ()
    beyond: str = ""

    @property
    def lead(self) -> str:
        """The words before the name: `Plan for`."""
        return _LEADS[self.run]

    @property
    def title(self) -> str:
        """`Plan for payments`."""
        return f"{self.lead} {self.name}"

    @property
    def all_findings(self) -> Diagnostics:
        """Before and after."""
        return self.findings + self.second_look

    @property
    def items(self) -> tuple[Item, ...]:
        """The items of all rows."""
        return tuple(item for row in self.rows for item in row.items.values())


_LEADS = {
    Run.PLAN: "Plan for",
    Run.APPLY: "Apply of",
    Run.DRIFT: "Drift of",
    Run.VALIDATE: "Validation of",
    Run.COMPARE: "Comparison of",
}
