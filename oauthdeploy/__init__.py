"""Declarative OAuth configuration for authorization servers and resource servers.

The functions of the command line for Python callers; `docs/python-api.md` shows them at work. They are imported when they
are first used, so that `import oauthdeploy` costs next to nothing (PEP 562).
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
"""As in `typing`, which alone would take ten times as long to import as this module; type checkers know the name."""

if TYPE_CHECKING:
    from oauthdeploy.workflow import (
        ExportOptions,
        ManifestRequest,
        RevocationRequest,
        RunOptions,
        TokenSelection,
        adopt,
        check_saved,
        compare_environments,
        compare_live,
        detect_drift,
        export_manifest,
        list_tokens,
        make_bundle,
        make_plan,
        ping,
        plan_revocation,
        probe,
        read_baseline,
        read_plan,
        record_revocation,
        request_revocation,
        request_token_deletion,
        revoke,
        run_plan,
        run_saved,
        save_plan,
        validate,
    )

__all__ = [
    "ExportOptions",
    "ManifestRequest",
    "RevocationRequest",
    "RunOptions",
    "TokenSelection",
    "__version__",
    "adopt",
    "check_saved",
    "compare_environments",
    "compare_live",
    "detect_drift",
    "export_manifest",
    "list_tokens",
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


if not TYPE_CHECKING:
    # Hidden from type checkers, so that a misspelt name is an error to them.
    def __getattr__(name: str) -> object:
        if name in __all__:
            from importlib import import_module

            value = getattr(import_module("oauthdeploy.workflow"), name)
            globals()[name] = value
            return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
