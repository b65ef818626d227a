"""A saved plan read back, to be shown: everything that a report needs is in the document, and no secret is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.secrets import Secret
from oauthdeploy.core.version import __version__
from oauthdeploy.model.fields import KNOWN_AFTER_APPLY, Unparsed
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Risk, Stage
from oauthdeploy.planning.plan import PLAN_FORMAT, PLAN_FORMAT_VERSION, Plan, ServerSummary

Json = Mapping[str, Any]
T = TypeVar("T")


class NotAPlan(OAuthDeployError):
    """The document is no plan of ours, or one that this release can't read."""

    rule = "not-a-plan"


def saved_plan(document: Any) -> Plan:
    """The plan of a document that `plan_document` made, without the objects behind it. Raises NotAPlan."""
    checked_version(document)
    try:
        return _plan(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAPlan(
            "The saved plan is damaged",
            detail=f"A part of it is missing or of another shape ({type(error).__name__}).",
            fix="Make a new plan.",
        ) from None


def checked_version(document: Any) -> bool:
    """Whether the document is of a newer release that only added to it. Raises NotAPlan for one that we can't read."""
    if not isinstance(document, Mapping) or document.get("format") != PLAN_FORMAT:
        raise NotAPlan(
            "The file is not a saved plan",
            detail=f"A saved plan is a JSON object whose format is {PLAN_FORMAT}.",
            fix="Save one with `oauthdeploy plan --out PLANFILE`.",
        )
    major, minor = _version(document.get("format_version"))
    own_major, own_minor = _version(PLAN_FORMAT_VERSION)
    if major == own_major:
        return minor > own_minor
    saved = document.get("saved")
    tool = saved.get("tool") if isinstance(saved, Mapping) else None
    which = f"oauthdeploy {tool}, which saved it" if isinstance(tool, str) else "the release that saved it"
    raise NotAPlan(
        "The plan has another format version",
        detail=f"Its format is {'unknown' if major < 0 else f'{major}.{minor}'}, {'older' if major < own_major else 'newer'} "
        f"than {PLAN_FORMAT_VERSION}, which this release (oauthdeploy {__version__}) reads.",
        fix=f"Read it with {which}, or make a new plan.",
    )


def _version(text: Any) -> tuple[int, int]:
    """The two numbers of a format version; (-1, -1) for what is none."""
    match = re.fullmatch(r"([0-9]{1,9})\.([0-9]{1,9})", text, re.ASCII) if isinstance(text, str) else None
    return (int(match[1]), int(match[2])) if match else (-1, -1)


def _plan(document: Json) -> Plan:
    return Plan(
        name=_text(document["name"]),
        changes=_each(document["changes"], _change),
        servers=_each(document["servers"], _server),
        diagnostics=Diagnostics(_each(document["diagnostics"], _diagnostic)),
        stops=Diagnostics(_each(document["stops"], _diagnostic)),
        blind=_each(document["blind"], lambda item: (Address.parse(item["address"]), _text(item["path"]))),
        fingerprints=MappingProxyType(dict(document["fingerprints"])),
        manifest_digest=_text(document["manifest_digest"]),
        kept=MappingProxyType(
            {(_text(item["server"]), _text(item["kind"])): _number(item["count"]) for item in document["kept"]}
        ),
    )


def _each(items: Iterable[Json], make: Callable[[Json], T]) -> tuple[T, ...]:
    return tuple(make(item) for item in items)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a number")
    return value


def _change(item: Json) -> Change:
    return Change(
        address=Address.parse(_text(item["address"])),
        action=Action(item["action"]),
        reason=Reason(item["reason"]),
        stage=Stage[item["stage"].upper().replace("-", "_")],
        fields=_each(item["fields"], _field),
        risk=Risk[item["risk"].upper()],
        depends_on=tuple(Address.parse(_text(needed)) for needed in item["depends_on"]),
        batch=_text(item["batch"]),
        place=tuple(item["place"]),
        note=_text(item["note"]),
    )


def _field(item: Json) -> FieldChange:
    return FieldChange(_text(item["path"]), _value(item["before"]), _value(item["after"]))


def _value(value: Any) -> Any:
    """The inverse of `json_value`, as far as a report tells values apart."""
    if isinstance(value, Mapping):
        if set(value) == {"secret"}:
            return Secret("", _text(value["secret"]))
        if set(value) == {"known_after_apply"}:
            return KNOWN_AFTER_APPLY
        if set(value) == {"unparsed"}:
            return Unparsed(_text(value["unparsed"]))
        return {key: _value(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return tuple(_value(inner) for inner in value)
    return value


def _server(item: Json) -> ServerSummary:
    names = ("name", "role", "driver", "url", "product")
    return ServerSummary(
        **{name: _text(item[name]) for name in names}, reads=_number(item["reads"]), writes=_number(item["writes"])
    )


def _diagnostic(item: Json) -> Diagnostic:
    span = None
    if item["file"] is not None:
        span = SourceSpan(_text(item["file"]), _number(item["line"]), _number(item["column"]))
    return Diagnostic(
        _text(item["rule"]),
        _text(item["summary"]),
        _text(item["detail"]),
        _text(item["fix"]),
        Severity(item["severity"]),
        _text(item["address"]),
        span=span,
    )
