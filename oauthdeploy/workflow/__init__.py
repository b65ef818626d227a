"""From a manifest to a report, as functions for Python callers; the command line calls the same functions.

    validate()      manifest -> findings
    make_plan()     manifest -> desired -> live -> diff -> plan; on connections that refuse to write
    run_plan()      the same, then apply -> verify -> report
    detect_drift()  the same as a plan, reported as drift; a baseline (read_baseline) accepts what is known
    compare_live(), compare_environments()  two servers, or two environments -> what differs
    look_for_drift()  one check of a watch: reports the servers that are down, and checks the others
    export_manifest()  live -> manifest, whose plan is empty
    probe()         findings that need the servers
    adopt()         live objects that the manifest names -> marks of ownership, on servers that store them
    ping()          each server's product, version and account, and whether sign-in works
    diagnose()      how one server answers, against what its driver expects; read_record() reads an earlier one
    make_bundle()   manifest -> the file that a server loads by itself

    request_revocation(), request_token_deletion()  options of `revoke` and `tokens delete` -> what to cut off
    plan_revocation()  what to cut off -> what would be done
    revoke()        what to cut off -> cut off on all servers that respond -> verify -> record
    record_revocation()  what was cut off -> the manifest's files
    list_tokens()   live tokens, never their values

    save_plan()     plan -> document, bound to its manifest and to what was live
    read_plan()     file -> saved plan
    check_saved()   saved plan -> what has changed since
    run_saved()     saved plan -> the same plan, made again and compared -> apply -> verify -> report

    run_removal()   manifest -> what carries its mark is deleted -> verify -> report
    run_resume()    journal -> the rest of that run -> apply -> verify -> report
    plan_rollback() journal -> the plan that undoes it
    run_rollback()  the same, then apply -> verify -> report
    lock_holder()   who is applying now; break_lock() removes the lock of a dead run

Every function that writes ends in `execution.carry_out`, the only way from a plan to a report.

Errors are those of `core.errors`; each has the exit code of the command line. The names are listed in `__init__.pyi`; each
is imported on first use (PEP 562), so that checking a manifest does not load what applying a plan needs.
"""

from __future__ import annotations

import re
from importlib import import_module
from pkgutil import get_data

_HOMES = {
    name: module
    for module, name in re.findall(
        r"^from (\S+) import \w+ as (\w+)$", (get_data(__name__, "__init__.pyi") or b"").decode(), re.MULTILINE
    )
}
"""The module of each name."""

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
