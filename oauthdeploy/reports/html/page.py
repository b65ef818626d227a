"""A report as one HTML file: no network, no other file, readable without scripts, in light and dark.

The page is made by Jinja2 with autoescaping: names and values come from live servers, and only the template is markup. A strict
content security policy stands besides that: style and script are allowed by their SHA-256 alone, all else is forbidden, so that
even markup that slipped through could neither run nor load anything. Hence no style attributes and no event attributes.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from oauthdeploy import __version__
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.reports.document import Report, Row, Run, Verdict
from oauthdeploy.reports.graph_svg import svg_inline, svg_rules
from oauthdeploy.reports.picture import Picture, picture_of
from oauthdeploy.reports.results import ends_of, reason_of
from oauthdeploy.reports.text import place_text, step_text
from oauthdeploy.reports.words import NONE_TEXT, counted, visible

_PACKAGE: Final = "oauthdeploy.reports.html"
_WAITING: Final = {Run.DRIFT: "Drift", Run.COMPARE: "Different"}
_HEADS: Final = {Run.DRIFT: ("Live", "Manifest"), Run.COMPARE: ("First side", "Second side")}


def render_html(report: Report) -> str:
    """The page."""
    ended = any(item.end is not None for item in report.items)
    style, script = _style() + _columns(report, ended=ended), _script()
    picture = picture_of(report)
    made: str = _template().render(
        report=report,
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - a file of ours
        script=Markup(script),  # noqa: S704 - a file of ours
        picture=picture,
        drawing=_drawing(picture),
        verdict=_verdict(report),
        heads=_HEADS.get(report.run, ("Before", "After")),
        findings=sorted(report.all_findings, key=lambda item: item.severity.rank),
        ended=ended,
        kinds=tuple(dict.fromkeys(item.address.kind.value for item in report.items)),
        version=__version__,
    )
    return f"{made}\n"


def _verdict(report: Report) -> str:
    if report.verdict is Verdict.FAILED:
        return "Needs attention"
    return "All well" if report.verdict is Verdict.CLEAN else _WAITING.get(report.run, "Changes waiting")


def _drawing(picture: Picture) -> Markup:
    # Made by an XML library, which escapes every text.
    return Markup(svg_inline(picture.graph)) if picture.graph is not None else Markup()  # noqa: S704


@cache
def _style() -> str:
    return (files(_PACKAGE) / "templates" / "page.css").read_text(encoding="utf-8") + svg_rules()


@cache
def _script() -> str:
    return (files(_PACKAGE) / "templates" / "page.js").read_text(encoding="utf-8")


def _columns(report: Report, *, ended: bool) -> str:
    """The widths of the columns of the table, which depend on how many sides there are."""
    sides = f"repeat({len(report.columns)},minmax(60px,90px)) " if report.columns else ""
    return f"#objects{{--columns:{sides}minmax(0,1fr) 190px {'110px ' if ended else ''}190px}}"


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _template() -> Template:
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
    }
    environment.globals |= {"counted": counted, "absent": NONE_TEXT}
    return environment.get_template("page.html")


def _keys(row: Row) -> str:
    """The words by which a row is filtered: its states, and how its changes ended."""
    states = [item.state.word for item in row.items.values()]
    ends = [item.end.status.value for item in row.items.values() if item.end is not None]
    return " ".join(dict.fromkeys([*states, *ends]))


def _source(finding: Diagnostic) -> tuple[str, str]:
    """The line of a finding before and from its column on, for a mark between."""
    if finding.span is None or not finding.span.text.strip():
        return "", ""
    text, column = finding.span.text, finding.span.column - 1
    return visible(text[:column].replace("\t", "    ")), visible(text[column:].replace("\t", "    "))
