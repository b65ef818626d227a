"""The drivers and what each supports, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.model.capabilities import QUESTIONS, Answer, DriverFacts, Support, supports, table_for
from oauthdeploy.model.fields import Model
from oauthdeploy.model.servers import Role
from oauthdeploy.planning.json_documents import Document, diagnostic_documents
from oauthdeploy.reports.console import Look, Sheet
from oauthdeploy.reports.diagnostics import add_diagnostic

VERSION: Final = "1.0"
SIDES: Final = {Role.AUTHORIZATION: "AS", Role.RESOURCE: "RS"}
LEGEND: Final = "AS, RS: on that side only. ?: untested; should work, but has not been proved."


class DriverCard(Struct, frozen=True):
    """One driver: its facts and its origin."""

    facts: DriverFacts
    package: str
    version: str
    api_version: int

    @property
    def name(self) -> str:
        """Its name in manifests."""
        return self.facts.name

    @property
    def roles(self) -> tuple[Role, ...]:
        """Its roles, in the order of the model."""
        return tuple(role for role in Role if role in self.facts.roles)


def answers(facts: DriverFacts, capability: str) -> dict[Role, Support]:
    """A driver's answers for each of its sides."""
    return {role: supports(table_for(facts, role), capability) for role in SIDES if role in facts.roles}


def cell(facts: DriverFacts, capability: str) -> str:
    """One word for all sides: yes, no, yes?, or the only side that supports the capability."""
    found = answers(facts, capability)
    able = {role: support for role, support in found.items() if support}
    if not able:
        return "no"
    doubt = "?" if any(support.answer is Answer.UNTESTED for support in able.values()) else ""
    word = "yes" if len(able) == len(found) else ", ".join(SIDES[role] for role in able)
    return word + doubt


# -- for people -------------------------------------------------------------------------------------------------------


def render_drivers(cards: Sequence[DriverCard], problems: Diagnostics, look: Look) -> str:
    """One or two lines for each driver, then the capabilities, then drivers that cannot be used."""
    sheet = Sheet(look)
    width = max((len(card.name) for card in cards), default=0)
    for card in cards:
        origin = f"{card.package} {card.version}, interface {card.api_version}"
        left = [(card.name.ljust(width), "name"), (f"  {card.facts.title}", "")]
        sheet.ends(left, (origin, "faint"), hang=width + 2)
        sheet.add(" " * (width + 2), (_status_text(card), "faint"), hang=width + 2)
    _add_matrix(sheet, [card for card in cards if card.facts.writable])
    for item in problems:
        sheet.blank()
        add_diagnostic(sheet, item)
    sheet.blank()
    sheet.add("Run `oauthdeploy drivers NAME` for details and the reason for each no.")
    return sheet.text()


def _status_text(card: DriverCard) -> str:
    roles = ", ".join(card.roles)
    if not card.facts.writable:
        return f"{roles}; trusted and never written to"
    return f"{roles}; proved against {card.facts.proved_against or 'nothing that it names'}"


def _add_matrix(sheet: Sheet, cards: Sequence[DriverCard]) -> None:
    if not cards:
        return
    heads = [card.name for card in cards]
    rows = [[cell(card.facts, capability) for card in cards] for capability in QUESTIONS]
    widths = [max(len(head), *(len(row[place]) for row in rows)) for place, head in enumerate(heads)]
    first = max(len(capability) for capability in QUESTIONS)
    sheet.blank()
    sheet.add(" " * (first + 2), ("  ".join(h.ljust(w) for h, w in zip(heads, widths, strict=True)), "strong"))
    for capability, row in zip(QUESTIONS, rows, strict=True):
        spans = [(f"{capability.ljust(first)}  ", "")]
        for word, width in zip(row, widths, strict=True):
            spans.append((word.ljust(width + 2), "faint" if word == "no" else "good"))
        sheet.add(*spans, hang=first + 2)
    sheet.blank()
    sheet.add((LEGEND, "faint"))


def render_driver(card: DriverCard, look: Look) -> str:
    """One driver in full: its origin, its keys, and each capability with its note."""
    sheet = Sheet(look)
    facts = card.facts
    sheet.add((card.name, "title"), f"  {facts.title}")
    origin = f"{card.package} {card.version}, made for version {card.api_version} of the driver interface"
    for label, text in (
        ("from", origin),
        ("roles", ", ".join(card.roles)),
        ("proved against", facts.proved_against),
        ("credentials", ", ".join(_keys(facts.credentials))),
        ("options", ", ".join(_keys(facts.options))),
        ("settings options", ", ".join(_keys(facts.settings_options))),
        ("scope options", ", ".join(_keys(facts.scope_options))),
        ("client options", ", ".join(_keys(facts.client_options))),
    ):
        if text:
            sheet.add(f"  {label.ljust(16)}  {text}", hang=20)
    if not facts.writable:
        sheet.blank()
        sheet.add("Servers of this driver are only trusted, never written to: nothing is planned for them.")
        return sheet.text()
    first = max(len(capability) for capability in QUESTIONS)
    for title, answers_by in _by_side(facts):
        sheet.blank()
        sheet.add((title, "strong"))
        for capability, support in answers_by.items():
            style = {Answer.YES: "good", Answer.NO: "faint", Answer.UNTESTED: "warning"}[support.answer]
            note = f"  {support.note}" if support.note else ""
            sheet.add(f"  {capability.ljust(first)}  ", (support.answer.ljust(8), style), note, hang=first + 14)
    return sheet.text()


def _by_side(facts: DriverFacts) -> list[tuple[str, dict[str, Support]]]:
    """The answers of each side; equal ones only once."""
    sides = [role for role in SIDES if role in facts.roles]
    by_capability = {capability: answers(facts, capability) for capability in QUESTIONS}
    same = {name: next(iter(found.values())) for name, found in by_capability.items() if len(set(found.values())) == 1}
    parts = [("as authorization server" if sides == [Role.AUTHORIZATION] else "as resource server", same)]
    if len(sides) > 1:
        parts = [("on either side", same)]
        for role in sides:
            rest = {name: found[role] for name, found in by_capability.items() if name not in same}
            parts.append((f"as {role} server", rest))
    return [(title, found) for title, found in parts if found]


def _keys(model: type[Model] | None) -> list[str]:
    return [] if model is None else [info.alias or name for name, info in model.model_fields.items()]


# -- for machines -----------------------------------------------------------------------------------------------------


def drivers_document(cards: Sequence[DriverCard], problems: Diagnostics) -> Document:
    """The document of `drivers -o json`."""
    return {
        "format": "oauthdeploy/drivers",
        "format_version": VERSION,
        "drivers": [_card_document(card) for card in cards],
        "problems": diagnostic_documents(problems),
    }


def _card_document(card: DriverCard) -> Document:
    facts = card.facts
    return {
        "name": card.name,
        "title": facts.title,
        "package": card.package,
        "version": card.version,
        "api_version": card.api_version,
        "roles": [role.value for role in card.roles],
        "writable": facts.writable,
        "granularity": facts.granularity.value,
        "proved_against": facts.proved_against,
        "credentials": _keys(facts.credentials),
        "options": _keys(facts.options),
        "settings_options": _keys(facts.settings_options),
        "scope_options": _keys(facts.scope_options),
        "client_options": _keys(facts.client_options),
        "capabilities": {
            role.value: {
                capability: {"answer": support.answer.value, "note": support.note}
                for capability in QUESTIONS
                for support in [supports(table_for(facts, role), capability)]
            }
            for role in card.roles
        },
    }
