"""Several reports at once: each where it was asked for, before the command ends, whatever it ends with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import junitparser
import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from oauthdeploy import workflow
from oauthdeploy.cli.reporting import FORMS
from oauthdeploy.core.errors import Unreachable
from tests.cli.conftest import EXAMPLE, Runner
from tests.cli.test_apply import play
from tests.reports import published, samples

FILES = tuple(f"--output={form}=out/{form}" for form in FORMS)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def written(out: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in out.iterdir()}


def plans(monkeypatch: pytest.MonkeyPatch, result: Any) -> None:
    def make_plan(*_arguments: object, **_more: object) -> Any:
        if isinstance(result, Exception):
            raise result
        return result, samples.MANIFEST

    monkeypatch.setattr(workflow, "make_plan", make_plan)


def test_every_form_is_written_at_once(oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch, out: Path) -> None:
    """Seven files of one run, all about the same plan; standard output is still the text for people."""
    plans(monkeypatch, samples.first_plan())
    found = oauthdeploy("plan", "--detailed-exitcode", *FILES)
    assert found.code == 2
    assert found.out.endswith("Plan: 7 to create, 1 to change, 0 to delete, 0 to revoke.\n")
    files = written(out)
    assert set(files) == set(FORMS)
    assert all("nightly-batch" in text for text in files.values())
    assert json.loads(files["json"])["summary"]["changes"] == 8


def test_one_form_has_standard_output_and_the_others_their_files(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch, out: Path
) -> None:
    """What a pipe reads is the one without a file."""
    plans(monkeypatch, samples.first_plan())
    found = oauthdeploy("plan", "-o", "markdown", "-o", "html=out/html")
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("<!-- oauthdeploy plan -->\n")
    assert set(written(out)) == {"html"}
    assert oauthdeploy("plan", "-o", "markdown", "-o", "html").code == 64


def test_a_file_that_can_not_be_written_does_not_lose_the_others(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch, out: Path
) -> None:
    """The rest is written first; then every place that failed is named."""
    plans(monkeypatch, samples.first_plan())
    found = oauthdeploy("plan", "-o", "html=nowhere/a", "-o", "json=out/json", "-o", "sarif=out", "-o", "junit=out/xml")
    assert found.code == 1
    assert "2 reports could not be written [output-not-written]" in found.err
    assert "nowhere/a: No such file or directory." in found.err
    assert set(written(out)) == {"json", "xml"}
    assert "Plan: 7 to create" in found.out


@pytest.mark.parametrize("command", ["plan", "drift", "validate", "apply"])
def test_an_error_is_told_in_every_form(oauthdeploy: Runner, out: Path, command: str) -> None:
    """A pipeline that reads one of the files finds the reason, also where there was no plan to tell of."""
    Path("oauthdeploy.yaml").write_text("version: 1\nname: x\nserverz: {}\n")
    found = oauthdeploy(command, *FILES)
    assert found.code == 3
    files = written(out)
    assert set(files) == set(FORMS)
    assert all("unknown-key" in files[form] for form in set(FORMS) - {"ndjson"}), command
    document = json.loads(files["json"])
    Draft202012Validator(published.own(document["format"].removeprefix("oauthdeploy/"))).validate(document)
    place = json.loads(files["sarif"])["runs"][0]["results"][-1]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("oauthdeploy.yaml", 3)
    assert junitparser.JUnitXml.fromstring(files["junit"].encode()).failures >= 2
    last = json.loads(files["ndjson"].splitlines()[-1])
    assert last["type"] == "summary"
    assert last.get("exit_code", 3) == 3


def test_a_server_that_is_down_is_told_in_every_form(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch, out: Path
) -> None:
    """And standard output stays empty where it is for text: the error is said on standard error."""
    plans(monkeypatch, Unreachable("login cannot be reached", server="login", fix="Start it."))
    found = oauthdeploy("plan", "-f", str(EXAMPLE), *FILES)
    assert (found.code, found.out) == (8, "")
    assert "[server-unreachable]" in found.err
    assert all("server-unreachable" in text for text in written(out).values())


def test_a_plan_that_apply_refuses_is_in_its_reports(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch, out: Path
) -> None:
    """With what it would have changed, and why it didn't."""
    play(monkeypatch, replace(samples.done_report(), plan=samples.second_plan()))
    assert oauthdeploy("apply", "--yes", *FILES).code == 5
    files = written(out)
    for form in ("text", "markdown", "html", "junit", "sarif"):
        assert "too-many-deletes" in files[form]
        assert "safety-stop" in files[form]
        assert "client/web-shop" in files[form]
    assert json.loads(files["json"])["error"]["exit_code"] == 5


def test_a_report_that_can_not_be_written_hides_no_failed_change(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4 stays 4; where all else is well, the report that is missing is 1."""
    play(monkeypatch, samples.partial_report())
    found = oauthdeploy("apply", "--yes", "-o", "html=nowhere/a")
    assert found.code == 4
    assert "[output-not-written]" in found.err
    assert "[partial-apply]" in found.err
    play(monkeypatch, samples.done_report())
    assert oauthdeploy("apply", "--yes", "-o", "html=nowhere/a").code == 1


def test_forms_can_be_asked_for_by_the_variable(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch, out: Path
) -> None:
    """As every flag."""
    plans(monkeypatch, samples.empty_plan())
    monkeypatch.setenv("OAUTHDEPLOY_OUTPUT", "html=out/html\njson=out/json")
    assert oauthdeploy("plan").code == 0
    assert set(written(out)) == {"html", "json"}


def test_a_bug_in_one_form_does_not_lose_the_others(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch, out: Path
) -> None:
    """After an apply the reports are all there is; the bug is owned afterwards."""
    plans(monkeypatch, samples.first_plan())

    def broken(*_arguments: object) -> str:
        raise KeyError("x")

    monkeypatch.setattr("oauthdeploy.reports.html.page.render_html", broken)
    found = oauthdeploy("plan", *FILES)
    assert found.code == 1
    assert "[internal-error]" in found.err
    assert set(written(out)) == set(FORMS) - {"html"}
