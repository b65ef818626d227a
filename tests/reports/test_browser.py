"""The HTML report in a real browser."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from msgspec.structs import replace
from playwright.sync_api import Browser, Locator, Page, expect

from oauthdeploy.reports.document import Report
from oauthdeploy.reports.formatting import visible
from oauthdeploy.reports.html.page import render_html
from oauthdeploy.reports.html.rows import LIMIT
from tests.reports.every import REPORTS, many
from tests.reports.test_forms import HOSTILE_BITS, report_of

PHONE: Final = {"width": 390, "height": 844}
DESKTOP: Final = {"width": 1280, "height": 900}
ROWS: Final = "#objects > tbody > tr"


Opener = Callable[..., Any]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Opener:
    """Open a report; at the end nothing was said in the console, nothing was asked, and nothing was loaded."""

    @contextmanager
    def open_page(report: Report, limit: int = LIMIT, **context: Any) -> Iterator[Page]:
        file = tmp_path / "report.html"
        file.write_text(render_html(report, limit), encoding="utf-8")
        wrong: list[str] = []
        with browser.new_context(**context) as made:
            page = made.new_page()
            page.on("console", lambda message: wrong.append(f"console: {message.text}"))
            page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
            page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
            page.on("request", lambda request: wrong.extend({request.url} - {file.as_uri()}))
            page.goto(file.as_uri())
            yield page
        assert wrong == []

    return open_page


def shown(page: Page) -> list[str]:
    """The names of the objects that are shown."""
    return [str(name) for name in page.locator(f"{ROWS}:not([hidden]) th.object > details > summary").all_inner_texts()]


def test_the_page_says_what_is_done_on_each_side_and_where_it_is_written(opened: Opener) -> None:
    """The headline, a row for each object with its sides in words, and the fields and the line below it."""
    report = REPORTS["plan-first"]()
    with opened(report, viewport=DESKTOP) as page:
        expect(page).to_have_title(f"{report.title}: {report.headline}")
        assert shown(page) == [row.name for row in report.rows]
        row = page.locator(ROWS).filter(has=page.get_by_text("settings", exact=True))
        assert row.locator("td.side").all_inner_texts() == ["~\nupdate", "·\nnothing"]
        expect(row.locator("td.place")).to_have_text("oauthdeploy.yaml:24")
        fields = row.locator("table.fields")
        expect(fields).to_be_hidden()
        row.locator("summary").first.click()
        expect(fields).to_be_visible()
        assert fields.locator("tbody tr").nth(1).locator("th, td").all_inner_texts() == [
            "access_token_lifetime",
            "1h",
            "30m",
        ]
        picture = page.get_by_role("img", name="quickstart: clients, scopes and servers")
        expect(picture).to_be_visible()
        assert "nightly-batch" in str(picture.text_content())
        assert picture.locator(".badge.s-create").count() == 5


def test_the_filter_finds_by_words_state_side_kind_and_risk(opened: Opener) -> None:
    """Each narrows what the others leave; the number of what is left is told, and all can be had back at once."""
    with opened(REPORTS["plan-second"](), viewport=DESKTOP) as page:
        everything = shown(page)
        told = page.locator("#shown")
        find = page.locator("#find")
        find.fill("SHOP callback")
        expect(told).to_have_text(f"1 of {len(everything)} rows")
        assert shown(page) == ["client/web-shop"]
        find.fill("nothing like this")
        expect(page.get_by_text("Nothing fits the filter.")).to_be_visible()
        page.get_by_role("button", name="Clear").click()
        expect(told).to_have_text(f"{len(everything)} rows")
        expect(find).to_be_focused()
        delete = page.get_by_role("button", name="3 to delete")
        delete.click()
        expect(delete).to_have_attribute("aria-pressed", "true")
        expect(told).to_have_text(f"2 of {len(everything)} rows")
        page.get_by_role("button", name="1 to replace").click()
        expect(told).to_have_text(f"3 of {len(everything)} rows")
        page.locator("#server").select_option("orders")
        expect(told).to_have_text(f"2 of {len(everything)} rows")
        page.locator("#risk").select_option("high")
        page.locator("#kind").select_option("client")
        expect(told).to_have_text(f"2 of {len(everything)} rows")
        page.locator("#server").select_option("")
        assert shown(page) == ["client/legacy", "client/web-shop"]


def test_everything_is_reached_by_keyboard(opened: Opener) -> None:
    """The first stop leads past the top; / goes to the search, Escape empties it, Enter opens an object."""
    with opened(REPORTS["plan-second"](), viewport=DESKTOP) as page:
        focus = page.locator("*:focus")
        page.keyboard.press("Tab")
        expect(focus).to_have_text("Skip to the objects")
        page.keyboard.press("Enter")
        expect(focus).to_have_id("changes")
        page.keyboard.press("Tab")
        expect(focus).to_have_id("find")
        page.keyboard.press("Tab")
        expect(focus).to_have_id("server")
        page.keyboard.press("Escape")
        page.locator("#clear").focus()
        page.keyboard.press("/")
        expect(focus).to_have_id("find")
        page.keyboard.type("web-shop")
        expect(page.locator("#shown")).to_contain_text("1 of")
        page.keyboard.press("Escape")
        expect(page.locator("#shown")).not_to_contain_text("of")
        page.locator("#clear").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator(f"{ROWS} details").first).to_have_attribute("open", "")
        theme = page.get_by_role("button", name="Theme")
        theme.focus()
        for name in ("light", "dark", "system"):
            page.keyboard.press("Enter")
            expect(theme).to_have_text(f"Theme: {name}")


def test_all_shown_objects_are_opened_and_closed_at_once(opened: Opener) -> None:
    """Those that the filter hides stay as they are."""
    with opened(REPORTS["plan-second"](), viewport=DESKTOP) as page:
        page.locator("#find").fill("client/")
        page.get_by_role("button", name="Open all").click()
        assert page.locator("th.object > details[open]").count() == 2
        page.get_by_role("button", name="Close all").click()
        assert page.locator("th.object > details[open]").count() == 0


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desktop", "light")])
@pytest.mark.parametrize("name", ["plan-first", "plan-second", "apply-partial", "drift", "invalid", "plan-hostile"])
def test_nothing_stands_in_the_way_of_a_reader(opened: Opener, name: str, size: str, scheme: str) -> None:
    """axe finds nothing to object to, also with every object opened, and nothing is wider than the screen."""
    viewport = PHONE if size == "phone" else DESKTOP
    with opened(REPORTS[name](), viewport=viewport, color_scheme=scheme) as page:
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        found = Axe().run(page).response
        assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_a_page_without_scripts_shows_everything(opened: Opener) -> None:
    """A mail reader or a strict viewer runs none: rows and details are there, and no control that does nothing."""
    report = REPORTS["plan-second"]()
    with opened(report, java_script_enabled=False) as page:
        assert len(shown(page)) == len(report.rows)
        expect(page.locator("#filter")).to_be_hidden()
        expect(page.locator("#theme")).to_be_hidden()
        page.locator(f"{ROWS} summary").first.click()
        expect(page.locator(f"{ROWS} .detail").first).to_be_visible()


@pytest.mark.parametrize("bit", [bit for bit in HOSTILE_BITS if "<" in bit or "{" in bit or "on" in bit])
def test_a_hostile_name_stays_text(opened: Opener, bit: str) -> None:
    """Nothing runs, nothing loads, and the name is shown as it is."""
    with opened(report_of(bit)) as page:
        title: Locator = page.locator("h1 bdi")
        expect(title).to_have_text(f"n{bit}")
        assert shown(page)[1].startswith("client/a")
        assert page.locator("main script, main img, main [onmouseover]").count() == 0


def _css_said(written: str) -> str:
    """The text of a string of CSS (CSS Syntax 3, 4.3.7)."""
    return re.sub(
        r"\\(?:([0-9a-f]{1,6}) ?|(.))", lambda found: chr(int(found[1], 16)) if found[1] else found[2], written[1:-1]
    )


@pytest.mark.parametrize(
    "name", ["".join(HOSTILE_BITS).replace("\ud800", ""), 'a"}</style><script>window.ran = 1</script>', "login\\"]
)
def test_the_name_of_a_side_is_said_on_a_phone_and_stays_text(opened: Opener, name: str) -> None:
    """There the heads of the columns are gone, and the style says them: nothing in a name ends its quotes or the style."""
    report = REPORTS["plan-first"]()
    rows = tuple(
        replace(row, items={name if side == "login" else side: item for side, item in row.items.items()})
        for row in report.rows
    )
    with opened(replace(report, columns=(name, "orders"), rows=rows), viewport=PHONE) as page:
        said = page.locator(f"{ROWS} td.side").evaluate_all(
            "cells => [...new Set(cells.map(each => getComputedStyle(each, '::before').content))]"
        )
        assert [_css_said(each) for each in said] == [f"{visible(name)} ", "orders "]
        assert page.evaluate("window.ran") is None
        assert page.locator("#objects td.side").first.evaluate("each => getComputedStyle(each).display") == "block"


def test_a_page_that_was_cut_can_be_filtered(opened: Opener) -> None:
    """What is left out is said above the table, and the rest is searched as ever."""
    with opened(many(300), limit=50_000, viewport=DESKTOP) as page:
        expect(page.locator(".cut")).to_contain_text("rows omitted at the end")
        count = len(shown(page))
        page.locator("#find").fill("client-0000")
        expect(page.locator("#shown")).to_have_text(f"10 of {count} rows")
        found = Axe().run(page).response
        assert [each["id"] for each in found["violations"]] == []


def test_the_policy_stops_what_is_put_into_the_page(browser: Browser, tmp_path: Path) -> None:
    """The second wall stands by itself: a script, a style and an image that came into the page do nothing."""
    evil = "<script>window.ran = 1</script><p id=p style='color:red' onclick='window.ran = 1'>x</p><img src=x.png>"
    page_text = render_html(REPORTS["plan-second"]()).replace("<main", f"{evil}<main", 1)
    file = tmp_path / "evil.html"
    file.write_text(page_text, encoding="utf-8")
    with browser.new_context() as context:
        page = context.new_page()
        loaded: list[str] = []
        said: list[str] = []
        page.on("requestfinished", lambda request: loaded.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto(file.as_uri())
        page.locator("#p").click()
        assert page.evaluate("window.ran") is None
        assert page.locator("#p").evaluate("each => getComputedStyle(each).color") != "rgb(255, 0, 0)"
        assert loaded == [file.as_uri()]
        assert sum("Content Security Policy" in text for text in said) >= 3


def test_two_thousand_objects_stay_quick_to_filter(opened: Opener) -> None:
    """A keystroke writes to the rows whose state changes and to no others, and the page is laid out a few times, not per row."""
    with opened(many(2_000), viewport=DESKTOP) as page:
        expect(page.locator("#shown")).to_have_text("2,000 rows")
        page.evaluate(
            "() => { window.writes = 0; new MutationObserver(list => { window.writes += list.length })"
            ".observe(document.querySelector('#objects'), {subtree: true, attributes: true, childList: true}) }"
        )
        probe = page.context.new_cdp_session(page)
        probe.send("Performance.enable")

        def layouts() -> float:
            metrics = probe.send("Performance.getMetrics")["metrics"]
            return float(next(each["value"] for each in metrics if each["name"] == "LayoutCount"))

        begun, before = time.perf_counter(), layouts()
        page.locator("#find").fill("client-0012")
        expect(page.locator("#shown")).to_have_text("10 of 2,000 rows")
        assert page.evaluate("window.writes") == 1_990
        page.locator("#find").fill("client-00123")
        expect(page.locator("#shown")).to_have_text("1 of 2,000 rows")
        assert page.evaluate("window.writes") == 1_999
        page.locator("#find").fill("")
        expect(page.locator("#shown")).to_have_text("2,000 rows")
        assert page.evaluate("window.writes") == 3_998
        made = layouts() - before
        # Seen with -s; no test is about time.
        sys.stderr.write(f"three filters of 2,000 objects: {time.perf_counter() - begun:.3f} s, {made:.0f} layouts\n")
        assert made < 40
