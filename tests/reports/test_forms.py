"""Every form of every report: whole ones compared with files, each against its own schema, hostile text, canaries."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import junitparser
import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from markdown_it import MarkdownIt
from msgspec.structs import replace

from oauthdeploy.cli.reporting import FORMS as CLI_FORMS
from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan
from oauthdeploy.manifest.explaining.rules import all_rules
from oauthdeploy.planning.changes import Risk
from oauthdeploy.planning.plan import Plan, ServerSummary
from oauthdeploy.reports.builders.plan import plan_report
from oauthdeploy.reports.console import Look, cells
from oauthdeploy.reports.document import ManifestView, Report, Row
from oauthdeploy.reports.html.page import render_html
from oauthdeploy.reports.json import render_json
from oauthdeploy.reports.junit import render_junit
from oauthdeploy.reports.markdown import LIMIT, code, render_markdown, text
from oauthdeploy.reports.ndjson import render_ndjson
from oauthdeploy.reports.sarif import render_sarif
from oauthdeploy.reports.text import render_text
from tests.reports import published, samples
from tests.reports.every import REPORTS, many
from tests.servers.plugin import usable

GOLDEN: Final = Path(__file__).parent / "golden"
SHOWN: Final = ("plan-second", "plan-hostile", "apply-partial", "apply-stopped", "drift", "compare", "invalid")


def _sarif(report: Report) -> str:
    return render_sarif(report, all_rules(), version="1.2.3", base="/repo", root="/repo")


def _page(report: Report) -> str:
    """A page without what is the same in all of them."""
    page = re.sub(r"(<style>).*?(</style>)", r"\1\2", render_html(report), flags=re.DOTALL)
    page = re.sub(r"(<script>).*?(</script>)", r"\1\2", page, flags=re.DOTALL)
    return re.sub(r"sha256-[A-Za-z0-9+/=]+", "sha256-x", page)


FORMS: Final[Mapping[str, Callable[[Report], str]]] = {
    "txt": lambda report: render_text(report, Look(100, verbose=True)),
    "json": render_json,
    "ndjson": render_ndjson,
    "md": render_markdown,
    "html": _page,
    "xml": render_junit,
    "sarif": _sarif,
}


@pytest.mark.parametrize("form", [form for form in FORMS if form != "txt"])
@pytest.mark.parametrize("name", SHOWN)
def test_a_form_of_a_report_is_as_the_golden_file(name: str, form: str) -> None:
    """Equal input gives equal bytes, and a change of a form is seen in review. `GOLDEN=write` makes the files again."""
    found = re.sub(r'oauthdeploy [0-9][^ "<]*|"tool":"[^"]*"', "oauthdeploy VERSION", FORMS[form](REPORTS[name]()))
    path = GOLDEN / f"{name}.{form}"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", REPORTS)
def test_a_form_holds_no_secret_and_what_matters(name: str, form: str) -> None:
    """A secret is told by its origin alone. Every form but the plain JSON of a document says the sentence that sums up."""
    report = REPORTS[name]()
    found = FORMS[form](report)
    assert samples.CANARY not in found
    assert found.endswith("\n")
    found.encode("utf-8")
    if form == "txt":
        assert report.headline in " ".join(found.split())


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("name", REPORTS)
def test_text_is_right_at_every_width_and_without_colour(name: str, width: int) -> None:
    """No line is wider than the screen, nothing is told by colour alone, and no report leaves trailing space."""
    report = REPORTS[name]()
    plain = render_text(report, Look(width))
    assert [line for line in plain.splitlines() if cells(line) > width or line != line.rstrip()] == []
    assert re.sub(r"\x1b\[[0-9;]*m", "", render_text(report, Look(width, colour=True))) == plain


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_counts_in_one_unit(name: str) -> None:
    """The number of its table is the sum of its states and of the last line of the text: objects, one for each server."""
    report = REPORTS[name]()
    page = render_html(report)
    if report.rows:
        assert f'Objects <span class="count">{len(report.items)}</span>' in page
        assert sum(int(number) for number in re.findall(r'aria-pressed="false"><b>(\d+)</b>', page)) == len(
            report.items
        )


# -- JSON and NDJSON ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPORTS)
def test_json_and_ndjson_are_as_their_schemas_say(name: str) -> None:
    """Each document names its format, and its published schema takes it, without a key too many."""
    document = json.loads(render_json(REPORTS[name]()))
    schema = published.own(document["format"].removeprefix("oauthdeploy/"))
    Draft202012Validator(schema).validate(document)
    lines = [json.loads(line) for line in render_ndjson(REPORTS[name]()).splitlines()]
    validator = Draft202012Validator(published.own("line"))
    assert [error.message for line in lines for error in validator.iter_errors(line)] == []
    assert [lines[0]["type"], lines[-1]["type"]] == ["version", "summary"]
    assert sum(line["type"] == "item" for line in lines) == len(REPORTS[name]().items)


# -- SARIF and JUnit ------------------------------------------------------------------------------------------------------


@cache
def _sarif_validator() -> Any:
    schema = json.loads(usable(published.sarif_schema).read_text(encoding="utf-8"))
    return validator_for(schema)(schema)


@cache
def _junit_validator() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(usable(published.junit_schema))


def check_sarif(found: str) -> None:
    assert [error.message for error in _sarif_validator().iter_errors(json.loads(found))] == []


def check_junit(found: str) -> None:
    # `file` and `line` are read by those that annotate a pull request, and the schema doesn't know them.
    plain = re.sub(r'(<testcase [^>]*?) file="[^"]*" line="[0-9]+"', r"\1", found)
    assert [error.reason for error in _junit_validator().iter_errors(plain)] == []


@pytest.mark.parametrize("name", REPORTS)
def test_sarif_and_junit_are_as_their_standards_say(name: str) -> None:
    """The schemas that OASIS and Jenkins publish take every report."""
    check_sarif(_sarif(REPORTS[name]()))
    check_junit(render_junit(REPORTS[name]()))


def _results(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_sarif(REPORTS[name]()))["runs"][0]["results"]
    return found


def test_sarif_puts_drift_and_failed_changes_on_their_line_of_the_manifest() -> None:
    """So that they are shown in the pull request that changes it; what was done is no result."""
    drift = {result["ruleId"]: result for result in _results("drift")}
    region = drift["drift-changed"]["locations"][0]["physicalLocation"]
    assert region["artifactLocation"]["uri"] == "oauthdeploy.yaml"
    assert region["region"]["startLine"] == samples.LINES["scope"]
    assert drift["drift-changed"]["level"] == "error"
    assert drift["drift-cannot-compare"]["level"] == "note"
    assert drift["drift-unreadable"]["level"] == "warning"
    applied = {result["ruleId"]: result["level"] for result in _results("apply-partial")}
    assert applied == {
        "change-failed": "error",
        "change-skipped": "warning",
        "change-unknown": "error",
        "field-not-kept": "error",
    }
    assert _results("apply-done") == []
    planned = {result["ruleId"]: result["level"] for result in _results("plan-second")}
    assert planned["planned-disable"] == "note"
    assert planned["planned-replace"] == "warning"
    assert planned["too-many-deletes"] == "error"
    assert {result["ruleId"]: result["level"] for result in _results("plan-lifted")}["too-many-deletes"] == "warning"


def _cases(name: str) -> dict[str, Any]:
    report = junitparser.JUnitXml.fromstring(render_junit(REPORTS[name]()).encode())
    return {f"{case.classname} {case.name}": case for suite in report for case in suite}


def test_junit_fails_where_the_command_does() -> None:
    """A difference and a change that failed fail their case; a plan, and what was made, pass; the rest is skipped."""
    drift = _cases("drift")
    assert drift["drift the servers match the manifest"].result[0].type == "waiting"
    assert drift["drift.login missing client/web-shop"].result[0].type == "drift-missing"
    assert drift["drift.orders unreadable settings"].is_skipped
    assert all(case.is_passed for case in _cases("drift-none").values() if not case.classname.startswith("drift.oauth"))
    applied = _cases("apply-partial")
    assert applied["apply.login create client/nightly-batch"].is_failure
    assert "[permission-denied]" in applied["apply.login create client/nightly-batch"].result[0].text
    assert applied["apply.orders create client/nightly-batch"].is_error
    assert applied["apply.login create association/nightly-batch:orders.read"].is_skipped
    assert applied["apply.login update settings"].is_passed
    plan = _cases("plan-second")
    assert plan["plan.login replace client/web-shop"].is_passed
    assert plan["plan the plan can be carried out"].is_failure
    assert _cases("plan-lifted")["plan the plan can be carried out"].is_passed
    assert _cases("compare")["compare both sides are equal"].is_failure
    assert _cases("compare-equal")["compare both sides are equal"].is_passed


# -- Markdown -------------------------------------------------------------------------------------------------------------


def _reader() -> MarkdownIt:
    """CommonMark with what forges add: tables, and links made of bare addresses."""
    return MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table")


def _shape(found: str) -> list[str]:
    """What a reader of Markdown makes of a text, without its words: the tokens, and the HTML that is ours."""
    shape: list[str] = []
    for token in _reader().parse(found):
        shape.append(token.type)
        for inner in token.children or ():
            if inner.type == "html_inline":
                shape.append(inner.content)
            elif inner.type not in ("text", "text_special"):
                shape.append(inner.type)
        if token.type == "html_block":
            shape.append(re.sub(r"(?<=>)[^<]+", "", token.content))
    return shape


HOSTILE_BITS: Final = (
    "</code>", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "`", "```", "````", "|", "\\|", "\\", "\n",
    "\r\n", "@everyone", "#1", "https://evil.example", "www.evil.example", "[x](javascript:alert(1))", "![x](y)", "**",
    "__", "~~", "<!--", "-->", "]]>", "&lt;", "&#64;", "{{ 7 * 7 }}", "{% raw %}", "\u202e", "\u200b", "שלום", "日本",
    "\x00", "\x1b[31m", "\ud800", "' onmouseover='x", '" onmouseover="x', "---", "# x", "1. x", "- x", "+ x", "=", "> x",
    "    x", "\t", "$x$", ":smile:", "</details>", "<details>", "'", '"', "a" * 400,
)  # fmt: skip
hostile = st.lists(st.sampled_from(HOSTILE_BITS) | st.text(max_size=8), min_size=1, max_size=6).map("".join)


def report_of(said: str) -> Report:
    """A report in which everything that a server or a manifest can say is said so."""
    line = said.replace("\n", " ")
    note = f"a{line}"
    # No file system gives a name with a lone surrogate of this kind.
    file = f"f{line}".encode("utf-8", "replace").decode()
    found = Diagnostic("rule", note, note, note, Severity.WARNING, f"a{line}", (note,), SourceSpan(file, 3, 1, note))
    changes = (
        samples.create(str(Address(Kind.CLIENT, f"a{said}", "login")), ("name", said), ("redirect_uris", (said, "b"))),
        samples.update(str(Address(Kind.SCOPE, f"a{said}", "login")), ("description", "x", said), note=note),
        samples.create(str(Address.association(f"a{said}", f"a{said}", "login"))),
    )
    servers = (ServerSummary("login", "authorization", f"d{line}", f"https://{line}", f"p{line}", 1, 1),)
    plan = Plan(f"n{line}", changes, servers, Diagnostics((found,)), Diagnostics((found,)))
    view = ManifestView(lambda _path: SourceSpan(file, 7, 1, f"t{line}"), (file,))
    return plan_report(plan, view)


def test_the_requests_of_a_server_are_in_the_right_number() -> None:
    """One read is a read, in Markdown as in the other forms."""
    assert ", 1 read, 1 write</sub>" in render_markdown(report_of("x"))


@cache
def _plain_shape() -> list[str]:
    return _shape(render_markdown(report_of("x")))


@settings(max_examples=150, deadline=None)
@given(hostile)
def test_no_name_or_value_breaks_out_of_markdown(said: str) -> None:
    """A reader of Markdown makes the same of a report whatever is in its names: no markup, row, link, image or mention more."""
    found = render_markdown(report_of(said))
    assert _shape(found) == _plain_shape()
    # Forges look for mentions and references in the text of the page, outside of code.
    page = re.sub(r"<(code|pre)\b.*?</\1>", "", _reader().render(found), flags=re.DOTALL)
    seen = html.unescape(re.sub(r"<[^>]*>", "", page))
    assert not re.search(r"@\w|://|\bwww\.\w|#\d", seen)


@given(st.text())
def test_a_text_in_markdown_reads_as_it_is(words: str) -> None:
    """What is escaped is read as it was meant, in running text and as code."""
    from oauthdeploy.reports.formatting import visible

    meant = visible(words).strip()[:600]
    for made in (text(words), re.sub(r"^<code>|</code>$", "", code(words))):
        tokens = _reader().parseInline(f"a {made}")[0].children or []
        read = "".join(token.content for token in tokens if token.type in ("text", "text_special", "code_inline"))
        assert read.removeprefix("a").strip().replace("\u200b", "")[:600] == re.sub(" +$", "", meant)


@pytest.mark.parametrize("size", [0, 10, 2_000])
def test_a_comment_fits_and_keeps_its_counts(size: int) -> None:
    """What is cut is said, the counts stand first, and no fold is left open."""
    report = many(size)
    found = render_markdown(report)
    assert len(found) <= LIMIT
    assert text(report.headline) in found[:600]
    assert found.count("<details>") == found.count("</details>")
    assert found.count("```") % 2 == 0
    assert ("omitted: the comment would be too long" in found) == (size == 2_000)
    if size == 2_000:
        rows = sum(line.startswith("| <code>") for line in found.splitlines()) - 1
        left = [int(number.replace(",", "")) for number in re.findall(r"_([0-9,]+) objects omitted", found)]
        assert rows + left[0] == size
        assert len(found) > LIMIT * 0.9


@settings(max_examples=60, deadline=None)
@given(hostile, st.integers(min_value=0, max_value=70_000))
def test_a_comment_fits_whatever_is_in_it(said: str, limit: int) -> None:
    """Also with texts that grow when they are escaped, at any limit that a forge could have."""
    assert len(render_markdown(report_of(said), limit)) <= max(limit, 8_000)


# -- HTML -----------------------------------------------------------------------------------------------------------------


class _Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@cache
def _plain_tags() -> list[str]:
    return [tag for tag, _ in _Elements(_page(report_of("x"))).found if tag not in ("text", "title")]


@settings(max_examples=100, deadline=None)
@given(hostile)
def test_no_name_or_value_breaks_out_of_html(said: str) -> None:
    """The page has the same elements whatever is in its names, and none of them can run, load or lead anywhere."""
    elements = _Elements(_page(report_of(said))).found
    # Long names take more than one line of the picture.
    assert [tag for tag, _ in elements if tag not in ("text", "title")] == _plain_tags()
    for tag, attributes in elements:
        assert not any(name.startswith("on") or name in ("style", "src", "srcset", "action") for name in attributes)
        assert attributes.get("href") in (None, "#changes")
        assert tag not in ("iframe", "object", "embed", "link", "base", "img")


def test_a_page_that_would_be_too_long_says_what_it_leaves_out() -> None:
    """Details go first, those of the riskiest objects last; then objects, from the end. The counts of the run stay whole."""
    report = many(300)
    whole = render_html(report)
    assert "left out" not in whole
    names = re.compile(r"<summary>(client/client-\d+)</summary>")
    risky = replace(report, rows=(*report.rows[:-1], _riskier(report.rows[-1])))
    brief = render_html(risky, limit=150_000)
    assert names.findall(brief) == names.findall(whole)
    left = brief.count("<p>The details are omitted from this page.</p>")
    assert 0 < left < 300
    assert f"{left} rows without details: the page would be too long." in brief
    assert "omitted from this page" not in brief[brief.index("client/client-00299") :]
    short = render_html(report, limit=50_000)
    shown = names.findall(short)
    assert 0 < len(shown) < 300
    assert shown == names.findall(whole)[: len(shown)]
    assert f"{300 - len(shown)} rows omitted at the end and " in short
    for page in (whole, brief, short):
        assert report.headline in page
        assert '<span class="count">600</span>' in page
        assert "<b>600</b> to create" in page
    for page, limit in ((brief, 150_000), (short, 50_000)):
        rows = page[page.index("<tbody>") : page.index("</tbody>\n  </table>")]
        assert limit - 2_000 < len(rows) <= limit + 10


def _riskier(row: Row) -> Row:
    return replace(row, items={name: replace(item, risk=Risk.HIGH) for name, item in row.items.items()})


@pytest.mark.slow
def test_ten_thousand_objects_are_a_page_that_can_be_sent() -> None:
    """A row says nothing that the page can say once: a kilobyte for a client with eight fields on two servers."""
    assert len(render_html(many(2_000))) < 2_000 * 1_100
    assert len(render_html(many(10_000))) < 10_100_000


def test_the_policy_allows_the_page_alone() -> None:
    """Nothing but the style and the script of the page, by their digests; nothing from anywhere."""
    page = render_html(REPORTS["plan-second"]())
    policy = dict(_Elements(page).found)["meta"]
    found = next(
        attributes["content"]
        for tag, attributes in _Elements(page).found
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'",
        str(found),
    )
    # The namespace of SVG is a name, not an address.
    assert re.findall(r"(?:src|href|url)[=(]", page.replace('href="#changes"', "")) == []


# -- the others, hostile --------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(hostile)
def test_machine_forms_take_any_text(said: str) -> None:
    """Each form reads back by its own rules whatever is in the names."""
    report = report_of(said)
    lines = render_ndjson(report)
    assert lines.isascii()
    validator = Draft202012Validator(published.own("line"))
    assert all(validator.is_valid(json.loads(line)) for line in lines.splitlines())
    check_sarif(_sarif(report))
    check_junit(render_junit(report))
    shown = render_text(report, Look(80))
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_the_page_about_reports_knows_every_form_and_result() -> None:
    """What a user meets in a report is explained, and each form has a picture."""
    folder = Path(__file__).parents[2] / "docs"
    page = (folder / "reports.md").read_text(encoding="utf-8")
    for form in CLI_FORMS:
        assert f"\n## {form}\n![" in page
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page):
        assert (folder / picture).stat().st_size < 150_000
    found = {result["ruleId"] for name in REPORTS for result in _results(name)}
    for rule in found:
        if rule.startswith(("drift-", "change-")):
            assert f"`{rule}`" in page, rule
