"""The road from a manifest to a report, as functions for Python callers; the command line calls the same ones.

    validate()      manifest -> findings
    make_plan()     manifest -> desired -> live -> diff -> plan; on connections that refuse to write
    run_plan()      the same, then apply -> verify -> report
    detect_drift()  the same as a plan, told as drift; a baseline (read_baseline) accepts what is known
    compare_live(), compare_environments()  two servers, or two environments -> what differs
    look_for_drift()  a round of a watch: servers that are down are told, and the others looked at
    export_manifest()  live -> manifest, whose plan is empty
    probe()         findings that take a look at the servers
    adopt()         live objects that the manifest names -> marks of ownership, where servers hold them
    ping()          who the servers are and whether they let us in
    make_bundle()   manifest -> the file that a server loads by itself

    order_revocation(), order_deletion()  the words of `revoke` and `tokens delete` -> what to cut off
    plan_cut_off()  what to cut off -> what would be done
    revoke()        what to cut off -> cut off on all servers that answer -> verify -> record
    record_cut_off()  what was cut off -> the manifest's files
    list_tokens()   live tokens, never their values

    save_plan()     plan -> document, bound to its manifest and to what was live
    read_plan()     file -> saved plan
    check_saved()   saved plan -> what has moved since
    run_saved()     saved plan -> the same plan, made again and compared -> apply -> verify -> report

Errors are those of `core.errors`; each has the exit code that the command line leaves with. Functions are imported when they
are first used (PEP 562), so that checking a manifest doesn't wait for what applying a plan needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from oauthdeploy.manifest.api import ManifestRequest
    from oauthdeploy.manifest.baselines import read_baseline
    from oauthdeploy.planning.exported import ExportOptions
    from oauthdeploy.planning.listing import TokenSelection
    from oauthdeploy.workflow.adopting import AdoptReport, adopt, probe
    from oauthdeploy.workflow.bundling import make_bundle
    from oauthdeploy.workflow.comparing import compare_environments, compare_live
    from oauthdeploy.workflow.drifting import DriftRound, detect_drift, look_for_drift
    from oauthdeploy.workflow.exporting import ExportReport, export_manifest
    from oauthdeploy.workflow.opening import environment, validate
    from oauthdeploy.workflow.options import PingResult, RunOptions
    from oauthdeploy.workflow.ordering_cut_offs import CutOffOrder, order_deletion, order_revocation
    from oauthdeploy.workflow.recording import record_cut_off
    from oauthdeploy.workflow.revoking import plan_cut_off, revoke
    from oauthdeploy.workflow.runs import make_plan, ping, run_plan
    from oauthdeploy.workflow.saved import check_saved, read_plan, run_saved, save_plan
    from oauthdeploy.workflow.tokens import list_tokens

__all__ = [
    "AdoptReport",
    "CutOffOrder",
    "DriftRound",
    "ExportOptions",
    "ExportReport",
    "ManifestRequest",
    "PingResult",
    "RunOptions",
    "TokenSelection",
    "adopt",
    "check_saved",
    "compare_environments",
    "compare_live",
    "detect_drift",
    "environment",
    "export_manifest",
    "list_tokens",
    "look_for_drift",
    "make_bundle",
    "make_plan",
    "order_deletion",
    "order_revocation",
    "ping",
    "plan_cut_off",
    "probe",
    "read_baseline",
    "read_plan",
    "record_cut_off",
    "revoke",
    "run_plan",
    "run_saved",
    "save_plan",
    "validate",
]

_HOMES: Final = {
    "AdoptReport": "oauthdeploy.workflow.adopting",
    "CutOffOrder": "oauthdeploy.workflow.ordering_cut_offs",
    "DriftRound": "oauthdeploy.workflow.drifting",
    "ExportOptions": "oauthdeploy.planning.exported",
    "ExportReport": "oauthdeploy.workflow.exporting",
    "ManifestRequest": "oauthdeploy.manifest.api",
    "PingResult": "oauthdeploy.workflow.options",
    "RunOptions": "oauthdeploy.workflow.options",
    "TokenSelection": "oauthdeploy.planning.listing",
    "adopt": "oauthdeploy.workflow.adopting",
    "check_saved": "oauthdeploy.workflow.saved",
    "compare_environments": "oauthdeploy.workflow.comparing",
    "compare_live": "oauthdeploy.workflow.comparing",
    "detect_drift": "oauthdeploy.workflow.drifting",
    "environment": "oauthdeploy.workflow.opening",
    "export_manifest": "oauthdeploy.workflow.exporting",
    "list_tokens": "oauthdeploy.workflow.tokens",
    "look_for_drift": "oauthdeploy.workflow.drifting",
    "make_bundle": "oauthdeploy.workflow.bundling",
    "make_plan": "oauthdeploy.workflow.runs",
    "order_deletion": "oauthdeploy.workflow.ordering_cut_offs",
    "order_revocation": "oauthdeploy.workflow.ordering_cut_offs",
    "ping": "oauthdeploy.workflow.runs",
    "plan_cut_off": "oauthdeploy.workflow.revoking",
    "probe": "oauthdeploy.workflow.adopting",
    "read_baseline": "oauthdeploy.manifest.baselines",
    "read_plan": "oauthdeploy.workflow.saved",
    "record_cut_off": "oauthdeploy.workflow.recording",
    "revoke": "oauthdeploy.workflow.revoking",
    "run_plan": "oauthdeploy.workflow.runs",
    "run_saved": "oauthdeploy.workflow.saved",
    "save_plan": "oauthdeploy.workflow.saved",
    "validate": "oauthdeploy.workflow.opening",
}
"""The module of each name."""

if not TYPE_CHECKING:
    # Hidden from type checkers, so that a misspelt name is an error to them.
    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
