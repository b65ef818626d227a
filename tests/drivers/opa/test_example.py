"""The example: its policy, its manifest and its service, with a real OPA in the middle and tokens of a small issuer."""

from __future__ import annotations

import importlib.util
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from oauthdeploy.cli.entrypoint import run
from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.errors import Forbidden
from tests.drivers.kit import Says, Seen, says, serving
from tests.drivers.opa.site import Site, at, carry_out, client, plan_of
from tests.servers import opa as opa_server
from tests.servers.opa import Opa

EXAMPLE = Path(__file__).parents[3] / "examples" / "opa"
POLICY = EXAMPLE / "policy"


def test_the_policy_passes_its_own_tests(opa: Opa) -> None:
    """`opa test`, `opa check --strict` and `opa fmt`, as the page of the example says."""
    assert "PASS" in opa_server.tool("test", POLICY)
    assert opa_server.tool("check", "--strict", POLICY) == ""
    assert opa_server.tool("fmt", "--list", POLICY) == ""


def _part(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _part(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@dataclass
class Issuer:
    """An authorization server that has nothing but keys. `asked` counts how often they were fetched."""

    url: str = ""
    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)
    asked: int = 0
    down: bool = False

    def rotate(self, name: str) -> None:
        self.keys = {name: rsa.generate_private_key(65537, 2048)}

    def answer(self, _seen: Seen) -> Says:
        self.asked += 1
        if self.down:
            return says({}, 503)
        numbers = {name: key.public_key().public_numbers() for name, key in self.keys.items()}
        return says(
            {
                "keys": [
                    {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": name, "n": _number(one.n), "e": _number(one.e)}
                    for name, one in numbers.items()
                ]
            }
        )

    def token(self, client: str, scope: str, *, age: float = 0, **more: Any) -> str:
        now = int(time.time() - age)
        ((name, key),) = self.keys.items()
        claims = {"iss": self.url, "azp": client, "sub": "s", "scope": scope, "iat": now, "exp": now + 600, **more}
        head = {"alg": "RS256", "kid": name, "typ": "JWT"}
        text = ".".join(_part(json.dumps(part).encode()) for part in (head, claims))
        return f"{text}.{_part(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@dataclass
class Estate:
    """The issuer, OPA, the service in front, and the manifest of the example with the issuer in Keycloak's place."""

    issuer: Issuer
    opa: Opa
    service: str
    manifest: Path

    def call(self, token: str | None, method: str = "GET", path: str = "/orders/42") -> tuple[int, str]:
        """Status, and the word for what is wrong."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = requests.request(method, self.service + path, headers=headers, timeout=10)
        return answer.status_code, str(answer.json().get("error", ""))

    def apply(self, *changes: tuple[str, str], more: str = "", expected: int = 0, allow: tuple[str, ...] = ()) -> None:
        text = self.manifest.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        place = self.manifest.with_name("now.yaml")
        place.write_text(text + more)
        lifted = [word for rule in allow for word in ("--allow", rule)]
        assert run(["apply", "--yes", "-q", "-f", str(place), *lifted]) == expected
        assert run(["plan", "--detailed-exitcode", "-q", "-f", str(place)]) == 0
        assert run(["drift", "-q", "-f", str(place)]) == 0


@pytest.fixture
def estate(start_opa: Callable[..., Opa], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Estate]:
    spec = importlib.util.spec_from_file_location("opa_example_service", EXAMPLE / "service.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    issuer = Issuer()
    issuer.rotate("first")
    with serving(issuer.answer) as keys:
        issuer.url = keys.url
        opa = start_opa(files={"orders.rego": (POLICY / "authz.rego").read_text()}, bearer=True)
        monkeypatch.setenv("OPA_TOKEN", opa.token)
        text = (EXAMPLE / "oauthdeploy.yaml").read_text()
        settings, scopes = text.index("settings:"), text.index("scopes:")
        text = text[:settings] + text[scopes:]  # they are Keycloak's
        start, end = text.index("  login:"), text.index("  orders:")
        login = (
            f"  login: {{role: authorization, driver: external, issuer: '{keys.url}', jwks_uri: '{keys.url}/keys'}}\n"
        )
        manifest = tmp_path / "oauthdeploy.yaml"
        manifest.write_text(text[:start] + login + text[end:])
        for name, value in {
            "ORDERS_URL": opa.url,
            "ORDERS_TOKEN": opa.token,
            "NIGHTLY_BATCH_SECRET": "correct horse battery staple",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        server = module.make_server(0, opa.url)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Estate(issuer, opa, f"http://127.0.0.1:{server.server_port}", manifest)
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)


def test_what_the_manifest_allows_is_allowed_and_nothing_else(estate: Estate) -> None:
    """Before the first apply nothing is; then by client, scope, association and what the scope opens."""
    issuer = estate.issuer
    reading = issuer.token("web-shop", "openid orders.read")
    assert estate.call(reading) == (401, "invalid_token")
    estate.apply()
    assert estate.call(reading) == (200, "")
    assert estate.call(reading, "GET", "/orders") == (200, "")
    assert estate.call(reading, "POST", "/invoke/orders.v1:getOrder") == (200, "")
    assert estate.call(reading, "DELETE") == (403, "insufficient_scope")
    assert estate.call(reading, "POST", "/invoke/orders.v1:putOrder") == (403, "insufficient_scope")
    assert estate.call(issuer.token("web-shop", "orders.write"), "DELETE") == (403, "insufficient_scope")
    assert estate.call(issuer.token("nightly-batch", "orders.write"), "DELETE") == (200, "")
    assert estate.call(issuer.token("stranger", "orders.read")) == (401, "invalid_token")
    assert estate.call(issuer.token("web-shop", "orders.read", age=601)) == (401, "invalid_token")
    assert estate.call(issuer.token("web-shop", "orders.read", iss="https://else")) == (401, "invalid_token")
    assert estate.call(None) == (401, "no_token")
    assert estate.call(reading, "GET", "/other") == (404, "not_found")


def test_associations_and_cut_offs_take_effect_with_the_next_call(estate: Estate) -> None:
    """A signed token can't be taken back; what it opens ends all the same, and comes back where the manifest says so."""
    issuer = estate.issuer
    estate.apply()
    token, old = issuer.token("nightly-batch", "orders.write"), issuer.token("nightly-batch", "orders.write", age=60)
    assert [estate.call(one, "DELETE")[0] for one in (token, old)] == [200, 200]
    estate.apply(("scopes: [orders.read, orders.write]", "scopes: [orders.read]"))
    assert estate.call(token, "DELETE") == (403, "insufficient_scope")
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 30))
    entry = "revocations:\n  - {id: INC-1, client: nightly-batch, reason: lost, "
    estate.apply(more=f"{entry}tokens: {{issued_before: {moment}}}}}\n")
    assert estate.call(token, "DELETE") == (200, "")
    assert estate.call(old, "DELETE") == (401, "invalid_token")
    estate.apply(more=f"{entry}tokens: {{issued_before: {moment}}}, block: [resource]}}\n")
    assert estate.call(token, "DELETE") == (401, "invalid_token")
    # The entry is gone, and so is the audit file: OPA's own record of the block remains.
    elsewhere = estate.manifest.with_name("elsewhere")
    text = estate.manifest.read_text().replace("  nightly-batch:\n", "  nightly-batch:\n    enabled: true\n")
    estate.manifest.with_name("now.yaml").write_text(text)
    words = ["apply", "--yes", "-q", "-f", str(estate.manifest.with_name("now.yaml")), "--state-dir", str(elsewhere)]
    assert run(words) == 5
    assert estate.call(token, "DELETE") == (401, "invalid_token")
    estate.apply(("  nightly-batch:\n", "  nightly-batch:\n    enabled: true\n"), allow=("undoes-cut-off",))
    assert estate.call(token, "DELETE") == (200, "")
    assert estate.call(old, "DELETE") == (401, "invalid_token")


def test_a_block_is_verified_by_a_token_alone(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """That the document says so proves nothing about policies; a service that refuses the token does."""
    estate.apply()
    token = estate.issuer.token("nightly-batch", "orders.read")
    assert estate.call(token) == (200, "")
    cut = ["revoke", "nightly-batch", "--yes", "--no-write", "-q", "-f", str(estate.manifest)]
    assert run(cut) == 4
    assert estate.call(token) == (401, "invalid_token")
    monkeypatch.setenv("LEAKED", token)
    assert run([*cut, "--proof-token", "env:LEAKED", "--proof-url", f"{estate.service}/orders/42"]) == 0


def test_keys_are_kept_and_new_ones_are_found(estate: Estate) -> None:
    """The issuer is asked once for many calls, at once for a new key, and not for every call with an unknown one."""
    estate.apply()
    issuer = estate.issuer
    for _ in range(5):
        assert estate.call(issuer.token("web-shop", "orders.read")) == (200, "")
    assert issuer.asked == 1
    former = issuer.token("web-shop", "orders.read")
    issuer.rotate("second")
    assert estate.call(issuer.token("web-shop", "orders.read")) == (200, "")
    assert issuer.asked == 2
    issuer.rotate("unpublished")
    unknown = issuer.token("web-shop", "orders.read")
    issuer.down = True
    for _ in range(5):
        assert estate.call(unknown) == (401, "invalid_token")
    assert issuer.asked == 2
    assert estate.call(former) == (200, "")


def test_a_killed_switch_leaves_both_trusted_until_the_next_apply(estate: Estate) -> None:
    """Each with its own keys; the plan shows that, and an apply ends it."""
    estate.apply()
    former = Issuer()
    former.rotate("former")
    with serving(former.answer) as keys:
        former.url = keys.url
        old, new = former.token("web-shop", "orders.read"), estate.issuer.token("web-shop", "orders.read")
        assert [estate.call(token)[0] for token in (old, new)] == [401, 200]
        left = {"former": {"via": "jwt", "issuer": former.url, "jwks_uri": f"{former.url}/keys"}}
        assert estate.opa.call("PUT", "/v1/data/oauth/orders/also_trusted", left).status_code == 204
        assert [estate.call(token)[0] for token in (old, new)] == [200, 200]
        assert estate.call(former.token("web-shop", "orders.read", iss=estate.issuer.url)) == (401, "invalid_token")
        assert estate.call(estate.issuer.token("web-shop", "orders.read", iss=former.url)) == (401, "invalid_token")
        assert run(["plan", "--detailed-exitcode", "-q", "-f", str(estate.manifest)]) == 2
        assert run(["drift", "-q", "-f", str(estate.manifest)]) == 2
        estate.apply()
        assert [estate.call(token)[0] for token in (old, new)] == [401, 200]


def test_without_opa_nothing_is_allowed(estate: Estate) -> None:
    """The service refuses when nobody decides."""
    estate.apply()
    token = estate.issuer.token("web-shop", "orders.read")
    estate.opa.process.stop()
    assert estate.call(token) == (503, "no_decision")


@pytest.mark.parametrize("files", [("oauthdeploy.yaml",), ("oauthdeploy.yaml", "incident.yaml")])
def test_the_manifest_of_the_example_is_valid_and_opa_loads_its_bundle(
    files: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_opa: Callable[..., Opa]
) -> None:
    """Without a warning; the bundle holds the same document as an apply, its bytes are always the same."""
    for name in ("LOGIN_SECRET", "ORDERS_TOKEN", "NIGHTLY_BATCH_SECRET"):
        monkeypatch.setenv(name, "correct horse battery staple")
    given = [part for name in files for part in ("-f", str(EXAMPLE / name))]
    monkeypatch.chdir(tmp_path)
    assert run(["validate", *given, "-o", "json=findings.json"]) == 0
    assert json.loads((tmp_path / "findings.json").read_text())["diagnostics"] == []
    for name in ("one.tar.gz", "two.tar.gz"):
        assert run(["bundle", "orders", *given, "--out", name]) == 0
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()
    told = json.loads(opa_server.tool("eval", "--bundle", tmp_path / "one.tar.gz", "data.oauth.orders"))
    document = told["result"][0]["expressions"][0]["value"]
    opa = start_opa(bundle=tmp_path / "one.tar.gz")
    assert opa.data("oauth/orders") == document
    monkeypatch.setenv("ORDERS_URL", opa.url)
    assert run(["plan", "--server", "orders", *given, "--detailed-exitcode"]) == 0
    assert "horse" not in json.dumps(document)


def test_the_least_rights_of_the_drivers_page_are_enough(start_opa: Callable[..., Opa]) -> None:
    """Its policy lets a planner plan and ping, a deployer apply, a service ask, and nobody anything else."""
    page = (EXAMPLE.parents[1] / "docs" / "drivers" / "opa.md").read_text(encoding="utf-8")
    policy = page.partition("```rego\n")[2].partition("```")[0]
    opa = start_opa(bearer=True)
    tokens = {who: f"{who}-token" for who in ("planner", "deployer", "service")}
    assert opa.call("PUT", "/v1/data/tokens", tokens).status_code == 204
    (name,) = [one["id"] for one in opa.call("GET", "/v1/policies").json()["result"]]
    assert opa.call("PUT", f"/v1/policies/{name}", data=policy.encode()).status_code == 200
    deployer, planner = (Site(opa, token=tokens[who]) for who in ("deployer", "planner"))
    desired = deployer.desired({at(Kind.CLIENT, "a"): client()})
    with planner.driver() as driver:
        assert driver.check().version
        changes = plan_of(driver, desired).changes
        with pytest.raises(Forbidden):
            driver.apply(changes)
    with deployer.driver() as driver:
        carry_out(driver, plan_of(driver, desired).changes)
        assert not plan_of(driver, desired).changes

    def status(who: str, method: str, path: str) -> int:
        headers = {"Authorization": f"Bearer {tokens[who]}"}
        return requests.request(method, opa.url + path, json={}, headers=headers, timeout=10).status_code

    assert status("service", "POST", "/v1/data/orders/authz/decision") == 200
    for who, method, path in [
        ("service", "GET", "/v1/data/oauth/orders"),
        ("service", "POST", "/v1/data/tokens"),
        ("planner", "POST", "/v1/data/orders/authz/decision"),
        ("deployer", "GET", "/v1/data/tokens"),
        ("deployer", "PUT", "/v1/data/oauth"),
        ("deployer", "DELETE", "/v1/data/oauth/orders"),
        ("deployer", "GET", "/v1/policies"),
    ]:
        assert status(who, method, path) == 401, (who, method, path)
