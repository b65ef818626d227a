"""Green is a promise: what the manifest manages and nobody could read is named last, in every report, and never ends with 0."""

from __future__ import annotations

import json
from typing import Any

import flask
import pytest

from tests.live.conftest import Pair, Result
from tests.live.test_sides import edit, forbid

pytestmark = pytest.mark.live

NOT_KNOWN = "Not known: scopes on login (403 Forbidden)."


def last_line(found: Result) -> str:
    return (found.out.strip() or found.err.strip()).splitlines()[-1]


@pytest.mark.parametrize(
    "command",
    [
        ("plan",),
        ("plan", "--detailed-exitcode"),
        ("drift",),
        ("compare", "login", "orders"),
        ("validate", "--online"),
        ("ping",),
    ],
    ids=" ".join,
)
def test_a_managed_kind_that_can_not_be_read_ends_with_8_and_is_named_last(
    deployed: Pair, command: tuple[str, ...]
) -> None:
    """The report is written first; without the scopes "No changes" would be a guess."""
    forbid(deployed.login, "/admin/oauth/scope")
    found = deployed.run(*command)
    assert found.code == 8, found.out + found.err
    assert last_line(found) == NOT_KNOWN
    assert "Both sides match the manifest" not in found.out
    document: Any = deployed.run(*command, "-o", "json").json
    unread = [item for server in document.get("servers", []) for item in server.get("unread", [])]
    assert {"server": "login", "kind": "scope", "why": "403 Forbidden", "hidden": False} in document.get(
        "unread", unread
    )


@pytest.mark.parametrize("answer", [b"", b"{}", b"<html>Sign in</html>", b'{"requireHTTPS": tr'])
def test_settings_in_an_unknown_shape_end_every_command_with_8(deployed: Pair, answer: bytes) -> None:
    """A server that answers 200 with something else says nothing of its settings."""
    manifest = deployed.folder / "oauthdeploy.yaml"
    sections = manifest.read_text().split("settings:")[0]
    manifest.write_text(sections + "settings: {require_https: true, authorization_code_lifetime: 10m}\n")
    assert deployed.run("apply", "--yes").code == 0

    def other(response: flask.Response) -> flask.Response:
        if flask.request.method == "GET" and flask.request.path.rstrip("/") == "/admin/oauth/globalsetting":
            response.set_data(answer)
        return response

    deployed.login.app.after_request_funcs.setdefault(None, []).append(other)
    for command in (("plan",), ("drift",), ("validate", "--online"), ("ping",), ("export",), ("apply", "--yes")):
        found = deployed.run(*command)
        assert found.code == 8, (command, found.out + found.err)
        assert "match the manifest" not in found.out


def test_an_export_of_what_can_not_be_read_is_written_and_ends_with_8(deployed: Pair) -> None:
    """What could be read is there; that it is not all is said last."""
    forbid(deployed.login, "/admin/oauth/scope")
    found = deployed.run("export")
    assert found.code == 8
    assert "web-shop:" in found.out
    assert NOT_KNOWN in found.err.splitlines()[-1]


@pytest.mark.parametrize("form", ["markdown", "html", "junit", "ndjson", "json"])
def test_every_form_of_a_report_says_what_is_not_known(deployed: Pair, form: str) -> None:
    """A reader of a pull request, a dashboard or a log finds it without the terminal."""
    forbid(deployed.login, "/admin/oauth/scope")
    for command in ("plan", "drift"):
        found = deployed.run(command, "-o", form)
        assert found.code == 8
        assert "403 Forbidden" in found.out
        assert NOT_KNOWN in found.err


def test_changes_beside_it_do_not_hide_it(deployed: Pair) -> None:
    """8 comes before 2: the plan is not whole. An apply makes what it can and ends with 4."""
    edit(deployed, ("access_token_lifetime: 30m", "access_token_lifetime: 20m"))
    forbid(deployed.login, "/admin/oauth/scope")
    assert deployed.run("plan", "--detailed-exitcode").code == 8
    assert deployed.run("drift").code == 8
    applied = deployed.run("apply", "--yes", "--allow", "unreadable-guard")
    assert applied.code == 4, applied.out + applied.err
    assert applied.err.strip().endswith(NOT_KNOWN)


def test_a_selection_answers_for_what_it_selects(deployed: Pair) -> None:
    """A run that is pointed at clients owes nothing to scopes."""
    forbid(deployed.login, "/admin/oauth/scope")
    assert deployed.run("plan", "--target", "client/*").code == 0
    assert deployed.run("plan", "--exclude", "scope/*").code == 0
    assert deployed.run("plan", "--target", "scope/*").code == 8


def test_a_detailed_exit_code_is_what_apply_would_run_into(deployed: Pair) -> None:
    """5 for a stop that isn't lifted, then 2, then 0; without the flag 0; the stop is said last."""
    assert deployed.run("plan", "--detailed-exitcode").code == 0
    edit(deployed, ("description: Read orders", "description: Look at orders"))
    assert deployed.run("plan", "--detailed-exitcode").code == 2
    text = (deployed.folder / "oauthdeploy.yaml").read_text()
    (deployed.folder / "oauthdeploy.yaml").write_text(
        text + "\npolicy: {limits: {max_updates: '0', minimum_population: 0}}\n"
    )
    stopped = deployed.run("plan", "--detailed-exitcode")
    assert stopped.code == 5, stopped.out + stopped.err
    assert last_line(stopped) == "apply refuses this plan: too-many-updates."
    assert deployed.run("plan").code == 0
    assert deployed.run("apply", "--yes").code == 5
    assert deployed.run("plan", "--detailed-exitcode", "--allow", "too-many-updates").code == 2
    assert json.loads(deployed.run("plan", "-o", "json").out)["summary"]["stops"] >= 1
