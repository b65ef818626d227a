"""Every report that tests look at: each kind of run, with and without something to say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.errors import ManifestInvalid, SafetyStop, ServersFailed, Unreachable
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.drift.classification import DriftItem
from oauthdeploy.reports.builders.apply import apply_report
from oauthdeploy.reports.builders.comparison import comparison_report
from oauthdeploy.reports.builders.drift import drift_report
from oauthdeploy.reports.builders.error import error_report
from oauthdeploy.reports.builders.plan import plan_report
from oauthdeploy.reports.builders.validation import validation_report
from oauthdeploy.reports.document import ManifestView, Report, Run
from oauthdeploy.workflow import validate
from tests.reports import samples

FILES: Final = ("oauthdeploy.yaml", "incident.yaml")
EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "quickstart" / "oauthdeploy.yaml"


def quickstart() -> DesiredState:
    """What the example wants."""
    names = ("LOGIN", "ORDERS", "INTROSPECTION")
    environ = {f"{name}_{part}": "x" for name in names for part in ("PASSWORD", "CA")} | {"NIGHTLY_BATCH_SECRET": "x"}
    manifest, found = validate(ManifestRequest(files=(str(EXAMPLE),), environ=environ))
    assert manifest is not None, list(found)
    return manifest.desired


def whole() -> ManifestView:
    """The sample manifest with the estate of the example."""
    return ManifestView(samples.MANIFEST.locate, FILES, quickstart())


def _compared(*, items: bool = True) -> Report:
    drift = samples.drift_report()
    found: tuple[DriftItem, ...] = tuple(item for item in drift.items if item.kind.value != "sides-disagree")
    return comparison_report("login", "orders", found if items else (), servers=samples.SERVERS)


def _lifted() -> Report:
    return plan_report(samples.second_plan(), samples.MANIFEST, allowed=("too-many-deletes",))


REPORTS: Final[dict[str, Callable[[], Report]]] = {
    "plan-first": lambda: plan_report(samples.first_plan(), whole()),
    "plan-second": lambda: plan_report(samples.second_plan(), samples.MANIFEST),
    "plan-lifted": _lifted,
    "plan-empty": lambda: plan_report(samples.empty_plan(), whole()),
    "plan-hostile": lambda: plan_report(samples.hostile_plan()),
    "plan-wide": lambda: plan_report(samples.wide_plan(9)),
    "apply-done": lambda: apply_report(samples.done_report(), whole()),
    "apply-partial": lambda: apply_report(samples.partial_report(), samples.MANIFEST),
    "apply-stopped": lambda: error_report(
        SafetyStop("The plan trips a safety rule", fix="Lift it with --allow."),
        Run.APPLY,
        FILES,
        plan_report(samples.second_plan(), samples.MANIFEST),
    ),
    "drift": lambda: drift_report(samples.drift_report(), samples.MANIFEST),
    "drift-none": lambda: drift_report(samples.drift_report(()), whole()),
    "compare": _compared,
    "compare-equal": lambda: _compared(items=False),
    "valid": lambda: validation_report(FILES, Diagnostics((samples.WARNING,)), quickstart()),
    "invalid": lambda: validation_report(FILES, Diagnostics((samples.ERROR, samples.WARNING)), None),
    "plan-invalid": lambda: error_report(ManifestInvalid(Diagnostics((samples.ERROR,))), Run.PLAN, FILES),
    "drift-unreachable": lambda: error_report(
        ServersFailed([Unreachable("no answer", server=name) for name in ("login", "orders")]), Run.DRIFT, FILES
    ),
}


def many(changes: int) -> Report:
    """A plan of so many objects on both servers."""
    names = [f"client/client-{number:05}" for number in range(changes)]
    made = [change for name in names for change in samples.on_both(samples.create, name, *samples.BATCH)]
    return plan_report(replace(samples.first_plan(), changes=tuple(made)), samples.MANIFEST)
