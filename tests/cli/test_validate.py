"""`oauthdeploy validate`: its reports for machines."""

from __future__ import annotations

import json
from pathlib import Path

import junitparser
import pytest

from oauthdeploy.cli.reporting import FORMS
from tests.cli.conftest import EXAMPLE, Runner
from tests.cli.test_explain import CANARY, estate

__all__ = ["estate"]

WRONG = f"""\
version: 1
name: wrong
servers:
  login: {{role: authorization, driver: webmethods, url: "https://l.example", credentials: {{username: u, password: {CANARY}}}}}
clients:
  web: {{type: public, redirect_uris: ["http://shop.example/cb"], grants: [authorization_code]}}
"""


def test_sarif_names_the_place_from_the_root_of_the_repository(
    oauthdeploy: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a finding lands on the line of the pull request, from whatever folder the pipeline runs."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "oauthdeploy.yaml").write_text(WRONG)
    monkeypatch.chdir(tmp_path / "deploy")
    found = oauthdeploy("validate", "-o", "sarif")
    assert found.code == 3
    run = json.loads(found.out)["runs"][0]
    places = {result["ruleId"]: result["locations"][0]["physicalLocation"] for result in run["results"]}
    assert places["redirect-uri-not-https"] == {
        "artifactLocation": {"uri": "deploy/oauthdeploy.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 6, "startColumn": 39},
    }
    assert CANARY not in found.out


def test_junit_fails_where_the_command_fails(oauthdeploy: Runner, tmp_path: Path) -> None:
    """Several reports of one run go to several places."""
    (tmp_path / "oauthdeploy.yaml").write_text(WRONG)
    found = oauthdeploy("validate", "-o", "junit=report.xml", "-o", "sarif=report.sarif", "-o", "json")
    assert found.code == 3
    errors = json.loads(found.out)["errors"]
    report = junitparser.JUnitXml.fromfile("report.xml")
    assert report.failures == errors + 1
    assert len(json.loads(Path("report.sarif").read_text())["runs"][0]["results"]) >= errors
    assert CANARY not in Path("report.xml").read_text()


def test_a_valid_manifest_has_reports_without_failures(oauthdeploy: Runner, estate: tuple[str, ...]) -> None:
    """An empty list of results closes what a forge showed before."""
    found = oauthdeploy("validate", *estate, "-o", "sarif", "-o", "junit=report.xml")
    assert found.code == 0
    assert [result for result in json.loads(found.out)["runs"][0]["results"] if result["level"] == "error"] == []
    assert junitparser.JUnitXml.fromfile("report.xml").failures == 0


def test_a_missing_file_is_a_finding_with_a_place(oauthdeploy: Runner) -> None:
    """A forge refuses a finding without a file, and with it the whole report."""
    run = json.loads(oauthdeploy("validate", "-f", "nope.yaml", "-o", "sarif").out)["runs"][0]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "nope.yaml"


@pytest.mark.parametrize(
    ("command", "formats"),
    [("validate", ", ".join(FORMS)), ("explain x", "text, json"), ("plan", ", ".join(FORMS))],
)
def test_a_format_that_a_command_lacks_names_those_that_it_has(oauthdeploy: Runner, command: str, formats: str) -> None:
    """Wrong usage, before anything is read."""
    found = oauthdeploy(*command.split(), "-f", str(EXAMPLE), "-o", "yaml")
    assert (found.code, found.out) == (64, "")
    assert f"'yaml' is not a format of this command; the formats are {formats}" in found.err


@pytest.mark.parametrize(
    ("driver", "parts"),
    [
        ("webmethods", 'credentials: {username: "${env:NOBODY_SET_U}", password: "${env:NOBODY_SET_P}"}'),
        (
            "keycloak",
            'credentials: {client_id: "${env:NOBODY_SET_U}", client_secret: "${env:NOBODY_SET_P}"}\n'
            '    options: {realm: "${env:NOBODY_SET_R}"}',
        ),
    ],
)
def test_unset_variables_are_allowed_where_a_driver_takes_no_url(
    oauthdeploy: Runner, tmp_path: Path, driver: str, parts: str
) -> None:
    """What stands for an unset variable must not be refused by the pattern of a field, such as a user name or a realm."""
    file = tmp_path / "oauthdeploy.yaml"
    file.write_text(
        "version: 1\nname: n\nservers:\n  login:\n    role: authorization\n"
        f'    driver: {driver}\n    url: "${{env:NOBODY_SET_L}}"\n    {parts}\n'
    )
    assert oauthdeploy("validate", "--allow-unset", "-f", str(file)).code == 0
    assert oauthdeploy("validate", "-f", str(file)).code == 3
