"""The values of an export: what is asked for, and what is to be written into the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.planning.estate import KINDS

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
        """Whether one server is to be brought level with another."""
        return self.source is not None and self.target is not None

    def takes(self, *names: str) -> bool:
        """Whether an object with one of these names is selected."""
        return not self.names or any(fnmatchcase(name, pattern) for name in names for pattern in self.names)


@dataclass(frozen=True)
class EntryEdit:
    """What to write into one entry of scopes or clients: values by dotted path, paths to take out, where it belongs (None: as
    it is, or everywhere), whether it gets a secret by reference, and whether it goes (`gone`) or is to be absent there.
    """

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    on: tuple[str, ...] | None = None
    everywhere: bool = False
    secret: bool = False
    gone: bool = False
    absent: bool = False


@dataclass(frozen=True)
class Export:
    """What to write, by section. None in `settings`, `overrides`, `associations` and `trusts` is what is to be taken out;
    `associations` hold the whole list of scopes of a client.
    """

    scopes: tuple[EntryEdit, ...] = ()
    clients: tuple[EntryEdit, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    associations: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    trusts: Mapping[str, str | None] = field(default_factory=dict)
    findings: Diagnostics = field(default_factory=Diagnostics)
