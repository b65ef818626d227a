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

    request_revocation(), request_token_deletion()  the words of `revoke` and `tokens delete` -> what to cut off
    plan_revocation()  what to cut off -> what would be done
    revoke()        what to cut off -> cut off on all servers that answer -> verify -> record
    record_revocation()  what was cut off -> the manifest's files
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
    from oauthdeploy.planning.export.values import ExportOptions
    from oauthdeploy.planning.revocation.token_list import TokenSelection
    from oauthdeploy.workflow.adoption import AdoptReport, adopt, probe
    from oauthdeploy.workflow.apply import make_plan, ping, run_plan
    from oauthdeploy.workflow.bundle import make_bundle
    from oauthdeploy.workflow.comparison import compare_environments, compare_live
    from oauthdeploy.workflow.connections import environment, validate
    from oauthdeploy.workflow.drift import DriftRound, detect_drift, look_for_drift
    from oauthdeploy.workflow.export import ExportReport, export_manifest
    from oauthdeploy.workflow.options import PingResult, RunOptions
    from oauthdeploy.workflow.revocation import plan_revocation, revoke
    from oauthdeploy.workflow.revocation_entry import record_revocation
    from oauthdeploy.workflow.revocation_request import RevocationRequest, request_revocation, request_token_deletion
    from oauthdeploy.workflow.saved_plans import check_saved, read_plan, run_saved, save_plan
    from oauthdeploy.workflow.tokens import list_tokens

__all__ = [
    "AdoptReport",
    "DriftRound",
    "ExportOptions",
    "ExportReport",
    "ManifestRequest",
    "PingResult",
    "RevocationRequest",
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
    "ping",
    "plan_revocation",
    "probe",
    "read_baseline",
    "read_plan",
    "record_revocation",
    "request_revocation",
    "request_token_deletion",
    "revoke",
    "run_plan",
    "run_saved",
    "save_plan",
    "validate",
]

_HOMES: Final = {
    "AdoptReport": "oauthdeploy.workflow.adoption",
    "RevocationRequest": "oauthdeploy.workflow.revocation_request",
    "DriftRound": "oauthdeploy.workflow.drift",
    "ExportOptions": "oauthdeploy.planning.export.values",
    "ExportReport": "oauthdeploy.workflow.export",
    "ManifestRequest": "oauthdeploy.manifest.api",
    "PingResult": "oauthdeploy.workflow.options",
    "RunOptions": "oauthdeploy.workflow.options",
    "TokenSelection": "oauthdeploy.planning.revocation.token_list",
    "adopt": "oauthdeploy.workflow.adoption",
    "check_saved": "oauthdeploy.workflow.saved_plans",
    "compare_environments": "oauthdeploy.workflow.comparison",
    "compare_live": "oauthdeploy.workflow.comparison",
    "detect_drift": "oauthdeploy.workflow.drift",
    "environment": "oauthdeploy.workflow.connections",
    "export_manifest": "oauthdeploy.workflow.export",
    "list_tokens": "oauthdeploy.workflow.tokens",
    "look_for_drift": "oauthdeploy.workflow.drift",
    "make_bundle": "oauthdeploy.workflow.bundle",
    "make_plan": "oauthdeploy.workflow.apply",
    "request_token_deletion": "oauthdeploy.workflow.revocation_request",
    "request_revocation": "oauthdeploy.workflow.revocation_request",
    "ping": "oauthdeploy.workflow.apply",
    "plan_revocation": "oauthdeploy.workflow.revocation",
    "probe": "oauthdeploy.workflow.adoption",
    "read_baseline": "oauthdeploy.manifest.baselines",
    "read_plan": "oauthdeploy.workflow.saved_plans",
    "record_revocation": "oauthdeploy.workflow.revocation_entry",
    "revoke": "oauthdeploy.workflow.revocation",
    "run_plan": "oauthdeploy.workflow.apply",
    "run_saved": "oauthdeploy.workflow.saved_plans",
    "save_plan": "oauthdeploy.workflow.saved_plans",
    "validate": "oauthdeploy.workflow.connections",
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
