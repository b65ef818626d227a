"""Checking a token (RFC 7662) at a server whose metadata name the endpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.token_probe import HttpProver
from oauthdeploy.model.servers import Introspection, Role, Server
from tests.servers.oidc_provider import OidcProvider

pytestmark = pytest.mark.live


def test_a_token_is_checked_at_the_endpoint_of_the_metadata(rotating: OidcProvider, tmp_path: Path) -> None:
    """The manifest gives the credentials alone; a token that its client revoked (RFC 7009) is no longer active."""
    introspection = Introspection(client_id="introspector", client_secret=Secret(rotating.secret, "test"))
    entry = Server(role=Role.AUTHORIZATION, driver="rfc7591", url=rotating.url, introspection=introspection)
    prover = HttpProver({"login": entry}, {}, tmp_path)
    client = rotating.register(grant_types=["client_credentials"], response_types=[])
    token = rotating.token(client["client_id"], client["client_secret"]).json()["access_token"]
    assert prover.is_active("login", Secret(token, "test")) is True
    auth = (client["client_id"], client["client_secret"])
    answer = rotating.call("POST", "/token/revocation", data={"token": token}, auth=auth)
    assert answer.status_code == 200, answer.text
    assert prover.is_active("login", Secret(token, "test")) is False
