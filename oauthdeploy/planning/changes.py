"""A change: its address, action, reason, fields, risk, stage and dependencies."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from enum import IntEnum, StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Path
from oauthdeploy.model.objects import Object
from oauthdeploy.model.state import LiveObject


class Action(StrEnum):
    """What a change does to an object."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    DISABLE = "disable"
    REVOKE = "revoke"

    @property
    def symbol(self) -> str:
        """The symbol printed before the address."""
        return _SYMBOLS[self]

    @property
    def is_destructive(self) -> bool:
        """True if something is lost that applying the previous manifest would not restore."""
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
    """The stages of the two-sided order of work; `ordering` draws them and gives the reasons."""

    CUT_OFF_RESOURCE = 1
    CUT_OFF_AUTHORIZATION = 2
    WIDEN_RESOURCE = 3
    WIDEN_AUTHORIZATION = 4
    SWITCH_TRUST = 5
    NARROW_AUTHORIZATION = 6
    NARROW_RESOURCE = 7


class FieldChange(Struct, frozen=True, gc=False):
    """One field: its dotted path, and its values before and after in the model's types. None is the absence of a value, and
    KNOWN_AFTER_APPLY a value that the server will generate.
    """

    path: str
    before: Any
    after: Any

    @property
    def added(self) -> tuple[Any, ...]:
        """For a list: the added entries, in the order of `after`."""
        return _only_in(self.after, self.before)

    @property
    def removed(self) -> tuple[Any, ...]:
        """For a list: the removed entries, in the order of `before`."""
        return _only_in(self.before, self.after)


def _only_in(some: Any, other: Any) -> tuple[Any, ...]:
    if not isinstance(some, tuple):
        return ()
    known = frozenset(other) if isinstance(other, tuple) else frozenset()
    return tuple(entry for entry in some if entry not in known)


class Interim(Struct, frozen=True):
    """The first of the two writes of a change (`two_writes`): lists that still contain the entries to move, and the changes
    that must be made before the second write.
    """

    fields: tuple[FieldChange, ...]
    until: tuple[Address, ...]


class Change(Struct, frozen=True, gc=False):
    """One step of a plan.

    `desired` is the object to reach (None for a delete), `live` the object that exists now (None for a create). `depends_on`
    are the changes that must succeed first. `batch` identifies the request that carries the change. `place` is the position
    of the object in the manifest. `note` is shown beside the change. `former` is the address of `live` before a rename.
    `lost` says what is permanently deleted along with the object. `cut_at` is the time, in seconds since 1970, before which
    a resource server is to refuse all tokens of a client: the time of the authorization server's own cut-off. If it is None,
    the resource server uses its own clock until the authorization server has reported its time. `undoes` is the name of a
    recorded cut-off that the change undoes.
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
        """All changes that this one needs, before it starts or before it can finish."""
        return self.depends_on if self.interim is None else (*self.depends_on, *self.interim.until)

    @property
    def live_address(self) -> Address:
        """The address of `live` before the change."""
        return self.former or self.address


def replaced_with(changes: Iterable[Change]) -> frozenset[Address]:
    """The clients that changes replace. Their associations exist until then, and are planned as created again."""
    return frozenset(change.live_address for change in changes if change.action is Action.REPLACE)


def is_recreated(change: Change, replaced: Container[Address]) -> bool:
    """Whether a change creates an association again because its client is replaced (`replaced_with`)."""
    address = change.address
    return (
        address.kind is Kind.ASSOCIATION
        and change.action is Action.CREATE
        and Address(Kind.CLIENT, address.client, address.server) in replaced
    )


class Lockout(Struct, frozen=True):
    """A change that would lock the driver out of its own server, and why; `rule` is the id of the stop."""

    change: Change
    why: str
    rule: str = ""


def matches(address: Address, patterns: Iterable[str]) -> bool:
    """Whether the written address, with or without its `@server`, matches one of the globs."""
    written = str(address)
    everywhere = address.without_server
    return any(fnmatchcase(written, pattern) or fnmatchcase(everywhere, pattern) for pattern in patterns)


def shared_sessions(count: int) -> str:
    """What a cut-off leaves of a client's sessions, because other clients have tokens by them: the beginning of a note."""
    return f"{count} session{' ' if count == 1 else 's '}{_SHARED}{'s' if count == 1 else ''}"


def shared_sessions_in(note: str) -> str:
    """The words of `shared_sessions` in a note of a driver; "" if it has none."""
    found = _SHARED_IN_NOTE.search(note)
    return found.group() if found else ""


_SHARED: Final = "shared with other clients stay"
_SHARED_IN_NOTE: Final = re.compile(rf"\d+ sessions? {_SHARED}s?")
