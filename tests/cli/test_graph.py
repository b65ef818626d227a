"""`oauthdeploy graph`: formats, files, targets, ends."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import click
import pytest

from oauthdeploy.cli.flags import Sink
from oauthdeploy.cli.graph import read_sink
from tests.cli.conftest import EXAMPLE, Runner
from tests.cli.test_explain import CANARY, INCIDENT, estate

__all__ = ["estate"]

FIRST = {"mermaid": "flowchart LR\n", "dot": 'digraph "quickstart" {\n', "svg": "<svg "}


def test_the_default_is_mermaid_on_standard_output(oauthdeploy: Runner, estate: tuple[str, ...]) -> None:
    """It can be pasted into Markdown; nothing else is said."""
    found = oauthdeploy("graph", *estate)
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith(FIRST["mermaid"])
    assert 'c1("nightly-batch<br/>cut off by INC-2041#58; tokens deleted, blocked on orders' in found.out
    assert '  v2 -.->|"trusts"| v1\n' in found.out
    assert CANARY not in found.out


@pytest.mark.parametrize("form", FIRST)
def test_every_format_goes_to_standard_output_and_to_a_file(
    oauthdeploy: Runner, estate: tuple[str, ...], form: str, tmp_path: Path
) -> None:
    """The bytes are the same; a file leaves standard output empty."""
    shown = oauthdeploy("graph", *estate, "--format", form)
    assert shown.out.startswith(FIRST[form])
    written = oauthdeploy("graph", *estate, "--format", form, "-o", "picture")
    assert (written.code, written.out, written.err) == (0, "", "")
    assert (tmp_path / "picture").read_text() == shown.out
    assert oauthdeploy("graph", *estate, "-o", f"{form}=other").code == 0
    assert (tmp_path / "other").read_text() == shown.out


def test_the_picture_of_the_quick_start_is_readable_xml(oauthdeploy: Runner, estate: tuple[str, ...]) -> None:
    """With a title and a description for those who don't see it, and colours for light and dark."""
    text = oauthdeploy("graph", *estate, "-o", "svg").out
    root = ET.fromstring(text)
    svg = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{svg}title") == "quickstart: clients, scopes and servers"
    said = root.findtext(f"{svg}desc")
    assert (
        said
        == "2 clients, 3 scopes, 2 servers, 3 lines 'may request', 3 lines 'opens', 1 line 'trusts'. Cut off: nightly-batch."
    )
    assert "prefers-color-scheme:dark" in (root.findtext(f"{svg}style") or "")


@pytest.mark.parametrize(
    ("form", "value", "sink"),
    [
        (None, None, Sink("mermaid", None)),
        ("svg", None, Sink("svg", None)),
        ("svg", "-", Sink("svg", None)),
        (None, "a.svg", Sink("svg", "a.svg")),
        (None, "a.GV", Sink("dot", "a.GV")),
        (None, "a.mmd", Sink("mermaid", "a.mmd")),
        (None, "a.txt", Sink("mermaid", "a.txt")),
        ("dot", "a.svg", Sink("dot", "a.svg")),
        (None, "svg", Sink("svg", None)),
        (None, "svg=a.txt", Sink("svg", "a.txt")),
        ("svg", "svg=-", Sink("svg", None)),
        (None, "a=b.svg", Sink("svg", "a=b.svg")),
    ],
)
def test_the_format_comes_from_flag_file_or_ending(form: str | None, value: str | None, sink: Sink) -> None:
    """`-o` takes a file, and what it takes for other commands."""
    assert read_sink(form, value) == sink


@pytest.mark.parametrize(
    ("form", "value", "said"),
    [
        (None, "json", "formats are mermaid, dot, svg"),
        (None, "svg=", "names no file"),
        ("dot", "svg=x", "--format says dot"),
    ],
)
def test_a_format_that_cannot_be_meant_is_refused(form: str | None, value: str, said: str) -> None:
    """OAUTHDEPLOY_OUTPUT=json in a pipeline must not make a file named json."""
    with pytest.raises(click.UsageError, match=said):
        read_sink(form, value)


def test_targets_narrow_the_picture(oauthdeploy: Runner, estate: tuple[str, ...]) -> None:
    """And one that matches nothing is wrong usage, not an empty picture."""
    found = oauthdeploy("graph", *estate, "--target", "client/web-*")
    assert "web-shop" in found.out
    assert "nightly-batch" not in found.out
    nothing = oauthdeploy("graph", *estate, "--target", "client/x")
    assert (nothing.code, nothing.out) == (64, "")
    assert "Nothing matches 'client/x'" in nothing.err


def test_a_picture_that_mermaid_would_not_draw_is_told(
    oauthdeploy: Runner, estate: tuple[str, ...], tmp_path: Path
) -> None:
    """Mermaid's own limits end in an error message in the middle of a page; better to know before."""
    scopes = [f"s{number}" for number in range(300)]
    lines = ["scopes:", *(f"  {name}: {{description: x, resources: [a.b]}}" for name in scopes)]
    lines += ["clients: {a: {type: public}}", "associations:", f"  - {{client: a, scopes: [{', '.join(scopes)}]}}"]
    head = EXAMPLE.read_text().partition("# Settings of")[0]
    (tmp_path / "big.yaml").write_text(head + "\n".join(lines) + "\n")
    found = oauthdeploy("graph", "-f", "big.yaml")
    assert found.code == 0
    assert "600 lines" not in found.out
    assert "this has 601 lines" in found.err
    assert oauthdeploy("graph", "-f", "big.yaml", "--format", "svg").err == ""


def test_a_manifest_that_is_not_valid_has_no_picture(oauthdeploy: Runner) -> None:
    """3, with every problem."""
    found = oauthdeploy("graph", "-f", str(INCIDENT))
    assert (found.code, found.out) == (3, "")
    assert "[missing-key]" in found.err


def test_a_file_that_cannot_be_written_is_an_error(oauthdeploy: Runner, estate: tuple[str, ...]) -> None:
    """Not a traceback, and not a success."""
    found = oauthdeploy("graph", *estate, "-o", "nowhere/at/all.svg")
    assert (found.code, found.out) == (1, "")
    assert "[output-not-written]" in found.err


def test_a_picture_that_nobody_can_see_at_once_says_how_to_narrow_it(
    oauthdeploy: Runner, estate: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is drawn all the same; standard output holds the picture alone."""
    monkeypatch.setattr("oauthdeploy.cli.graph.MOST_NODES", 5)
    found = oauthdeploy("graph", *estate, "--format", "svg")
    assert found.code == 0
    assert "--target client/NAME" in found.err
    assert found.out.startswith("<svg")
    assert oauthdeploy("graph", *estate, "--format", "svg", "--target", "scope/reports.read").err == ""
