"""`oauthdeploy version`: print the version."""

from __future__ import annotations

from oauthdeploy.cli import streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import Sink, sink_option
from oauthdeploy.core.version import __version__

_LIBRARIES = (
    "click",
    "deepdiff",
    "jsonschema",
    "pydantic",
    "pyyaml",
    "requests",
    "rich",
    "ruamel.yaml",
    "tenacity",
    "authlib",
    "cheroot",
    "flask",
    "sqlalchemy",
)


@command(
    examples=(
        ("oauthdeploy version", "the version"),
        ("oauthdeploy version -o json", "with Python and libraries, for bug reports"),
    ),
    main=("sinks",),
)
@sink_option("text", "json")
def version(sinks: tuple[Sink, ...]) -> None:
    """Print the version; with -o json also those of Python and the libraries, for a bug report."""
    line = f"oauthdeploy {__version__}\n"
    if not sinks:
        streams.write_result(line)
        return
    from oauthdeploy.cli.output import Output, as_json

    Output(sinks).emit({"text": lambda _look: line, "json": as_json(_everything)})


def _everything() -> dict[str, object]:
    import platform
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    libraries: dict[str, str | None] = {}
    for name in _LIBRARIES:
        try:
            libraries[name] = installed(name)
        except PackageNotFoundError:
            libraries[name] = None
    return {
        "format": "oauthdeploy/version",
        "format_version": "1.0",
        "version": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "libraries": libraries,
    }
