"""The output of `explain` about a rule, a field or an object, for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from oauthdeploy.model.explanation import (
    SAFETY,
    DriverAnswer,
    FieldFacts,
    FieldStanding,
    Managed,
    ObjectFacts,
    Origin,
    RuleFacts,
)
from oauthdeploy.reports.console import Look, Sheet, Span, cells
from oauthdeploy.reports.diagnostics import add_diagnostic
from oauthdeploy.reports.formatting import value_text, visible

_LABEL = 14
_ANSWER_STYLES = {"yes": "good", "no": "high", "untested": "medium"}


def render_rule(rule: RuleFacts, look: Look) -> str:
    """One rule: what it finds, why, its source, the fix, and how to change its severity."""
    sheet = Sheet(look)
    sheet.add((rule.id, "title"), f"  {visible(rule.title)}", hang=2)
    sheet.blank()
    weighs = "structural: its severity cannot be changed, because such a manifest cannot be used"
    sheet_line(sheet, "severity", rule.severity if not rule.structural else f"{rule.severity}, {weighs}")
    sheet_line(sheet, "why", rule.reason)
    if rule.group:
        sheet_line(sheet, "said by", f"{rule.group}; it is not a rule of the manifest")
    else:
        sheet_line(sheet, "source", rule.source)
    for link in rule.links:
        sheet_line(sheet, "", link)
    sheet_line(sheet, "fix", rule.fix)
    if rule.looks_at:
        sheet_line(sheet, "fields", ", ".join(rule.looks_at))
    for word, text in (("bad", rule.bad), ("good", rule.good)):
        if not text:
            continue
        sheet.blank()
        sheet.add((f"{word}:", "high" if word == "bad" else "good"))
        for line in text.split("\n"):
            sheet.add("    ", visible(line), hang=6)
    if rule.group == SAFETY:
        sheet.blank()
        sheet.add(("To lift it once:", "faint"))
        sheet.add(f"    --allow {rule.id}", hang=6)
    if not rule.structural and not rule.group:
        sheet.blank()
        sheet.add(("To change its severity:", "faint"))
        sheet.add(f"    --error {rule.id}, --warn {rule.id} or --ignore {rule.id}", hang=6)
        sheet.add(f"    # oauthdeploy: ignore[{rule.id}] the reason     next to the line", hang=6)
    return sheet.text()


def render_fields(fields: Sequence[FieldFacts], look: Look) -> str:
    """One field of the manifest; several if several drivers have a field of this name."""
    sheet = Sheet(look)
    for field in fields:
        sheet.blank()
        _add_field(sheet, field)
    return sheet.text()


def _add_field(sheet: Sheet, field: FieldFacts) -> None:
    own: tuple[Span, ...] = ((f"  of the driver {field.driver}", "faint"),) if field.driver else ()
    sheet.add((field.path, "title"), *own)
    sheet.add("  ", visible(field.description), hang=2)
    sheet.blank()
    sheet_line(sheet, "type", ", or ".join(field.types))
    for note in field.notes:
        sheet_line(sheet, "", note)
    for index, example in enumerate(field.examples):
        sheet_line(sheet, "" if index else "example", json.dumps(example, ensure_ascii=False))
    sheet_line(sheet, "not written", field.unset if field.default is None else f"{field.default} (the default)")
    sheet_line(sheet, "null", field.null)
    for driver, text in field.server_defaults:
        sheet_line(sheet, "", f"{driver}: {text}")
    if field.empty:
        sheet_line(sheet, "empty", field.empty)
    _add_pairs(sheet, "keys", field.keys)
    _add_support(sheet, field.support)
    _add_pairs(sheet, "rules that check it", field.rules)


def _add_pairs(sheet: Sheet, title: str, pairs: Sequence[tuple[str, str]]) -> None:
    if not pairs:
        return
    sheet.blank()
    sheet.add((title, "strong"))
    width = min(40, max(cells(name) for name, _ in pairs))
    for name, text in pairs:
        sheet.add("  ", (name, "name"), " " * (max(0, width - cells(name)) + 2), visible(text), hang=width + 4)


def _add_support(sheet: Sheet, answers: Sequence[DriverAnswer]) -> None:
    if not answers:
        return
    sheet.blank()
    sheet.add(("drivers", "strong"))
    widths = [max(cells(text(answer)) for answer in answers) for text in (_driver, _roles, _capability)]
    for answer in answers:
        columns = (text(answer) for text in (_driver, _roles, _capability))
        start = "".join(text + " " * (width - cells(text) + 2) for text, width in zip(columns, widths, strict=True))
        note = f"  {visible(answer.note)}" if answer.note else ""
        style = _ANSWER_STYLES.get(answer.answer, "")
        sheet.add("  ", start, (answer.answer, style), note, hang=sum(widths) + 8)


def _driver(answer: DriverAnswer) -> str:
    return visible(answer.driver)


def _roles(answer: DriverAnswer) -> str:
    return ", ".join(answer.roles)


def _capability(answer: DriverAnswer) -> str:
    return answer.capability


def sheet_line(sheet: Sheet, label: str, text: str) -> None:
    """A label and its text, in two columns."""
    sheet.add("  ", (label.ljust(_LABEL), "faint"), visible(text), hang=_LABEL + 2)


# -- objects ------------------------------------------------------------------------------------------------------------


def render_object(facts: ObjectFacts, look: Look) -> str:
    """One object of a manifest: its position, its servers, and each field's value and origin."""
    sheet = Sheet(look)
    sheet.add((visible(facts.address), "title"))
    if facts.origin is not None:
        sheet_line(sheet, "written in", origin_text(facts.origin))
    if facts.absent:
        sheet_line(sheet, "state", "absent: it is removed from servers that have it")
    if facts.moved_from:
        sheet_line(sheet, "moved from", facts.moved_from)
    for index, standing in enumerate(facts.servers):
        where = f"{standing.server} ({standing.role}, {standing.driver})"
        word = ("goes from" if facts.absent else "stands on") if standing.stands else "not on"
        before = facts.servers[index - 1].stands if index else None
        sheet_line(
            sheet, "" if before is standing.stands else word, where + (f": {standing.why}" if standing.why else "")
        )
    _add_standings(sheet, facts)
    if facts.related:
        sheet.blank()
        for related in facts.related:
            place: Span = (f"  {_place(related.origin)}", "faint")
            sheet.add("  ", related.how, " ", (visible(related.address), "name"), place, hang=4)
    for finding in facts.findings:
        sheet.blank()
        add_diagnostic(sheet, finding)
    return sheet.text()


def _add_standings(sheet: Sheet, facts: ObjectFacts) -> None:
    managed = [field for field in facts.fields if field.managed is not Managed.NOT_MANAGED]
    everywhere = tuple(standing.server for standing in facts.servers if standing.stands)
    if managed:
        sheet.blank()
        width = max(cells(field.path) for field in managed)
        for field in managed:
            _add_standing(sheet, field, everywhere, width)
    rest = [field.path for field in facts.fields if field.managed is Managed.NOT_MANAGED]
    if rest and (managed or everywhere):
        sheet.blank()
        sheet.add("  ", ("not managed: ", "faint"), ", ".join(rest), hang=15)


def _add_standing(sheet: Sheet, field: FieldStanding, everywhere: tuple[str, ...], width: int) -> None:
    inner = " " * (width + 4)
    value = value_text(field.path, field.value)
    if field.managed is Managed.SERVER_DEFAULT:
        known = ", ".join(f"{driver}: {value_text(field.path, default)}" for driver, default in field.defaults)
        value = f"null, the server's default ({known or 'the driver does not say which'})"
    only = "" if field.servers == everywhere or not field.servers else f"  on {', '.join(field.servers)}"
    left: list[Span] = [
        ("  ", ""),
        (field.path.ljust(width), "name"),
        ("  ", ""),
        (value, ""),
        (visible(only), "strong"),
    ]
    reason = "; ".join(part for part in (field.because, _place(field.origin)) if part)
    sheet.ends(left, (reason, "faint"), hang=width + 4)
    for away in field.away:
        sheet.add(inner, (f"not on {visible(away.server)}: {visible(away.why)}", "faint"), hang=width + 4)


def _place(origin: Origin | None) -> str:
    return "" if origin is None else origin_text(origin)


def origin_text(origin: Origin) -> str:
    """`oauthdeploy.yaml:41:11, environments.prod, variable tier (--var)`."""
    place = "" if origin.span is None else str(origin.span)
    return ", ".join(visible(part) for part in (place, origin.overlay, *origin.references) if part)


def not_found(suggestions: Iterable[str]) -> str:
    """The advice if nothing has the requested name."""
    near = list(suggestions)
    if not near:
        return "Name a rule, a field such as clients.redirect_uris, or an address such as client/web-shop@login."
    shown = ", ".join(f"'{visible(name)}'" for name in near[:5])
    return f"Did you mean {' or '.join(shown.rsplit(', ', 1))}?" + (
        f" There are {len(near) - 5} more." if len(near) > 5 else ""
    )
