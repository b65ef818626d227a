"""What is changed while traffic flows: one change after the other, each from where the last one led."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A change and its name; what it does to a manifest in place."""

    name: str
    make: Callable[[Manifest], None]


def associate(manifest: Manifest, client: str, *scopes: str) -> None:
    """Give a client exactly these scopes."""
    manifest["associations"] = [each for each in manifest["associations"] if each["client"] != client]
    if scopes:
        manifest["associations"].append({"client": client, "scopes": list(scopes)})


def scopes_of(manifest: Manifest, client: str) -> list[str]:
    """The scopes of a client."""
    return [scope for each in manifest["associations"] if each["client"] == client for scope in each["scopes"]]


def replace_scope(manifest: Manifest, old: str, *new: str) -> None:
    """Give whoever has a scope others instead."""
    for each in manifest["associations"]:
        if old in each["scopes"]:
            each["scopes"] = [scope for scope in each["scopes"] if scope != old] + list(new)


def _widen(manifest: Manifest) -> None:
    manifest["clients"]["writer"].pop("moved_from", None)
    associate(manifest, "partner", *scopes_of(manifest, "partner"), "orders.write")


def _new_scope(manifest: Manifest) -> None:
    manifest["scopes"]["orders.list"] = {
        **manifest["scopes"]["orders.read"],
        "description": "List orders",
        "resources": ["orders.v1:listOrders"],
    }
    associate(manifest, "reader", *scopes_of(manifest, "reader"), "orders.list")


def _rename_scope(manifest: Manifest) -> None:
    manifest["scopes"]["orders.view"] = manifest["scopes"].pop("orders.read")
    replace_scope(manifest, "orders.read", "orders.view")


def _swap(manifest: Manifest) -> None:
    one, two = manifest["scopes"]["orders.view"], manifest["scopes"]["orders.write"]
    one["resources"], two["resources"] = two["resources"], one["resources"]


def _move_to_new_scope(manifest: Manifest) -> None:
    entry = manifest["scopes"]["orders.view"]
    manifest["scopes"]["orders.edit"] = {**entry, "description": "Change orders", "resources": entry["resources"]}
    entry["resources"] = ["orders.v1:listOrders"]
    replace_scope(manifest, "orders.view", "orders.view", "orders.edit")


def _lifetime(manifest: Manifest) -> None:
    manifest["settings"]["access_token_lifetime"] = "7m"


def _cut_off(manifest: Manifest) -> None:
    manifest["revocations"] = [{"id": "INC-1", "client": "writer", "reason": "a leak", "tokens": "all"}]


def _cut_off_user(manifest: Manifest) -> None:
    manifest["revocations"] = [{"id": "INC-3", "client": "web", "reason": "a leak", "tokens": "all"}]


def _block(manifest: Manifest) -> None:
    block = ["authorization", "resource"]
    manifest["revocations"] = [
        {"id": "INC-2", "client": "partner", "reason": "a leak", "tokens": "all", "block": block}
    ]


def _delete_client(manifest: Manifest) -> None:
    manifest["revocations"] = []
    del manifest["clients"]["partner"]
    associate(manifest, "partner")


def _second_server(manifest: Manifest, base: Manifest) -> None:
    manifest["servers"]["billing"] = base["spare"]["billing"]
    manifest["scopes"]["invoices.read"] = {
        **base["scopes"]["orders.read"],
        "description": "Read invoices",
        "resources": ["invoices.v1:getInvoice"],
        "on": [base["spare"]["billing"]["authorization_server"], "billing"],
    }
    for client in ("reader", "writer"):
        associate(manifest, client, *scopes_of(manifest, client), "invoices.read")


def _switch(manifest: Manifest, base: Manifest) -> None:
    manifest["servers"]["next"] = base["spare"]["next"]
    manifest["servers"]["billing"]["authorization_server"] = "next"
    manifest["scopes"]["invoices.read"]["on"] = ["login", "next", "billing"]
    for scope in manifest["scopes"].values():
        if "billing" not in scope["on"]:
            scope["on"] = [*scope["on"], "next"]
    for client in manifest["clients"].values():
        if "login" in client.get("on", ()):
            client["on"] = ["login", "next"]


def _exchange(manifest: Manifest) -> None:
    one, two = manifest["clients"]["web"], manifest["clients"]["writer"]
    one["redirect_uris"], two["redirect_uris"] = two["redirect_uris"], one["redirect_uris"]
    one["grants"] = [*one["grants"], "client_credentials"]


def _new_version(manifest: Manifest) -> None:
    reader = manifest["clients"]["reader"]
    reader["name"] = "Reader two"
    if "version" in reader:
        reader["version"] = "2"


def _rename_client(manifest: Manifest) -> None:
    entry = manifest["clients"].pop("writer")
    manifest["clients"]["editor"] = {**entry, "name": "Editor", "moved_from": "writer"}
    for each in manifest["associations"]:
        if each["client"] == "writer":
            each["client"] = "editor"


def _narrow(manifest: Manifest) -> None:
    client = "editor" if "editor" in manifest["clients"] else "writer"
    manifest["clients"][client].pop("moved_from", None)
    associate(manifest, client, *(scope for scope in scopes_of(manifest, client) if scope != "orders.edit"))


def steps(base: Manifest, *, left_out: frozenset[str] = frozenset()) -> Iterator[Step]:
    """The catalogue, which ends where it began; `base` is the manifest of the start, whose `spare` are servers to come."""
    spare = base["spare"]
    every = [
        Step("widen", _widen),
        Step("new scope", _new_scope),
        Step("rename scope", _rename_scope),
        Step("swap resources", _swap),
        Step("move to a new scope", _move_to_new_scope),
        Step("lifetime", _lifetime),
        Step("cut off tokens", _cut_off),
        Step("cut off a user's tokens", _cut_off_user),
        Step("block", _block),
        Step("delete client", _delete_client),
        Step("second resource server", lambda manifest: _second_server(manifest, base)),
        Step("switch of issuer", lambda manifest: _switch(manifest, base)),
        Step("exchange URIs, add a grant", _exchange),
        Step("new version of a client", _new_version),
        Step("rename client", _rename_client),
        Step("narrow association", _narrow),
        Step("back to the start", lambda manifest: _back(manifest, base)),
    ]
    for step in every:
        needed = {"second resource server": "billing", "switch of issuer": "next"}.get(step.name)
        if step.name not in left_out and (needed is None or needed in spare):
            yield step


def _back(manifest: Manifest, base: Manifest) -> None:
    """What the manifest said at first, of the servers that are there now."""
    start = copy.deepcopy({name: value for name, value in base.items() if name != "spare"})
    start["servers"] = manifest["servers"]
    for client in start["clients"].values():
        if "next" in start["servers"] and "on" in client:
            client["on"] = ["login", "next"]
    if "billing" in start["servers"]:
        start["servers"]["billing"]["authorization_server"] = "login"
    if "editor" in manifest["clients"]:
        start["clients"]["writer"]["moved_from"] = "editor"
    manifest.clear()
    manifest.update(start)
