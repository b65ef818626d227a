"""Variable files (`--var-file`): YAML, JSON, or lines NAME=value; problems are reported with their place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Diagnostic, SourceSpan
from oauthdeploy.manifest.input_files import read_text
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_nodes, read_tree

_DOTENV = re.compile(
    r"""(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*"""
    r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|([^\s#'"](?:(?![ \t]\#).)*|))(?:[ \t]+\#.*)?[ \t]*\Z"""
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "$": "$"}

Place = tuple[int, int]
"""Line and column, from 1."""


class VarFile(Struct):
    """The content of a file: values by name, the place of each name, and the problems."""

    name: str
    values: dict[str, str] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)

    def __repr__(self) -> str:
        # The values may be secret.
        return f"VarFile({self.name!r})"

    def span(self, name: str) -> SourceSpan:
        """The place of the value's name; the line is not quoted, since it may contain a secret."""
        return SourceSpan(self.name, *self.places.get(name, (1, 1)))

    def wrong(self, detail: str, line: int = 1, column: int = 1) -> None:
        """Record a problem with the format."""
        summary, span = "A variable file is not valid", SourceSpan(self.name, line, column)
        self.problems.append(Diagnostic("wrong-value", summary, detail, "Correct the file.", span=span))

    def repeated(self, name: str, line: int = 1, column: int = 1) -> None:
        """Record a name that is set twice."""
        detail, span = f"'{name}' is given more than once.", SourceSpan(self.name, line, column)
        self.problems.append(
            Diagnostic("duplicate-key", "A key is written twice", detail, "Keep one of the two.", span=span)
        )


def read_var_file(name: str) -> VarFile:
    """Read a file of values: YAML (.yaml, .yml), JSON (.json), or lines NAME=value (any other suffix)."""
    var_file = VarFile(name)
    source = read_text(name)
    if isinstance(source, Diagnostic):
        var_file.problems.append(replace(source, span=SourceSpan(name, 1, 1)))
    elif name.endswith((".yaml", ".yml")):
        _read_yaml(source, var_file)
    elif name.endswith(".json"):
        _read_json(source, var_file)
    else:
        read_dotenv(source, var_file)
    return var_file


def _read_yaml(source: Source, var_file: VarFile) -> None:
    data, problems = read_tree(source)
    var_file.problems += [item.at(item.span and replace(item.span, text="")) for item in problems]
    if not problems:
        _take({} if data is None else data, source, var_file)


def _read_json(source: Source, var_file: VarFile) -> None:
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(items)
        if len(values) < len(items):
            names = [name for name, _ in items]
            repeated.extend(sorted({name for name in names if names.count(name) > 1}))
        return {key: str(value).lower() if isinstance(value, bool) else value for key, value in values.items()}

    try:
        data = json.loads(source.text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        var_file.wrong(f"Not valid JSON: {error.msg}.", error.lineno, error.colno)
    except RecursionError:
        var_file.wrong("The values are nested too deeply.")
    else:
        if repeated:
            places = _places(source)
            for name in repeated:
                var_file.repeated(name, *places.get(name, (1, 1)))
        else:
            _take(data, source, var_file)


def _take(data: Any, source: Source, var_file: VarFile) -> None:
    if not isinstance(data, dict):
        var_file.wrong("The file must be a mapping of names to values.")
        return
    var_file.places = _places(source)
    for key, value in data.items():
        if isinstance(value, str):
            var_file.values[key] = value
        else:
            place = var_file.places.get(key, (1, 1))
            var_file.wrong(f"The value of '{key}' must be a string, a number, true or false.", *place)


def _places(source: Source) -> dict[str, Place]:
    """The places of the names in a YAML file, or in a JSON file, which is nearly always YAML; empty for the rest."""
    node, _ = read_nodes(source)
    entries = node.value if node is not None else None
    return {key: (line, column) for key, (line, column, _) in entries.items()} if isinstance(entries, dict) else {}


def read_dotenv(source: Source, var_file: VarFile) -> None:
    """Lines NAME=value, with quotes, comments and `export`.

    python-dotenv is not used: it logs and skips lines that it cannot parse, so that an error would go unnoticed.
    """
    places: dict[str, Place] = {}
    var_file.places = places
    for number, line in _dotenv_lines(source):
        match = _DOTENV.match(line)
        if match is None:
            var_file.wrong("This line is not NAME=value.", number)
            continue
        name, single, double, bare = match.groups()
        if name in var_file.values:
            var_file.repeated(name, number)
            continue
        places[name] = (number, 1)
        if double is not None:
            var_file.values[name] = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), double)
        else:
            var_file.values[name] = single if single is not None else (bare or "").rstrip()


def _dotenv_lines(source: Source) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(source.lines, start=1):
        text = line.strip(" \t")
        if text and not text.startswith("#"):
            yield number, text
