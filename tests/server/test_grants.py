"""The grants, driven by requests-oauthlib where it can, over TLS where it insists."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest
from oauthlib.oauth2 import (
    BackendApplicationClient,
    LegacyApplicationClient,
    MobileApplicationClient,
    OAuth2Error,
)
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from .kit import ALICE, CALLBACK, Browser, Json, Kit, code_for, sent

VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def web(secure: Kit) -> Json:
    """A confidential client with every grant."""
    return secure.client(
        secure.scope("orders"),
        secure.scope("invoices"),
        authorizationCodeGrant=True,
        implicitGrant=True,
        clientCredentialsGrant=True,
        resourceOwnerCredentialsGrant=True,
        redirect_uris=[CALLBACK],
        tokenRefreshCount=2,
    )


@pytest.fixture
def single_page(secure: Kit) -> Iterator[Json]:
    """A public client, while PKCE is required."""
    secure.settings(requirePKCE=True)
    yield secure.client(
        secure.scope("orders"),
        type="Public",
        authorizationCodeGrant=True,
        redirect_uris=[CALLBACK, CALLBACK + "/other"],
        tokenRefreshCount=-1,
    )
    secure.settings(requirePKCE=False)


def oauth_session(kit: Kit, registration: Json, **more: Any) -> OAuth2Session:
    more.setdefault("client_id", registration["client_id"])
    session = OAuth2Session(**more)
    session.trust_env = False
    session.verify = str(kit.running.ca_file)
    return session


def fetch(kit: Kit, session: OAuth2Session, client: Json, **more: Any) -> Json:
    auth = HTTPBasicAuth(client["client_id"], client["client_secret"])
    return dict(session.fetch_token(f"{kit.url}/invoke/pub.oauth/getToken", auth=auth, **more))


def test_authorization_code(secure: Kit, web: Json) -> None:
    """A whole authorization code flow with state, PKCE and refresh, ending at a protected service."""
    with oauth_session(secure, web, redirect_uri=CALLBACK, pkce="S256") as session, Browser(secure) as browser:
        url, state = session.authorization_url(f"{secure.url}/invoke/pub.oauth/authorize")
        page = browser.sign_in(browser.get(url.removeprefix(secure.url)))
        answer = browser.submit(page, approved="true")
        assert sent(answer)["state"] == state
        assert sent(answer)["iss"] == secure.url
        token = fetch(secure, session, web, authorization_response=answer.headers["Location"])
        assert set(token["scope"]) == set(web["scopes"])
        assert token["token_type"] == "Bearer"
        response = session.get(f"{secure.url}/invoke/orders/list")
        assert response.status_code == 200
        assert response.json()["owner_id"] == "alice"


def test_client_credentials(secure: Kit, web: Json) -> None:
    """The owner of the token is the client; there is no refresh token."""
    client = BackendApplicationClient(client_id=web["client_id"], scope=web["scopes"][:1])
    with oauth_session(secure, web, client=client) as session:
        token = fetch(secure, session, web)
        assert token["scope"] == web["scopes"][:1]
        assert "refresh_token" not in token
        assert session.get(f"{secure.url}/invoke/orders/list").json()["owner_id"] == web["client_id"]


def test_password(secure: Kit, web: Json) -> None:
    """The owner is the user; a wrong password is invalid_grant."""
    with oauth_session(secure, web, client=LegacyApplicationClient(client_id=web["client_id"])) as session:
        token = fetch(secure, session, web, username=ALICE[0], password=ALICE[1])
        assert token["refresh_token"]
        assert secure.introspect(token["access_token"])["owner_id"] == "alice"
        with pytest.raises(OAuth2Error, match="invalid_grant"):
            fetch(secure, session, web, username=ALICE[0], password="wrong")


def test_implicit(secure: Kit, web: Json) -> None:
    """The token comes in the fragment, with state and without a refresh token."""
    with (
        oauth_session(
            secure, web, client=MobileApplicationClient(client_id=web["client_id"]), redirect_uri=CALLBACK
        ) as session,
        Browser(secure) as browser,
    ):
        url, _ = session.authorization_url(f"{secure.url}/invoke/pub.oauth/authorize")
        answer = browser.submit(browser.sign_in(browser.get(url.removeprefix(secure.url))), approved="true")
        assert "?" not in answer.headers["Location"]
        token = session.token_from_fragment(answer.headers["Location"])
        assert "refresh_token" not in token
        assert session.get(f"{secure.url}/invoke/orders/list").json()["owner_id"] == "alice"


def test_refresh_tokens_rotate_and_are_counted(secure: Kit, web: Json) -> None:
    """Each refresh gives a new pair and ends the old one; after the last there is no refresh token."""
    first = secure.token(web, grant_type="password", username=ALICE[0], password=ALICE[1])
    second = secure.token(web, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert not secure.active(first["access_token"])
    assert not secure.active(first["refresh_token"])
    assert secure.active(second["access_token"])
    assert secure.introspect(second["refresh_token"]) == {"active": True}
    third = secure.token(web, grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert "refresh_token" not in third
    assert secure.active(third["access_token"])


def test_a_spent_refresh_token_ends_its_successors(secure: Kit, web: Json) -> None:
    """Using a refresh token again is refused, and ends what came of it."""
    first = secure.token(web, grant_type="password", username=ALICE[0], password=ALICE[1])
    second = secure.token(web, grant_type="refresh_token", refresh_token=first["refresh_token"])
    response = secure.service_as(web, "getToken", grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    assert not secure.active(second["access_token"])


def test_refreshes_without_limit(secure: Kit, single_page: Json) -> None:
    """With -1 every refresh gives another refresh token; a public client needs no secret for it."""
    code = code_for(secure, single_page, redirect_uri=CALLBACK, code_challenge=VERIFIER)
    token: Json = secure.service(
        "getToken",
        grant_type="authorization_code",
        client_id=single_page["client_id"],
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    ).json()
    for _ in range(5):
        token = secure.service(
            "getToken",
            grant_type="refresh_token",
            client_id=single_page["client_id"],
            refresh_token=token["refresh_token"],
        ).json()
    assert secure.active(token["access_token"])


def test_no_refresh_without_a_refresh_count(secure: Kit, web: Json) -> None:
    """With 0 there is no refresh token, and one from before isn't taken any more."""
    token = secure.token(web, grant_type="password", username=ALICE[0], password=ALICE[1])
    secure.admin("PATCH", f"/oauth/client/{web['client_id']}", {"tokenRefreshCount": 0})
    assert "refresh_token" not in secure.token(web, grant_type="password", username=ALICE[0], password=ALICE[1])
    response = secure.service_as(web, "getToken", grant_type="refresh_token", refresh_token=token["refresh_token"])
    assert response.json()["error"] == "unauthorized_client"
    assert not secure.active(token["refresh_token"])


def test_a_refresh_narrows_but_never_widens(secure: Kit, web: Json) -> None:
    """A refresh may ask for less than was granted, later again for all of it, and never for more."""
    one, two = web["scopes"]
    token = secure.token(web, grant_type="password", username=ALICE[0], password=ALICE[1], scope=f"{one} {two}")
    less = secure.token(web, grant_type="refresh_token", refresh_token=token["refresh_token"], scope=one)
    assert less["scope"] == one
    again = secure.token(web, grant_type="refresh_token", refresh_token=less["refresh_token"])
    assert set(again["scope"].split()) == {one, two}
    narrow = secure.token(web, grant_type="password", username=ALICE[0], password=ALICE[1], scope=one)
    response = secure.service_as(
        web, "getToken", grant_type="refresh_token", refresh_token=narrow["refresh_token"], scope=two
    )
    assert response.json()["error"] == "invalid_scope"


def test_a_refresh_leaves_out_lost_scopes(secure: Kit, web: Json) -> None:
    """What the client has lost since isn't in a refreshed token."""
    two = web["scopes"][1]
    token = secure.token(web, grant_type="password", username=ALICE[0], password=ALICE[1])
    secure.admin("PATCH", f"/oauth/client/{web['client_id']}", {"scopes": [two]})
    assert secure.token(web, grant_type="refresh_token", refresh_token=token["refresh_token"])["scope"] == two


def test_a_code_works_once(secure: Kit, web: Json) -> None:
    """A second use of a code is refused, and ends the tokens of the first (RFC 6749 section 4.1.2)."""
    code = code_for(secure, web)
    token = secure.token(web, grant_type="authorization_code", code=code)
    assert secure.active(token["access_token"])
    response = secure.service_as(web, "getToken", grant_type="authorization_code", code=code)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    assert not secure.active(token["access_token"])
    assert not secure.active(token["refresh_token"])


def test_a_code_belongs_to_its_client(secure: Kit, web: Json) -> None:
    """Another client can't use a code, nor spoil it."""
    other = secure.client(web["scopes"][0], authorizationCodeGrant=True, redirect_uris=[CALLBACK])
    code = code_for(secure, web)
    response = secure.service_as(other, "getToken", grant_type="authorization_code", code=code)
    assert response.json()["error"] == "invalid_grant"
    assert secure.token(web, grant_type="authorization_code", code=code)


def test_a_code_expires(secure: Kit, web: Json) -> None:
    """A code ends with the lifetime of the settings."""
    secure.settings(authCodeLifetimeSeconds=1)
    code = code_for(secure, web)
    secure.settings(authCodeLifetimeSeconds=600)
    time.sleep(2.1)
    response = secure.service_as(web, "getToken", grant_type="authorization_code", code=code)
    assert response.json()["error"] == "invalid_grant"


def test_the_redirect_uri_is_repeated_with_the_code(secure: Kit, web: Json) -> None:
    """A redirect URI named in the authorization request has to be the same in the token request."""
    code = code_for(secure, web, redirect_uri=CALLBACK)
    for wrong in ({}, {"redirect_uri": CALLBACK + "/"}):
        response = secure.service_as(web, "getToken", grant_type="authorization_code", code=code, **wrong)
        assert response.json()["error"] == "invalid_grant"
    assert secure.token(web, grant_type="authorization_code", code=code, redirect_uri=CALLBACK)


@pytest.mark.parametrize(
    ("challenge", "wrong"),
    [
        ({"code_challenge": CHALLENGE, "code_challenge_method": "S256"}, "w" * 50),
        ({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, "w" * 50),
        ({"code_challenge": VERIFIER}, CHALLENGE),
    ],
    ids=["S256", "plain", "default"],
)
def test_pkce_is_checked_for_whoever_sends_it(secure: Kit, web: Json, challenge: dict[str, str], wrong: str) -> None:
    """With a challenge the right verifier is needed, also by a confidential client; plain is the default."""
    code = code_for(secure, web, **challenge)
    for attempt in ({}, {"code_verifier": wrong}, {"code_verifier": "short"}):
        response = secure.service_as(web, "getToken", grant_type="authorization_code", code=code, **attempt)
        assert response.status_code == 400
        assert response.json()["error"] in ("invalid_grant", "invalid_request")
    assert secure.token(web, grant_type="authorization_code", code=code, code_verifier=VERIFIER)


def test_a_verifier_without_a_challenge_is_refused(secure: Kit, web: Json) -> None:
    """A verifier for a code that was issued without a challenge is refused (RFC 9700 section 4.8.2)."""
    code = code_for(secure, web)
    response = secure.service_as(web, "getToken", grant_type="authorization_code", code=code, code_verifier=VERIFIER)
    assert response.json()["error"] == "invalid_request"


def test_required_pkce_is_for_public_clients(secure: Kit, web: Json, single_page: Json) -> None:
    """With requirePKCE a public client without a challenge is refused; a confidential one isn't."""
    with Browser(secure) as browser:
        answer = browser.authorize(
            response_type="code", client_id=single_page["client_id"], redirect_uri=CALLBACK, state="s"
        )
    assert sent(answer)["error"] == "invalid_request"
    assert sent(answer)["state"] == "s"
    assert code_for(secure, web)
    secure.settings(requirePKCE=False)
    code = code_for(secure, single_page, redirect_uri=CALLBACK)
    form = {"grant_type": "authorization_code", "client_id": single_page["client_id"], "code": code}
    secure.settings(requirePKCE=True)
    refused = secure.service("getToken", **form, redirect_uri=CALLBACK)
    assert refused.json()["error"] == "invalid_grant"
    secure.settings(requirePKCE=False)
    assert secure.service("getToken", **form, redirect_uri=CALLBACK).status_code == 200


def test_scope_of_a_request(secure: Kit, web: Json) -> None:
    """No scope means all of the client's; one outside of them is invalid_scope; so is a client without any."""
    assert set(secure.token(web)["scope"].split()) == set(web["scopes"])
    assert set(secure.token(web, scope="  ")["scope"].split()) == set(web["scopes"])
    for scope in (secure.scope("other"), "no-such-scope", f"{web['scopes'][0]} no-such-scope"):
        response = secure.service_as(web, "getToken", grant_type="client_credentials", scope=scope)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")
    empty = secure.machine()
    response = secure.service_as(empty, "getToken", grant_type="client_credentials")
    assert response.json()["error"] == "invalid_scope"


@pytest.mark.parametrize("grant", ["client_credentials", "password", "authorization_code", "refresh_token"])
def test_a_grant_that_is_not_allowed(secure: Kit, grant: str) -> None:
    """A grant that the registration doesn't allow is unauthorized_client."""
    client = secure.client(secure.scope("a"))
    response = secure.service_as(
        client, "getToken", grant_type=grant, username=ALICE[0], password=ALICE[1], code="x", refresh_token="x"
    )
    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")


def test_malformed_token_requests(secure: Kit, web: Json) -> None:
    """Missing, unknown and repeated parameters have their errors; nothing is taken from the query."""
    url = f"{secure.url}/invoke/pub.oauth/getToken"
    auth = (web["client_id"], web["client_secret"])
    for form, error in (
        ({}, "invalid_request"),
        ({"grant_type": "magic"}, "unsupported_grant_type"),
        ({"grant_type": 'ä"\\'}, "unsupported_grant_type"),
        ({"grant_type": ["client_credentials", "password"]}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_grant"),
        ({"grant_type": "password", "username": "alice"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
    ):
        response = secure.http.post(url, data=form, auth=auth)
        assert (response.status_code, response.json()["error"]) == (400, error), form
        assert "no-store" in response.headers["Cache-Control"]
    assert secure.http.post(url + "?grant_type=client_credentials", auth=auth).json()["error"] == "invalid_request"
    assert secure.http.get(url + "?grant_type=client_credentials", auth=auth).status_code == 400


def test_confidential_clients_authenticate_by_basic_only(secure: Kit, web: Json, single_page: Json) -> None:
    """Without, or with wrong, credentials it is 401 invalid_client; a public client can't pose as another."""
    form = {"grant_type": "client_credentials"}
    attempts = [
        secure.service("getToken", **form, client_id=web["client_id"]),
        secure.service("getToken", **form, client_id=web["client_id"], client_secret=web["client_secret"]),
        secure.service("getToken", **form),
        secure.service_as((web["client_id"], "wrong"), "getToken", **form),
        secure.service_as(("unknown", "wrong"), "getToken", **form),
        secure.service_as((single_page["client_id"], "x"), "getToken", **form),
        secure.service("getToken", **form, client_id=single_page["client_id"]),
    ]
    for response in attempts:
        assert response.status_code == 401
        assert response.json()["error"] == "invalid_client"
        assert response.headers["WWW-Authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize("service", ["getToken", "introspectToken", "revokeToken"])
@pytest.mark.parametrize("extra", [{"client_secret": "x"}, {"client_assertion": "x"}], ids=["secret", "assertion"])
def test_a_client_authenticates_once(secure: Kit, web: Json, service: str, extra: dict[str, str]) -> None:
    """Credentials in the body beside those of the header are refused, right or wrong (RFC 6749 section 2.3)."""
    form = {"grant_type": "client_credentials", "token": "x"}
    response = secure.service_as(web, service, **form, **extra)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("encode", [quote_plus, str], ids=["form-encoded", "as it is"])
def test_credentials_may_be_form_encoded(launch: Any, encode: Callable[[str], str]) -> None:
    """Id and secret in a Basic header are form-encoded (RFC 6749 section 2.3.1); many clients send them as they are."""
    kit = launch(accept_client_id=True)
    secret = "50% + p@ss/w0rd"
    client = kit.machine(kit.scope("orders"), client_id="a.b@c", client_secret=secret)
    response = kit.service_as((encode("a.b@c"), encode(secret)), "getToken", grant_type="client_credentials")
    assert response.status_code == 200, response.text
    wrong = kit.service_as((client["client_id"], encode(f"{secret}x")), "getToken", grant_type="client_credentials")
    assert wrong.status_code == 401


LOOPBACK = ("http://127.0.0.1/cb?a=b", "http://127.0.0.1:8000/native")


@pytest.mark.parametrize(
    "requested", ["http://127.0.0.1:51004/cb?a=b", "http://127.0.0.1:3/native", "http://127.0.0.1/native", *LOOPBACK]
)
def test_a_loopback_redirect_uri_takes_any_port(secure: Kit, requested: str) -> None:
    """The port of a loopback redirect URI is only known at run time (RFC 8252 section 7.3); the code leads to a token."""
    client = secure.client(secure.scope("orders"), authorizationCodeGrant=True, redirect_uris=list(LOOPBACK))
    code = code_for(secure, client, redirect_uri=requested)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": requested}
    assert secure.service_as(client, "getToken", **form).status_code == 200


@pytest.mark.parametrize(
    "requested",
    [
        "http://127.0.0.1:51004/other",
        "http://127.0.0.1:51004/cb",
        "https://127.0.0.1:51004/cb?a=b",
        "http://localhost:51004/cb?a=b",
        "http://127.0.0.1:51004@evil.example/cb?a=b",
        "http://127.0.0.1.evil.example:80/cb?a=b",
        "http://127.0.0.1:99999/cb?a=b",
        "http://app.example:8443/cb",
    ],
)
def test_nothing_but_the_port_may_differ(secure: Kit, requested: str) -> None:
    """Another path, query, scheme or host is another redirect URI, and the ports of other hosts count."""
    uris = [*LOOPBACK, "http://localhost/cb?a=b", "http://app.example/cb"]
    client = secure.client(secure.scope("orders"), authorizationCodeGrant=True, redirect_uris=uris)
    with Browser(secure) as browser:
        page = browser.authorize(response_type="code", client_id=client["client_id"], redirect_uri=requested)
    assert page.status_code == 400


@pytest.mark.parametrize("approved", [True, False])
def test_an_empty_state_is_returned(secure: Kit, web: Json, approved: bool) -> None:
    """A state that is present is returned, also an empty one (RFC 6749 section 4.1.2)."""
    request = {"response_type": "code", "client_id": web["client_id"], "state": ""}
    with Browser(secure) as browser:
        location = browser.approve(request, approved=approved).headers["Location"]
        refused = browser.authorize(**{**request, "scope": "unknown"}).headers["Location"]
    for url in (location, refused):
        assert parse_qs(urlsplit(url).query, keep_blank_values=True)["state"] == [""]
    with Browser(secure) as browser:
        del request["state"]
        assert "state" not in browser.approve(request).headers["Location"]


@pytest.mark.parametrize(
    "path",
    ["/invoke/pub.oauth/getToken", "/invoke/pub.oauth/introspectToken", "/.well-known/oauth-authorization-server"],
)
def test_a_wrong_method_is_told_the_right_ones(secure: Kit, path: str) -> None:
    """405 has `Allow` (RFC 9110 section 15.5.6)."""
    response = secure.http.request("DELETE", f"{secure.url}{path}")
    assert response.status_code == 405
    assert response.headers["Allow"]


def test_a_disabled_client_gets_nothing(secure: Kit, web: Json) -> None:
    """Disabled: refused at the token service and on the authorization page, tokens inactive; enabled: all back."""
    token = secure.token(web)["access_token"]
    address = f"/oauth/client/{web['client_id']}"
    secure.admin("PATCH", address, {"enabled": False})
    response = secure.service_as(web, "getToken", grant_type="client_credentials")
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    with Browser(secure) as browser:
        page = browser.authorize(response_type="code", client_id=web["client_id"])
    assert page.status_code == 400
    assert "disabled" in page.text
    assert not secure.active(token)
    assert secure.call("orders:list", token).status_code == 401
    secure.admin("PATCH", address, {"enabled": True})
    assert secure.active(token)
    assert secure.call("orders:list", token).status_code == 200


def test_lifetimes(secure: Kit, web: Json) -> None:
    """A token lives as long as its client says, or else the settings; -1 never ends."""
    address = f"/oauth/client/{web['client_id']}"
    for own, common, expected in ((-2, 120, 120), (60, 120, 60), (-1, 120, None), (-2, -1, None)):
        secure.settings(accessTokenLifetimeSeconds=common)
        secure.admin("PATCH", address, {"tokenLifetime": own})
        token = secure.token(web)
        assert token.get("expires_in") == expected
        answer = secure.introspect(token["access_token"])
        assert (answer["exp"] - answer["iat"] if "exp" in answer else None) == expected
    secure.settings(accessTokenLifetimeSeconds=3600)


def test_an_existing_session_can_stand_in_for_credentials(launch: Any) -> None:
    """tokenEndpointAuth=session takes the sign-in of the client's own account; credentials doesn't."""
    kit = launch(accept_client_id=True)
    scope = kit.scope("a")
    page_client = kit.client(scope, authorizationCodeGrant=True, redirect_uris=[CALLBACK])
    kit.machine(scope, client_id="alice")
    other = kit.machine(scope)
    url = f"{kit.url}/invoke/pub.oauth/getToken"
    with Browser(kit) as browser:
        browser.sign_in(browser.authorize(response_type="code", client_id=page_client["client_id"]))
        form = {"grant_type": "client_credentials"}
        assert browser.http.post(url, data=form).status_code == 200
        assert browser.http.post(url, data={**form, "client_id": "alice"}).status_code == 200
        assert browser.http.post(url, data={**form, "client_id": other["client_id"]}).status_code == 401
        kit.settings(tokenEndpointAuth="credentials")
        assert browser.http.post(url, data=form).status_code == 401
        kit.settings(tokenEndpointAuth="session")
    assert kit.service("getToken", grant_type="client_credentials", client_id="alice").status_code == 401
