"""Editors with the YAML language server complete, explain and check a manifest by the committed schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.estate import EXAMPLES
from tests.manifest.language_server.client import LanguageServer
from tests.manifest.language_server.program import NODE, program
from tests.servers.plugin import usable

ROOT = EXAMPLES.parent
SCHEMA = ROOT / "schemas" / "manifest.v1.schema.json"
MANIFESTS = sorted(path for path in EXAMPLES.glob("*/*.yaml") if "pipelines" not in path.parts)
ESTATES = sorted((Path(__file__).parent / "estates").glob("*.yaml"))
FOLDER = EXAMPLES / "quickstart"
HEAD = "# yaml-language-server: $schema=../../schemas/manifest.v1.schema.json\nversion: 1\nname: typed\n"
"""As `oauthdeploy init` and the examples begin; the documents that are typed here are never on disk."""


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    """One server for all: its start takes longer than everything that it is asked."""
    with LanguageServer(usable(NODE.find), usable(program), "--stdio", root=ROOT) as running:
        yield running


def typed(name: str) -> str:
    """Where a document would be that is only in the editor."""
    return (FOLDER / f"{name}.yaml").as_uri()


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_example_has_no_diagnostics(server: LanguageServer, path: Path) -> None:
    """What the loader takes, the editor takes; the comment in the first line leads to the schema."""
    assert server.open(path.as_uri(), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", ESTATES, ids=lambda path: path.name)
def test_what_people_write_has_no_diagnostics(server: LanguageServer, path: Path) -> None:
    """Anchors, block texts, a directive, other indentation, null in all its spellings."""
    text = HEAD.partition("\n")[0] + "\n" + path.read_text(encoding="utf-8")
    assert server.open(typed(path.stem), text) == []


def test_mistakes_are_marked_on_their_lines(server: LanguageServer) -> None:
    """A misspelt key and a word that isn't among the allowed ones."""
    text = HEAD + "clients:\n  x:\n    type: publik\n    redirect_uri: [https://x.example/cb]\n"
    found = server.open(typed("broken"), text)
    lines = {item["range"]["start"]["line"]: item["message"] for item in found}
    assert lines.keys() == {5, 6}
    assert "public" in lines[5]
    assert "redirect_uri" in lines[6]


def test_the_keys_of_a_client_are_offered(server: LanguageServer) -> None:
    """All that are not there yet, each with its description."""
    text = HEAD + "clients:\n  x:\n    type: public\n    \n"
    server.open(typed("completing"), text)
    said = server.at("completion", typed("completing"), 6, 4)
    offered = {item["label"]: item for item in said["items"]}
    known = json.loads(SCHEMA.read_text(encoding="utf-8"))["$defs"]["ClientEntry"]["properties"]
    assert "redirect_uris" in offered
    assert offered.keys() == known.keys() - {"type"}
    assert known["redirect_uris"]["description"] in json.dumps(offered["redirect_uris"]["documentation"])


def test_the_words_of_a_field_are_offered(server: LanguageServer) -> None:
    """As behind `type:`."""
    text = HEAD + "clients:\n  x:\n    type: \n"
    server.open(typed("choosing"), text)
    said = server.at("completion", typed("choosing"), 5, 10)
    assert {"public", "confidential"} <= {item["label"] for item in said["items"]}


def test_a_field_is_explained_under_the_mouse(server: LanguageServer) -> None:
    """By the description that stands in the model."""
    text = HEAD + "settings:\n  require_pkce: true\n"
    server.open(typed("hovering"), text)
    said = json.dumps(server.at("hover", typed("hovering"), 4, 6))
    known = json.loads(SCHEMA.read_text(encoding="utf-8"))["$defs"]["SettingsEntry"]["properties"]
    assert known["require_pkce"]["description"] in said
