"""A report as Markdown for a comment on a pull request.

It fits into the limit of forges, 65,536 characters on GitHub. If it is too long, the findings, the table and the details are
shortened at their ends, and each says how much it omits; the counts come first and are never omitted.

Names and values come from live servers and may be hostile. They are escaped by character references, which CommonMark never
treats as structure (section 2.5) and which also work in HTML. Text that would notify people or become a link (`@name`, `#1`,
`https://`) is split by a zero-width space. Values are in `<code>`, where forges neither notify nor link, and fields in a
fence that is longer than any run of backticks in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.core.log_commands import disarmed
from oauthdeploy.planning.changes import Risk
from oauthdeploy.reports.document import Field, Item, Remark, Report, Row, Server, Stop, Verdict
from oauthdeploy.reports.formatting import NONE_TEXT, counted, requests_text, visible
from oauthdeploy.reports.results import ends_of, reason_of
from oauthdeploy.reports.text import place_text, step_text

LIMIT: Final = 65_536
"""Characters of a comment on GitHub; GitLab takes more."""

_LEAST: Final = 4_000
_RESERVE: Final = 600
"""Characters reserved for the lines that say what was omitted."""

_MOST_NAMES: Final = 1_500
"""The limit of characters for all names in remarks together."""

_MOST_TEXT: Final = 600
"""The limit of characters for one text; other formats have the full text."""

_SIGNS: Final = {Verdict.CLEAN: "✅", Verdict.WAITING: "🔶", Verdict.FAILED: "❌"}
_LEVELS: Final = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.INFO: "ℹ️"}
_SPECIAL: Final = re.compile(r"[\\`*_\[\]<>&|~#@$^!{}]|(?<=www)\.|:(?=//)", re.IGNORECASE)
_LIVELY: Final = "@#:."
"""Characters that could notify or link in running text although they are not structure."""

_AT_START: Final = re.compile(r"^([0-9]*)([-+=.)])")


def text(words: str) -> str:
    """Running text without any markup."""
    # Characters that would start a list, a rule or a heading at the start of a line.
    return _AT_START.sub(lambda found: f"{found[1]}&#{ord(found[2])};", _escaped(words, "&#8203;"), count=1)


def code(words: str) -> str:
    """A name or value, in a monospaced font."""
    return f"<code>{_escaped(words, '')}</code>" if words else ""


def _escaped(words: str, breaker: str) -> str:
    def reference(found: re.Match[str]) -> str:
        char = found.group()
        return f"&#{ord(char)};{breaker if char in _LIVELY else ''}"

    return _SPECIAL.sub(reference, _cut(visible(words)).strip())


def _cut(words: str) -> str:
    return words if len(words) <= _MOST_TEXT else f"{words[:_MOST_TEXT]}…"


# -- the page -----------------------------------------------------------------------------------------------------------


class _Part(Struct, frozen=True):
    """A part of the page that can be shortened: pieces between a head and a tail, and a noun for what is omitted."""

    head: str
    pieces: tuple[str, ...]
    tail: str
    noun: str
    share: float
    """The share of the remaining room for this part if not everything fits."""

    def size(self) -> int:
        return len(self.head) + len(self.tail) + sum(map(len, self.pieces)) if self.pieces else 0

    def fitted(self, room: int) -> str:
        """As many pieces as fit."""
        if not self.pieces:
            return ""
        left = room - len(self.head) - len(self.tail)
        shown: list[str] = []
        for piece in self.pieces:
            left -= len(piece)
            if left < 0:
                break
            shown.append(piece)
        rest = len(self.pieces) - len(shown)
        omission = f"\n_{counted(rest, self.noun)} omitted: the comment would be too long._\n" if rest else ""
        if not shown:
            return omission
        return f"{self.head}{''.join(shown)}{self.tail}{omission}"


def render_markdown(report: Report, limit: int = LIMIT) -> str:
    """The report in at most `limit` characters, of which at least 4,000 are needed."""
    page = _disarmed(_rendered(report, limit))
    # Escapes take room, so a report with many of them is rendered again with a lower limit.
    return page if len(page) <= limit else _disarmed(_rendered(report, 2 * limit - len(page)))


def _disarmed(page: str) -> str:
    return disarmed(page, colon="&#58;", hash_sign="&#35;")


def _rendered(report: Report, limit: int) -> str:
    limit = max(limit, _LEAST)
    top, end = _top(report), _order(report) + _servers(report.servers)
    parts = [_findings(report), _table(report), _details(report)]
    room = limit - len(top) - len(end)
    if sum(part.size() for part in parts) <= room:
        return top + "".join(part.fitted(room) for part in parts) + end
    room -= _RESERVE
    shown = ""
    for part in parts:
        fitted = part.fitted(int(room * part.share))
        room -= len(fitted)
        shown += fitted
    return top + shown + end


def _top(report: Report) -> str:
    """The part that is never shortened. A pipeline finds its previous comment by the HTML comment at the start."""
    lines = [
        f"<!-- oauthdeploy {report.run.value} -->",
        f"### {_SIGNS[report.verdict]} {text(report.title)}",
        "",
        f"**{text(report.headline)}**",
    ]
    beside = [text(fact) for fact in report.facts]
    beside += [
        f"{text(address)}: secret delivered to {code(place)}" for address, place in [*report.delivered.items()][:5]
    ]
    beside += _remarks(report.remarks)
    if beside:
        lines += ["", *(f"- {words}" for words in beside)]
    return "\n".join(lines) + "\n"


def _remarks(remarks: Sequence[Remark]) -> Iterator[str]:
    """Remarks with as many names as in text, if they fit."""
    room = _MOST_NAMES
    for remark in remarks[:10]:
        shown: list[str] = []
        for name in map(code, remark.about[: remark.shown]):
            if len(name) > room:
                break
            room -= len(name)
            shown.append(name)
        rest = len(remark.about) - len(shown)
        more = f" and {rest:,} more" if rest else ""
        yield text(remark.words) + (f": {', '.join(shown)}{more}" if shown else "")


def _servers(servers: Sequence[Server]) -> str:
    if not servers:
        return ""
    lines = [
        f"{text(server.name)}: {server.role}, {text(server.product or server.driver)}"
        + (f", {requests}" if (requests := requests_text(server.reads, server.writes)) else "")
        for server in servers[:20]
    ]
    more = f"<br>and {len(servers) - 20} more" if len(servers) > 20 else ""
    return f"\n<sub>{'<br>'.join(lines)}{more}</sub>\n"


# -- findings -----------------------------------------------------------------------------------------------------------


def _findings(report: Report) -> _Part:
    pieces = [_stop(stop) for stop in report.stops]
    pieces += [_finding(item) for item in report.all_findings if item.severity is not Severity.INFO]
    return _Part("\n#### Findings\n\n", tuple(pieces), "", "finding", 0.3)


def _stop(stop: Stop) -> str:
    lifted = "lifted by `--allow` for this run" if stop.lifted else f"lifted by {code(f'--allow {stop.finding.rule}')}"
    return f"{_finding(stop.finding, sign='🛑').rstrip()}<br>apply refuses; {lifted}\n"


def _finding(item: Diagnostic, sign: str = "") -> str:
    where = ", ".join(code(part) for part in (place_text(item.span), item.address) if part)
    head = f"- {sign or _LEVELS[item.severity]} **{text(item.summary)}** {code(item.rule)}"
    rest = [where, *(text(line) for words in (item.detail, item.fix) for line in words.split("\n") if line)]
    return "<br>".join([head, *(part for part in rest if part)]) + "\n"


# -- the table ----------------------------------------------------------------------------------------------------------


def _table(report: Report) -> _Part:
    names = [code(name) for name in report.columns]
    with_outcomes = any(item.end is not None for item in report.items)
    heads = [*names, "object", "reason", *(["end"] if with_outcomes else []), "manifest"]
    rule = [*(":-:" for _ in names), "---", "---", *(["---"] if with_outcomes else []), "---"]
    head = f"\n{_line(heads)}{_line(rule)}"
    return _Part(
        head, tuple(_row(row, report.columns, with_outcomes=with_outcomes) for row in report.rows), "", "object", 0.5
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _row(row: Row, columns: Sequence[str], *, with_outcomes: bool) -> str:
    symbols = [code(row.items[name].state.symbol) if name in row.items else "" for name in columns]
    why = text(row.why)
    why += f", **{row.risk} risk**" if row.risk >= Risk.MEDIUM else ""
    return _line([*symbols, code(row.name), why, *([_ends(row)] if with_outcomes else []), code(place_text(row.place))])


def _ends(row: Row) -> str:
    return ", ".join(f"{status} on {text(where)}" if where else status for status, where in ends_of(row))


# -- details ------------------------------------------------------------------------------------------------------------


def _details(report: Report) -> _Part:
    pieces = [_detail(row) for row in report.rows if row.fields or row.notes or any(map(_because, row.items.values()))]
    head = f"\n<details><summary>Details of {counted(len(pieces), 'object')}</summary>\n"
    return _Part(head, tuple(pieces), "\n</details>\n", "object", 1.0)


def _order(report: Report) -> str:
    """The steps of the two-sided order, if there is more than one."""
    if len(report.steps) < 2:
        return ""
    steps = "".join(f"{number}. {text(step_text(step))}\n" for number, step in enumerate(report.steps, 1))
    return f"\n<details><summary>Order of work</summary>\n\n{steps}\n</details>\n"


def _because(item: Item) -> str:
    return reason_of(item.end.because) if item.end is not None else ""


def _detail(row: Row) -> str:
    lines = list(_field_lines(row))
    notes = [*row.notes, *(reason for reason in map(_because, row.items.values()) if reason)]
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", "\n".join(lines))), 0)
    block = ["\n".join([f"{fence}diff", *lines, fence])] if lines else []
    return "\n\n".join(["\n" + code(row.name), *block, *map(text, notes)]) + "\n"


def _field_lines(row: Row) -> Iterator[str]:
    gone, come = row.state.signs
    for field in row.fields:
        if field.is_list:
            yield f"  {_cut(field.label)}:"
            yield from (f"{gone} {_cut(entry)}" for entry in field.gone)
            yield from (f"{come} {_cut(entry)}" for entry in field.come)
            if field.kept:
                yield f"  ({field.kept} unchanged)"
        else:
            yield from _before_and_after(field, gone, come)


def _before_and_after(field: Field, gone: str, come: str) -> Iterator[str]:
    if field.before is not None:
        yield f"{gone} {_cut(field.label)}: {_cut(field.before.text)}"
    if field.after is not None:
        yield f"{come} {_cut(field.label)}: {_cut(field.after.text)}"
    elif field.before is None:
        yield f"  {_cut(field.label)}: {NONE_TEXT}"
