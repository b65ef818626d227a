"""What servers of dynamic registration do that RFC 7591 and RFC 7592 leave open: the driver `rfc7591` is written for this."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.servers import hydra as hydra_server
from tests.servers import nanoidp as nanoidp_server
from tests.servers import oidc_provider
from tests.servers.hydra import Hydra
from tests.servers.nanoidp import Nanoidp
from tests.servers.oidc_provider import OidcProvider
from tests.servers.plugin import RUN, usable

pytestmark = pytest.mark.live

SHOP: dict[str, Any] = {
    "client_name": "Web Shop",
    "redirect_uris": ["https://shop.example.com/cb"],
    "token_endpoint_auth_method": "none",
}
BATCH: dict[str, Any] = {"grant_types": ["client_credentials"], "response_types": [], "redirect_uris": []}
OF_THE_SERVER = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)


@pytest.fixture(scope="module")
def provider(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    folder = tmp_path_factory.mktemp("oidc-provider")
    server = usable(lambda: oidc_provider.launch(folder, pytestconfig.stash[RUN].owner))
    yield server
    server.process.stop()


@pytest.fixture(scope="module")
def nanoidp(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nanoidp]:
    folder = tmp_path_factory.mktemp("nanoidp")
    server = usable(lambda: nanoidp_server.launch(folder, pytestconfig.stash[RUN].owner))
    yield server
    server.process.stop()


@pytest.fixture(scope="module")
def hydra(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hydra]:
    folder = tmp_path_factory.mktemp("hydra")
    server = usable(lambda: hydra_server.launch(folder, pytestconfig.stash[RUN].owner, registers=True))
    yield server
    server.process.stop()


def manage(method: str, client: Any, body: Any = None, token: str = "") -> requests.Response:
    """A request to the management address of a client."""
    headers = {"Authorization": f"Bearer {token or client['registration_access_token']}"}
    return requests.request(method, client["registration_client_uri"], json=body, headers=headers, timeout=20)


def sendable(client: Any, **changed: Any) -> dict[str, Any]:
    """A client as an update may send it (RFC 7592 section 2.2)."""
    return {key: value for key, value in {**client, **changed}.items() if key not in OF_THE_SERVER}


def test_a_deleted_client_and_a_wrong_token_have_the_same_answer(provider: OidcProvider, nanoidp: Nanoidp) -> None:
    """RFC 7592 section 2: 401 proves nothing."""
    made = provider.register(**SHOP), nanoidp.call("POST", "/register", SHOP).json()
    for client in made:
        assert manage("GET", client, token="wrong").status_code == 401
        assert manage("DELETE", client).status_code == 204
        assert manage("GET", client).status_code == 401


def test_a_token_is_refused_after_an_update(provider: OidcProvider) -> None:
    """The answer has the next one."""
    made = provider.register(**SHOP)
    changed = manage("PUT", made, sendable(made, client_name="Shop")).json()
    assert changed["registration_access_token"] != made["registration_access_token"]
    assert manage("GET", made).status_code == 401
    assert manage("GET", changed).status_code == 200


def test_an_update_replaces(provider: OidcProvider) -> None:
    """What it leaves out falls back to the server's default (RFC 7592 section 2.2)."""
    made = provider.register(**SHOP, logo_uri="https://shop.example.com/logo.png")
    body = sendable(made)
    del body["logo_uri"]
    assert "logo_uri" not in manage("PUT", made, body).json()


def test_a_client_without_scope_may_request_every_scope(provider: OidcProvider) -> None:
    """No word means none: an empty scope is refused, and without the member nothing is restricted."""
    refused = provider.call("POST", "/reg", {**BATCH, "scope": ""}, provider.initial)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")
    made = provider.register(**BATCH)
    assert "scope" not in made
    answer = provider.token(made["client_id"], made["client_secret"], scope="orders.write")
    assert answer.json()["scope"] == "orders.write"
    bound = provider.register(**BATCH, scope="orders.read")
    assert provider.token(bound["client_id"], bound["client_secret"], scope="orders.write").status_code == 400


def test_an_id_and_a_secret_are_the_servers(provider: OidcProvider) -> None:
    """Those of the request are ignored; a read returns the secret."""
    made = provider.register(**BATCH, client_id="mine", client_secret="a-secret-of-mine")
    assert made["client_id"] != "mine"
    assert made["client_secret"] != "a-secret-of-mine"
    assert manage("GET", made).json()["client_secret"] == made["client_secret"]
    refused = manage("PUT", made, sendable(made, client_secret="a-secret-of-mine"))
    assert refused.status_code == 400


def test_a_public_client_that_becomes_confidential_need_not_get_a_secret(provider: OidcProvider, hydra: Hydra) -> None:
    """One server makes it with the update, and the other none at all."""
    made = provider.register(**SHOP)
    changed = manage("PUT", made, sendable(made, token_endpoint_auth_method="client_secret_basic")).json()
    assert changed["client_secret"]
    registered = requests.post(f"{hydra.public_url}/oauth2/register", json=SHOP, timeout=20).json()
    told = manage("GET", registered).json()
    # An empty `metadata`, which the server returns itself, is refused.
    there = {key: value for key, value in {**registered, **told}.items() if value and key != "metadata"}
    answer = manage("PUT", there, sendable(there, token_endpoint_auth_method="client_secret_basic"))
    assert answer.status_code == 200, answer.text
    assert "client_secret" not in answer.json()


def test_a_server_without_updates_answers_405(nanoidp: Nanoidp) -> None:
    """In HTML; the client stays."""
    made = nanoidp.call("POST", "/register", SHOP).json()
    answer = manage("PUT", made, sendable(made, client_name="Shop"))
    assert answer.status_code == 405
    assert "html" in answer.headers["Content-Type"]
    assert manage("GET", made).json()["client_name"] == "Web Shop"


def test_nanoidp_drops_what_it_does_not_know_without_a_word(nanoidp: Nanoidp) -> None:
    """Fields and scopes; without a scope the client gets all. A redirect URI is wanted of every client."""
    fields = {**SHOP, "contacts": ["a@example.com"], "scope": "orders.read unknown"}
    made = nanoidp.call("POST", "/register", fields).json()
    assert "contacts" not in made
    assert made["scope"] == "orders.read"
    assert "orders.write" in nanoidp.call("POST", "/register", SHOP).json()["scope"].split()
    refused = nanoidp.call("POST", "/register", BATCH)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_redirect_uri")


def test_hydra_does_not_name_its_registration_endpoint(hydra: Hydra) -> None:
    """Unless its configuration has the whole address, so `options.registration_endpoint` has to."""
    told = requests.get(f"{hydra.public_url}/.well-known/openid-configuration", timeout=20).json()
    assert "registration_endpoint" not in told
    made = requests.post(f"{hydra.public_url}/oauth2/register", json=SHOP, timeout=20)
    assert made.status_code == 201, made.text
    assert manage("GET", made.json()).status_code == 200
