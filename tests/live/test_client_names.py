"""A client has one name on two live servers that make ids themselves, whatever a document says of it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.live.conftest import Pair, PairFactory

pytestmark = pytest.mark.live

SCOPE = "scopes: {orders.read: {description: d}}\n"
Write = Callable[[str], None]


@pytest.fixture
def pair(make_pair: PairFactory) -> Pair:
    return make_pair(accept_client_id=False)


@pytest.fixture
def write(pair: Pair) -> Write:
    """Write a manifest of the servers and some sections."""
    path = pair.folder / "oauthdeploy.yaml"
    text = path.read_text()
    servers = text[: text.index("settings:")]

    def of(sections: str) -> None:
        path.write_text(servers + sections)

    return of


def entry(key: str, more: str = "redirect_uris: [https://app.example.com/cb], grants: [authorization_code]") -> str:
    return f'{key}: {{name: {key.title()}, version: "1", type: public, {more}}}'


def clients(*entries: str) -> str:
    return f"clients: {{{', '.join(entries)}}}\n"


def names(pair: Pair) -> dict[str, list[str]]:
    """The scopes of each client of the authorization server, by name."""
    found = pair.admin(pair.login, "GET", "/admin/oauth/client?expand=true")["clients"]
    return {client["name"]: client["scopes"] for client in found}


def test_an_absent_client_goes_by_its_key(pair: Pair, write: Write) -> None:
    """Its name and version in the entry say which one it is, on both sides."""
    write(clients(entry("batch"), entry("shop")))
    assert pair.run("apply", "--yes").code == 0
    write(clients(entry("batch", "state: absent"), entry("shop")))
    done = pair.run("apply", "--yes", "-o", "json")
    assert done.code == 0, done.err
    assert names(pair).keys() == {"Shop"}
    again = pair.run("plan", "--detailed-exitcode")
    assert again.code == 0, again.out


def test_protected_keys_are_not_pruned(pair: Pair, write: Write) -> None:
    """By the key that an export would give them, or not at all: a pattern that names nothing stops the prune."""
    write(clients(entry("batch"), entry("shop"), entry("picker")))
    assert pair.run("apply", "--yes").code == 0
    write(clients(entry("picker")) + "policy: {prune: {clients: full}, protect: [client/shop, client/nobody]}\n")
    stopped = pair.run("apply", "--yes")
    assert stopped.code == 5
    assert "client/Shop (1)@login is protected" in stopped.err + stopped.out
    assert "'client/nobody' matches no object" in stopped.err + stopped.out
    assert names(pair).keys() == {"Batch", "Shop", "Picker"}


def test_a_target_is_found_by_its_label(pair: Pair, write: Write) -> None:
    """The manifest knows the client by its key; the server's pages show a label."""
    write(clients(entry("batch"), entry("shop")))
    assert pair.run("apply", "--yes").code == 0
    write(clients(entry("batch", "description: a"), entry("shop", "description: b")))
    plan = pair.run("plan", "--target", "client/Batch (1)@login", "-o", "json")
    assert {change["address"] for change in plan.json["changes"]} == {"client/batch@login", "client/batch@orders"}


def test_a_rollback_takes_a_new_association_back_and_brings_a_removed_one(pair: Pair, write: Write) -> None:
    """The client is found by its name in the manifest, or by its id in the journal where the manifest has lost it."""
    some = SCOPE + clients(entry("batch"))
    write(some)
    assert pair.run("apply", "--yes").code == 0
    write(some + "associations: [{client: batch, scopes: [orders.read]}]\n")
    assert pair.run("apply", "--yes").code == 0
    journals = sorted((pair.folder / ".oauthdeploy" / "journal").glob("*.jsonl"))
    assert names(pair) == {"Batch": ["orders.read"]}
    write(some + "associations: [{client: batch, scopes: []}]\n")
    assert pair.run("apply", "--yes").code == 0
    removed = (set((pair.folder / ".oauthdeploy" / "journal").glob("*.jsonl")) - set(journals)).pop()
    for manifest in (some, SCOPE):
        write(manifest)
        back = pair.run("rollback", str(removed), "--yes")
        assert back.code == 0, back.err
        assert names(pair) == {"Batch": ["orders.read"]}, back.out + back.err
        made = next(j for j in journals if '"association/batch:orders.read@login"' in j.read_text())
        back = pair.run("rollback", str(made), "--yes")
        assert back.code == 0, back.err
        assert names(pair) == {"Batch": []}, back.out + back.err


def test_a_revocation_may_name_a_client_by_its_label(pair: Pair, write: Write) -> None:
    """It is that of the key: the plan that blocks the client doesn't enable it again."""
    write(clients(entry("batch", "grants: [authorization_code], redirect_uris: [https://a.example/cb], enabled: true")))
    assert pair.run("apply", "--yes").code == 0
    text = (pair.folder / "oauthdeploy.yaml").read_text()
    entry_ = "revocations: [{id: INC-1, client: Batch (1), reason: r, block: [authorization], tokens: all}]\n"
    (pair.folder / "oauthdeploy.yaml").write_text(text + entry_)
    done = pair.run("apply", "--yes")
    assert done.code == 0, done.err
    again = pair.run("plan", "--detailed-exitcode", "-o", "json")
    assert (again.code, json.loads(again.out)["changes"]) == (0, [])
