"""A generated secret is in its place before the next request: none stands between the renewal and the delivery."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oauthdeploy.server import SeedUser, ServerConfig, start
from oauthdeploy.testing.proxy import Fault, Proxy, Seen
from tests.live.conftest import PASSWORD, Result, run_command, users
from tests.servers.keycloak import Realm

TO_FILE = "{file: got.env}"
TO_COMMAND = "{command: [tee, got.env]}"


class Watch:
    """Notes, for each request that reaches a server, whether the place has got another content since the request that was to
    bring it.
    """

    def __init__(self, place: Path, generates: Callable[[Seen], bool]) -> None:
        self.place = place
        self.generates = generates
        self.before: str | None = None
        self.between: list[str] | None = None

    def __call__(self, seen: Seen) -> Fault | None:
        content = self.place.read_text() if self.place.exists() else ""
        if self.before is not None and content == self.before:
            assert self.between is not None
            self.between.append(f"{seen.method} {seen.bare.rpartition('/')[2]}")
        elif self.before is not None:
            self.before = None
        if self.between is None and self.generates(seen):
            self.before, self.between = content, []
        return None


@contextmanager
def watched(target: str) -> Iterator[Proxy]:
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()


def requests_between(
    proxy: Proxy, place: Path, generates: Callable[[Seen], bool], run: Callable[[], Result]
) -> list[str]:
    """The requests of an apply after the one that generates a secret, while the place has not got the secret."""
    watch = Watch(place, generates)
    proxy.spoil(watch)
    result = run()
    proxy.spoil(None)
    assert result.code == 0, result.out + result.err
    assert watch.between is not None, "no secret was generated"
    return watch.between


def posts(end: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.method == "POST" and seen.bare.rstrip("/").endswith(end)


KEYCLOAK = """\
version: 1
name: shop
servers:
  login:
    role: authorization
    driver: keycloak
    url: {url}
    credentials: {{username: {username}, password: "${{env:PASSWORD}}"}}
    options: {{realm: {realm}}}
    limits: {{parallel: 1}}
scopes:
  crm: {{description: CRM}}
clients:
  robot:
    type: confidential
    grants: [client_credentials]
    {secret}
associations:
  - {{client: robot, scopes: [crm]}}
"""


@pytest.mark.slow
@pytest.mark.parametrize("target", [TO_FILE, TO_COMMAND], ids=["file", "command"])
def test_keycloak_is_asked_nothing_between_a_renewal_and_its_delivery(
    realm: Realm, tmp_path: Path, target: str
) -> None:
    """The lock is taken before, the checks and the revision come after. A new client is read once, for its secret.

    The next plan says how long clients were without a valid secret.
    """
    server, place = realm.server, tmp_path / "got.env"

    def run(*arguments: str) -> Result:
        return run_command(tmp_path, *arguments, env={"PASSWORD": server.password})

    def renewed(revision: int, generates: Callable[[Seen], bool]) -> list[str]:
        write(f"secret: {{generate: true, revision: {revision}, deliver_to: {target}}}")
        between = requests_between(proxy, place, generates, lambda: run("apply", "--yes", "--allow-commands"))
        secret = realm.get(f"/clients/{realm.client('robot')['id']}/client-secret")["value"]
        assert secret in place.read_text()
        return between

    def write(secret: str) -> None:
        text = KEYCLOAK.format(url=proxy.url, username=server.username, realm=realm.name, secret=secret)
        (tmp_path / "oauthdeploy.yaml").write_text(text)

    with watched(server.url) as proxy:
        between = renewed(1, posts("/clients"))
        assert [one.partition(" ")[0] for one in between] == ["GET"], "the response to a POST of a client has no secret"
        assert renewed(2, posts("/client-secret")) == []
        write(f"secret: {{generate: true, revision: 3, deliver_to: {target}}}")
        (change,) = run("plan", "-o", "json", "--allow-commands").json["changes"]
        journal = max((tmp_path / ".oauthdeploy" / "journal").glob("*.jsonl"))
        (outcome,) = [
            record for line in journal.read_text().splitlines() if "secret_gap" in (record := json.loads(line))
        ]
        assert f"Last time it took {outcome['secret_gap']:.1f} s." in change["note"]
        assert "The old secret stops working before the new one is delivered" in change["note"]


WEBMETHODS = """\
version: 1
name: shop
servers:
  login:
    role: authorization
    driver: webmethods
    url: {url}
    credentials: {{username: deployer, password: "${{env:PASSWORD}}"}}
    limits: {{parallel: 1}}
scopes:
  crm: {{description: CRM}}
clients:
  robot:
    type: {type}
    grants: [{grant}]
{more}\
associations:
  - {{client: robot, scopes: [crm]}}
"""
_SECRET = "    redirect_uris: []\n    groups: [Callers]\n    secret: {{generate: true, deliver_to: {target}}}\n"


@pytest.mark.live
@pytest.mark.parametrize(
    ("takes_ids", "public_first", "target"),
    [(True, False, TO_FILE), (False, False, TO_COMMAND), (True, True, TO_COMMAND), (False, True, TO_FILE)],
)
def test_webmethods_is_asked_nothing_between_a_generated_secret_and_its_delivery(
    tmp_path: Path, takes_ids: bool, public_first: bool, target: str
) -> None:
    """The secret is in the response; the groups of the client's account come after the delivery."""
    config = ServerConfig(
        role="authorization",
        data_dir=tmp_path / "login",
        strict=True,
        accept_client_id=takes_ids,
        users=users(SeedUser("nobody", PASSWORD, ("Callers",))),
    )
    folder = tmp_path / "manifest"
    folder.mkdir()
    place = folder / "got.env"

    def run(*arguments: str) -> Result:
        return run_command(folder, *arguments, env={"PASSWORD": PASSWORD})

    def write(kind: str, grant: str, more: str) -> None:
        text = WEBMETHODS.format(url=proxy.url, type=kind, grant=grant, more=more.format(target=target))
        (folder / "oauthdeploy.yaml").write_text(text)

    running = start(config)
    try:
        with watched(running.url) as proxy:
            if public_first:
                write("public", "authorization_code", '    redirect_uris: ["https://robot.example/cb"]\n')
                assert run("apply", "--yes", "--allow-commands").code == 0
            write("confidential", "client_credentials", _SECRET)
            method = "PATCH" if public_first else "POST"
            between = requests_between(
                proxy,
                place,
                lambda seen: seen.method == method and "/oauth/client" in seen.path,
                lambda: run("apply", "--yes", "--allow-commands"),
            )
        assert between == []
    finally:
        running.stop()
