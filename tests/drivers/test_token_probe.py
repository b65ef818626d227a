"""Trying tokens against answers that a well-behaved server doesn't give."""

from __future__ import annotations

from pathlib import Path

import pytest
import responses

from oauthdeploy.core.errors import ServerError, UnexpectedAnswer
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.token_probe import HttpProver
from oauthdeploy.model.objects import Trust
from oauthdeploy.model.servers import Introspection, Limits, Role, Server

TOKEN = Secret("leaked-token-canary", "env:LEAKED_TOKEN")
ENDPOINT = "https://login.example.com/introspect"
PROTECTED = "https://orders.example.com/orders?all=true"


def prover(introspection: Introspection | None = None) -> HttpProver:
    limits = Limits(retries=0)
    servers = {
        "login": Server(
            role=Role.AUTHORIZATION,
            driver="webmethods",
            url="https://login.example.com",
            limits=limits,
            introspection=introspection,
        ),
        "orders": Server(role=Role.RESOURCE, driver="webmethods", url="https://orders.example.com/", limits=limits),
    }
    return HttpProver(servers, {"login": ENDPOINT, "orders": ""}, Path())


AS_CLIENT = Introspection(client_id="rs", client_secret=Secret("rs-secret", "env:RS"))
AS_ACCOUNT = Introspection(username="rs", password=Secret("rs-secret", "env:RS"))


@pytest.mark.parametrize("who", [AS_CLIENT, AS_ACCOUNT])
@pytest.mark.parametrize(("told", "active"), [(True, True), (False, False), ("true", True), ("false", False)])
def test_introspection_is_a_form_signed_by_the_entry(who: Introspection, told: bool | str, active: bool) -> None:
    """RFC 7662, section 2.1: a form POST, the caller authenticated, the token in the body and not in the address.

    The answer is a boolean, or its text, as Integration Server documents it.
    """
    with responses.RequestsMock() as stub:
        stub.post(ENDPOINT, json={"active": told})
        assert prover(who).is_active("login", TOKEN) is active
        sent = stub.calls[0].request
    assert sent.headers["Authorization"].startswith("Basic ")
    assert "token=leaked-token-canary" in str(sent.body)
    assert "leaked" not in (sent.url or "")


RFC8414 = "https://login.example.com/.well-known/oauth-authorization-server/realms/shop"
OPENID_CONNECT = "https://login.example.com/realms/shop/.well-known/openid-configuration"


def undeclared() -> HttpProver:
    """Of a server whose manifest does not say where tokens are introspected."""
    entry = Server(
        role=Role.AUTHORIZATION,
        driver="rfc7591",
        url="https://login.example.com/realms/shop",
        limits=Limits(retries=0),
        introspection=AS_CLIENT,
    )
    return HttpProver({"login": entry}, {}, Path())


@pytest.mark.parametrize("place", [RFC8414, OPENID_CONNECT])
def test_the_endpoint_is_that_of_the_metadata(place: str) -> None:
    """Those of RFC 8414, with the path of the issuer after the well-known one, or else those of OpenID Connect; they are read
    once, however many tokens are tried.
    """
    told = {"issuer": "https://login.example.com/realms/shop/", "introspection_endpoint": ENDPOINT}
    with responses.RequestsMock() as stub:
        if place == OPENID_CONNECT:
            stub.get(RFC8414, status=404)
        stub.get(place, json=told)
        stub.post(ENDPOINT, json={"active": True})
        prover = undeclared()
        assert prover.is_active("login", TOKEN) is True
        assert prover.is_active("login", Secret("another", "test")) is True
        assert stub.assert_call_count(place, 1)


@pytest.mark.parametrize(
    "told",
    [
        {"issuer": "https://login.example.com/realms/shop"},
        {"issuer": "https://another.example.com", "introspection_endpoint": ENDPOINT},
        {"issuer": "https://login.example.com/realms/shop", "introspection_endpoint": "https://thief.example.com/i"},
        [],
    ],
)
def test_metadata_of_another_issuer_or_host_get_no_credentials(told: object) -> None:
    """RFC 8414 section 3.3; a token and a secret go to the server of the entry alone."""
    with responses.RequestsMock() as stub:
        stub.get(RFC8414, json=told)
        assert undeclared().is_active("login", TOKEN) is None


@pytest.mark.parametrize("who", [None, Introspection(), Introspection(client_id="rs")])
def test_without_credentials_nobody_is_asked(who: Introspection | None) -> None:
    """An entry that doesn't say how to introspect gives None, which is not "inactive"."""
    with responses.RequestsMock():
        assert prover(who).is_active("login", TOKEN) is None


@pytest.mark.parametrize("body", [{}, {"active": "no"}, {"active": None}, [], "no"])
def test_an_answer_without_active_is_no_answer(body: object) -> None:
    """Only true and false are answers; anything else must not pass for a dead token."""
    with responses.RequestsMock() as stub:
        stub.post(ENDPOINT, json=body)
        with pytest.raises(UnexpectedAnswer, match="login"):
            prover(AS_CLIENT).is_active("login", TOKEN)


@pytest.mark.parametrize(("status", "taken"), [(200, True), (204, True), (401, False), (403, False)])
def test_a_protected_resource_takes_or_refuses(status: int, taken: bool) -> None:
    """401 and 403 refuse (RFC 6750, section 3.1); a good answer of any kind takes, a page as well as JSON."""
    with responses.RequestsMock() as stub:
        stub.get(PROTECTED, status=status, body="<p>fine</p>" if status == 200 else "", content_type="text/html")
        assert prover().is_taken(PROTECTED, TOKEN) is taken
        assert stub.calls[0].request.headers["Authorization"] == "Bearer leaked-token-canary"


@pytest.mark.parametrize("status", [302, 404, 429, 500, 503])
def test_other_answers_tell_nothing(status: int) -> None:
    """A redirect, a missing page or a failing server neither takes nor refuses a token, and no error shows it."""
    with responses.RequestsMock() as stub:
        stub.get(
            PROTECTED, status=status, body="you sent leaked-token-canary", headers={"Location": "https://elsewhere/"}
        )
        with pytest.raises(ServerError) as caught:
            prover().is_taken(PROTECTED, TOKEN)
    assert "canary" not in f"{caught.value} {caught.value.detail} {caught.value.words}"


def test_an_address_without_an_entry_is_called_too() -> None:
    """What is protected may stand on a host that no server entry names."""
    with responses.RequestsMock() as stub:
        stub.get("https://api.example.com/v1", status=401)
        assert prover().is_taken("https://api.example.com/v1", TOKEN) is False


ISSUER = "https://login.example.com/realms/shop"
JWT = Trust(authorization_server="login", via="jwt", issuer=ISSUER, jwks_uri=f"{ISSUER}/certs")
METADATA = f"{ISSUER}/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("keys", "metadata", "ready"),
    [
        ({"keys": [{"kid": "1"}]}, {"issuer": ISSUER}, True),
        ({"keys": [{"kid": "1"}]}, None, True),
        ({"keys": []}, {"issuer": ISSUER}, False),
        ({}, {"issuer": ISSUER}, False),
        ({"keys": [{"kid": "1"}]}, {"issuer": "https://other.example.com"}, False),
        (None, {"issuer": ISSUER}, False),
    ],
)
def test_an_issuer_is_ready_with_keys_and_with_its_own_name(
    keys: dict[str, object] | None, metadata: dict[str, str] | None, ready: bool
) -> None:
    """What a resource server needs that verifies signatures; metadata may be missing (RFC 8414)."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as stub:
        for address, body in ((f"{ISSUER}/certs", keys), (METADATA, metadata)):
            stub.get(address, json={} if body is None else body, status=404 if body is None else 200)
        if ready:
            prover().has_keys(JWT)
        else:
            with pytest.raises(ServerError):
                prover().has_keys(JWT)
