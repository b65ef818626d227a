"""What is secret in a client's representation goes back to the server and to nowhere else."""

from __future__ import annotations

from typing import Any

from oauthdeploy.drivers.keycloak.client import sealed
from oauthdeploy.drivers.wire import masked, revealed


def test_secrets_that_were_read_are_secrets_when_they_are_written() -> None:
    """The trace shows masks for the secret, the rotated one and the registration token; the wire gets all as it was."""
    body = {
        "clientId": "shop",
        "secret": "now-81",
        "registrationAccessToken": "registration-81",
        "attributes": {"client.secret.rotated": "before-81", "by.hand": "kept"},
        "enabled": True,
    }
    assert "-81" not in repr(sealed(body))
    assert "-81" not in repr(masked(sealed(body)))
    assert masked(sealed(body))["attributes"]["by.hand"] == "kept"
    assert revealed(sealed(body)) == body


def test_a_client_without_secrets_is_as_it_was() -> None:
    """Nothing is made up: no attributes, or null in their place."""
    bodies: list[dict[str, Any]] = [{"clientId": "shop"}, {"clientId": "shop", "attributes": None}, {"attributes": {}}]
    for body in bodies:
        assert sealed(body) == body
