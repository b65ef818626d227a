"""Loads a manifest, restricted by options, and opens drivers for its servers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from msgspec.structs import replace

from oauthdeploy.core.delivery_bounds import STATE_FOLDER
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.environment import given_environment
from oauthdeploy.core.errors import ManifestInvalid, UsageError
from oauthdeploy.drivers.base import Driver, Prover
from oauthdeploy.drivers.registry import driver_facts, driver_problems, open_driver
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.manifest.trust_resolution import Party
from oauthdeploy.workflow.options import RunOptions


def validate(request: ManifestRequest) -> tuple[Manifest | None, Diagnostics]:
    """Read and check a manifest without any server. Raises nothing: returns None and the findings if there are errors."""
    drivers = driver_facts()
    manifest, diagnostics = load_manifest(request, drivers)
    # To the manifest, an installed driver that cannot be used is unknown; a finding says why it cannot be used.
    return manifest, diagnostics + driver_problems(drivers.missed)


def environment() -> Mapping[str, str]:
    """The process environment, for `ManifestRequest.environ`. Raises nothing."""
    return given_environment()


def load(request: ManifestRequest, options: RunOptions) -> Manifest:
    """The manifest, restricted by the options. Raises ManifestInvalid, and UsageError for a server that it does not name."""
    manifest, diagnostics = validate(request)
    if manifest is None:
        raise ManifestInvalid(diagnostics)
    manifest = narrowed(manifest, options)
    if not request.who_only:
        manifest = _with_journals(manifest, options)
    if options.on_manifest is not None:
        options.on_manifest(manifest)
    return manifest


def state_folder(manifest: Manifest, options: RunOptions) -> Path:
    """The folder of journals and lock files."""
    return options.state_dir or Path(manifest.base) / STATE_FOLDER


def _with_journals(manifest: Manifest, options: RunOptions) -> Manifest:
    """The manifest with what only journals know: when cut-offs were made, and by which ids servers know clients it renames."""
    # Imported here because `validate` reads no journal.
    from oauthdeploy.running.journal import JOURNALS
    from oauthdeploy.running.journaled_clients import journaled_identities
    from oauthdeploy.running.journaled_cut_offs import journaled_cut_offs

    folder, desired = state_folder(manifest, options) / JOURNALS, manifest.desired
    cut_at = journaled_cut_offs(folder, desired)
    identities = {**desired.identities, **journaled_identities(folder, desired)}
    known = replace(desired, cut_at=MappingProxyType(cut_at), identities=MappingProxyType(identities))
    return replace(manifest, desired=known)


def narrowed(manifest: Manifest, options: RunOptions) -> Manifest:
    """The manifest, restricted by the options: fewer servers, other limits. Raises UsageError."""
    desired = manifest.desired
    if options.servers:
        unknown = [name for name in options.servers if name not in desired.servers]
        if unknown:
            known = ", ".join(sorted(desired.servers))
            raise UsageError(f"No server '{unknown[0]}' in the manifest", fix=f"Servers are: {known}.")
        chosen = set(options.servers)
        desired = replace(
            desired,
            objects={address: value for address, value in desired.objects.items() if address.server in chosen},
            absent=frozenset(address for address in desired.absent if address.server in chosen),
            external=frozenset(address for address in desired.external if address.server in chosen),
        )
    if options.max_deletes is not None:
        limits = desired.policy.limits.model_copy(update={"max_deletes": options.max_deletes})
        desired = replace(desired, policy=desired.policy.model_copy(update={"limits": limits}))
    return replace(manifest, desired=desired)


def prover_of(manifest: Manifest, options: RunOptions) -> Prover:
    """The probe for the proof tokens of the manifest's revocations."""
    # Imported here because offline commands do not need the HTTP library.
    from oauthdeploy.drivers.token_probe import HttpProver

    facts = driver_facts()
    servers = manifest.desired.servers
    parties = [
        Party(name, entry, facts.get(entry.driver), manifest.options.get(name)) for name, entry in servers.items()
    ]
    introspection = {party.name: party.endpoints.introspection for party in parties}
    return HttpProver(servers, introspection, Path(manifest.base), options.egress)


@contextmanager
def connected(manifest: Manifest, options: RunOptions, *, read_only: bool) -> Iterator[Mapping[str, Driver]]:
    """The drivers of the selected servers, by server name, closed at the end of the block."""
    facts = driver_facts()
    drivers: dict[str, Driver] = {}
    try:
        for name, server in manifest.desired.servers.items():
            if not facts[server.driver].writable or (options.servers and name not in options.servers):
                continue
            if options.parallelism is not None:
                limits = server.limits.model_copy(update={"parallel": options.parallelism})
                server = server.model_copy(update={"limits": limits})
            drivers[name] = open_driver(
                name,
                server,
                manifest.credentials[name],
                manifest.options[name],
                read_only=read_only,
                base=Path(manifest.base),
                egress=options.egress,
            )
        yield drivers
    finally:
        for driver in drivers.values():
            driver.close()


def registry_options(manifest: Manifest) -> Mapping[str, str]:
    """The servers whose driver keeps a registry in a file, and the option that names the file."""
    facts = driver_facts()
    found = {name: facts[server.driver].registry_option for name, server in manifest.desired.servers.items()}
    return {name: option for name, option in found.items() if option}
