"""The live OpenAPI document decides paths, wrappers and what a client may be given; odd documents are said to be odd."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.drivers.webmethods import openapi_document as doc
from oauthdeploy.drivers.webmethods.openapi_document import Api, read_document


def body(schema: Any) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def published() -> dict[str, Any]:
    """The shapes of the document of 10.11 that matter, written anew from what is known of them."""
    fields = {key: {"type": "string"} for key in ("name", "type", "scopes", "enabled")}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Integration Server Administrative API", "version": "1.0"},
        "paths": {
            "/admin/oauth/globalsetting": {"get": {}},
            "/admin/oauth/globalsetting/": {"put": {}, "patch": body(ref("GlobalSetting")), "parameters": []},
            "/admin/oauth/client": {"get": {}, "post": body(ref("ClientIn"))},
            "/admin/oauth/client/{clientId}": {"get": {}, "put": {}, "patch": body(ref("ClientIn")), "delete": {}},
            "/admin/oauth/client/{name}/version/{version}": {"get": {}},
            "/admin/oauth/scope": {"get": {}, "post": body(ref("ScopeList"))},
            "/admin/oauth/scope/{name}": {"get": {}, "put": {}, "patch": body(ref("Scope")), "delete": {}},
            "/admin/oauth/externalserver/": {"post": {}},
        },
        "components": {
            "schemas": {
                "GlobalSetting": {"properties": {"requireHTTPS": {}, "requirePKCE": {}}},
                "ClientIn": {"properties": {**fields, "version": {"type": "integer", "format": "int32"}}},
                "Scope": {"properties": {"name": {"type": "string"}}},
                "ScopeList": {"properties": {"scopes": {"type": "array"}, "scopeInputData": ref("Scope")}},
            }
        },
    }


def read(document: Any) -> Api:
    api = read_document(document)
    assert api is not None
    return api


def test_the_published_document_is_followed_to_the_letter() -> None:
    """Each method has its own spelling of the slash; scopes are wrapped, versions are numbers, ids are not taken."""
    api = read(published())
    assert api.paths["GET", doc.SETTINGS] == "/admin/oauth/globalsetting"
    assert api.paths["PATCH", doc.SETTINGS] == "/admin/oauth/globalsetting/"
    assert api.paths["POST", doc.EXTERNALS] == "/admin/oauth/externalserver/"
    assert api.paths["GET", doc.CLIENT_BY_NAME] == doc.CLIENT_BY_NAME
    assert (api.wraps_scopes, api.text_versions, api.takes_client_id, api.takes_client_secret) == (True,) + (False,) * 3
    assert api.settings == {"requireHTTPS", "requirePKCE"}
    assert api.has_oauth
    assert not api.missing


def test_other_shapes_change_the_course() -> None:
    """A bare scope, texts as versions, ids and secrets of the creator's choice."""
    document = published()
    schemas = document["components"]["schemas"]
    schemas["ScopeList"] = {"anyOf": [schemas["ScopeList"], ref("Scope")]}
    version = {"oneOf": [{"type": "integer"}, {"type": "string"}]}
    schemas["ClientIn"] = {
        "allOf": [
            schemas["ClientIn"],
            {
                "properties": {
                    "client_id": {},
                    "client_secret": {},
                    "version": version,
                }
            },
        ]
    }
    api = read(document)
    assert (api.wraps_scopes, api.text_versions, api.takes_client_id, api.takes_client_secret) == (
        False,
        True,
        True,
        True,
    )


def test_paths_without_the_prefix_are_below_it() -> None:
    """Where the base path is told elsewhere."""
    document = published()
    document["paths"] = {path.removeprefix("/admin"): item for path, item in document["paths"].items()}
    assert read(document).paths["POST", doc.CLIENTS] == "/admin/oauth/client"


@pytest.mark.parametrize("lost", ["/admin/oauth/scope/{name}", "/admin/oauth/client", "/admin/oauth/globalsetting/"])
def test_what_is_missing_is_named(lost: str) -> None:
    """Method and path, so that an administrator can look."""
    document = published()
    del document["paths"][lost]
    missing = read(document).missing
    assert missing
    assert all(lost.rstrip("/").replace("{name}", "{}") in one for one in missing)


def test_a_server_without_oauth_is_seen() -> None:
    """The Administrator API is older than its OAuth part."""
    document = published()
    document["paths"] = {"/admin/package": {"get": {}}}
    assert not read(document).has_oauth


@pytest.mark.parametrize("document", [None, [], "x", {}, {"paths": []}, {"swagger": "2.0"}])
def test_what_is_no_document_is_none(document: Any) -> None:
    """Not an API without paths."""
    assert read_document(document) is None


def test_references_in_circles_end() -> None:
    """A hostile document doesn't hang the run."""
    document = published()
    document["components"]["schemas"]["ClientIn"] = ref("ClientIn")
    document["components"]["schemas"]["ScopeList"] = {"anyOf": [ref("ScopeList")]}
    api = read(document)
    assert api.client == frozenset()


junk = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(st.data())
def test_any_part_may_be_anything(data: st.DataObject) -> None:
    """A document with a broken part is read as far as it goes."""
    document = copy.deepcopy(published())
    place: Any = document
    for _ in range(data.draw(st.integers(1, 6))):
        keys = sorted(place) if isinstance(place, dict) else []
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict) or data.draw(st.booleans()):
            place[key] = data.draw(junk)
            break
        place = place[key]
    api = read_document(document)
    assert api is None or isinstance(api.missing, tuple)
