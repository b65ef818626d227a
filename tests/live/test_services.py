"""An Integration Server with administration services only: what it says that it cannot do is refused before any write."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from oauthdeploy.server import Profile
from oauthdeploy.server.app import state_of
from oauthdeploy.server.models import Token
from tests.live.conftest import PASSWORD, Pair, PairFactory

pytestmark = pytest.mark.live

CLIENT = {"type": "confidential", "grants": ["client_credentials"], "redirect_uris": []}
PUBLIC = {"type": "public", "grants": ["authorization_code"], "redirect_uris": ["https://shop.example.com/cb"]}


@pytest.fixture
def login(make_pair: PairFactory) -> Pair:
    """The authorization server of a pair, which masks secrets, and a client there that got a token."""
    pair = make_pair(
        tls=False,
        accept_client_id=False,
        profile=Profile.model_validate({"administration": "services", "secrets": "masked"}),
    )
    write(pair, clients={"shop": CLIENT, "app": PUBLIC}, scopes={"orders.read": {}}, associations=[
        {"client": "shop", "scopes": ["orders.read"]}
    ], secret={"generate": True, "deliver_to": {"file": "shop.json", "format": "json"}})  # fmt: skip
    made = pair.run("apply", "--yes")
    assert made.code == 0, made.out + made.err
    found = json.loads((pair.folder / "shop.json").read_text())
    answer = requests.post(
        f"{pair.login.url}/invoke/pub.oauth/getToken",
        {"grant_type": "client_credentials", "scope": "orders.read"},
        auth=(found["client_id"], found["client_secret"]),
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    pair.seen.clear()
    return pair


def write(pair: Pair, *, secret: dict[str, Any] | None = None, **sections: Any) -> None:
    entry = {
        "role": "authorization",
        "driver": "webmethods",
        "url": pair.login.url,
        "credentials": {"username": "deployer", "password": "${env:LOGIN_PASSWORD}"},
        "options": {"api": "services"},
    }
    if secret is not None:
        sections["clients"]["shop"] = {**sections["clients"]["shop"], "secret": secret}
    document = {"version": 1, "name": "shop", "servers": {"login": entry}, "settings": {"require_https": False}}
    (pair.folder / "oauthdeploy.yaml").write_text(json.dumps({**document, **sections}))


def tokens(pair: Pair) -> int:
    with state_of(pair.login.app).store.read() as session:
        return session.query(Token).count()


def test_a_cut_off_by_scope_is_refused_and_not_called_done(login: Pair) -> None:
    """The list of tokens shows no scopes: nothing would be deleted. A manifest is refused; `revoke` says what it left."""
    cut = {"id": "CUT-1", "client": "shop", "reason": "a key was found", "tokens": "all", "scope": "orders.read"}
    write(login, clients={"shop": CLIENT}, scopes={"orders.read": {}}, revocations=[cut])
    ran = login.run("apply", "--yes")
    assert ran.code == 5, ran.out + ran.err
    assert "[not-supported]" in ran.err
    assert "login says that it does not offer tokens.by_scope" in " ".join(ran.err.split())
    assert login.writes() == []
    assert tokens(login) == 1
    write(login, clients={"shop": CLIENT})
    asked = login.run("revoke", "shop", "--scope", "orders.read", "--yes", "--reason", "a key was found")
    assert asked.code != 0, asked.out + asked.err
    assert "[cut-off-not-offered]" in asked.out + asked.err
    assert tokens(login) == 1
    whole = login.run("revoke", "shop", "--yes", "--reason", "a key was found")
    assert whole.code == 0, whole.out + whole.err
    assert tokens(login) == 0


def test_a_client_that_becomes_confidential_is_replaced_with_a_secret_that_works(login: Pair) -> None:
    """No service tells the secret that an update makes; the plan says beforehand that the client gets another id."""
    secret = {"generate": True, "deliver_to": {"file": "app.json", "format": "json"}}
    write(login, clients={"app": {**CLIENT, "secret": secret}})
    planned = login.run("plan", "-o", "json").json
    assert [(change["address"], change["action"]) for change in planned["changes"]] == [("client/app@login", "replace")]
    ran = login.run("apply", "--yes")
    assert ran.code == 0, ran.out + ran.err
    found = json.loads((login.folder / "app.json").read_text())
    answer = requests.post(
        f"{login.login.url}/invoke/pub.oauth/getToken",
        {"grant_type": "client_credentials"},
        auth=(found["client_id"], found["client_secret"]),
        timeout=10,
    )
    assert answer.json()["error"] == "invalid_scope", "it signs in, and has no scope yet"
    assert PASSWORD not in ran.out + ran.err
