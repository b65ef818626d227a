"""A report as one HTML file: no network, no other files, readable without scripts, in light and dark mode.

Jinja2 renders the page with autoescaping: names and values come from live servers, and only the template is markup. In
addition, a strict content security policy allows style and script only by their SHA-256, so that even markup that slipped
through could neither run nor load anything. The page therefore has no style attributes and no event attributes.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.core.log_commands import disarmed
from oauthdeploy.core.version import __version__
from oauthdeploy.reports.diagram import Picture, picture_of
from oauthdeploy.reports.document import Report, Row, Run, Verdict
from oauthdeploy.reports.formatting import NONE_TEXT, counted, visible
from oauthdeploy.reports.graph_svg import svg_inline, svg_rules
from oauthdeploy.reports.html.rows import LIMIT, Rows, fitted_rows, is_short
from oauthdeploy.reports.results import ends_of, reason_of
from oauthdeploy.reports.text import place_text, step_text

_PACKAGE: Final = "oauthdeploy.reports.html"
_WAITING: Final = {Run.DRIFT: "Drift", Run.COMPARE: "Different"}
_HEADS: Final = {Run.DRIFT: ("Live", "Manifest"), Run.COMPARE: ("First side", "Second side")}


def render_html(report: Report, limit: int = LIMIT) -> str:
    """The page, with at most `limit` characters for objects; it says what is left out."""
    with_outcomes = any(item.end is not None for item in report.items)
    style, script = _style() + _columns(report, with_outcomes=with_outcomes), _script()
    picture = picture_of(report)
    heads = _HEADS.get(report.run, ("Before", "After"))
    rows = fitted_rows(
        report, _environment().get_template("rows.html").module, heads, with_outcomes=with_outcomes, limit=limit
    )
    markup: str = (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            policy=_policy(style, script),
            style=Markup(style),  # noqa: S704 - a file of this package
            script=Markup(script),  # noqa: S704 - a file of this package
            picture=picture,
            drawing=_drawing(picture),
            verdict=_verdict(report),
            rows=rows,
            left_out=_left_out(rows),
            errors=[item for item in report.all_findings if item.severity is Severity.ERROR],
            warnings=sorted(
                (item for item in report.all_findings if item.severity is not Severity.ERROR),
                key=lambda item: item.severity.rank,
            ),
            few=is_short(report),
            with_outcomes=with_outcomes,
            kinds=tuple(dict.fromkeys(item.address.kind.value for item in report.items)),
            version=__version__,
        )
    )
    # The style sheet can start a line with `::before`, but a server's text cannot.
    return disarmed(f"{markup}\n", colon=":", hash_sign="&#35;")


def _left_out(rows: Rows) -> str:
    """What is omitted from a page that would be too long, in words."""
    parts = [f"{counted(rows.cut, 'row')} omitted at the end"] if rows.cut else []
    parts += [f"{counted(rows.brief, 'row')} without details"] if rows.brief else []
    if not parts:
        return ""
    return f"{' and '.join(parts)}: the page would be too long. Other formats, such as json, are complete."


def _verdict(report: Report) -> str:
    if report.verdict is Verdict.FAILED:
        return "Needs attention"
    if report.verdict is Verdict.CLEAN and any(item.severity is Severity.WARNING for item in report.all_findings):
        return "Nothing to do, with warnings"
    return "All well" if report.verdict is Verdict.CLEAN else _WAITING.get(report.run, "Changes waiting")


def _drawing(picture: Picture) -> Markup:
    # The SVG comes from an XML library, which escapes all text.
    return Markup(svg_inline(picture.graph)) if picture.graph is not None else Markup()  # noqa: S704


@cache
def _style() -> str:
    return (files(_PACKAGE) / "templates" / "page.css").read_text(encoding="utf-8") + svg_rules()


@cache
def _script() -> str:
    return (files(_PACKAGE) / "templates" / "page.js").read_text(encoding="utf-8")


def _columns(report: Report, *, with_outcomes: bool) -> str:
    """The widths of the table's columns, which depend on the number of sides, and the names of the sides for phones."""
    sides = f"repeat({len(report.columns)},minmax(60px,90px)) " if report.columns else ""
    labels = "".join(
        f'#objects>tbody>tr>:nth-child({place})::before{{content:"{_css_text(name)} "}}'
        for place, name in enumerate(report.columns, start=1)
    )
    widths = f"#objects{{--columns:{sides}minmax(0,1fr) 190px {'110px ' if with_outcomes else ''}190px}}"
    return f"{widths}@media (max-width:760px){{{labels}}}"


def _css_text(text: str) -> str:
    """A text inside CSS quotes: characters that could end it or the style are escaped by number (CSS Syntax 3, 4.3.7)."""
    return "".join(sign if sign.isascii() and sign.isalnum() else f"\\{ord(sign):x} " for sign in visible(text))


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": visible,
        "place": place_text,
        "step": step_text,
        "because": reason_of,
        "keys": _keys,
        "ends": ends_of,
        "source": _source,
        "by_server": _by_server,
    }
    environment.globals |= {"counted": counted, "absent": NONE_TEXT}
    return environment


def _keys(row: Row) -> str:
    """The words by which a row is filtered: its states, and the outcomes of its changes."""
    states = [item.state.word for item in row.items.values()]
    ends = [item.end.status.value for item in row.items.values() if item.end is not None]
    return " ".join(dict.fromkeys([*states, *ends]))


def _by_server(row: Row) -> bool:
    """Whether each side is shown separately, because it adds to the row or there is nothing else to show."""
    items = row.items.values()
    alike = len({(item.state, item.reason, item.risk) for item in items}) == 1
    source = row.place is not None and row.place.text.strip()
    return not alike or any(item.end or item.waits_for for item in items) or not (row.fields or row.notes or source)


def _source(finding: Diagnostic) -> tuple[str, str]:
    """The source line of a finding, split at its column, for a mark between the parts."""
    if finding.span is None or not finding.span.text.strip():
        return "", ""
    text, column = finding.span.text, finding.span.column - 1
    return visible(text[:column].replace("\t", "    ")), visible(text[column:].replace("\t", "    "))
