"""What a configuration variables template says of a server, and what it says that it cannot hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from oauthdeploy.core.errors import UsageError
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.workflow import make_bundle

MANIFEST = """\
version: 1
name: t
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://login.example.com:5543
    credentials: {username: u, password: canary-1}
    introspection: {username: "an rs", password: canary-2, retry_server: is-2.example.com, execute_acl: Internal}
  orders:
    role: resource
    driver: webmethods
    url: https://orders.example.com:5543
    credentials: {username: u, password: canary-3}
    authorization_server: login
settings:
  require_https: true
  require_pkce: null
  authorization_code_lifetime: never
  access_token_lifetime: 20m
  options: {webmethods: {require_post: null, approval_title: "A: B"}}
scopes:
  read: {description: Read, resources: [a.b]}
clients:
  web: {type: public, grants: [], redirect_uris: []}
"""


def template(folder: Path, server: str) -> str:
    path = folder / "m.yaml"
    path.write_text(MANIFEST)
    name, content = make_bundle(ManifestRequest(files=(str(path),)), server, "msr")
    assert name == server
    return content.decode("ascii")


def test_settings_become_parameters(tmp_path: Path) -> None:
    """Each by the parameter that is tied to it; never is -1, null the server's default."""
    text = template(tmp_path, "login")
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "settings.watt.server.oauth.approvalpage.title=A\\:\\ B",
        "settings.watt.server.oauth.authCode.expirySeconds=-1",
        "settings.watt.server.oauth.requireHTTPS=true",
        "settings.watt.server.oauth.requirePKCE=false",
        "settings.watt.server.oauth.requirePost=true",
        "settings.watt.server.oauth.token.defaultExpirySeconds=1200",
    ]
    assert "# - 1 scope: a template has no key" in text
    assert "# - 1 client: a template has no key" in text


def test_a_trusted_server_becomes_an_alias_without_its_password(tmp_path: Path) -> None:
    """The template goes into images and repositories; SSL has no key."""
    text = template(tmp_path, "orders")
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "remoteserver.login.host=login.example.com",
        "remoteserver.login.port=5543",
        "remoteserver.login.retryServer=is-2.example.com",
        "remoteserver.login.user=an\\ rs",
        "settings.watt.server.oauth.authServer.alias=login",
    ]
    assert "canary" not in text
    assert "Use SSL of the alias login" in text
    assert "# - execute_acl of the alias login:" in text


def test_a_server_that_loads_another_format_is_refused(tmp_path: Path) -> None:
    """A webMethods server loads no bundle of Open Policy Agent."""
    path = tmp_path / "m.yaml"
    path.write_text(MANIFEST)
    with pytest.raises(UsageError, match="'login' loads no bundles"):
        make_bundle(ManifestRequest(files=(str(path),)), "login")
