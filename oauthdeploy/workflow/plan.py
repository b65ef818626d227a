"""A plan of the whole manifest, and the job that it becomes."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from oauthdeploy.core.addresses import Address
from oauthdeploy.drivers.base import Driver
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.model.state import LiveState
from oauthdeploy.planning.plan import Plan
from oauthdeploy.running.journal import JOURNALS
from oauthdeploy.running.undelivered_secrets import lost_secrets
from oauthdeploy.workflow.connections import connected, load, state_folder
from oauthdeploy.workflow.forgotten_cut_offs import plan_with_cut_offs
from oauthdeploy.workflow.locking import local_sinks
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.planner import with_findings


class Job(Struct, frozen=True):
    """A plan that is ready to be carried out, and what it was made from.

    `manifest` is the one with the plan's desired state, for a rollback the inverse. `reviewed` is true if this very plan was
    approved, so that every object is read again before its write. `in_place` are changes of a saved plan that were already
    made. `resumes` and `undoes` name the journal of another run. `urgent` is true for a cut-off, which does what it can on
    the servers that respond and verifies the outcome itself; its journals have a separate folder. `records` go to the audit
    trail. `readers` are the drivers that read `live`, still open and unable to write, if the job is carried out with them;
    `read_at` is when they began, by `time.monotonic`.
    """

    plan: Plan
    manifest: Manifest
    live: LiveState
    in_place: tuple[Address, ...] = ()
    reviewed: bool = False
    resumes: str = ""
    undoes: str = ""
    urgent: bool = False
    records: bool = True
    journals: str = JOURNALS
    readers: Mapping[str, Driver] | None = None
    read_at: float | None = None


def make_plan(request: ManifestRequest, options: RunOptions | None = None) -> tuple[Plan, Manifest]:
    """Compare the manifest with the live servers and return the plan. Writes nothing: the transport refuses to.

    Raises ManifestInvalid, Unreachable, Unauthorized, Forbidden, Unsupported.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    with connected(manifest, options, read_only=True) as drivers:
        return planned(manifest, drivers, options).plan, manifest


def planned(manifest: Manifest, readers: Mapping[str, Driver], options: RunOptions) -> Job:
    """The plan of the whole manifest, with findings about secrets that earlier runs did not deliver."""
    remembered = plan_with_cut_offs(manifest, readers, options)
    plan, live = remembered.plan, remembered.live
    journals = state_folder(manifest, options) / JOURNALS
    lost = lost_secrets(journals, manifest.desired, live, plan, sinks=local_sinks(manifest, options))
    return Job(with_findings(plan, lost, manifest), remembered.manifest, live)
