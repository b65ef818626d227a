"""Who may use the admin API, and how it refuses."""

from __future__ import annotations

import pytest

from .kit import ADMIN, ALICE, READER, RESOURCE, Kit


@pytest.mark.parametrize("user", [None, ("Administrator", "wrong"), ("nobody", "x"), ("", "")])
def test_credentials_are_required(either: Kit, user: tuple[str, str] | None) -> None:
    """Missing or wrong credentials get 401 with a challenge, whatever the path."""
    for path in ("/oauth/client", "/nothing/here", ""):
        response = either.admin("GET", path, user=user)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic ")
        assert response.json().keys() == {"message"}


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!!", "Basic YQ==", "Bearer abc", "Basic /////w==", "Basic " + "A" * 3000]
)
def test_unreadable_credentials_are_no_credentials(tolerant: Kit, header: str) -> None:
    """A header that holds no user name and password is refused like none at all."""
    response = tolerant.http.get(tolerant.url + "/admin/oauth/client", headers={"Authorization": header})
    assert response.status_code == 401


def test_administrators_may_do_everything(either: Kit) -> None:
    """The group Administrators reads and writes."""
    assert either.admin("GET", "/oauth/client", user=ADMIN).status_code == 200
    assert either.admin("PATCH", "/oauth/globalsetting/", {}, user=ADMIN).status_code == 200


def test_read_only_administrators_may_only_read(either: Kit) -> None:
    """GET, HEAD and OPTIONS pass, every other method is 403."""
    for method in ("GET", "HEAD", "OPTIONS"):
        assert either.admin(method, "/oauth/client", user=READER).status_code == 200
    for method, path in (
        ("POST", "/oauth/client"),
        ("PUT", "/oauth/globalsetting/"),
        ("PATCH", "/oauth/globalsetting/"),
        ("DELETE", "/oauth/scope/x"),
        ("DELETE", "/nothing"),
    ):
        response = either.admin(method, path, {}, user=READER)
        assert response.status_code == 403
        assert "Administrators" in response.json()["message"]


@pytest.mark.parametrize("user", [ALICE, RESOURCE])
def test_other_users_may_only_read_the_document(either: Kit, user: tuple[str, str]) -> None:
    """A user in neither group gets 403, but any user may read the OpenAPI document."""
    assert either.admin("GET", "/oauth/client", user=user).status_code == 403
    assert either.admin("POST", "/oauth/client", {}, user=user).status_code == 403
    assert either.admin("GET", "/swagger/integrationServer", user=user).status_code == 200
    assert either.admin("GET", "/swagger/integrationServer", user=None).status_code == 401


def test_errors_are_json(either: Kit) -> None:
    """404, 405 and 413 answer with a message, too."""
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("GET", "/oauth/client/none", 404),
        ("DELETE", "/oauth/client/none", 404),
        ("DELETE", "/oauth/client", 405),
        ("POST", "/oauth/token", 405),
    ):
        response = either.admin(method, path)
        assert response.status_code == status
        assert response.json().keys() == {"message"}
    assert "GET" in either.admin("DELETE", "/oauth/client").headers["Allow"]


def test_head_and_options(either: Kit) -> None:
    """HEAD answers like GET without a body; OPTIONS names the methods of the path."""
    head = either.admin("HEAD", "/oauth/client")
    assert head.status_code == 200
    assert head.content == b""
    assert {"GET", "POST"} <= set(either.admin("OPTIONS", "/oauth/client").headers["Allow"].split(", "))


def test_the_api_keeps_no_session(either: Kit) -> None:
    """No answer sets a cookie."""
    for path in ("/oauth/client", "/oauth/scope", "/nothing", "/swagger/integrationServer"):
        assert "Set-Cookie" not in either.admin("GET", path).headers


def test_the_server_says_what_it_is(either: Kit) -> None:
    """Header and start page say that it is not a production server."""
    response = either.http.get(either.url + "/")
    assert "not for production" in response.headers["Server"]
    assert "not a production server" in response.text


def test_users_and_groups_can_be_read(either: Kit) -> None:
    """Users with their groups, groups with their members; nothing of passwords."""
    users = {user["name"]: user for user in either.admin("GET", "/user/?expand=true").json()["users"]}
    assert users["alice"] == {"name": "alice", "enabled": True, "groups": []}
    assert users["reader"]["groups"] == ["ReadOnlyAdministrators"]
    groups = {group["name"]: group for group in either.admin("GET", "/group/?expand=true").json()["groups"]}
    assert groups["ResourceServers"]["members"] == ["orders-rs"]
    for path, wrapper in (("/user/", "users"), ("/group/", "groups")):
        first = either.admin("GET", path).json()[wrapper][0]
        assert first.keys() == {"name", "url"}
        answer = either.http.get(either.url + first["url"], auth=ADMIN)
        assert answer.json()["name"] == first["name"]
    assert either.admin("GET", "/user/none").status_code == 404


def test_tolerant_mode_ignores_slashes(tolerant: Kit, strict: Kit) -> None:
    """Slashes at the end of a path are literal in strict mode, and don't matter in tolerant mode."""
    other_form = {
        "GET": ["/oauth/client/", "/oauth/scope/", "/oauth/token/", "/oauth/externalserver/", "/remoteserver", "/user"],
        "POST": ["/oauth/client/", "/oauth/scope/", "/oauth/externalserver", "/remoteserver"],
        "PATCH": ["/oauth/globalsetting"],
        "PUT": ["/oauth/globalsetting"],
    }
    for method, paths in other_form.items():
        for path in paths:
            assert strict.admin(method, path, {"requireHTTPS": False}).status_code in (404, 405), (method, path)
            assert tolerant.admin(method, path, {"requireHTTPS": False}).status_code in (200, 400), (method, path)
    assert strict.admin("GET", "/oauth/globalsetting").status_code == 200
    assert strict.admin("GET", "/oauth/scope/").status_code == 404
