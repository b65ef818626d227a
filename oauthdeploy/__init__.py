"""Declarative OAuth configuration for authorization servers and resource servers.

The functions of the command line for Python callers; `docs/python-api.md` shows them at work. Their names are listed once, in
`workflow/__init__.pyi`. They are imported when they are first used, so that `import oauthdeploy` costs next to nothing (PEP 562).
"""

from __future__ import annotations


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "__version__":
        return import_module("oauthdeploy.core.version").__version__
    if name.startswith("_") and name != "__all__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    workflow = import_module("oauthdeploy.workflow")
    if name == "__all__":
        return [*workflow.__all__, "__version__"]
    if name not in workflow.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(workflow, name)
    return value


def __dir__() -> list[str]:
    from importlib import import_module

    return sorted({*globals(), *import_module("oauthdeploy.workflow").__all__, "__version__"})
