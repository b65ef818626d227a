"""Scopes, and their associations with clients."""

from __future__ import annotations

from typing import Any

import pytest

from .kit import Kit, escaped, unique

PATH = "/oauth/scope"


def wrapped(**scope: object) -> dict[str, Any]:
    return {"scopeInputData": scope}


def create(kit: Kit, **scope: object) -> Any:
    return kit.admin("POST", PATH, wrapped(**scope))


def test_strict_mode_speaks_in_wrappers(strict: Kit) -> None:
    """Create and replace take and give the document's ScopeList; read and update a bare scope."""
    name = unique("scope")
    bare = {"name": name, "description": "d", "FoldersAndServices": ["a"], "urlTemplates": ["GET_a/b"]}
    assert strict.admin("POST", PATH, bare).status_code == 400
    created = strict.admin("POST", PATH, {"scopeInputData": bare})
    assert created.status_code == 201
    assert created.json() == {"scopeInputData": bare, "scopes": [bare]}
    address = f"{PATH}/{name}"
    assert strict.admin("GET", address).json() == bare
    assert strict.admin("PUT", address, bare).status_code == 400
    replaced = strict.admin("PUT", address, wrapped(name=name)).json()["scopeInputData"]
    assert replaced == {"name": name, "description": None, "FoldersAndServices": [], "urlTemplates": []}
    assert strict.admin("PATCH", address, {"description": "new"}).json()["description"] == "new"
    assert strict.admin("PATCH", address, wrapped(description="new")).status_code == 400
    assert strict.admin("POST", PATH, {**wrapped(name=unique("s")), "extra": 1}).status_code == 400
    assert strict.admin("POST", PATH, {"scopeInputData": [bare]}).status_code == 400


def test_tolerant_mode_takes_both_forms(tolerant: Kit) -> None:
    """A bare scope gets a bare answer, a wrapped one a wrapped answer."""
    name = unique("scope")
    created = tolerant.admin("POST", PATH, {"name": name})
    assert created.status_code == 201
    assert created.json()["name"] == name
    address = f"{PATH}/{name}"
    assert tolerant.admin("PUT", address, {"description": "x"}).json()["description"] == "x"
    answer = tolerant.admin("PUT", address, wrapped(name=name, description="y")).json()
    assert answer["scopes"][0]["description"] == "y"
    assert tolerant.admin("PATCH", address, wrapped(description="z")).json()["description"] == "z"


def test_lists(either: Kit) -> None:
    """Names and URLs, or whole scopes."""
    name = either.scope("a")
    assert {"name": name, "url": f"/admin/oauth/scope/{name}"} in either.admin("GET", PATH).json()["scopes"]
    whole = {one["name"]: one for one in either.admin("GET", PATH + "?expand=true").json()["scopes"]}
    assert whole[name]["FoldersAndServices"] == ["a"]


def test_put_and_patch(either: Kit) -> None:
    """Replace empties what isn't named, update leaves it, null empties it."""
    name = either.scope("a", description="text", urlTemplates=["GET_a/b"])
    address = f"{PATH}/{name}"
    changed = either.admin("PATCH", address, {"FoldersAndServices": ["a:b"]}).json()
    assert changed["FoldersAndServices"] == ["a:b"]
    assert changed["description"] == "text"
    changed = either.admin("PATCH", address, {"description": None, "urlTemplates": None}).json()
    assert (changed["description"], changed["urlTemplates"]) == (None, [])
    replaced = either.admin("PUT", address, wrapped(description="only")).json()["scopeInputData"]
    assert replaced == {"name": name, "description": "only", "FoldersAndServices": [], "urlTemplates": []}


def test_names_are_unique_and_fixed(either: Kit) -> None:
    """A second scope of the same name is 409, another name in an update 400, an unknown scope 404."""
    name = either.scope()
    assert create(either, name=name).status_code == 409
    assert either.admin("PATCH", f"{PATH}/{name}", {"name": "other"}).status_code == 400
    assert either.admin("PUT", f"{PATH}/{name}", wrapped(name="other")).status_code == 400
    assert either.admin("PATCH", f"{PATH}/{name}", {"name": name}).status_code == 200
    for method in ("GET", "PATCH", "DELETE"):
        assert either.admin(method, f"{PATH}/no-such-scope", {}).status_code == 404


@pytest.mark.parametrize("name", ["", "a b", "a\\b", "a,b", 'a"b', "ä", "a\tb", "x" * 101, ".", "..", 5, None, ["a"]])
def test_names_out_of_the_rule(either: Kit, name: object) -> None:
    """ASCII 33 to 126, at most 100 characters, without backslash, comma and quote."""
    response = create(either, name=name)
    assert response.status_code == 400
    assert "'name'" in response.json()["message"]


@pytest.mark.parametrize(
    "name", ["x" * 100, "orders:read", "https://api.example/orders", "a%2Fb", "a/b", "a//b", "50%", "a?b#c", "!~", "a/"]
)
def test_names_within_the_rule_travel_in_paths(either: Kit, name: str) -> None:
    """Every allowed name can be created, read and deleted by its escaped path, and isn't taken for another."""
    assert create(either, name=name).status_code == 201
    address = f"{PATH}/{escaped(name)}"
    assert either.admin("GET", address).json()["name"] == name
    url = next(one["url"] for one in either.admin("GET", PATH).json()["scopes"] if one["name"] == name)
    assert url == "/admin" + address
    assert either.admin("DELETE", address).status_code == 204
    assert either.admin("GET", address).status_code == 404


@pytest.mark.parametrize(
    ("field", "entry"),
    [
        ("FoldersAndServices", "a b"),
        ("FoldersAndServices", "a:"),
        ("FoldersAndServices", ":b"),
        ("FoldersAndServices", "a:b:c"),
        ("FoldersAndServices", "a..b"),
        ("FoldersAndServices", ""),
        ("urlTemplates", "a/b"),
        ("urlTemplates", "FETCH_a/b"),
        ("urlTemplates", "GET_"),
        ("urlTemplates", "GET_a b"),
        ("urlTemplates", 5),
    ],
)
def test_malformed_entries_are_refused(either: Kit, field: str, entry: object) -> None:
    """Folders, services and URL templates have their forms."""
    response = create(either, name=unique("scope"), **{field: [entry]})
    assert response.status_code == 400
    assert field in response.json()["message"]


def test_unknown_services_are_refused_in_strict_mode(strict: Kit) -> None:
    """With a list of services, a scope may only name those and their folders."""
    assert strict.scope("orders.v1:getOrder", "orders.v1", "orders")
    for entry in ("orders.v2", "orders.v1:none", "order"):
        response = create(strict, name=unique("scope"), FoldersAndServices=[entry])
        assert response.status_code == 400
        assert entry in response.json()["message"]


def test_unknown_services_are_warned_of_in_tolerant_mode(launch: Any) -> None:
    """The scope is added, and the answer holds warnings."""
    kit = launch(services=("orders.v1:getOrder",))
    answer = create(kit, name="one", FoldersAndServices=["orders.v2", "orders"]).json()["scopeInputData"]
    assert len(answer["warnings"]) == 1
    assert "orders.v2" in answer["warnings"][0]
    assert "warnings" not in kit.admin("GET", f"{PATH}/one").json()
    assert "warnings" in kit.admin("PATCH", f"{PATH}/one", {"FoldersAndServices": ["x"]}).json()
    assert "warnings" not in kit.admin("PATCH", f"{PATH}/one", {"FoldersAndServices": ["orders"]}).json()


def test_a_scope_in_use_stays(either: Kit) -> None:
    """A scope can't be deleted while a client has it; afterwards it can."""
    name = either.scope()
    client = either.client(name)
    assert either.admin("DELETE", f"{PATH}/{name}").status_code == 409
    assert either.admin("GET", f"{PATH}/{name}").status_code == 200
    either.admin("PATCH", f"/oauth/client/{client['client_id']}", {"scopes": []})
    assert either.admin("DELETE", f"{PATH}/{name}").status_code == 204


def test_issued_tokens_outlive_an_association(either: Kit) -> None:
    """Taking a scope from a client leaves its tokens valid, and new ones come without it."""
    kept, lost = either.scope("a"), either.scope("a")
    client = either.machine(kept, lost)
    token = either.token(client, scope=lost)["access_token"]
    either.admin("PATCH", f"/oauth/client/{client['client_id']}", {"scopes": [kept]})
    assert either.active(token)
    assert either.call("a:b", token).status_code == 200
    assert either.token(client)["scope"] == kept
    response = either.service_as(client, "getToken", grant_type="client_credentials", scope=lost)
    assert response.json()["error"] == "invalid_scope"
