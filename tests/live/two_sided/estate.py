"""The estate of the live tests: where the servers are, what the manifest says, and OAuth clients that share no code with it."""

from __future__ import annotations

import html
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
from requests_oauthlib import OAuth2Session
from ruamel.yaml import YAML

from tests.live.conftest import EXAMPLES, Result, run_command
from tests.live.two_sided.streams import Span
from tests.servers.keycloak import Realm
from tests.servers.opa import Opa
from tests.servers.process import Running, free_port, spawn, start

SECRETS = {
    "nightly": "nightly-secret-canary-41",
    "partner": "partner-secret-canary-42",
    "shop-services": "services-secret-canary-43",
}
REDIRECT = "https://shop.example.com/callback"
GIVEN_TO_ALL = "email profile"
"""Scopes that Keycloak gives unasked; they are asked for, since the client library takes no others than it asked for."""
USER_PASSWORD = "alice-pass-word"


@dataclass
class Estate:
    """A realm, two OPAs with a service each, and a folder with the manifest."""

    folder: Path
    realm: Realm
    orders: Opa
    billing: Opa
    services: Mapping[str, str]
    """The address of the protected service of each resource server."""
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def opas(self) -> Mapping[str, Opa]:
        return {"orders": self.orders, "billing": self.billing}

    @property
    def login_url(self) -> str:
        return self._endpoints(self.realm.name)

    def _endpoints(self, realm: str) -> str:
        return f"{self.realm.server.https_url}/realms/{realm}/protocol/openid-connect"

    @property
    def ca_file(self) -> str:
        return str(self.realm.server.ca_file)

    @property
    def environment(self) -> dict[str, str]:
        server = self.realm.server
        return {
            "LOGIN_URL": server.https_url,
            "LOGIN_USER": server.username,
            "LOGIN_PASSWORD": server.password,
            "LOGIN_CA": self.ca_file,
            "LOGIN_REALM": self.realm.name,
            "ORDERS_URL": self.orders.url,
            "ORDERS_TOKEN": self.orders.token,
            "BILLING_URL": self.billing.url,
            "BILLING_TOKEN": self.billing.token,
            "NIGHTLY_SECRET": SECRETS["nightly"],
            "PARTNER_SECRET": SECRETS["partner"],
            "GATEWAY_SECRET": SECRETS["shop-services"],
        }

    def run(self, *arguments: str) -> Result:
        """Run `oauthdeploy` with the manifest as it is now; nothing that it prints may hold a secret."""
        YAML(typ="safe").dump(self.manifest, self.folder / "oauthdeploy.yaml")
        result = run_command(self.folder, *arguments, env=self.environment)
        for secret in (*SECRETS.values(), self.orders.token, self.billing.token, self.realm.server.password):
            assert secret not in result.out + result.err
        return result

    def apply(self, *arguments: str) -> Any:
        """Apply the manifest; gives the report."""
        applied = self.run("apply", "--yes", "-o", "json", *arguments)
        assert applied.code == 0, applied.out + applied.err
        return applied.json

    def timed_apply(self) -> Span:
        """Apply the manifest; gives the time that it took."""
        begin = time.monotonic()
        self.apply()
        return Span(begin, time.monotonic())

    def settle(self, *arguments: str) -> Any:
        """Apply the manifest; then nothing may be left to do. Gives the report of the apply."""
        report = self.apply(*arguments)
        self.nothing_left()
        return report

    def nothing_left(self) -> None:
        """A plan that is empty, and no drift."""
        plan = self.run("plan", "--detailed-exitcode", "-o", "json")
        assert plan.code == 0, plan.out + plan.err
        assert plan.json["changes"] == []
        drift = self.run("drift")
        assert drift.code == 0, drift.out + drift.err

    # -- the manifest, changed ---------------------------------------------------------------------------------------

    def associate(self, client: str, scope: str, *, allowed: bool) -> None:
        """Put a scope into the list of a client, or take it out."""
        (entry,) = [each for each in self.manifest["associations"] if each["client"] == client]
        entry["scopes"] = sorted({*entry["scopes"], scope}) if allowed else [s for s in entry["scopes"] if s != scope]

    # -- independent clients -----------------------------------------------------------------------------------------

    def token(self, client: str, scope: str, realm: str = "") -> str:
        """A token by client credentials, of another realm if that is given; raises OAuth2Error where the server refuses (RFC 6749
        section 5.2).
        """
        with closing(
            self._session(client=BackendApplicationClient(client, scope=f"{scope} {GIVEN_TO_ALL}"))
        ) as session:
            endpoints = self._endpoints(realm or self.realm.name)
            told = session.fetch_token(f"{endpoints}/token", client_secret=SECRETS[client], timeout=60)
        return str(told["access_token"])

    def _session(self, *arguments: Any, **options: Any) -> OAuth2Session:
        session = OAuth2Session(*arguments, **options)
        session.trust_env = False  # or the environment's certificates go before these
        session.verify = self.ca_file
        return session

    def refused(self, client: str, scope: str) -> str:
        """The error code with which a token is refused; fails where it is given."""
        try:
            self.token(client, scope)
        except OAuth2Error as error:
            return str(error.error)
        raise AssertionError(f"{client} got a token for {scope}")

    def sign_in(self, scope: str) -> OAuth2Session:
        """Alice signs in to web-shop in her browser: authorization code with PKCE (RFC 6749 section 4.1, RFC 7636)."""
        session = self._session("web-shop", redirect_uri=REDIRECT, scope=f"{scope} {GIVEN_TO_ALL}".split(), pkce="S256")
        where, state = session.authorization_url(f"{self.login_url}/auth")
        with requests.Session() as browser:
            page = browser.get(where, verify=self.ca_file, timeout=60)
            assert page.ok, page.text
            form = re.search(r'<form[^>]+action="([^"]+)"', page.text)
            assert form, page.text
            answer = browser.post(
                html.unescape(form[1]),
                {"username": "alice", "password": USER_PASSWORD},
                verify=self.ca_file,
                allow_redirects=False,
                timeout=60,
            )
        back = answer.headers.get("Location", "")
        assert back.startswith(REDIRECT), (answer.status_code, back, answer.text)
        assert parse_qs(urlsplit(back).query)["state"] == [state]
        session.fetch_token(f"{self.login_url}/token", authorization_response=back, include_client_id=True, timeout=60)
        return session

    def refresh(self, session: OAuth2Session) -> str:
        """A new access token for a signed-in user; raises OAuth2Error where the server refuses."""
        told = session.refresh_token(f"{self.login_url}/token", client_id="web-shop", timeout=60)
        return str(told["access_token"])

    def call(self, service: str, token: str, server: str = "orders") -> int:
        """Call a service behind a resource server; gives the HTTP status."""
        answer = requests.post(
            f"{self.services[server]}/invoke/{service}", headers={"Authorization": f"Bearer {token}"}, timeout=60
        )
        return answer.status_code

    def active(self, token: str) -> bool:
        """Whether a token lives, as the authorization server tells the services (RFC 7662)."""
        answer = requests.post(
            f"{self.login_url}/token/introspect",
            {"token": token},
            auth=("shop-services", SECRETS["shop-services"]),
            verify=self.ca_file,
            timeout=60,
        )
        answer.raise_for_status()
        return answer.json()["active"] in (True, "true")


def build(folder: Path, realm: Realm, start_opa: Callable[..., Opa], owner: int) -> tuple[Estate, list[Running]]:
    """Start what an estate needs; gives it with the processes to stop."""
    source = (EXAMPLES / "opa/policy/authz.rego").read_text(encoding="utf-8")
    opas, services, running = {}, {}, []
    for name in ("orders", "billing"):
        policy = source.replace("data.oauth.orders", f"data.oauth.{name}")
        opas[name] = start_opa(bearer=True, files={"decide.rego": policy})
        services[name], process = _service(folder / name, opas[name], owner)
        running.append(process)
    realm.add("/users", _alice())
    manifest = YAML(typ="safe").load(Path(__file__).with_name("shop.yaml"))
    (folder / "manifest").mkdir()
    return Estate(folder / "manifest", realm, opas["orders"], opas["billing"], services, manifest), running


def _service(folder: Path, opa: Opa, owner: int) -> tuple[str, Running]:
    """The protected service of the examples, as a process of its own."""
    urls: list[str] = []

    def attempt() -> tuple[Running, Callable[[], bool]]:
        port = free_port()
        urls.append(f"http://127.0.0.1:{port}")
        command: list[str | Path] = [sys.executable, EXAMPLES / "opa/service.py", "--port", str(port), "--opa", opa.url]
        process = spawn("service", command, folder, owner, {"OPA_TOKEN": opa.token})
        return process, lambda: _listens(urls[-1])

    running = start(attempt, within=30)
    return urls[-1], running


def _listens(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 404
    except requests.RequestException:
        return False


def _alice() -> dict[str, Any]:
    return {
        "username": "alice",
        "enabled": True,
        "email": "alice@example.com",
        "emailVerified": True,
        "firstName": "Alice",
        "lastName": "Example",
        "credentials": [{"type": "password", "value": USER_PASSWORD, "temporary": False}],
    }
