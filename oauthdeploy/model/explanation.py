"""What `explain` says, as values, for the reports to render."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from msgspec import Struct, field

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostics, SourceSpan

SAFETY: Final = "safety stop"
"""The group of the rule ids that --allow lifts."""


DRIVER: Final = "driver"
"""The word before a driver's name in the group of its own findings."""

Notice = tuple[str, str, str, str, str]
"""What is true of every case of a finding or error: id, severity, title, reason, fix."""


class RuleFacts(Struct, frozen=True):
    """The description of a manifest rule, or of another id of a finding or error.

    `group` says what raises it: "" for a manifest rule. Only manifest rules have `source`, and `bad` and `good`, which are
    parts of a manifest. `severity` is the default; that of a `structural` rule cannot be changed. `links` are the URLs of the
    RFC sections that `source` names, in its order. `looks_at` names the fields in which the two examples differ.
    """

    id: str
    severity: str
    title: str
    reason: str
    source: str
    fix: str
    bad: str
    good: str
    structural: bool = False
    links: tuple[str, ...] = ()
    looks_at: tuple[str, ...] = ()
    group: str = ""


class DriverAnswer(Struct, frozen=True):
    """What a driver answers about one capability: in which roles, yes, no or untested, and its note."""

    driver: str
    roles: tuple[str, ...]
    capability: str
    answer: str
    note: str = ""


class FieldFacts(Struct, frozen=True):
    """One field of a manifest.

    `path` leaves out names and list positions: `clients.redirect_uris`. `types` describes the forms of a value; `values` are
    its keywords. `default` is what oauthdeploy uses if the field is not written (None: nothing). `server_defaults` are what
    null requests, as driver and value. `unset`, `null` and `empty` say what each of the three means; `empty` is "" if a value
    cannot be empty. `keys` are the fields inside, with their descriptions. `rules` are ids and titles. `driver` names the
    driver that the field belongs to; "" for a field of all drivers.
    """

    path: str
    description: str
    types: tuple[str, ...]
    values: tuple[str, ...] = ()
    default: str | None = None
    required: bool = False
    examples: tuple[Any, ...] = ()
    notes: tuple[str, ...] = ()
    unset: str = ""
    null: str = ""
    empty: str = ""
    server_defaults: tuple[tuple[str, str], ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    support: tuple[DriverAnswer, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    driver: str = ""


class Origin(Struct, frozen=True):
    """Where a written value comes from.

    `span` is its place; `overlay` the environment's entry that contains it, such as `environments.prod`, or "". `references`
    say for each `${...}` where the value came from, such as `variable tier (--var)`; never the value itself.
    """

    span: SourceSpan | None
    overlay: str = ""
    references: tuple[str, ...] = ()


class Managed(StrEnum):
    """What the manifest sets in a field."""

    VALUE = "value"
    SERVER_DEFAULT = "server-default"
    NOT_MANAGED = "not-managed"


class Away(Struct, frozen=True):
    """A server that does not get something, and why."""

    server: str
    why: str


class FieldStanding(Struct, frozen=True):
    """One field of an object on `servers`; a field with different values on different servers appears several times.

    `value` is in the model's form (a secret is a Secret). `defaults` are the servers' own, by driver. `because` is set if the
    value is not what is written for the object itself.
    """

    path: str
    managed: Managed
    value: Any = None
    servers: tuple[str, ...] = ()
    origin: Origin | None = None
    defaults: tuple[tuple[str, Any], ...] = ()
    away: tuple[Away, ...] = ()
    because: str = ""


class ServerStanding(Struct, frozen=True):
    """Whether an object belongs on a server, and if not, why."""

    server: str
    role: str
    driver: str
    stands: bool
    why: str = ""


class Related(Struct, frozen=True):
    """Another part of the manifest that affects an object: an address without server, in which way, and its place."""

    address: str
    how: str
    origin: Origin | None = None


class ObjectFacts(Struct, frozen=True):
    """One object of a manifest. `server` is "" if the question was about all servers; `absent` is true if the object is to be
    removed.
    """

    kind: Kind
    name: str
    address: str
    server: str
    absent: bool
    origin: Origin | None
    moved_from: str
    servers: tuple[ServerStanding, ...]
    fields: tuple[FieldStanding, ...]
    related: tuple[Related, ...] = ()
    findings: Diagnostics = field(default_factory=Diagnostics)
