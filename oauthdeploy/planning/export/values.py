"""The values of an export: its options, and the edits of the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.secrets import Secret
from oauthdeploy.planning.inventory import KINDS
from oauthdeploy.planning.omissions import Omission

Keys = tuple[str, ...]
"""The keys that lead to a place in options."""

Left = tuple[str, str, str]
"""A kind, a name ("" for what has none) and a dotted path ("" for all of it) that isn't to be written."""


@dataclass(frozen=True)
class ExportOptions:
    """What to export.

    `kinds` and `names` (globs over scopes and clients) select; `servers` are those to read (none: all). `source` and `target`
    ask for what brings the one level with the other; `mirror` then writes what only the target has as absent. `full` writes
    defaults too; `secrets` writes references for the secrets of confidential clients.
    """

    kinds: tuple[Kind, ...] = KINDS
    names: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    source: str | None = None
    target: str | None = None
    mirror: bool = False
    full: bool = False
    secrets: bool = True

    @property
    def levels(self) -> bool:
        """Whether the export copies one server to another."""
        return self.source is not None and self.target is not None

    def takes(self, *names: str) -> bool:
        """Whether an object with one of these names is selected."""
        return not self.names or any(fnmatchcase(name, pattern) for name in names for pattern in self.names)


@dataclass(frozen=True)
class OptionEdit:
    """What to write at one place in the options of a driver, found by its `keys`, the driver first: the value by server (null
    asks for the default), `alike` where all servers that are told it hold the same; or that it goes (`gone`).
    """

    keys: Keys
    values: Mapping[str, Any]
    alike: bool = True
    gone: bool = False


@dataclass(frozen=True)
class EntryEdit:
    """What to write into one entry of scopes or clients: values by dotted path, paths to take out, where it belongs (None: as
    it is, or everywhere), whether it gets a secret by reference, its written options that change, and whether it goes (`gone`) or
    is to be absent there.
    """

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    on: tuple[str, ...] | None = None
    everywhere: bool = False
    secret: bool = False
    options: tuple[OptionEdit, ...] = ()
    gone: bool = False
    absent: bool = False


@dataclass(frozen=True)
class SettingsEdit:
    """What to write into the settings: the fields that all servers share, and those of one server; None removes a field."""

    common: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: tuple[OptionEdit, ...] = ()


@dataclass(frozen=True)
class Export:
    """What to write, by section. None in `associations` and `trusts` removes the entry; `associations` hold the whole
    list of scopes of a client. `omissions` are left out, by object and field; `findings` tell of everything else.
    """

    scopes: tuple[EntryEdit, ...] = ()
    clients: tuple[EntryEdit, ...] = ()
    settings: SettingsEdit = field(default_factory=SettingsEdit)
    associations: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    trusts: Mapping[str, str | None] = field(default_factory=dict)
    findings: Diagnostics = field(default_factory=Diagnostics)
    omissions: tuple[Omission, ...] = ()


def can_be_written(value: Any) -> bool:
    """Whether a live value can be written: servers can send halves of characters, which no file can hold."""
    if isinstance(value, Secret):
        return False
    if isinstance(value, Mapping):
        return all(can_be_written(key) and can_be_written(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return all(can_be_written(inner) for inner in value)
    return not isinstance(value, str) or not any("\ud800" <= sign <= "\udfff" for sign in value)
