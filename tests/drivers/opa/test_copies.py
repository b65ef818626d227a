"""What is exported from an Open Policy Agent is the same policy data elsewhere, and changes by hand are found and repaired."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.objects import Object
from tests.drivers.copies import Contents, Copy, End, Hand
from tests.drivers.opa.site import PATH
from tests.servers.opa import Opa

TRUSTED = "login"
LOGIN: Mapping[str, Any] = {
    "role": "authorization",
    "driver": "external",
    "issuer": "https://login.example.com",
    "jwks_uri": "https://login.example.com/keys",
}
TRUST = {
    "authorization_server": TRUSTED,
    "via": "jwt",
    "issuer": "https://login.example.com",
    "jwks_uri": "https://login.example.com/keys",
}
SCOPES: Mapping[str, Any] = {
    "orders.read": {"description": "Read", "resources": ["orders.v1"], "url_templates": ["GET /orders"]},
    "empty": {},
    "texts": {"description": "Der Laden - 店", "resources": []},
}
DOCUMENTS: Mapping[str, Mapping[str, Any]] = {
    "one client": {"shop": {"type": "confidential", "grants": ["client_credentials"]}},
    "every field": {
        "shop": {
            "name": "The shop",
            "version": "2",
            "description": "d",
            "type": "public",
            "redirect_uris": ["https://b.example.com/x", "https://a.example.com/y"],
            "grants": ["authorization_code", "refresh_token"],
            "tokens": {"access_lifetime": 600, "refresh_count": 3},
        }
    },
    "no grant and odd names": {
        "receiver": {"type": "confidential", "grants": []},
        "https://app.example.com/client": {
            "type": "public",
            "grants": ["authorization_code"],
            "redirect_uris": ["https://a.example.com/"],
        },
        "with space%2F": {"type": "confidential", "grants": ["client_credentials"]},
    },
    "session long": {"shop": {"type": "confidential", "grants": ["password"], "tokens": {"access_lifetime": "never"}}},
}
LISTS: Mapping[str, Sequence[str]] = {"shop": ("orders.read", "empty")}


def document(name: str) -> dict[str, Any]:
    clients = DOCUMENTS[name]
    given = {client: dict.fromkeys(scopes, True) for client, scopes in LISTS.items() if client in clients}
    blocked = {"shop": {"reason": "disabled in the manifest"}} if name == "every field" else {}
    return {
        "clients": dict(clients),
        "scopes": dict(SCOPES),
        "associations": given,
        "blocked": blocked,
        "issued_before": {},
        "trust": TRUST,
    }


def put(opa: Opa, body: Any) -> None:
    answer = opa.call("PUT", f"/v1/data/{PATH}", body)
    assert answer.status_code == 204, answer.text


def contents(opa: Opa) -> Contents:
    """The document, entry by entry, without owners and the count of its changes; what is empty says nothing."""
    found: dict[str, Any] = {}
    for section, entries in dict(opa.data(PATH)).items():
        if section == "trust":
            found[section] = entries
        elif section != "revision":
            found |= {f"{section} {name}": _plain(entry) for name, entry in entries.items()}
    return found


def _plain(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return sorted(entry) if isinstance(entry, list) else entry
    return {key: _plain(value) for key, value in entry.items() if key != "owner" and value not in ("", [], {})}


def end(opa: Opa) -> End:
    entry = {
        "role": "resource",
        "driver": "opa",
        "url": opa.url,
        "authorization_server": TRUSTED,
        "options": {"path": PATH},
    }
    return End(entry, partial(contents, opa), {TRUSTED: LOGIN})


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_exported_is_the_same_document_again(name: str, start_opa: Callable[..., Opa], tmp_path: Path) -> None:
    """All of the document, by OPA's own API; then changes by hand of different kinds, on the copy."""
    source, target = start_opa(), start_opa()
    put(source, document(name))
    copy = Copy(tmp_path)
    text = copy.round_trip(end(source), end(target))
    assert copy.omitted == set()
    copy.hand_changes(text, end(target), partial(hands, target))


def hands(opa: Opa, objects: Mapping[Address, Object]) -> Sequence[Hand]:
    """The text of a scope and what it opens, a grant, whether a client is blocked, a scope or an association taken away."""

    def change(alter: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        def make() -> None:
            body = dict(opa.data(PATH))
            alter(body)
            put(opa, body)

        return make

    name = next(address.name for address in objects if address.kind is Kind.CLIENT)
    client = Address(Kind.CLIENT, name, "one").without_server

    def toggle(body: dict[str, Any]) -> None:
        if body["blocked"].pop(name, None) is None:
            body["blocked"][name] = {"reason": "by hand"}

    made = [
        Hand(
            change(lambda body: body["scopes"]["orders.read"].update(description="by hand")),
            frozenset({("scope/orders.read", "description")}),
        ),
        Hand(
            change(lambda body: body["scopes"]["orders.read"]["resources"].append("hand.v1")),
            frozenset({("scope/orders.read", "resources")}),
        ),
        Hand(change(lambda body: body["clients"][name].update(grants=["implicit"])), frozenset({(client, "grants")})),
        Hand(change(toggle), frozenset({(client, "enabled")})),
        Hand(change(lambda body: body["scopes"].pop("texts")), frozenset({("scope/texts", "")})),
    ]
    if any(address.kind is Kind.ASSOCIATION for address in objects):
        gone = Address.association(name, "empty", "").without_server
        made.append(Hand(change(lambda body: body["associations"][name].pop("empty")), frozenset({(gone, "")})))
    return made
