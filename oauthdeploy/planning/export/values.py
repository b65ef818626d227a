"""The values of an export: its options, and the edits of the manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from msgspec import Struct, field

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import AssignedAs
from oauthdeploy.planning.inventory import KINDS
from oauthdeploy.planning.omissions import Omission

_SURROGATE: Final = re.compile("[\ud800-\udfff]")

Keys = tuple[str, ...]
"""The keys that lead to a place in options."""

Left = tuple[str, str, str]
"""What not to write: a kind, a name ("" if there is none) and a dotted path ("" for the whole object)."""


class ExportOptions(Struct, frozen=True):
    """What to export.

    `kinds` and `names` (globs over scopes and clients) select; `servers` are those to read (none: all). With `source` and
    `target`, the export makes the target equal to the source; `mirror` also declares absent what only the target has. `full`
    includes defaults; `secrets` includes references for the secrets of confidential clients.
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


class OptionEdit(Struct, frozen=True):
    """An edit of one driver option. `keys` lead to it, the driver first. It has a value for each server (null requests the
    default) and is `alike` if all of them hold the same, or the option is removed (`gone`).
    """

    keys: Keys
    values: Mapping[str, Any]
    alike: bool = True
    gone: bool = False


class EntryEdit(Struct, frozen=True):
    """An edit of one entry of scopes or clients: values by dotted path, overrides by server and path (None removes one), paths
    to remove, its servers (None: unchanged, or all), whether it gets a secret by reference, its changed options, and whether it
    is removed (`gone`) or declared absent.
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
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class SettingsEdit(Struct, frozen=True):
    """An edit of the settings: the fields that all servers share, and those of single servers; None removes a field."""

    common: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: tuple[OptionEdit, ...] = ()


Pairs = Mapping[str, AssignedAs | None]
"""The scopes of a client, and how it has each; None where nothing is to be said of that."""


class Export(Struct, frozen=True):
    """All edits, by section. None in `associations` and `trusts` removes the entry; `associations` have the whole list of
    scopes of a client. `listing` leads to the options, by driver and name, that such a list replaces. `omissions` are left out,
    by object and field; `findings` cover everything else.
    """

    scopes: tuple[EntryEdit, ...] = ()
    clients: tuple[EntryEdit, ...] = ()
    settings: SettingsEdit = field(default_factory=SettingsEdit)
    associations: Mapping[str, Pairs | None] = field(default_factory=dict)
    listing: tuple[Keys, ...] = ()
    trusts: Mapping[str, str | None] = field(default_factory=dict)
    findings: Diagnostics = field(default_factory=Diagnostics)
    omissions: tuple[Omission, ...] = ()


def can_be_written(value: Any) -> bool:
    """Whether a live value can be written: servers can send lone surrogates, which have no UTF-8 form."""
    if isinstance(value, str):
        return _SURROGATE.search(value) is None
    if isinstance(value, list | tuple):
        return all(can_be_written(inner) for inner in value)
    if isinstance(value, Mapping):
        return all(can_be_written(key) and can_be_written(inner) for key, inner in value.items())
    return not isinstance(value, Secret)
