"""One change: where, what, why, field by field, how risky, when, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from fnmatch import fnmatchcase
from typing import Any

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Path
from oauthdeploy.model.objects import Object
from oauthdeploy.model.state import LiveObject


class Action(StrEnum):
    """What is done to an object."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    DISABLE = "disable"
    REVOKE = "revoke"

    @property
    def symbol(self) -> str:
        """The sign of the action in front of its address."""
        return _SYMBOLS[self]

    @property
    def is_destructive(self) -> bool:
        """True where something is lost that applying the old manifest would not bring back."""
        return self in (Action.REPLACE, Action.DELETE, Action.REVOKE)


_SYMBOLS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.REPLACE: "-/+",
    Action.DELETE: "-",
    Action.DISABLE: "!",
    Action.REVOKE: "!",
}


class Reason(StrEnum):
    """Why a change is in the plan."""

    MISSING = "missing-on-server"
    DIFFERS = "differs-from-manifest"
    MARKED_ABSENT = "marked-absent"
    NOT_IN_MANIFEST = "not-in-manifest"
    RENAMED = "renamed"
    CUT_OFF = "cut-off"
    SECRET_REVISION = "secret-revision"


class Risk(IntEnum):
    """How much a change opens or breaks. Ordered, so that `--fail-on` can compare."""

    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3

    def __str__(self) -> str:
        return self.name.lower()


class Stage(IntEnum):
    """The two-sided order of work; `ordering` draws it and says why."""

    CUT_OFF_RESOURCE = 1
    CUT_OFF_AUTHORIZATION = 2
    WIDEN_RESOURCE = 3
    WIDEN_AUTHORIZATION = 4
    SWITCH_TRUST = 5
    NARROW_AUTHORIZATION = 6
    NARROW_RESOURCE = 7


@dataclass(frozen=True)
class FieldChange:
    """One field: dotted path, value before and after in the model's types. A Secret stays a Secret; None is the absence of
    a value, and KNOWN_AFTER_APPLY what the server will make.
    """

    path: str
    before: Any
    after: Any

    @property
    def added(self) -> tuple[Any, ...]:
        """For a list: the entries that come, in the order of `after`."""
        return _only_in(self.after, self.before)

    @property
    def removed(self) -> tuple[Any, ...]:
        """For a list: the entries that go, in the order of `before`."""
        return _only_in(self.before, self.after)


def _only_in(some: Any, other: Any) -> tuple[Any, ...]:
    if not isinstance(some, tuple):
        return ()
    known = frozenset(other) if isinstance(other, tuple) else frozenset()
    return tuple(entry for entry in some if entry not in known)


@dataclass(frozen=True)
class Interim:
    """The first of the two writes of a change (`two_writes`): lists that still hold what is to stand elsewhere, and the changes
    that must have been made before the second write.
    """

    fields: tuple[FieldChange, ...]
    until: tuple[Address, ...]


@dataclass(frozen=True)
class Change:
    """One step of a plan.

    `desired` is the object to reach (None for a delete), `live` what stands there now (None for a create). `depends_on` are
    the changes that must have succeeded first. `batch` names the changes that the server takes in one request. `place`
    leads to the object in the manifest. `note` is said beside the change. `former` is the address at which `live` stands
    while a rename has not been made. `lost` is what goes along for good, in words. `cut_at` is the moment, in seconds since 1970,
    before which a resource server is to refuse all tokens of a client: that of the authorization server's own cut-off. None: the
    resource server's clock decides until the authorization server has told its moment. `undoes` is the name of a recorded cut-off
    that it undoes.
    """

    address: Address
    action: Action
    reason: Reason
    stage: Stage
    desired: Object | None = None
    live: LiveObject | None = None
    fields: tuple[FieldChange, ...] = ()
    risk: Risk = Risk.NONE
    depends_on: tuple[Address, ...] = ()
    batch: str = ""
    place: Path = ()
    note: str = ""
    former: Address | None = None
    lost: tuple[str, ...] = ()
    cut_at: float | None = None
    interim: Interim | None = None
    undoes: str = ""

    @property
    def waits_for(self) -> tuple[Address, ...]:
        """Every change without which this one is not made, or not to its end."""
        return self.depends_on if self.interim is None else (*self.depends_on, *self.interim.until)

    @property
    def live_address(self) -> Address:
        """Where `live` stands before the change."""
        return self.former or self.address


@dataclass(frozen=True)
class Lockout:
    """A change that would end a driver's own way into its server, and why; `rule` names the stop."""

    change: Change
    why: str
    rule: str = ""


def matches(address: Address, patterns: Iterable[str]) -> bool:
    """Whether the written address, with or without its `@server`, matches one of the globs."""
    written = str(address)
    everywhere = address.without_server
    return any(fnmatchcase(written, pattern) or fnmatchcase(everywhere, pattern) for pattern in patterns)
