"""A baseline: accepted differences, each with an owner, a reason and an expiry date.

An entry accepts the items that match its address (a glob, with or without `@server`), its class and its fields. A changed
object of which only some fields are accepted becomes two items: one with the accepted fields, and one with the others, which
count as drift. An expired entry accepts nothing. An entry that matches nothing is reported so that it can be removed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal

from msgspec.structs import replace
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.model.fields import Date, Model, Text, parse_integer
from oauthdeploy.planning.changes import FieldChange, matches
from oauthdeploy.planning.drift.classification import (
    Acceptance,
    BaselineUse,
    DriftClass,
    DriftItem,
    DriftReport,
    in_order,
)

EXPIRED: Final = "baseline-expired"
UNUSED: Final = "baseline-unused"


Said = Annotated[str, StringConstraints(min_length=1)]
"""A text with at least one visible character."""


class AcceptableClass(StrEnum):
    """The classes of drift that count and can therefore be accepted."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    CHANGED = "changed"
    SIDES_DISAGREE = "sides-disagree"


def _address(text: str) -> str:
    kind = text.partition("@")[0].partition("/")[0]
    if not any(fnmatchcase(known.value, kind) for known in Kind):
        near = get_close_matches(kind, list(Kind), n=1)
        guess = f"did you mean '{near[0]}'? " if near else ""
        raise ValueError(f"{guess}write kind/name@server, such as client/legacy-*@login; kinds are {', '.join(Kind)}")
    return text


def _listed(value: Any) -> Any:
    if value is None:
        raise ValueError("write a list of fields, or leave the key out to accept every field")
    return value


def _mapped(value: Any) -> Any:
    if value is None:
        raise ValueError("write a mapping, or leave the key out and let `drift --write-baseline` write it")
    return value


class BaselineEntry(Model):
    """One accepted difference, or several of one kind."""

    address: Annotated[Text, AfterValidator(_address)] = Field(
        description="The object, as drift reports it; * matches any characters, and without @SERVER every server is meant.",
        examples=["client/legacy-*@login", "settings@login"],
    )
    class_: AcceptableClass = Field(alias="class", description="The class of the difference, as drift reports it.")
    fields: Annotated[tuple[Text, ...] | None, BeforeValidator(_listed)] = Field(
        None,
        min_length=1,
        description="Only these fields of a changed object, by dotted path, with *; without it every field is accepted.",
        examples=[["redirect_uris", "tokens.*"]],
    )
    owner: Said = Field(description="The person or team responsible for the difference.", examples=["payments-team"])
    reason: Said = Field(
        description="Why it is accepted, such as a ticket number.", examples=["moves to Q1, see OPS-12"]
    )
    expires: Date = Field(
        description="The last day on which it is accepted; after that, the difference is reported again."
    )


class BaselineServer(Model):
    """What identified a server when the baseline was written."""

    driver: Said = Field(description="The driver of its entry.", examples=["keycloak"])
    url: Said | None = Field(None, description="Its address.", examples=["https://login.example.com"])
    place: Said | None = Field(None, description="The options that select a part of it.", examples=["realm shop"])
    product: Said | None = Field(None, description="The product that answered, without its version.")


class Baseline(Model):
    """Known drift that `oauthdeploy drift --baseline` accepts."""

    version: Annotated[Literal[1], BeforeValidator(parse_integer, json_schema_input_type=int)] = Field(
        description="The version of this file's format."
    )
    environment: Said | None = Field(None, description="The environment of the manifest that it was made with.")
    servers: Annotated[Mapping[Text, BaselineServer] | None, BeforeValidator(_mapped)] = Field(
        None,
        description="The servers that it is about, by name; it accepts nothing of others. `drift --write-baseline` writes them.",
    )
    accepted: tuple[BaselineEntry, ...] = Field((), description="The accepted differences.")


def judge(
    report: DriftReport,
    baseline: Baseline,
    today: date,
    *,
    whole: bool = True,
    place: Callable[[int], str] = lambda _position: "",
) -> DriftReport:
    """Apply the baseline as of `today`, on the servers that it names, or on all if it names none. `place` gives the position
    of an entry in the file, by its index.

    An entry that matches nothing is reported only if the report covers everything (`whole`) and every kind that the entry
    may be about could be read.
    """
    entries = baseline.accepted
    expired = {position for position, entry in enumerate(entries) if entry.expires < today}
    items: list[DriftItem] = []
    matched: set[int] = set()
    for item in report.items:
        hits = _hits(baseline, item)
        matched.update(hits)
        items += _split(item, [(entries[hit], place(hit)) for hit in hits if hit not in expired])
    unused = [position for position in range(len(entries)) if position not in matched] if whole else []
    unreadable = [item for item in report.items if item.kind is DriftClass.UNREADABLE]
    unused = [spot for spot in unused if not any(_may_be_about(entries[spot], item) for item in unreadable)]
    findings = [_expired(entries[position], place(position)) for position in sorted(expired.difference(unused))]
    findings += [_unused(entries[position], place(position)) for position in unused]
    return replace(
        report,
        items=in_order(items),
        diagnostics=report.diagnostics + Diagnostics.of(findings),
        baseline=BaselineUse(len(entries), tuple(sorted(expired)), tuple(unused)),
    )


def _hits(baseline: Baseline, item: DriftItem) -> list[int]:
    """The positions of the entries that are about an item; none on a server that the baseline does not name."""
    if baseline.servers is not None and item.address.server not in baseline.servers:
        return []
    return [position for position, entry in enumerate(baseline.accepted) if _is_about(entry, item)]


def entries_for(
    report: DriftReport, baseline: Baseline, today: date, *, owner: str, reason: str, expires: date
) -> tuple[BaselineEntry, ...]:
    """Entries that accept everything that still counts, one for each address and class, with the fields that differ.

    The differences of expired entries are left out: their owners decide whether to accept them for longer. `owner` and
    `reason` may be empty; the entries are then not valid yet.
    """
    late = overdue(report, baseline, today)
    entries: dict[tuple[str, str], BaselineEntry] = {}
    for item in report.items:
        if not item.counts or item in late:
            continue
        fields = tuple(field.path for field in item.fields) if item.kind is DriftClass.CHANGED else ()
        values: dict[str, Any] = {
            "address": _literal(str(item.address)),
            "class_": AcceptableClass(item.kind.value),
            "owner": owner,
            "reason": reason,
            "expires": expires,
        }
        if fields:
            values["fields"] = tuple(_literal(path) for path in fields)
        key = (str(item.address), item.kind.value)
        entries.setdefault(key, BaselineEntry.model_construct(set(values), **values))
    return tuple(entries.values())


def overdue(report: DriftReport, baseline: Baseline, today: date) -> tuple[DriftItem, ...]:
    """Items that count as drift and were accepted by entries that have expired."""
    stale = [entry for entry in baseline.accepted if entry.expires < today]
    return tuple(item for item in report.items if item.counts and any(_is_about(entry, item) for entry in stale))


# -- matching ---------------------------------------------------------------------------------------------------------


def _is_about(entry: BaselineEntry, item: DriftItem) -> bool:
    """Whether an entry is about an item, or about a field of it."""
    named = any(matches(address, (entry.address,)) for address in (item.address, *item.others))
    if entry.class_.value != item.kind.value or not named:
        return False
    return entry.fields is None or any(_covers(entry, field) for field in item.fields)


def _covers(entry: BaselineEntry, field: FieldChange) -> bool:
    return entry.fields is None or any(fnmatchcase(field.path, pattern) for pattern in entry.fields)


def _split(item: DriftItem, hits: Sequence[tuple[BaselineEntry, str]]) -> Iterator[DriftItem]:
    """The item unchanged, accepted, or split into parts, each with the fields that one entry accepts."""
    whole = next((hit for hit in hits if hit[0].fields is None), None)
    if whole is not None:
        yield replace(item, accepted=_acceptance(*whole))
        return
    left = list(item.fields)
    for entry, place in hits:
        matching = [field for field in left if _covers(entry, field)]
        left = [field for field in left if field not in matching]
        if matching:
            yield _part(item, matching, _acceptance(entry, place))
    if left and len(left) < len(item.fields):
        yield _part(item, left, None)
    elif left or not item.fields:
        yield item


def _part(item: DriftItem, fields: Collection[FieldChange], accepted: Acceptance | None) -> DriftItem:
    detail = f"Different: {', '.join(field.path for field in fields)}."
    return replace(item, detail=detail, fields=tuple(fields), accepted=accepted)


def _acceptance(entry: BaselineEntry, place: str) -> Acceptance:
    return Acceptance(entry.owner, entry.reason, entry.expires, place)


def _may_be_about(entry: BaselineEntry, unread: DriftItem) -> bool:
    """Whether an entry could be about an object of a kind that could not be read."""
    head, at, server = entry.address.rpartition("@")
    kind = (head if at else entry.address).partition("/")[0]
    return fnmatchcase(unread.address.kind.value, kind) and (not at or fnmatchcase(unread.address.server, server))


def _literal(text: str) -> str:
    """The text as a glob that matches it alone."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in text)


# -- findings ---------------------------------------------------------------------------------------------------------


def _expired(entry: BaselineEntry, place: str) -> Diagnostic:
    return Diagnostic(
        EXPIRED,
        "An entry of the baseline has expired",
        detail=f"{_entry_text(entry, place)} of {entry.owner} was accepted until {entry.expires}; it is reported again.",
        fix="Fix the difference, or give the entry a later date.",
        severity=Severity.WARNING,
        address=entry.address,
    )


def _unused(entry: BaselineEntry, place: str) -> Diagnostic:
    return Diagnostic(
        UNUSED,
        "An entry of the baseline matches nothing any more",
        detail=f"{_entry_text(entry, place)} of {entry.owner} no longer matches a difference.",
        fix="Remove the entry.",
        severity=Severity.INFO,
        address=entry.address,
    )


def _entry_text(entry: BaselineEntry, place: str) -> str:
    return f"{entry.class_.value} {entry.address}" + (f" ({place})" if place else "")
