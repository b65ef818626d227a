"""External authorization servers and remote servers."""

from __future__ import annotations

from typing import Any

import pytest

from .kit import Kit, unique

EXTERNAL = "/oauth/externalserver/"
REMOTE = "/remoteserver/"


def external(**more: object) -> dict[str, Any]:
    return {
        "name": unique("external").replace("-", "_"),
        "introspectionEndpoint": "https://idp.example/introspect",
        "clientId": "rs",
        "clientSecret": "external-secret",
        "user": "alice",
        **more,
    }


def remote(**more: object) -> dict[str, Any]:
    return {
        "alias": unique("remote").replace("-", "_"),
        "host": "is.example",
        "port": 5555,
        "user": "Administrator",
        "password": "remote-password",
        **more,
    }


FAMILIES = pytest.mark.parametrize(
    ("path", "key", "make", "secret"),
    [(EXTERNAL, "name", external, "clientSecret"), (REMOTE, "alias", remote, "password")],
    ids=["external", "remote"],
)


@FAMILIES
def test_the_whole_life(either: Kit, path: str, key: str, make: Any, secret: str) -> None:
    """Create, list, read, update, replace, delete; the secret is never in an answer."""
    body = make()
    created = either.admin("POST", path, body)
    assert created.status_code == 201
    assert secret not in created.json()
    assert all(created.json()[name] == value for name, value in body.items() if name != secret)
    address = path + body[key]
    assert either.admin("GET", address).json() == created.json()
    listed = "/oauth/externalserver" if path == EXTERNAL else REMOTE
    short = next(iter(either.admin("GET", listed).json().values()))
    assert {"name": body[key], "url": "/admin" + address} in short
    whole = next(iter(either.admin("GET", listed + "?expand=true").json().values()))
    assert created.json() in whole
    assert either.admin("PATCH", address, {"user": "bob"}).json()["user"] == "bob"
    assert either.admin("PATCH", address, {"user": None}).status_code == 400
    assert either.admin("PATCH", address, {secret: None}).status_code == 400
    replaced = either.admin("PUT", address, {**created.json(), "keyAlias": "key"})
    assert replaced.status_code == 200
    assert replaced.json() == {**created.json(), "keyAlias": "key"}
    assert either.admin("DELETE", address).status_code == 204
    assert either.admin("GET", address).status_code == 404


@FAMILIES
def test_names_are_fixed_and_taken_once(either: Kit, path: str, key: str, make: Any, secret: str) -> None:
    """The name cannot be changed, and is unique over both kinds, since settings name either by it; local is taken."""
    body = make()
    assert either.admin("POST", path, body).status_code == 201
    assert either.admin("POST", path, body).status_code == 409
    assert either.admin("POST", EXTERNAL, external(name=body[key])).status_code == 409
    assert either.admin("POST", REMOTE, remote(alias=body[key])).status_code == 409
    assert either.admin("POST", path, make(**{key: "local"})).status_code == 409
    assert either.admin("PATCH", path + body[key], {key: "other"}).status_code == 400
    assert either.admin("PUT", path + body[key], make(**{key: "other"})).status_code == 400
    assert either.admin("PATCH", path + "no-such", {}).status_code == 404
    for character in '?[]/\\=+<>:;",*|^@':
        assert either.admin("POST", path, make(**{key: f"a{character}b"})).status_code == 400


@FAMILIES
def test_a_trusted_server_stays(either: Kit, path: str, key: str, make: Any, secret: str) -> None:
    """The alias that the settings name can't be deleted; afterwards it can."""
    body = make()
    either.admin("POST", path, body)
    either.settings(authServerAlias=body[key])
    assert either.admin("DELETE", path + body[key]).status_code == 409
    either.settings(authServerAlias="local")
    assert either.admin("DELETE", path + body[key]).status_code == 204


@FAMILIES
def test_required_fields(either: Kit, path: str, key: str, make: Any, secret: str) -> None:
    """What the page marks as required can't be missing or empty."""
    for field in make():
        for value in (None, ""):
            if field == "port" and value == "":
                continue
            response = either.admin("POST", path, make(**{field: value}))
            assert response.status_code == 400, (field, value)
            assert f"'{field}'" in response.json()["message"]


@pytest.mark.parametrize(
    "url",
    [
        "idp.example",
        "ftp://idp.example/x",
        "https://",
        "https://u:p@idp.example/",
        "https://x:99999/",
        "https://[x/",
        5,
    ],
)
def test_endpoints_are_web_addresses(either: Kit, url: object) -> None:
    """The introspection endpoint is an http or https URL without credentials."""
    response = either.admin("POST", EXTERNAL, external(introspectionEndpoint=url))
    assert response.status_code == 400
    assert "introspectionEndpoint" in response.json()["message"]


def test_ports_and_tls(strict: Kit, tolerant: Kit) -> None:
    """A port is an integer from 1 to 65535, ssl is yes or no; tolerant mode takes digits and booleans as well."""
    for port in (0, 65536, -1, True, "x"):
        for kit in (strict, tolerant):
            assert kit.admin("POST", REMOTE, remote(port=port)).status_code == 400
    assert strict.admin("POST", REMOTE, remote(port="5555")).status_code == 400
    assert strict.admin("POST", REMOTE, remote(ssl=True)).status_code == 400
    answer = tolerant.admin("POST", REMOTE, remote(port="5555", ssl=True)).json()
    assert (answer["port"], answer["ssl"]) == (5555, "yes")
    assert strict.admin("POST", REMOTE, remote()).json()["ssl"] == "no"
    assert strict.admin("POST", REMOTE, remote(ssl="maybe")).status_code == 400
    assert strict.admin("POST", REMOTE, remote(host="is.example/x")).status_code == 400


def test_strict_names_of_remote_aliases_follow_the_guide(strict: Kit, tolerant: Kit) -> None:
    """A remote alias may hold neither hyphen nor dot ("Adding an Alias"); an external server's name may."""
    for name in ("log-in", "log.in", "a&b", "a(b"):
        assert strict.admin("POST", REMOTE, remote(alias=name)).status_code == 400
    assert tolerant.admin("POST", REMOTE, remote(alias="log-in")).status_code == 201
    assert strict.admin("POST", EXTERNAL, external(name="log-in")).status_code == 201
