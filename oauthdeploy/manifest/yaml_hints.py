"""YAML for messages: values of a manifest, as a user would write them, without any secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from oauthdeploy.core.diagnostics import Path
from oauthdeploy.core.secrets import SourcedText
from oauthdeploy.manifest.interpolate import Unknown
from oauthdeploy.manifest.scalars import can_be_plain, quoted
from oauthdeploy.manifest.secret_paths import is_secret_path

_MOST: Final = 20
"""How many entries of a list are written; the rest become dots."""
_REFERENCE = re.compile(r"\$\{[a-z]+:[^{}]*\}\Z")
_FLOW: Final = 80
"""How long a mapping or a list in brackets may be before it becomes a block."""


class Verbatim(str):
    """Text that is YAML already."""

    __slots__ = ()


def lines_of(value: Mapping[str, Any], path: Path = ()) -> Iterator[str]:
    """A mapping as lines of YAML. `path` decides which values may be secret."""
    for key, inner in value.items():
        way = (*path, key)
        name = text_of(key, flow=False)
        line = f"{name}: {flow(inner, way)}"
        if isinstance(inner, Mapping) and inner and (len(way) < 3 or len(line) > _FLOW):
            yield f"{name}:"
            yield from (f"  {line}" for line in lines_of(inner, way))
        elif isinstance(inner, list) and inner and isinstance(inner[0], Mapping):
            yield f"{name}:"
            yield from (f"  - {flow(entry, (*way, index))}" for index, entry in enumerate(inner[:_MOST]))
        else:
            yield line


def flow(value: Any, path: Path) -> str:
    """A value on one line. A literal at a secret path becomes a reference to a variable; it is never repeated."""
    if isinstance(value, Mapping):
        return (
            f"{{{', '.join(f'{text_of(str(key))}: {flow(inner, (*path, str(key)))}' for key, inner in value.items())}}}"
        )
    if isinstance(value, list | tuple):
        shown = [flow(inner, (*path, index)) for index, inner in enumerate(value[:_MOST])]
        return f"[{', '.join([*shown, '...'] if len(value) > _MOST else shown)}]"
    if isinstance(value, Verbatim):
        return value
    if isinstance(value, SourcedText):
        return quoted(value.origin)
    if isinstance(value, Unknown) and _REFERENCE.match(value.written):
        return quoted(value.written)
    if value is None:
        return "null"
    if not isinstance(value, str) or is_secret_path(path):
        return quoted(f"${{env:{_variable(path)}}}")
    return text_of(value.replace("${", "$${"))


def text_of(text: str, *, flow: bool = True) -> str:
    """A scalar as it is written: plain if possible. (No type is lost: a field determines how its text is read.)"""
    return text if text and can_be_plain(text, flow=flow) else quoted(text)


def _variable(path: Path) -> str:
    """A name for the variable of a secret, from the object and the field."""
    words = [str(part) for part in path[1:] if isinstance(part, str) and part not in ("value", "secret", "credentials")]
    last = "SECRET" if "secret" in path else ""
    return re.sub(r"[^A-Z0-9]+", "_", "_".join([*words, last]).upper()).strip("_") or "NAME"
