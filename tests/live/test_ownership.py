"""Adopting, renaming, removing and pruning on live servers, and the tokens that outlive it."""

from __future__ import annotations

import json
import re

import pytest

from tests.live.conftest import Pair, PairFactory
from tests.live.test_main_job import _call, _token
from tests.live.test_safety import policy
from tests.live.test_sides import edit

pytestmark = pytest.mark.live


def test_adopt_shows_what_is_there_and_what_would_be_managed(pair: Pair) -> None:
    """Live objects by natural key, their ids, the next apply's changes; nothing to write on a server without marks."""
    body = {"client_id": "by-hand", "name": "Web Shop", "version": "1", "type": "Public", "description": "old"}
    uris = {"redirect_uris": ["http://127.0.0.1:8400/callback"], "scopes": []}
    pair.admin(pair.login, "POST", "/admin/oauth/client/", body | uris)
    pair.writes()
    found = pair.run("adopt", "client/*@login", "--yes", "-o", "json")
    assert found.code == 0, found.err
    (shop,) = found.json["objects"]
    assert (shop["address"], shop["identity"], shop["next_action"]) == ("client/web-shop@login", "by-hand", "update")
    assert {"path": "description", "before": "old", "after": "The shop's front end"} in shop["fields"]
    assert found.json["missing"] == ["client/nightly-batch@login"]
    assert found.json["to_mark"] == []
    text = pair.run("adopt")
    assert text.code == 0
    assert "Nothing to write" in text.out
    assert "client/web-shop@login" in text.out
    last = (
        "1 client, settings of 1 server and trust of 1 server found, 3 of 3 objects would be changed by the next apply"
    )
    assert last in " ".join(text.out.split()), text.out
    assert pair.run("adopt", "client/nobody").code == 64
    assert pair.writes() == []


def test_a_rename_keeps_the_client_id_the_associations_and_the_tokens(make_pair: PairFactory) -> None:
    """The plan says RENAMED; the client keeps its id, so a token from before opens the same as ever."""
    pair = make_pair()
    assert pair.run("apply", "--yes").code == 0
    token = _token(pair)
    edit(
        pair,
        (
            "  nightly-batch:\n    name: Nightly Batch",
            "  night-run:\n    moved_from: nightly-batch\n    name: Night Run",
        ),
        ("client: nightly-batch", "client: night-run"),
    )
    changes = {item["address"]: item for item in pair.run("plan", "-o", "json").json["changes"]}
    assert set(changes) == {"client/night-run@login", "client/night-run@orders"}
    assert {item["reason"] for item in changes.values()} == {"renamed"}
    assert "client/nightly-batch@login" in changes["client/night-run@login"]["note"]
    assert "tokens stay" in changes["client/night-run@login"]["note"]
    applied = pair.run("apply", "--yes")
    assert applied.code == 0, applied.err
    there = pair.admin(pair.login, "GET", "/admin/oauth/client/nightly-batch")
    assert (there["name"], there["scopes"]) == ("Night Run", ["reports.read"])
    assert _call(pair, token) == 200
    assert pair.run("plan", "--detailed-exitcode").code == 0


def test_an_absent_scope_goes_after_its_associations(pair: Pair) -> None:
    """The server refuses to delete a scope in use, so the association goes first, and the RS is narrowed last."""
    assert pair.run("apply", "--yes").code == 0
    token = _token(pair)
    edit(
        pair,
        (
            "  reports.read:\n    description: Read reports\n    resources: [reports]\n",
            "  reports.read: {state: absent}\n",
        ),
        ("  - {client: nightly-batch, scopes: [reports.read]}\n", "  - {client: nightly-batch, scopes: []}\n"),
    )
    result = pair.run("plan", "-o", "json").json
    assert [(item["address"], item["action"]) for item in result["changes"]] == [
        ("association/nightly-batch:reports.read@login", "delete"),
        ("scope/reports.read@login", "delete"),
        ("scope/reports.read@orders", "delete"),
    ]
    assert "1 token of the client stays valid until 20" in result["changes"][0]["note"]
    pair.seen.clear()
    assert pair.run("apply", "--yes", "--max-deletes", "100%").code == 0
    # One list of tokens for the plan; none for the apply itself or the look afterwards.
    assert len([path for _, _, path in pair.seen if path.startswith("/admin/oauth/token")]) == 1
    assert pair.run("plan", "--detailed-exitcode").code == 0
    assert _call(pair, token) != 200


def test_prune_deletes_what_its_mode_says(pair: Pair) -> None:
    """none leaves unlisted objects, managed only takes marked ones (here are no marks), full takes them."""
    assert pair.run("apply", "--yes").code == 0
    body = {"client_id": "stray", "name": "Stray", "version": "1", "type": "Confidential"}
    pair.admin(pair.login, "POST", "/admin/oauth/client/", body | {"redirect_uris": [], "scopes": ["orders.read"]})
    pair.admin(pair.orders, "POST", "/admin/oauth/scope/", {"name": "stray", "FoldersAndServices": ["a"]})
    plain = (pair.folder / "oauthdeploy.yaml").read_text()
    for mode, expected in (("none", 0), ("managed", 0), ("full", 2)):
        (pair.folder / "oauthdeploy.yaml").write_text(plain)
        policy(pair, f"{{prune: {{clients: {mode}, scopes: {mode}}}}}")
        changes = pair.run("plan", "-o", "json").json["changes"]
        assert [item["action"] for item in changes] == ["delete"] * expected
    assert pair.run("apply", "--yes").code == 0
    left = pair.admin(pair.login, "GET", "/admin/oauth/client?expand=true")["clients"]
    assert {item["client_id"] for item in left} == {"web-shop", "nightly-batch"}


def test_what_leaves_tokens_alive_says_how_many_and_how_to_end_them(pair: Pair) -> None:
    """A shorter lifetime, a lost scope: the entry in the note is valid when it is pasted, and ends the tokens."""
    edit(pair, ("tokens: {access_lifetime: 10m, refresh_count: 0}", "tokens: {access_lifetime: inherit}"))
    assert pair.run("apply", "--yes").code == 0
    tokens = [_token(pair) for _ in range(2)]
    pair.seen.clear()
    assert pair.run("plan", "-o", "json").json["changes"] == []
    assert not [path for _, _, path in pair.seen if path.startswith("/admin/oauth/token")]
    edit(pair, ("access_token_lifetime: 30m", "access_token_lifetime: 5m"))
    (shorter,) = pair.run("plan", "-o", "json").json["changes"]
    assert "2 tokens stay valid until 20" in shorter["note"]
    entry = re.search(r"- \{.*\}", shorter["note"])
    assert entry is not None
    (pair.folder / "cut.yaml").write_text(f"version: 1\nname: quickstart\nrevocations:\n  {entry[0]}\n")
    both = ("-f", "oauthdeploy.yaml", "-f", "cut.yaml")
    checked = pair.run("validate", *both, "-o", "json")
    assert (checked.code, checked.json["errors"], checked.json["warnings"]) == (0, 0, 0), checked.out
    notes = json.dumps([item["note"] for item in pair.run("plan", *both, "-o", "json").json["changes"]])
    assert "stay valid" not in notes
    assert pair.run("apply", "--yes", *both).code == 0
    assert {_call(pair, token) for token in tokens} == {401}


def test_a_deleted_client_says_what_becomes_of_its_tokens(pair: Pair) -> None:
    """How many tokens the client has is in the plan that deletes it; this server deletes them with it."""
    assert pair.run("apply", "--yes").code == 0
    token = _token(pair)
    edit(pair, ("  - {client: nightly-batch, scopes: [reports.read]}\n", ""))
    text = (pair.folder / "oauthdeploy.yaml").read_text()
    body = text[text.index("  nightly-batch:\n") : text.index("\nassociations:")]
    edit(pair, (body, "  nightly-batch: {state: absent}\n\n"))
    changes = {item["address"]: item for item in pair.run("plan", "-o", "json").json["changes"]}
    note = changes["client/nightly-batch@login"]["note"]
    assert "If the server keeps them, 1 token of the client lives until 20" in note
    assert "- {id: end-nightly-batch, client: nightly-batch, tokens: all}" in note
    assert pair.run("apply", "--yes").code == 0
    assert _call(pair, token) == 401
