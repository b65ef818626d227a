"""Adopts objects that already exist, and probes the servers for findings that the manifest alone cannot show."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.errors import StalePlan, UsageError
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.adoption import Adoption, adoption
from oauthdeploy.planning.identities import Names
from oauthdeploy.planning.outcome import Outcome
from oauthdeploy.planning.unread import Unread, selected
from oauthdeploy.running.apply import require_safety
from oauthdeploy.running.clock import utc_now
from oauthdeploy.running.journal import JOURNALS, Journal
from oauthdeploy.running.ownership_marks import write_marks
from oauthdeploy.running.read import read_live
from oauthdeploy.workflow.connections import connected, load, state_folder
from oauthdeploy.workflow.locking import locked
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.plan import make_plan
from oauthdeploy.workflow.planner import plan_now
from oauthdeploy.workflow.server_identity import identities


class AdoptReport(Struct, frozen=True):
    """What was found (`adoption`) and the outcomes of the marks (`outcomes`, empty if there was nothing to write); the
    lifted safety rules (`allowed`), the `journal`, and needed kinds that could not be read (`unread`).
    """

    adoption: Adoption
    outcomes: tuple[Outcome, ...] = ()
    allowed: tuple[str, ...] = ()
    journal: str = ""
    unread: tuple[Unread, ...] = ()


def probe(request: ManifestRequest, options: RunOptions | None = None) -> Diagnostics:
    """Findings that need the servers: what they cannot hold, what cannot be read, and where the two sides disagree.

    Writes nothing. Raises what `make_plan` raises.
    """
    plan, _manifest = make_plan(request, options)
    return plan.diagnostics


def adopt(
    request: ManifestRequest,
    options: RunOptions | None = None,
    addresses: Sequence[str] = (),
    *,
    confirm: Callable[[Adoption], bool] | None = None,
) -> AdoptReport | None:
    """Show which live objects the manifest names, and mark as its own those that their server can hold a mark for.

    `addresses` are globs; none means all. `confirm` is called only if there is something to write (None: no question).
    Returns None if it returned False. Raises what `make_plan` raises, SafetyStop for objects of another manifest, StalePlan
    for objects that changed meanwhile, LockBusy, and UsageError for an address that matches nothing.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    with connected(manifest, options, read_only=True) as readers:
        plan, live, _reports = plan_now(manifest, readers, options)
    names = Names(manifest.desired, live)
    _require_addresses(manifest.desired, names, addresses)
    # Only objects that the manifest names can be adopted, so it does not matter whether others are hidden.
    unread = tuple(item for item in selected(plan.unread, manifest.desired, addresses, (), names) if not item.hidden)
    found = adoption(manifest.desired, live, plan, driver_facts(), addresses)
    if found.plan.is_empty:
        return AdoptReport(found, unread=unread)
    if confirm is not None and not confirm(found):
        return None
    lifted = require_safety(found.plan, options.allow)
    with (
        locked(manifest, options) as holds_lock,
        connected(manifest, options, read_only=False) as drivers,
        Journal.create(
            state_folder(manifest, options) / JOURNALS, manifest.desired.name, now=utc_now, about=identities(manifest)
        ) as journal,
    ):
        again = read_live(drivers, manifest.desired).objects
        for change in found.plan.changes:
            now = again.get(change.live_address)
            if now is None or change.live is None or now.fingerprint != change.live.fingerprint:
                raise StalePlan(
                    "An object changed while adopt was running",
                    detail=f"{change.live_address} is no longer as it was shown.",
                    fix="Nothing was written. Run adopt again.",
                )
        outcomes = write_marks(
            found.plan,
            drivers,
            journal,
            lifted,
            holds_lock=holds_lock,
            look=lambda: read_live(drivers, manifest.desired),
        )
        return AdoptReport(found, outcomes, lifted, str(journal.path), unread)


def _require_addresses(desired: DesiredState, names: Names, addresses: Sequence[str]) -> None:
    for pattern in addresses:
        if not any(names.matches(address, (pattern,)) for address in desired.objects):
            raise UsageError(
                f"'{pattern}' matches no address of the manifest",
                fix="Write an address such as client/web-shop or client/web-shop@login; * matches any characters.",
            )
