"""What `explain` says, as values: made from the manifest's models, shown by the reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostics, SourceSpan

SAFETY: Final = "safety stop"
"""The group of the ids that --allow lifts."""


DRIVER: Final = "driver"
"""The word in front of a driver's name in the group of its own findings."""

Notice = tuple[str, str, str, str, str]
"""What is true of every case of a finding or error: id, severity, title, reason, fix."""


@dataclass(frozen=True)
class RuleFacts:
    """One rule of the catalogue in words, or another id that a finding or an error can have.

    `group` says what raises it: "" for a rule of the manifest, which alone has `source`, `bad` and `good`, parts of a manifest.
    `severity` is what a finding weighs by default; that of a `structural` rule can't be changed. `links` are the addresses of the
    RFC sections that `source` names, in its order. `looks_at` names the fields on which the two examples differ.
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


@dataclass(frozen=True)
class DriverAnswer:
    """What a driver answers about one capability: in which roles, yes, no or untested, and its note."""

    driver: str
    roles: tuple[str, ...]
    capability: str
    answer: str
    note: str = ""


@dataclass(frozen=True)
class FieldFacts:
    """One field of the manifest's language.

    `path` leaves out names and list positions: `clients.redirect_uris`. `types` are the forms that a value can have, in words;
    `values` the words among them. `default` is what the tool uses when the field isn't written, as text (None: nothing).
    `server_defaults` are what null asks for, as driver and text. `unset`, `null` and `empty` say what each of the three means;
    `empty` is "" where a value can't be empty. `keys` are the fields inside, with what they are. `rules` are ids and titles.
    `driver` names the driver whose own field it is; "" for a field of the language itself.
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


@dataclass(frozen=True)
class Origin:
    """Where a written value comes from.

    `span` is its place; `overlay` the environment's entry that holds it, such as `environments.prod`, or "". `references` say for
    each `${...}` in it what gave the text, such as `variable tier (--var)`; never the text itself.
    """

    span: SourceSpan | None
    overlay: str = ""
    references: tuple[str, ...] = ()


class Managed(StrEnum):
    """What the manifest asks of a field."""

    VALUE = "value"
    SERVER_DEFAULT = "server-default"
    NOT_MANAGED = "not-managed"


@dataclass(frozen=True)
class Away:
    """A server that doesn't get something, and why."""

    server: str
    why: str


@dataclass(frozen=True)
class FieldStanding:
    """One field of an object as it falls on `servers`; a field with different values on different servers stands several times.

    `value` is in the model's words (a secret is a Secret). `defaults` are the servers' own, by driver. `because` is said where
    the value isn't what is written for the object itself.
    """

    path: str
    managed: Managed
    value: Any = None
    servers: tuple[str, ...] = ()
    origin: Origin | None = None
    defaults: tuple[tuple[str, Any], ...] = ()
    away: tuple[Away, ...] = ()
    because: str = ""


@dataclass(frozen=True)
class ServerStanding:
    """Whether an object stands on a server, and if not why."""

    server: str
    role: str
    driver: str
    stands: bool
    why: str = ""


@dataclass(frozen=True)
class Related:
    """Something else of the manifest that bears on an object: an address without server, in which way, and its place."""

    address: str
    how: str
    origin: Origin | None = None


@dataclass(frozen=True)
class ObjectFacts:
    """One object of a manifest. `server` is "" where the question was about all servers; `absent` where it shall go."""

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
