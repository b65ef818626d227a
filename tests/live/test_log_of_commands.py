"""Names and texts of live servers that are commands of build servers: every command prints them, and no log obeys."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from oauthdeploy.cli.app import COMMANDS
from oauthdeploy.cli.reporting import FORMS
from tests.live.conftest import Pair
from tests.reports.test_log_commands import commands_in

WICKED: Final = "ok\n::set-output name=x::y\n##vso[task.setvariable variable=x]y ##[group]x ##teamcity[x]"
SECTION: Final = " section_start:1560896352:x[collapsed=true] section_end:1:x"
NAME: Final = "##[group] ##vso[x]"
SILENT: Final = {"completion", "schema", "serve", "demo", "init", "version", "drivers", "bundle", "operator"}
"""Commands that print nothing of a server or a manifest, or that have their own tests."""

MANIFEST = """\
  wicked:
    type: public
    description: "was\\n::add-path::x\\n##[group]x"
    grants: [authorization_code]
    redirect_uris: ["https://a.example/cb"]
"""


def obeyed(text: str) -> list[str]:
    """What of a log any build server or terminal would obey."""
    return commands_in(text) + re.findall(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202e]", text)


@pytest.fixture
def wicked(deployed: Pair) -> Pair:
    """Servers whose texts somebody else wrote, and a manifest with a description of the same kind."""
    file = deployed.folder / "oauthdeploy.yaml"
    text = file.read_text()
    file.write_text(text.replace("clients:\n", f"clients:\n{MANIFEST}", 1))
    assert deployed.run("validate").code == 0, deployed.run("validate").err
    for server in (deployed.login, deployed.orders):
        deployed.admin(server, "POST", "/admin/oauth/scope", {"name": "hers", "description": WICKED, "values": ["x"]})
        deployed.admin(
            server,
            "POST",
            "/admin/oauth/client",
            {
                "name": NAME,
                "version": "1.0",
                "type": "public",
                "description": f"{WICKED}{SECTION}",
                "redirect_uris": ["https://a.example/cb"],
                "auth_code_allowed": True,
            },
        )
    return deployed


def test_no_command_prints_a_command(wicked: Pair) -> None:
    """On both streams, in every form, with details and with traces; also what saved plans and journals say later."""
    runs: list[tuple[str, ...]] = [
        ("validate", "-v"),
        ("fmt", "--diff"),
        ("help", "plan"),
        ("explain", "client/wicked"),
        ("explain", "clients.description"),
        *(("graph", "--format", form) for form in ("mermaid", "dot", "svg")),
        *((command, "-o", form) for command in ("plan", "drift") for form in FORMS if form != "text"),
        *(("compare", "login", "orders", "-o", form) for form in ("text", "json", "html")),
        ("plan", "-v", "--trace"),
        ("plan", "--out", "p.json"),
        ("show", "p.json"),
        ("ping",),
        ("doctor", "login"),
        ("export",),
        ("export", "-o", "json=e.json", "--write"),
        ("adopt", "--yes"),
        ("tokens", "list"),
        ("apply", "--yes", "-o", "ndjson", "--trace"),
        ("apply", "--yes", "-v"),
        ("journal",),
        ("journal", "--list"),
        ("revoke", NAME, "--dry-run"),
        ("force-unlock",),
        ("drift", "-v"),
        ("plan", f"--target=client/::add-path{NAME}@login"),
        (NAME,),
    ]
    spoke: set[str] = set()
    for run in runs:
        found = wicked.run(*run)
        assert obeyed(found.out) == [], (run, obeyed(found.out))
        assert obeyed(found.err) == [], (run, obeyed(found.err))
        if found.code != 64:
            spoke.add(run[0])
    journals = sorted(Path(wicked.folder, ".oauthdeploy/journal").iterdir())
    rolled = wicked.run("rollback", str(journals[-1]), "--plan", "-v")
    assert obeyed(rolled.out + rolled.err) == []
    assert {"plan", "drift", "export", "apply", "show", "explain", "graph", "tokens", "ping"} <= spoke
    assert set(COMMANDS) - SILENT - spoke == {"rollback"}


def test_a_printed_manifest_says_what_the_server_says(wicked: Pair) -> None:
    """An export to stdout has other spellings and the same values."""
    printed = wicked.run("export", "-q")
    assert printed.code == 0, printed.err
    scopes = yaml.safe_load(io.StringIO(printed.out))["scopes"]
    assert scopes["hers"]["description"] == WICKED
    assert obeyed(printed.out) == []
    formatted = wicked.run("fmt", "-f", "-", stdin=printed.out)
    assert yaml.safe_load(formatted.out)["scopes"]["hers"]["description"] == WICKED
    assert obeyed(formatted.out) == []
