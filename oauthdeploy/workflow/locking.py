"""The lock of a manifest on its servers, and the folder of locks and journals."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec.structs import replace

from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.model.objects import Client
from oauthdeploy.running.audit import FILE_NAME
from oauthdeploy.running.deliveries import FOLDER as DELIVERIES
from oauthdeploy.running.deliveries import Deliveries
from oauthdeploy.running.lease import LeaseHome, Leases, lease_lock
from oauthdeploy.running.lock import Held, Holder, force_unlock, lock, who_holds
from oauthdeploy.running.secret_sinks import LocalSinks, clear_leftovers
from oauthdeploy.workflow.connections import load, state_folder
from oauthdeploy.workflow.options import RunOptions


class StateNotWritable(OAuthDeployError):
    """The folder of locks and journals cannot be used; without them nothing is written."""

    rule = "state-not-writable"


def local_sinks(manifest: Manifest, options: RunOptions) -> LocalSinks:
    """Where this run delivers secrets: within the manifest's bounds, and apart from its own records."""
    folder = state_folder(manifest, options)
    audit = audit_file(manifest, options)
    bounds = replace(
        manifest.bounds,
        own_files=(*manifest.bounds.own_files, audit),
        own_folders=(*manifest.bounds.own_folders, folder),
    )
    return LocalSinks(bounds, _deliveries(manifest, folder), options.overwrite)


def _deliveries(manifest: Manifest, folder: Path) -> Deliveries:
    urls = {name: server.url or "" for name, server in manifest.desired.servers.items()}
    return Deliveries(folder / DELIVERIES, manifest.desired.name, urls)


def audit_file(manifest: Manifest, options: RunOptions) -> Path:
    """The audit file of cut-offs."""
    return options.audit or state_folder(manifest, options) / FILE_NAME


def addresses_of(manifest: Manifest) -> list[str]:
    """The URLs of the servers, which distinguish the lock from those of other servers."""
    return [server.url for server in manifest.desired.servers.values() if server.url]


@contextmanager
def locked(
    manifest: Manifest, options: RunOptions, stop: threading.Event | None = None
) -> Iterator[Callable[[], bool]]:
    """Hold the lock of the manifest and its servers for the block. First removes what a killed run left half
    written: secrets, and the records of their deliveries.

    Yields a function that returns whether the lock is still held. Setting `stop` ends the wait for another run's lock.
    Raises LockBusy, StateNotWritable, and for a lock in Kubernetes LeaseFailed and ExtraMissing.
    """
    folder, timeout = state_folder(manifest, options), options.lock_timeout
    name, targets = manifest.desired.name, addresses_of(manifest)
    with ExitStack() as stack:
        if (leases := stack.enter_context(leases_of(manifest, options))) is not None:
            holds = stack.enter_context(lease_lock(leases, timeout=timeout, stop=stop))
        else:
            try:
                holder = stack.enter_context(lock(folder, name, targets, timeout=timeout, stop=stop))
            except OSError as error:
                raise _not_usable(folder, error) from None
            holds = Held(folder, name, targets, holder)
        _clear_leftovers(manifest, folder)
        yield holds


def _clear_leftovers(manifest: Manifest, folder: Path) -> None:
    clients = {address: value for address, value in manifest.desired.objects.items() if isinstance(value, Client)}
    secrets = {address: value.secret for address, value in clients.items() if value.secret is not None}
    places = {address: secret.deliver_to for address, secret in secrets.items() if secret.deliver_to is not None}
    clear_leftovers(places.values(), base=Path(manifest.base))
    _deliveries(manifest, folder).clear_leftovers(places)


@contextmanager
def leases_of(manifest: Manifest, options: RunOptions) -> Iterator[Leases | None]:
    """The Leases that lock this manifest, for the block; None if its lock is a file. Raises ExtraMissing and LeaseFailed."""
    written = manifest.document.lock
    if written is None:
        home = options.lease
    else:
        home = LeaseHome(written.kubernetes.namespace, options.lease.client if options.lease is not None else None)
    if home is None:
        yield None
    else:
        with home.leases(manifest.desired.name, addresses_of(manifest)) as leases:
            yield leases


def _not_usable(folder: Path, error: OSError) -> StateNotWritable:
    return StateNotWritable(
        "The state folder cannot be used",
        detail=f"{folder}: {error.strerror or error}. The lock and the journal of a run are stored there.",
        fix="Name a folder that this account may write with --state-dir DIR; nothing was written to any server.",
    )


def lock_holder(request: ManifestRequest, options: RunOptions | None = None) -> Holder | None:
    """The holder of the manifest's lock; None if it is free. Raises ManifestInvalid, StateNotWritable
    and LeaseFailed.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    with leases_of(manifest, options) as leases:
        if leases is not None:
            return leases.holder()
    folder = state_folder(manifest, options)
    try:
        return who_holds(folder, manifest.desired.name, addresses_of(manifest))
    except OSError as error:
        raise _not_usable(folder, error) from None


def break_lock(request: ManifestRequest, holder: Holder, options: RunOptions | None = None) -> bool:
    """Remove the lock of `holder`; False if another run holds it now. Raises ManifestInvalid, StateNotWritable
    and LeaseFailed.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    with leases_of(manifest, options) as leases:
        if leases is not None:
            return leases.break_off(holder.token)
    folder = state_folder(manifest, options)
    try:
        return force_unlock(folder, manifest.desired.name, addresses_of(manifest), only=holder.token) is not None
    except OSError as error:
        raise _not_usable(folder, error) from None
