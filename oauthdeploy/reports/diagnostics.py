"""Findings and errors for people: summary, position, source line with a caret, detail, and fix.

error: Redirect URI is not secure [redirect-uri-not-https]
  shop.yaml:41:21, client/web-shop, redirect_uris[0]
    41 |     redirect_uris: ["http://shop.example/cb"]
       |                     ^
  "http://shop.example/cb" sends authorization codes in clear text.
  Use https. Plain http is accepted only for loopback addresses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from oauthdeploy.core.diagnostics import REST, Diagnostic, Diagnostics, Path, Severity, SourceSpan, path_text
from oauthdeploy.core.errors import ManifestInvalid, OAuthDeployError, ServerError, ServersFailed
from oauthdeploy.reports.console import Look, Sheet, cells
from oauthdeploy.reports.formatting import counted, visible

_ALONE: Final = 5
"""How many findings of one rule are shown one by one."""
_SHOWN: Final = 3
"""How many findings of a block are shown."""

_SECTIONS = {"clients": 2, "scopes": 2, "associations": 2, "revocations": 2, "settings": 1}
"""The number of parts of a path that an address repeats."""


def render_diagnostics(items: Iterable[Diagnostic], look: Look) -> str:
    """All findings, in their order, separated by empty lines."""
    sheet = Sheet(look)
    add_diagnostics(sheet, items)
    return sheet.text()


def add_diagnostics(sheet: Sheet, items: Iterable[Diagnostic]) -> None:
    """All findings, each after an empty line. Many of one rule become one block, unless details are wanted: the first ones with
    their places, and the number.
    """
    found = list(items)
    beyond = {
        (rule, severity): number for rule, severity, number in (items.beyond if isinstance(items, Diagnostics) else ())
    }
    counts = Counter((item.rule, item.severity) for item in found)
    blocks = {key for key, number in counts.items() if number > _ALONE and not sheet.look.verbose}
    told: set[tuple[str, Severity]] = set()
    for item in found:
        key = (item.rule, item.severity)
        if item.rule == REST and beyond.keys() <= blocks:
            continue  # every block tells its own number
        if key not in blocks:
            sheet.blank()
            add_diagnostic(sheet, item)
        elif key not in told:
            told.add(key)
            sheet.blank()
            _add_block(sheet, [one for one in found if (one.rule, one.severity) == key], beyond.get(key, 0))


def _add_block(sheet: Sheet, items: list[Diagnostic], more: int) -> None:
    """Many findings of one rule."""
    first = items[0]
    total = len(items) + more
    _add_head(sheet, first.severity, f"{first.summary} ({total:,} times)", first.rule)
    for item in items[:_SHOWN]:
        sheet.add("  ", (_place(item), "name"), hang=4)
        if item.detail:
            sheet.add("    ", visible(item.detail.split("\n")[0]), hang=4)
    for line in first.fix.split("\n") if first.fix else ():
        (sheet.add_unbroken if line.startswith("  ") else sheet.add)("  ", visible(line), hang=2)
    sheet.add(
        "  ", (f"And {total - _SHOWN:,} more: -v shows them here, -o json=FILE writes them to a file.", "faint"), hang=2
    )


def render_error(error: OAuthDeployError, look: Look) -> str:
    """An error of this tool: all its findings or members, then its own summary."""
    sheet = Sheet(look)
    if isinstance(error, ManifestInvalid):
        sheet.block(render_diagnostics(error.diagnostics, look))
        sheet.blank()
        sheet.add(("error: ", "error"), (f"{error.summary}: {summary_of(error.diagnostics)}", "strong"))
    elif isinstance(error, ServersFailed):
        for member in error.members:
            sheet.block(render_error(member, look))
            sheet.blank()
        _add_head(sheet, Severity.ERROR, error.summary, error.rule)
    else:
        add_diagnostic(sheet, finding_of(error))
    return sheet.text()


def finding_of(error: OAuthDeployError) -> Diagnostic:
    """An error as a finding, with its server."""
    place = f"server {error.server}" if isinstance(error, ServerError) and error.server else ""
    return Diagnostic(error.rule, error.summary, detail=error.detail, fix=error.fix, address=place)


def summary_of(diagnostics: Diagnostics) -> str:
    """`2 errors, 1 warning`."""
    errors, warnings = diagnostics.count(Severity.ERROR), diagnostics.count(Severity.WARNING)
    parts = [counted(errors, "error")] if errors else []
    parts += [counted(warnings, "warning")] if warnings else []
    return ", ".join(parts) or "no findings"


def add_diagnostic(sheet: Sheet, item: Diagnostic, *, indent: int = 0) -> None:
    """One finding, indented by `indent` columns."""
    start = " " * indent
    inner = " " * (indent + 2)
    _add_head(sheet, item.severity, item.summary, item.rule, start)
    place = _place(item)
    if place:
        sheet.add(inner, (place, "name"), hang=indent + 4)
    if item.span is not None and item.span.text.strip():
        _add_source(sheet, item.span, inner, item.severity)
    for text in (item.detail, item.fix):
        for line in text.split("\n") if text else ():
            # Indented lines are for copying (a command, YAML): a line break in them would change what they mean.
            add = sheet.add_unbroken if line.startswith("  ") else sheet.add
            add(inner, visible(line), hang=indent + 2)


def _add_head(sheet: Sheet, severity: Severity, summary: str, rule: str, start: str = "") -> None:
    sheet.add(
        start,
        (f"{severity.value}: ", severity.value),
        (visible(summary), "strong"),
        (f" [{visible(rule)}]", "faint"),
        hang=len(start) + 2,
    )


def _place(item: Diagnostic) -> str:
    parts = [str(item.span) if item.span is not None else "", item.address, path_text(_own_path(item))]
    return ", ".join(visible(part) for part in parts if part)


def _own_path(item: Diagnostic) -> Path:
    """The path without the part that the address repeats."""
    if not item.address or not item.path:
        return item.path
    return item.path[_SECTIONS.get(str(item.path[0]), 0) :]


def _add_source(sheet: Sheet, span: SourceSpan, inner: str, severity: Severity) -> None:
    """The source line with a caret under the column; of a long line, the part around it."""
    number = str(span.line)
    room = (sheet.look.width or 120) - len(inner) - len(number) - 5
    caret = (span.caret or span.column) - 1
    before = _tabless(span.text[:caret])
    after = _tabless(span.text[caret:])
    indent = len(before) - len(before.lstrip())
    if cells(before) > max(indent, room // 2):
        before = "..." + _tail(before, room // 2 - 3)
    column = cells(before)
    after = _head(after, room - column)
    sheet.add(inner, "  ", (f"{number} | ", "faint"), before + after)
    style = "caret" if severity is Severity.ERROR else severity.value
    sheet.add(inner, "  ", (f"{' ' * len(number)} | ", "faint"), " " * column, ("^", style))


def _tabless(text: str) -> str:
    return visible(text.replace("\t", "    "))


def _tail(text: str, width: int) -> str:
    # Cut by characters first, because a manifest can be a single line of a million characters.
    text = text[-max(1, width) :]
    while text and cells(text) > width:
        text = text[1:]
    return text


def _head(text: str, width: int) -> str:
    short = text[: max(1, width)]
    if short == text and cells(text) <= width:
        return text
    while short and cells(short) > width - 3:
        short = short[:-1]
    return f"{short}..."
