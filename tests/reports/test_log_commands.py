"""Whatever a live server says, no line that is printed is a command of the build server whose log it goes to."""

from __future__ import annotations

import io
import json
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from oauthdeploy.cli import streams
from oauthdeploy.core.log_commands import disarmed
from oauthdeploy.reports.console import Look
from oauthdeploy.reports.document import Report
from oauthdeploy.reports.escape import visible
from oauthdeploy.reports.html.page import render_html
from oauthdeploy.reports.json import render_json, to_line
from oauthdeploy.reports.junit import render_junit
from oauthdeploy.reports.markdown import render_markdown
from oauthdeploy.reports.ndjson import render_ndjson
from oauthdeploy.reports.sarif import render_sarif
from oauthdeploy.reports.text import render_text
from tests.reports.test_forms import HOSTILE_BITS, report_of

COMMANDS = (
    "::set-output name=x::y", "::add-path::/evil", "::error::x", "##[set-output name=x]y", "##[group]x",
    "##vso[task.setvariable variable=x]y", "##vso[build.addbuildtag]x", "##teamcity[setParameter name='x' value='y']",
    "###vso[x]y", "##[", "::", "\x1b[0Ksection_start:1:x\r\x1b[0K",
)  # fmt: skip
hostile = st.lists(
    st.sampled_from(COMMANDS + HOSTILE_BITS) | st.text(max_size=8) | st.just(" " * 60), min_size=1, max_size=6
).map("".join)


def commands_in(printed: str) -> list[str]:
    """The lines that a runner would obey, by the rules of each of them."""
    obeyed = []
    for line in re.split(r"[\r\n]", printed):
        github = line.lstrip().startswith("::") or "##[" in line
        azure = "##vso[" in line.lower()
        teamcity = "##teamcity[" in line
        gitlab = "\x1b[0Ksection_" in line
        if github or azure or teamcity or gitlab:
            obeyed.append(line)
    return obeyed


FORMS: Mapping[str, Callable[[Report], str]] = {
    "text, 80 columns": lambda report: render_text(report, Look(80, verbose=True)),
    "text, 40 columns": lambda report: render_text(report, Look(40)),
    "json": render_json,
    "ndjson": render_ndjson,
    "markdown": render_markdown,
    "html": render_html,
    "junit": render_junit,
    "sarif": lambda report: render_sarif(report, {}, version="1", base="", root=""),
}


def printed(text: str) -> str:
    """What arrives in the log of a job."""
    log, stdout = io.StringIO(), sys.stdout
    sys.stdout = log
    try:
        streams.write_result(text)
    finally:
        sys.stdout = stdout
    return log.getvalue()


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("::set-output name=x::y")
@example(" " * 60 + "::set-output name=x::y" * 9)
@example("a ##vso[task.setvariable variable=x]y")
@given(hostile)
def test_no_report_holds_a_command_of_a_build_server(form: str, said: str) -> None:
    """In any form, whatever is in names, values, findings and addresses, wherever a line is wrapped."""
    assert commands_in(printed(FORMS[form](report_of(said)))) == []


@given(hostile)
def test_machines_get_the_text_as_it_was(said: str) -> None:
    """JSON and XML have escapes, so nothing is lost."""
    assert json.loads(to_line({"x": said})) == {"x": said}
    plain = "".join(char for char in said if char.isprintable())
    element = ET.Element("x")
    element.text = plain
    made = disarmed(ET.tostring(element, encoding="unicode"), colon="&#58;", hash_sign="&#35;")
    assert (ET.fromstring(made).text or "") == plain


@given(hostile)
def test_talk_holds_no_command(said: str) -> None:
    """Errors and progress go to the same log, with what a terminal would obey made visible."""
    said = visible(said)
    log, stderr = io.StringIO(), sys.stderr
    sys.stderr = log
    try:
        streams.write_talk(f"error: {said}\n")
        streams.write_talk(f"{said}\n")
    finally:
        sys.stderr = stderr
    assert commands_in(log.getvalue()) == []


def test_other_text_stays() -> None:
    """Only what a runner would obey is touched."""
    for text in ("# heading", "## heading", "a::b", "x ::y", "#[x]", "urn:a:b", "### [x]"):
        assert disarmed(text) == text
