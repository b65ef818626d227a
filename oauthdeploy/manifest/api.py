"""The interface of reading manifests: a request in, a manifest and findings out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from oauthdeploy.core.delivery_bounds import DeliveryBounds
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Path, SourceSpan
from oauthdeploy.core.values import LateTyped
from oauthdeploy.manifest.digest import manifest_digest, part_digests
from oauthdeploy.manifest.document import Document
from oauthdeploy.model.fields import Model
from oauthdeploy.model.state import DesiredState

if TYPE_CHECKING:
    from oauthdeploy.model.explanation import Origin

DEFAULT_FILE: Final = "oauthdeploy.yaml"
"""The manifest that is read if none is named."""


class ManifestRequest(Struct, frozen=True):
    """Which manifest to read, and how.

    `files` are paths, folders, globs or `-`; `stdin` is the text for `-`. `environment` names the overlay (`--env`).
    `variables` are `--var`, `var_files` `--var-file`. `environ` is the process environment: only names that the manifest uses
    and `OAUTHDEPLOY_VAR_*` are looked up in it. `allow_commands` lets references run commands (`--allow-commands`); `allow_env`
    are the names or globs of environment variables that the manifest may read (None: any), `allow_files` other folders from
    which files may be read into fields that are not secret, and `allow_delivery` other folders to which secrets may be
    delivered. `severities` maps rule ids to `error`, `warning` or `ignore`. `who_only` reads only the identities of servers and
    clients, so that no unset secret or other error in the manifest delays a cut-off. `unset_env` replaces environment variables
    that are not set and have no default; with "", they are errors. `confined` is for the manifest
    of somebody who may not read this machine: no file elsewhere and no keyring is read, not even for a secret. `today` is the
    date (UTC) by which revocations expire.
    """

    files: tuple[str, ...] = (DEFAULT_FILE,)
    stdin: str | None = None
    environment: str | None = None
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    var_files: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    allow_commands: bool = False
    allow_env: tuple[str, ...] | None = None
    allow_files: tuple[str, ...] = ()
    allow_delivery: tuple[str, ...] = ()
    severities: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    confined: bool = False
    who_only: bool = False
    unset_env: str = ""
    today: date = field(default_factory=lambda: datetime.now(UTC).date())


class Manifest(LateTyped, frozen=True, dict=True):
    """A manifest without errors.

    `base` is the folder that relative paths start from; `locate` finds the place of a path in the files; `trace` returns where
    the value at a path comes from, None if nothing is written there. `credentials` and `options` are the drivers' own parts of
    each server entry, validated by their models, by server name. `environment` is the one that was merged in, and `severities`
    are the requested ones. `void` are the findings about what is written and has no effect; `is_ignored` says whether a comment
    on its line ignores a finding that has its place. `bounds` say which files may receive secrets.
    """

    document: Document
    desired: DesiredState
    base: str
    files: tuple[str, ...]
    locate: Callable[[Path], SourceSpan | None]
    credentials: Mapping[str, Model] = field(default_factory=lambda: MappingProxyType({}))
    options: Mapping[str, Model] = field(default_factory=lambda: MappingProxyType({}))
    trace: Callable[[Path], Origin | None] = lambda _path: None
    environment: str | None = None
    severities: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    void: Diagnostics = field(default_factory=Diagnostics)
    is_ignored: Callable[[Diagnostic], bool] = lambda _finding: False
    bounds: DeliveryBounds = field(default_factory=DeliveryBounds)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the composed document without secret values; a saved plan is bound to it."""
        return manifest_digest(self.document, self.credentials, self.options)

    @cached_property
    def part_digests(self) -> Mapping[str, str]:
        """The same for each written section and, as `servers.NAME`, each server entry, to find out which part has changed."""
        return part_digests(self.document, self.credentials, self.options)
