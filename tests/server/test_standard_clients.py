"""OAuth clients that others wrote get on with the server: discovery, PKCE, refresh, introspection, revocation, errors."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from tests.servers.plugin import usable

from .clients.programs import NODE, in_go, script
from .kit import ALICE, CALLBACK, Browser, Json, Kit, unique

SECRET = "p@ss w/0rd+50%:~"
"""What a client that doesn't form-encode its credentials (RFC 6749 section 2.3.1), or a server that doesn't decode them, gets
wrong.
"""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """A server over TLS whose administrators choose ids and secrets."""
    folder = tmp_path_factory.mktemp("standard")
    with Kit(folder, tls=True, https_required=True, accept_client_id=True) as running:
        yield running


@pytest.fixture
def registration(kit: Kit) -> Json:
    """A confidential client with the grants of the flows, and a scope that opens a service."""
    return kit.client(
        kit.scope("orders"),
        client_id=unique("web~shop@example"),
        client_secret=SECRET,
        authorizationCodeGrant=True,
        clientCredentialsGrant=True,
        redirect_uris=[CALLBACK],
        tokenRefreshCount=5,
    )


def approved(kit: Kit, authorize: str) -> str:
    """The URL to which a resource owner who approves the request is redirected."""
    with Browser(kit) as browser:
        parts = urlsplit(authorize)
        assert f"{parts.scheme}://{parts.netloc}" == kit.url
        page = browser.sign_in(browser.get(f"{parts.path}?{parts.query}"), ALICE)
        return browser.submit(page, approved="true").headers["Location"]


def converse(kit: Kit, registration: Mapping[str, Any], command: Sequence[str | Path]) -> Json:
    """Run a client's program through an authorization code flow, and return its last words."""
    given = {
        "issuer": kit.url,
        "clientId": registration["client_id"],
        "clientSecret": SECRET,
        "redirectUri": CALLBACK,
        "scope": registration["scopes"][0],
    }
    ca_file = str(kit.running.ca_file)
    environment = {"OAUTH_CLIENT": json.dumps(given), "NODE_EXTRA_CA_CERTS": ca_file, "SSL_CERT_FILE": ca_file}
    with subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, **environment, "NO_PROXY": "127.0.0.1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stderr is not None
        line = program.stdout.readline()
        assert line, program.stderr.read()
        words, errors = program.communicate(approved(kit, json.loads(line)["authorize"]) + "\n", timeout=60)
    assert program.returncode == 0, errors
    return dict(json.loads(words))


def with_node(name: str) -> Callable[[Kit, Json, Path], Json]:
    def run(kit: Kit, registration: Json, folder: Path) -> Json:
        node = usable(NODE.find)
        return converse(kit, registration, [node, usable(lambda: script(name, folder))])

    return run


def with_go(kit: Kit, registration: Json, _folder: Path) -> Json:
    return converse(kit, registration, [usable(in_go)])


def with_authlib(kit: Kit, registration: Json, _folder: Path) -> Json:
    """Authlib's client; its discovery is a plain request."""
    metadata = kit.http.get(f"{kit.url}/.well-known/oauth-authorization-server").json()
    verify = str(kit.running.ca_file)
    common = {"client_id": registration["client_id"], "redirect_uri": CALLBACK, "code_challenge_method": "S256"}
    with OAuth2Session(client_secret=SECRET, scope=registration["scopes"][0], **common) as session:
        session.trust_env = False
        verifier = generate_token(48)
        url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
        token_endpoint, callback = metadata["token_endpoint"], approved(kit, url)
        first = session.fetch_token(
            token_endpoint, authorization_response=callback, state=state, code_verifier=verifier, verify=verify
        )
        second = session.refresh_token(token_endpoint, first["refresh_token"], verify=verify)
        endpoint = metadata["introspection_endpoint"]
        before = session.introspect_token(endpoint, second["access_token"], verify=verify).json()["active"]
        session.revoke_token(metadata["revocation_endpoint"], second["refresh_token"], verify=verify)
        after = session.introspect_token(endpoint, second["access_token"], verify=verify).json()["active"]
    with OAuth2Session(client_secret="wrong", **common) as wrong:
        wrong.trust_env = False
        with pytest.raises(OAuthError) as refused:
            wrong.fetch_token(token_endpoint, grant_type="client_credentials", verify=verify)
    return {
        "first": first["access_token"],
        "second": second["access_token"],
        "active": [before, after],
        "error": refused.value.error,
    }


CLIENTS: Mapping[str, Callable[[Kit, Json, Path], Json]] = {
    "openid-client": with_node("openid_client.mjs"),
    "oauth4webapi": with_node("oauth4webapi.mjs"),
    "simple-oauth2": with_node("simple_oauth2.mjs"),
    "Go's oauth2": with_go,
    "authlib": with_authlib,
}
"""The sixth, requests-oauthlib, drives the grants in test_grants."""


@pytest.mark.parametrize("run", CLIENTS.values(), ids=CLIENTS)
def test_a_standard_client(
    kit: Kit, registration: Json, tmp_path: Path, run: Callable[[Kit, Json, Path], Json]
) -> None:
    """It gets a token by a code, another by a refresh, ends it where it knows revocation, and understands an error."""
    got = run(kit, registration, tmp_path)
    assert got["first"] != got["second"]
    assert got["error"] == "invalid_client"
    assert not kit.active(got["first"])
    if run is with_go:
        assert kit.active(got["second"])
    else:
        assert not kit.active(got["second"])
    if "active" in got:
        assert got["active"] == [True, False]
