"""Variables: their declarations in the manifest, and where their values come from.

A value is taken from `--var`, else `--var-file` (a later file wins), else `OAUTHDEPLOY_VAR_name`, else the default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.document import Variable, VariableType
from oauthdeploy.manifest.interpolate import Found, Unresolved
from oauthdeploy.manifest.loader import read_tree
from oauthdeploy.manifest.nodes import Source
from oauthdeploy.manifest.sources import read_text
from oauthdeploy.manifest.words import closest, did_you_mean, listed
from oauthdeploy.model.fields import parse_duration, parse_integer

ENVIRON_PREFIX: Final = "OAUTHDEPLOY_VAR_"
_DOTENV = re.compile(
    r"""(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*"""
    r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|([^\s#'"](?:(?![ \t]\#).)*|))(?:[ \t]+\#.*)?[ \t]*\Z"""
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "$": "$"}


class Variables:
    """The variables of one run. Values are checked when they are used, so that an unused one needs none."""

    def __init__(
        self,
        declared: Mapping[str, Variable],
        given: Mapping[str, str],
        environ: Mapping[str, str],
        givers: Mapping[str, str] | None = None,
    ) -> None:
        self._declared = declared
        self._given = given
        self._environ = environ
        self._givers = givers or {}

    def source(self, name: str) -> str:
        """What gives a variable its value, in the order in which `value` looks: a flag, a file, an environment variable, or
        its default.
        """
        if name in self._given:
            return self._givers.get(name, "--var")
        return f"{ENVIRON_PREFIX}{name}" if ENVIRON_PREFIX + name in self._environ else "default"

    def value(self, name: str) -> Found:
        """The value of a variable and whether it is sensitive. Raises Unresolved."""
        variable = self._declared.get(name)
        if variable is None:
            raise Unresolved(
                "undefined-variable",
                "A value is not defined",
                f"The manifest declares no variable '{name}'.",
                did_you_mean(name, self._declared, what="Variables are")
                if self._declared
                else f"Declare it: variables: {{{name}: {{type: string}}}}.",
            )
        text = self._given.get(name, self._environ.get(ENVIRON_PREFIX + name))
        if text is None and variable.default is not None:
            text = str(variable.default)
            if "${" in text:
                raise Unresolved(
                    "wrong-value",
                    "A variable's default is a reference",
                    f"The default of '{name}' holds a reference; defaults are plain texts.",
                    "Write the reference where the variable is used.",
                )
        if text is None:
            raise Unresolved(
                "undefined-variable",
                "A value is not defined",
                f"The variable '{name}' has no value and no default.",
                f"Give it one: --var {name}=..., a --var-file, or {ENVIRON_PREFIX}{name}.",
            )
        _check(name, variable, text)
        return text, variable.sensitive


def _check(name: str, variable: Variable, text: str) -> None:
    shown = "its value" if variable.sensitive else f"'{text}'"
    try:
        if variable.type is VariableType.INTEGER:
            parse_integer(text)
        elif variable.type is VariableType.DURATION:
            parse_duration(text)
        elif variable.type is VariableType.BOOLEAN and text not in ("true", "false"):
            raise ValueError("write true or false")
    except ValueError as error:
        detail = f"The variable '{name}' is of type {variable.type}, and {shown} is not: {error}."
        raise Unresolved(
            "wrong-value", "A variable has a wrong value", detail, "Correct the value or the type."
        ) from None
    if variable.allowed is not None and text not in variable.allowed:
        fix = f"Allowed are: {listed(variable.allowed)}."
        if variable.sensitive:
            fix = "Use one of the values that its declaration allows."
        if not variable.sensitive and (guess := closest(text, variable.allowed)):
            fix = f"Did you mean '{guess}'? {fix}"
        detail = f"The variable '{name}' doesn't allow {shown}."
        raise Unresolved("not-allowed-value", "A variable has a value that is not allowed", detail, fix)


def declared_variables(section: Any) -> dict[str, Variable]:
    """The declarations that are well formed; the others are reported with the rest of the document."""
    found: dict[str, Variable] = {}
    for name, entry in section.items() if isinstance(section, dict) else ():
        try:
            found[name] = Variable.model_validate({} if entry is None else entry)
        except ValidationError:
            continue
    return found


def collect_variables(request: ManifestRequest, declared: Mapping[str, Variable]) -> tuple[Variables, list[Diagnostic]]:
    """Gather the values that the request brings. Unknown names in --var are errors, in a --var-file warnings."""
    problems: list[Diagnostic] = []
    given: dict[str, str] = {}
    givers: dict[str, str] = {}
    for file in request.var_files:
        values, found = read_var_file(file)
        problems += found
        given.update(values)
        givers.update(dict.fromkeys(values, f"--var-file {file}"))
        problems += [_unknown(name, declared, file, Severity.WARNING) for name in values if name not in declared]
    problems += [
        _unknown(name, declared, "--var", Severity.ERROR) for name in request.variables if name not in declared
    ]
    given.update(request.variables)
    givers.update(dict.fromkeys(request.variables, "--var"))
    return Variables(declared, given, request.environ, givers), problems


def _unknown(name: str, declared: Mapping[str, Variable], where: str, severity: Severity) -> Diagnostic:
    return Diagnostic(
        "undefined-variable",
        "A value is given for a variable that the manifest doesn't declare",
        f"{where} gives '{name}'.",
        did_you_mean(name, declared, what="Variables are"),
        severity,
    )


# -- files ------------------------------------------------------------------------------------------------------------


def read_var_file(name: str) -> tuple[dict[str, str], list[Diagnostic]]:
    """Read a file of values: YAML (.yaml, .yml), JSON (.json), or lines NAME=value (anything else)."""
    source = read_text(name)
    if isinstance(source, Diagnostic):
        return {}, [source]
    if name.endswith((".yaml", ".yml")):
        data, problems = read_tree(source)
        if problems:
            # The line itself is not quoted: it may hold a secret.
            return {}, [item.at(item.span and replace(item.span, text="")) for item in problems]
        return _values({} if data is None else data, source)
    if name.endswith(".json"):
        return _read_json(source)
    return _read_dotenv(source)


def _values(data: Any, source: Source) -> tuple[dict[str, str], list[Diagnostic]]:
    if not isinstance(data, dict):
        return {}, [_wrong(source, "The file must be a mapping of names to values.")]
    values = {key: value for key, value in data.items() if isinstance(value, str)}
    wrong = [key for key in data if key not in values]
    return values, [_wrong(source, f"The value of '{key}' must be a text, a number, true or false.") for key in wrong]


def _wrong(source: Source, detail: str, line: int | None = None) -> Diagnostic:
    place = source.name if line is None else f"{source.name}, line {line}"
    return Diagnostic(
        "wrong-value", "A file of variables is not written right", f"{place}: {detail}", "Correct the file."
    )


def _read_json(source: Source) -> tuple[dict[str, str], list[Diagnostic]]:
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            names = [name for name, _ in items]
            repeated.extend(sorted({name for name in names if names.count(name) > 1}))
        return {key: str(value).lower() if isinstance(value, bool) else value for key, value in made.items()}

    try:
        data = json.loads(source.text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        return {}, [_wrong(source, f"Not valid JSON: {error.msg}.", error.lineno)]
    except RecursionError:
        return {}, [_wrong(source, "The values are nested too deep.")]
    if repeated:
        detail = f"{source.name} gives {listed(repeated)} more than once."
        return {}, [Diagnostic("duplicate-key", "A key is written twice", detail, "Keep one of the two.")]
    return _values(data, source)


def _read_dotenv(source: Source) -> tuple[dict[str, str], list[Diagnostic]]:
    """Lines NAME=value, with quotes, comments and `export`.

    Read here and not by python-dotenv: that logs and skips a line it can't parse, and a skipped line would pass in silence.
    """
    values: dict[str, str] = {}
    problems: list[Diagnostic] = []
    for number, line in _dotenv_lines(source):
        match = _DOTENV.match(line)
        if match is None:
            problems.append(_wrong(source, "This line is not NAME=value.", number))
            continue
        name, single, double, bare = match.groups()
        if name in values:
            detail = f"{source.name}, line {number}, gives '{name}' a second time."
            problems.append(Diagnostic("duplicate-key", "A key is written twice", detail, "Keep one of the two."))
            continue
        if double is not None:
            values[name] = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), double)
        else:
            values[name] = single if single is not None else (bare or "").rstrip()
    return values, problems


def _dotenv_lines(source: Source) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(source.lines, start=1):
        text = line.strip(" \t")
        if text and not text.startswith("#"):
            yield number, text
