"""Removes what a manifest has created: the clients and scopes that carry its mark."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from oauthdeploy.drivers.base import Driver
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.model.state import Prune, PrunePolicy
from oauthdeploy.planning.outcome import ApplyReport
from oauthdeploy.workflow.connections import load
from oauthdeploy.workflow.execution import Confirm, Listener, run_job
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.plan import Job, planned

_NOTHING_NAMED: Final = ("empty-manifest", "empty-section", "too-many-deletes")
"""The safety rules against a manifest that is empty by accident; here it is empty on purpose."""


def run_removal(
    request: ManifestRequest,
    options: RunOptions | None = None,
    *,
    confirm: Confirm | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
) -> ApplyReport | None:
    """Delete the clients and scopes that carry the mark of the manifest, on servers that store marks; then verify and report.

    What `policy.protect` names stays, and so does everything on servers that store no marks. The rest is as for `run_plan`.
    Raises what that raises.
    """
    options = options or RunOptions()
    manifest = _emptied(load(request, options))
    allowed = replace(options, allow=(*options.allow, *_NOTHING_NAMED))

    def make(readers: Mapping[str, Driver]) -> Job:
        return planned(manifest, readers, allowed)

    return run_job(manifest, allowed, make, confirm=confirm, on_event=on_event, stop=stop)


def _emptied(manifest: Manifest) -> Manifest:
    """The manifest without its objects, so that all of them are left over."""
    desired = manifest.desired
    prune = PrunePolicy(clients=Prune.MANAGED, scopes=Prune.MANAGED, associations=Prune.MANAGED)
    emptied = replace(
        desired,
        objects=MappingProxyType({}),
        absent=frozenset(),
        moved=MappingProxyType({}),
        listed_clients=frozenset(),
        listed_scopes=frozenset(),
        resource_owners=(),
        policy=desired.policy.model_copy(update={"prune": prune}),
    )
    return replace(manifest, desired=emptied)
