"""What holds for every report: width, colour, hostile text, secrets."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, SourceSpan
from oauthdeploy.core.errors import ManifestInvalid, Rejected, ServersFailed, Unreachable, UsageError
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import MODEL_OF
from oauthdeploy.planning.changes import Action, Reason
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.unread import Unread
from oauthdeploy.reports.builders.plan import plan_line, plan_report
from oauthdeploy.reports.console import Look, Sheet, cells
from oauthdeploy.reports.diagnostics import render_diagnostics, render_error
from oauthdeploy.reports.formatting import counted, listed, seconds_text, value_text, visible
from oauthdeploy.reports.text import render_text
from tests.reports import samples
from tests.reports.test_goldens import REPORTS

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("report", REPORTS)
def test_no_line_is_wider_than_the_screen(report: str, width: int) -> None:
    """Reports are right at every width, with wide characters and long names too."""
    assert [line for line in REPORTS[report](Look(width)).splitlines() if cells(line) > width] == []


@pytest.mark.parametrize("report", REPORTS)
def test_colour_adds_nothing_but_colour(report: str) -> None:
    """Without its colours a coloured report is the plain one, so nothing is told by colour alone."""
    coloured = REPORTS[report](Look(80, colour=True))
    assert ESCAPE.sub("", coloured) == REPORTS[report](Look(80))
    assert "\x1b[" in coloured


@pytest.mark.parametrize("report", REPORTS)
def test_no_secret_is_in_any_report(report: str) -> None:
    """A secret is shown by its origin alone."""
    assert samples.CANARY not in REPORTS[report](Look(80, verbose=True))


def test_a_secret_is_shown_by_its_origin() -> None:
    """The reader learns where it comes from."""
    assert "(secret from env:NIGHTLY_BATCH_SECRET)" in REPORTS["plan-first"](Look(120))


def harmless(text: str) -> bool:
    return all(char.isprintable() or char == "\n" for char in text)


@given(st.text())
def test_hostile_text_is_shown_and_does_nothing(text: str) -> None:
    """No control, bidirectional or invisible character reaches the terminal, whatever a server or a manifest says."""
    found = Diagnostic("r", text, text, text, address=text, path=(text,), span=SourceSpan(text, 1, 3, text))
    plan = Plan(
        name=text,
        changes=(
            samples.create(str(Address(Kind.CLIENT, text or "x", "login")), ("name", text), ("redirect_uris", (text,))),
        ),
        diagnostics=Diagnostics((found,)),
    )
    assert harmless(render_text(plan_report(plan), Look(80)))
    assert harmless(render_error(Rejected(text, server=text, words=text), Look(None)))


@given(st.text(), st.integers(min_value=1, max_value=60), st.integers(min_value=1, max_value=300))
def test_a_caret_stands_in_its_line_wherever_the_column_is(text: str, column: int, width: int) -> None:
    """A finding can be shown for any place, also one beyond the end of its line."""
    span = SourceSpan("a.yaml", 7, column, text)
    shown = render_diagnostics([Diagnostic("r", "s", span=span)], Look(max(40, width)))
    lines = shown.splitlines()
    assert len(lines) == (4 if text.strip() else 2)
    assert lines[-1].endswith("^") or not text.strip()


def test_the_caret_stands_below_its_column_behind_wide_characters() -> None:
    """Columns count characters, screens count cells."""
    span = SourceSpan("a.yaml", 7, 5, "日本: x")
    lines = render_diagnostics([Diagnostic("r", "s", span=span)], Look(80)).splitlines()
    source, caret = lines[2], lines[3]
    assert cells(source[: source.index("x")]) == caret.index("^")


def test_a_long_source_line_is_cut_around_its_place() -> None:
    """The place is shown, not the start of a line that has ten thousand characters."""
    span = SourceSpan("a.yaml", 7, 5001, "a" * 5000 + "HERE" + "b" * 5000)
    shown = render_diagnostics([Diagnostic("r", "s", span=span)], Look(80))
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2][lines[3].index("^") :].startswith("HERE")


def calls(work: Callable[[], object]) -> int:
    """How many functions some work calls: its cost, the same on every machine, save for what one call into C does inside."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def test_a_line_of_a_million_characters_costs_what_others_do() -> None:
    """A manifest can be one line; what stands around a finding is shown without a look at the rest."""

    def show(size: int) -> None:
        text = "a" * size + "日" * size
        render_diagnostics([Diagnostic("r", "s", span=SourceSpan("a", 1, size, text))] * 20, Look(80))

    show(1000)
    assert calls(lambda: show(500_000)) == calls(lambda: show(1000))


@given(
    st.lists(st.tuples(st.text(), st.sampled_from(["", "create", "faint"]))), st.integers(40, 120), st.integers(0, 60)
)
def test_wrapping_loses_nothing_but_spaces(spans: list[tuple[str, str]], width: int, hang: int) -> None:
    """Every character of a wrapped line is there, in order, within the width."""
    clean = [(visible(text), style) for text, style in spans]
    sheet = Sheet(Look(width))
    sheet.add(*clean, hang=hang)
    shown = sheet.text()
    assert "".join(shown.split()) == "".join("".join(text for text, _ in clean).split())
    assert all(cells(line) <= width for line in shown.splitlines())


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("access_token_lifetime", 1800, "30m"),
        ("tokens.access_lifetime", "inherit", "inherit"),
        ("tokens.refresh_count", 1800, "1800"),
        ("name", None, "(none)"),
        ("name", "", '""'),
        ("name", "true", '"true"'),
        ("name", "7", '"7"'),
        ("name", 'say "no" -> yes', '"say \\"no\\" -> yes"'),
        ("enabled", False, "false"),
        ("redirect_uris", (), "(empty list)"),
        ("redirect_uris", ("https://a/cb", "b c"), 'https://a/cb, "b c"'),
        ("secret.value", Secret(samples.CANARY, "file:/run/x"), "(secret from file:/run/x)"),
        ("options.x", {"a": {"b": [1, Secret("s", "env:A")]}}, "{a: {b: 1, (secret from env:A)}}"),
        ("tokens.issued_before", samples.MOMENT, "2026-11-20T08:00:00Z"),
        ("expires", samples.MOMENT.date(), "2026-11-20"),
        ("block", samples.SIDES, "resource"),
    ],
)
def test_values_are_shown_in_the_words_of_the_manifest(path: str, value: Any, shown: str) -> None:
    """A value can't be mistaken for another one."""
    assert value_text(path, value) == shown


def test_only_fields_of_seconds_end_like_durations() -> None:
    """`value_text` tells a duration by the end of its name; the model keeps to that."""

    found = set()
    for model in MODEL_OF.values():
        schema = model.model_json_schema()
        for part in (schema, *schema.get("$defs", {}).values()):
            for name, field in part.get("properties", {}).items():
                assert ("PT1H" in str(field)) == name.endswith("_lifetime"), name
                found.add(name)
    assert {"access_lifetime", "access_token_lifetime", "authorization_code_lifetime"} <= found


@pytest.mark.parametrize("action", Action)
def test_every_action_is_counted_in_the_last_line(action: Action) -> None:
    """No change is left out of the summary."""
    made = samples.change("client/a@login", action, Reason.DIFFERS, samples.AS)
    assert "1 to " in plan_line(Plan("p", (made,)))


def test_an_empty_plan_does_not_claim_what_it_could_not_see() -> None:
    """Unreadable kinds and selections limit what "no changes" says."""
    unread = (Unread("login", Kind.CLIENT, "403 Forbidden"),)
    assert plan_line(Plan("p", ())) == "No changes. Both sides match the manifest."
    said = "No changes in what could be read. Not known: clients on login (403 Forbidden)."
    assert plan_line(Plan("p", (), unread=unread)) == said
    assert plan_line(Plan("p", ()), partial=True) == "No changes in the selected part."


def test_errors_of_several_servers_are_all_shown() -> None:
    """One server's trouble doesn't hide another's."""
    failed = ServersFailed(
        [
            Unreachable("login cannot be reached", server="login"),
            Unreachable("orders cannot be reached", server="orders"),
        ]
    )
    shown = render_error(failed, Look(80))
    assert shown.count("[server-unreachable]") == 2
    assert shown.endswith("error: 2 servers failed: login, orders [servers-failed]\n")


def test_an_invalid_manifest_shows_every_finding_and_their_number() -> None:
    """All problems in one pass."""
    shown = render_error(ManifestInvalid(Diagnostics((samples.ERROR, samples.WARNING))), Look(None))
    assert "[redirect-uri-not-https]" in shown
    assert "[scope-opens-nothing]" in shown
    assert shown.endswith("error: The manifest is not valid: 1 error, 1 warning\n")


def test_an_error_without_detail_is_one_line() -> None:
    """Nothing is said where there is nothing to say."""
    assert render_error(UsageError("No"), Look(80)) == "error: No [usage]\n"


def test_the_cost_of_a_report_is_linear() -> None:
    """Ten times the objects cost about ten times as much: a report is cheap beside the plan that it shows."""

    def cost(objects: int) -> int:
        changes = tuple(
            samples.create(f"client/c{n}@{s}", *samples.BATCH) for n in range(objects) for s in ("login", "orders")
        )
        plan = Plan("big", changes, samples.SERVERS)

        def show() -> None:
            assert render_text(plan_report(plan), Look(100, colour=True)).count("client/c") == objects

        return calls(show)

    cost(10)
    assert cost(1000) < 11 * cost(100)


def test_small_words() -> None:
    """Counts, times and lists read as people write them."""
    assert (counted(1, "client"), counted(2000, "client")) == ("1 client", "2,000 clients")
    assert [seconds_text(s) for s in (0.0124, 0.9999, 3.44, 125)] == ["12 ms", "1.0 s", "3.4 s", "2 m 5 s"]
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
