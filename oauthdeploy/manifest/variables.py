"""Variables: their declarations in the manifest, and the origins of their values.

A value is taken from `--var`, else `--var-file` (a later file wins), else `OAUTHDEPLOY_VAR_name`, else the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from oauthdeploy.core.diagnostics import Diagnostic, Severity, SourceSpan
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.document import Variable, VariableType
from oauthdeploy.manifest.interpolate import Found, Resolver, Unresolved
from oauthdeploy.manifest.suggestions import closest, did_you_mean, listed, shortened
from oauthdeploy.manifest.var_files import read_var_file
from oauthdeploy.model.fields import parse_duration, parse_integer

ENVIRON_PREFIX: Final = "OAUTHDEPLOY_VAR_"


class Variables:
    """The variables of one run. Values are checked when they are used, so that an unused variable needs none."""

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
        """The origin of a variable's value, in the order in which `value` looks: a flag, a file, an environment variable, or
        its default.
        """
        if name in self._given:
            return self._givers.get(name, "--var")
        return f"{ENVIRON_PREFIX}{name}" if ENVIRON_PREFIX + name in self._environ else "default"

    def value(self, name: str, resolver: Resolver) -> Found:
        """The value of a variable and whether it is sensitive; `resolver` replaces the references in its default. Raises
        Unresolved.
        """
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
                if "sensitive" not in variable.model_fields_set:
                    raise Unresolved(
                        "wrong-value",
                        "A variable's default is a reference",
                        f"The default of '{name}' is a reference, and the declaration does not say whether its "
                        f"value may be shown.",
                        "Write sensitive: false if anyone may read the value, otherwise sensitive: true.",
                    )
                text = str.__str__(resolver.text(text, public=not variable.sensitive))
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
    shown = "its value" if variable.sensitive else f"'{shortened(text)}'"
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
        detail = f"The variable '{name}' does not allow {shown}."
        raise Unresolved("not-allowed-value", "The value of a variable is not allowed", detail, fix)


def declared_variables(section: Any) -> dict[str, Variable]:
    """The valid declarations; the others are reported with the rest of the document."""
    found: dict[str, Variable] = {}
    for name, entry in section.items() if isinstance(section, dict) else ():
        try:
            found[name] = Variable.model_validate({} if entry is None else entry)
        except ValidationError:
            continue
    return found


def collect_variables(request: ManifestRequest, declared: Mapping[str, Variable]) -> tuple[Variables, list[Diagnostic]]:
    """Collect the values of the request. Unknown names in --var are errors, in a --var-file warnings."""
    problems: list[Diagnostic] = []
    given: dict[str, str] = {}
    givers: dict[str, str] = {}
    for file in request.var_files:
        found = read_var_file(file)
        problems += found.problems
        given.update(found.values)
        givers.update(dict.fromkeys(found.values, f"--var-file {file}"))
        problems += [
            _unknown(name, declared, file, Severity.WARNING, found.span(name))
            for name in found.values
            if name not in declared
        ]
    problems += [
        _unknown(name, declared, "--var", Severity.ERROR) for name in request.variables if name not in declared
    ]
    given.update(request.variables)
    givers.update(dict.fromkeys(request.variables, "--var"))
    return Variables(declared, given, request.environ, givers), problems


def _unknown(
    name: str, declared: Mapping[str, Variable], where: str, severity: Severity, span: SourceSpan | None = None
) -> Diagnostic:
    return Diagnostic(
        "undefined-variable",
        "A value is given for a variable that the manifest does not declare",
        f"{where} gives '{name}'.",
        did_you_mean(name, declared, what="Variables are"),
        severity,
        path=("variables",),
        span=span,
    )
