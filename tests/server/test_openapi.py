"""The generated OpenAPI document against what is really served."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import openapi_spec_validator

from .kit import Kit, unique

METHODS = {"get", "post", "put", "patch", "delete"}


def document(kit: Kit) -> dict[str, Any]:
    return dict(kit.admin("GET", "/swagger/integrationServer").json())


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_document_is_well_formed(either: Kit) -> None:
    """OpenAPI 3.0 with unique operation ids, declared path parameters and no dangling references."""
    api = document(either)
    assert api["openapi"].startswith("3.0.")
    assert {f"#/components/schemas/{name}" for name in api["components"]["schemas"]} >= set(references(api))
    ids = [item[method]["operationId"] for item in api["paths"].values() for method in METHODS & set(item)]
    assert len(ids) == len(set(ids))
    for path, item in api["paths"].items():
        names = [one["name"] for one in item.get("parameters", []) if one["in"] == "path"]
        assert names == re.findall(r"\{(\w+)\}", path)
        assert all(one["required"] for one in item.get("parameters", []))
        assert set(item) <= METHODS | {"parameters"}
        assert all(item[method]["responses"] for method in METHODS & set(item))
    for schema in api["components"]["schemas"].values():
        jsonschema.Draft4Validator.check_schema(schema)


def test_the_document_passes_the_validator(either: Kit) -> None:
    """The reference validator accepts the document."""
    openapi_spec_validator.validate(document(either))


def test_the_thirteen_paths_are_there(either: Kit) -> None:
    """The OAuth paths of the published document, with their literal slashes."""
    paths = {path for path in document(either)["paths"] if path.startswith("/admin/oauth/")}
    assert paths == {
        "/admin/oauth/globalsetting",
        "/admin/oauth/globalsetting/",
        "/admin/oauth/client",
        "/admin/oauth/client/{clientId}",
        "/admin/oauth/client/{name}/version/{version}",
        "/admin/oauth/scope",
        "/admin/oauth/scope/{name}",
        "/admin/oauth/externalserver",
        "/admin/oauth/externalserver/",
        "/admin/oauth/externalserver/{name}",
        "/admin/oauth/token",
        "/admin/oauth/token/accesstoken/{accessTokenId}",
        "/admin/oauth/token/refreshtoken/{refreshTokenId}",
    }


def test_everything_in_the_document_is_served(either: Kit) -> None:
    """Each path and method answers, with a made-up id by an error that isn't about the path or the method."""
    for path, item in document(either)["paths"].items():
        for method in METHODS & set(item):
            if method == "put" and path.endswith("globalsetting/"):
                continue
            address = re.sub(r"\{\w+\}", "no-such-thing", path).removeprefix("/admin")
            response = either.admin(method.upper(), address, {} if method != "get" else None)
            assert response.status_code != 405, (method, path)
            if response.status_code == 404:
                assert response.json()["message"].startswith("There is no "), (method, path)
                assert "no-such-thing" in response.json()["message"]


def test_nothing_else_is_served(either: Kit) -> None:
    """Every admin route of the application is in the document; in tolerant mode in one of its two forms."""
    api = document(either)
    listed = {(method.upper(), path) for path, item in api["paths"].items() for method in METHODS & set(item)}
    for rule in either.running.app.url_map.iter_rules():
        if not rule.rule.startswith("/admin"):
            continue
        path = re.sub(r"<(?:path:)?(\w+)>", r"{\1}", rule.rule)
        forms = {path} if either.config.strict else {path, path.rstrip("/"), path.rstrip("/") + "/"}
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert any((method, form) in listed for form in forms), (method, path)


def test_ids_and_secrets_are_in_the_document_only_where_accepted(launch: Callable[..., Kit], tolerant: Kit) -> None:
    """A driver can see from ClientIn whether it may choose them; ClientOut always has them."""
    identity = {"client_id", "client_secret"}
    schemas = document(tolerant)["components"]["schemas"]
    assert not identity & set(schemas["ClientIn"]["properties"])
    assert identity <= set(schemas["ClientOut"]["properties"])
    accepting = document(launch(accept_client_id=True))["components"]["schemas"]
    assert identity <= set(accepting["ClientIn"]["properties"])


def test_answers_fit_their_schemas(either: Kit) -> None:
    """Real answers have the members and types that the document says."""
    api = document(either)
    scope = either.scope("a")
    client = either.machine(scope)
    either.token(client)
    either.admin("POST", "/remoteserver/", {"alias": unique("r"), "host": "h", "port": 1, "user": "u", "password": "p"})
    for path, item in api["paths"].items():
        if "get" not in item or "{" in path or "swagger" in path:
            continue
        for query in ("", "?expand=true"):
            answer = either.admin("GET", path.removeprefix("/admin") + query).json()
            name = item["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            check(api, name, answer)
    check(api, "ClientOut", client)
    assert set(client) <= set(api["components"]["schemas"]["ClientOut"]["properties"])


def check(api: dict[str, Any], name: str, answer: object) -> None:
    """Validate against a schema of the document; `nullable` is OpenAPI's, so it is turned into JSON Schema first."""
    schemas = {key: plain(value) for key, value in api["components"]["schemas"].items()}
    jsonschema.Draft4Validator({"components": {"schemas": schemas}, **schemas[name]}).validate(answer)


def plain(node: Any) -> Any:
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    copied = {key: plain(value) for key, value in node.items()}
    if copied.pop("nullable", False):
        return {"anyOf": [{"type": "null"}, copied]}
    return copied
