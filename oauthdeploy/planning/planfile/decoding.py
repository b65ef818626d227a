"""Decodes a saved plan for display. The document has everything that a report needs, and no secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.secrets import Secret
from oauthdeploy.core.version import __version__
from oauthdeploy.model.fields import KNOWN_AFTER_APPLY, Unparsed
from oauthdeploy.model.state import Ownership
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Risk, Stage
from oauthdeploy.planning.plan import PLAN_FORMAT, PLAN_FORMAT_VERSION, Plan, ServerSummary
from oauthdeploy.planning.unmanaged import Kept
from oauthdeploy.planning.unread import Unread

Json = Mapping[str, Any]
T = TypeVar("T")

ShapeCheck = Callable[[Any, bool], str]
"""Returns the first violation of the schema of plans in a document, or "". The flag allows unknown keys, which a newer
release may have added.
"""


class NotAPlan(OAuthDeployError):
    """The document is not a plan, or one that this release cannot read."""

    rule = "not-a-plan"


def saved_plan(document: Any, shape: ShapeCheck, file: str = "The plan") -> Plan:
    """Decode a document that `plan_document` made, without the objects behind the plan. Raises NotAPlan.

    `shape` checks the document against the published schema; `file` is its name in messages.
    """
    newer = checked_version(document)
    if problem := shape(document, newer):
        raise _damaged(f"{file}, {problem}.")
    try:
        return _plan(document)
    except (ValueError, KeyError) as error:
        raise _damaged(f"{file} holds a value that this release does not recognize ({type(error).__name__}).") from None


def _damaged(detail: str) -> NotAPlan:
    return NotAPlan("The saved plan is damaged", detail=detail, fix="Make a new plan.")


def checked_version(document: Any) -> bool:
    """Whether a newer release that only added keys wrote the document. Raises NotAPlan for one that cannot be read."""
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
    """The two numbers of a format version; (-1, -1) for an invalid one."""
    match = re.fullmatch(r"([0-9]{1,9})\.([0-9]{1,9})", text, re.ASCII) if isinstance(text, str) else None
    return (int(match[1]), int(match[2])) if match else (-1, -1)


def _plan(document: Json) -> Plan:
    return Plan(
        name=document["name"],
        changes=_each(document["changes"], _change),
        servers=_each(document["servers"], _server),
        diagnostics=Diagnostics(_each(document["diagnostics"], _diagnostic)),
        stops=Diagnostics(_each(document["stops"], _diagnostic)),
        incomparable=_each(document["incomparable"], lambda item: (Address.parse(item["address"]), item["path"])),
        fingerprints=MappingProxyType(dict(document["fingerprints"])),
        manifest_digest=document["manifest_digest"],
        kept=tuple(_kept(item) for group in document["kept"] for item in group.get("objects", ())),
        unread=_each(document.get("unread", ()), _unread),
        disagreeing=tuple(Address.parse(item) for item in document.get("disagreeing", ())),
    )


def _unread(item: Json) -> Unread:
    return Unread(item["server"], Kind(item["kind"]), item["why"], hidden=item.get("hidden", False))


def _kept(item: Json) -> Kept:
    return Kept(
        Address.parse(item["address"]),
        Ownership(item["ownership"]),
        item["owner"],
        unexpected=item["unexpected"],
        severity=Severity(item["severity"]) if item["severity"] is not None else None,
    )


def _each(items: Iterable[Json], make: Callable[[Json], T]) -> tuple[T, ...]:
    return tuple(make(item) for item in items)


def _change(item: Json) -> Change:
    return Change(
        address=Address.parse(item["address"]),
        action=Action(item["action"]),
        reason=Reason(item["reason"]),
        stage=Stage[item["stage"].upper().replace("-", "_")],
        fields=_each(item["fields"], _field),
        risk=Risk[item["risk"].upper()],
        depends_on=tuple(Address.parse(needed) for needed in item["depends_on"]),
        batch=item["batch"],
        place=tuple(item["place"]),
        note=item["note"],
    )


def _field(item: Json) -> FieldChange:
    return FieldChange(item["path"], _value(item["before"]), _value(item["after"]))


def _value(value: Any) -> Any:
    """The inverse of `json_value`, as far as reports distinguish values."""
    if isinstance(value, Mapping):
        match list(value.items()):
            case [("secret", str(origin))]:
                return Secret("", origin)
            case [("known_after_apply", _)]:
                return KNOWN_AFTER_APPLY
            case [("unparsed", str(text))]:
                return Unparsed(text)
        return {key: _value(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return tuple(_value(inner) for inner in value)
    return value


def _server(item: Json) -> ServerSummary:
    names = ("name", "role", "driver", "url", "product")
    return ServerSummary(**{name: item[name] for name in names}, reads=item["reads"], writes=item["writes"])


def _diagnostic(item: Json) -> Diagnostic:
    span = None
    if item["file"] is not None:
        span = SourceSpan(item["file"], item["line"] or 1, item["column"] or 1)
    return Diagnostic(
        item["rule"],
        item["summary"],
        item["detail"],
        item["fix"],
        Severity(item["severity"]),
        item["address"],
        span=span,
    )
