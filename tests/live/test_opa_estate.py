"""Open Policy Agent beside an embedded authorization server: trust that is tried, and cut-offs that outlive a restart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from oauthdeploy.cli.entrypoint import run
from oauthdeploy.server import RunningServer, SeedUser, ServerConfig, start
from tests.drivers.kit import closed_port
from tests.servers.opa import Opa

INTROSPECTOR = ("orders-rs", "p@ss/w0rd +%")
PATH = "oauth/orders"


@dataclass
class Estate:
    """A manifest of an authorization server that is introspected at, and of an OPA that may be started anew."""

    folder: Path
    login: RunningServer
    opa: Opa
    start_opa: Callable[..., Opa]
    monkeypatch: pytest.MonkeyPatch

    def write(self, *, introspection: str, more: str = "", enabled: str = "") -> None:
        (self.folder / "oauthdeploy.yaml").write_text(f"""\
version: 1
name: estate
servers:
  login:
    role: authorization
    driver: external
    introspection: {introspection}
  orders:
    role: resource
    driver: opa
    url: "${{env:ORDERS_URL}}"
    options: {{path: {PATH}}}
    authorization_server: login
scopes:
  orders.read: {{description: Read orders}}
clients:
  web-shop: {{type: public, grants: [authorization_code], redirect_uris: ["https://shop.example/cb"]{enabled}}}
associations:
  - {{client: web-shop, scopes: [orders.read]}}
{more}""")

    def run(self, *arguments: str) -> int:
        self.monkeypatch.setenv("ORDERS_URL", self.opa.url)
        self.monkeypatch.setenv("SECRET", INTROSPECTOR[1])
        self.monkeypatch.setenv("WRONG", "another-secret")
        return run([*arguments, "-f", str(self.folder / "oauthdeploy.yaml")])

    def apply(self) -> int:
        return self.run("apply", "--yes")

    def report(self, *arguments: str) -> Any:
        file = self.folder / "report.json"
        code = self.run(*arguments, "-o", f"json={file}")
        return code, json.loads(file.read_text())

    def restart(self) -> None:
        self.opa.process.stop()
        self.opa = self.start_opa()

    @property
    def blocked(self) -> Any:
        return self.opa.data(PATH)["blocked"]


@pytest.fixture
def estate(start_opa: Callable[..., Opa], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Estate]:
    admin = SeedUser("deployer", "a-password-of-tests", ("Administrators",))
    users = (admin, SeedUser(*INTROSPECTOR, ("ResourceServers",)), SeedUser("nobody", "another-secret"))
    login = start(ServerConfig(role="authorization", data_dir=tmp_path / "login", users=users))
    monkeypatch.chdir(tmp_path)
    try:
        settings = f"{login.url}/admin/oauth/globalsetting/"
        http = requests.patch(settings, json={"requireHTTPS": False}, auth=(admin.name, admin.password), timeout=10)
        assert http.ok, http.text
        yield Estate(tmp_path, login, start_opa(), start_opa, monkeypatch)
    finally:
        login.stop()


def introspection(estate: Estate, **account: str) -> str:
    endpoint = f"{estate.login.url}/invoke/pub.oauth/introspectToken"
    return json.dumps({"endpoint": endpoint, **account})


def test_a_trust_whose_account_introspects_is_verified(estate: Estate, capsys: pytest.CaptureFixture[str]) -> None:
    """The account is tried by one introspection, by its own name and password."""
    estate.write(introspection=introspection(estate, username=INTROSPECTOR[0], password="${env:SECRET}"))
    assert estate.apply() == 0
    assert "Verified" in capsys.readouterr().out
    assert estate.apply() == 0


@pytest.mark.parametrize(
    "account",
    [
        {"username": INTROSPECTOR[0], "password": "${env:WRONG}"},
        {"username": "nobody", "password": "${env:WRONG}"},
        {"client_id": INTROSPECTOR[0], "client_secret": "${env:WRONG}"},
    ],
    ids=["wrong password", "an account without the right", "a client of the name"],
)
def test_a_trust_whose_account_is_refused_is_never_called_verified(
    estate: Estate, account: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 4 each time, also where nothing is left to do: every token would be refused."""
    estate.write(introspection=introspection(estate, **account))
    for _ in range(2):
        assert estate.apply() == 4
        said = capsys.readouterr()
        assert "introspection-refused" in said.out
        assert "Verified" not in said.out
        assert "another-secret" not in said.out + said.err


@pytest.mark.parametrize("case", ["nowhere", "no secret", "no endpoint of introspection"])
def test_a_trust_that_can_not_be_tried_is_not_called_verified(
    estate: Estate, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An endpoint that does not answer, a manifest without the secret, and an answer that is about something else."""
    account = {"username": INTROSPECTOR[0], "password": "${env:SECRET}"}
    written = introspection(estate, **account)
    if case == "nowhere":
        written = json.dumps({"endpoint": f"http://127.0.0.1:{closed_port()}/introspect", **account})
    elif case == "no secret":
        written = introspection(estate, username=INTROSPECTOR[0])
    else:
        written = written.replace("/invoke/pub.oauth/introspectToken", "/invoke/pub.oauth/getToken")
    estate.write(introspection=written)
    assert estate.apply() == 4
    said = capsys.readouterr()
    assert "Whether tokens can be introspected is not known" in said.out
    assert "Verified" not in said.out


def _shop(estate: Estate, **manifest: str) -> None:
    estate.write(introspection=introspection(estate, username=INTROSPECTOR[0], password="${env:SECRET}"), **manifest)


def test_a_cut_off_without_an_entry_says_that_it_ends_with_the_process(
    estate: Estate, capsys: pytest.CaptureFixture[str]
) -> None:
    """`revoke` warns where the server keeps its objects in memory alone and the manifest has no entry."""
    _shop(estate)
    assert estate.apply() == 0
    capsys.readouterr()
    estate.run("revoke", "web-shop", "--block", "resource", "--yes", "--no-write", "--reason", "a leak")
    said = capsys.readouterr()
    assert "orders keeps its objects in memory, so a restart ends the cut-off there" in " ".join(said.out.split())
    assert list(estate.blocked) == ["web-shop"]


def test_a_cut_off_that_a_restart_took_away_is_made_again(estate: Estate, capsys: pytest.CaptureFixture[str]) -> None:
    """The next apply fills OPA from the manifest and from the audit file; plan and drift see it too."""
    _shop(estate)
    assert estate.apply() == 0
    estate.run("revoke", "web-shop", "--block", "resource", "--yes", "--no-write", "--reason", "a leak")
    before = estate.opa.data(PATH)["issued_before"]["web-shop"]
    estate.restart()
    capsys.readouterr()
    assert estate.run("plan") == 0
    assert "cut-off-forgotten" in capsys.readouterr().out
    assert estate.apply() == 0
    assert list(estate.blocked) == ["web-shop"]
    (again,) = estate.opa.data(PATH)["issued_before"]["web-shop"].values()
    (first,) = before.values()
    assert again["before"] >= first["before"]
    capsys.readouterr()
    assert estate.run("plan", "--detailed-exitcode") == 0
    assert "cut-off-forgotten" not in capsys.readouterr().out
    estate.restart()
    assert estate.run("drift") == 2
    assert estate.apply() == 0
    assert list(estate.blocked) == ["web-shop"], "once more, and it is forgotten"


def test_a_client_that_was_cut_off_and_then_deleted_leaves_nothing_to_do(
    estate: Estate, capsys: pytest.CaptureFixture[str]
) -> None:
    """The block goes with the client, and what refuses its old tokens stays; an apply is final."""
    _shop(estate)
    assert estate.apply() == 0
    estate.run("revoke", "web-shop", "--block", "resource", "--yes", "--no-write", "--reason", "a leak")
    refusing = estate.opa.data(PATH)["issued_before"]["web-shop"]
    file = estate.folder / "oauthdeploy.yaml"
    text = file.read_text().partition("clients:\n")[0]
    file.write_text(text + "clients:\n  web-shop: {state: absent}\n")
    capsys.readouterr()
    assert estate.apply() == 0, capsys.readouterr()
    assert estate.run("plan", "--detailed-exitcode") == 0, capsys.readouterr()
    assert estate.opa.data(PATH)["clients"] == {}
    assert estate.opa.data(PATH)["issued_before"]["web-shop"] == refusing


def test_a_cut_off_of_tokens_alone_is_made_again(estate: Estate) -> None:
    """Tokens of an owner are refused again after a restart, and the client is let in."""
    _shop(estate)
    assert estate.apply() == 0
    estate.run("revoke", "web-shop", "--block", "none", "--owner", "alice", "--yes", "--no-write", "--reason", "a leak")
    (first,) = estate.opa.data(PATH)["issued_before"]["web-shop"].values()
    assert first["owner"] == "alice"
    estate.restart()
    assert estate.apply() == 0
    (again,) = estate.opa.data(PATH)["issued_before"]["web-shop"].values()
    assert again["owner"] == "alice"
    assert again["before"] >= first["before"]
    assert estate.blocked == {}


def test_a_manifest_that_lets_the_client_in_is_stopped(estate: Estate, capsys: pytest.CaptureFixture[str]) -> None:
    """`enabled: true` against a forgotten cut-off is for people to decide; when they have, it stays so."""
    _shop(estate)
    assert estate.apply() == 0
    estate.run("revoke", "web-shop", "--block", "resource", "--yes", "--no-write", "--reason", "a leak")
    estate.restart()
    _shop(estate, enabled=", enabled: true")
    assert estate.apply() == 5
    assert "undoes-cut-off" in capsys.readouterr().err
    assert estate.run("apply", "--yes", "--allow", "undoes-cut-off") == 0
    estate.restart()
    _shop(estate)
    assert estate.apply() == 0
    assert estate.blocked == {}


def test_two_entries_at_nested_paths_are_refused_offline(estate: Estate, capsys: pytest.CaptureFixture[str]) -> None:
    """Each would delete what the other writes."""
    _shop(estate)
    file = estate.folder / "oauthdeploy.yaml"
    entry = '  inner: {role: resource, driver: opa, url: "${env:ORDERS_URL}", options: {path: oauth/orders/clients}, '
    file.write_text(file.read_text().replace("scopes:\n", f"{entry}authorization_server: login}}\nscopes:\n", 1))
    assert estate.run("validate") == 3
    assert "server-paths-nested" in capsys.readouterr().err
    assert requests.get(f"{estate.opa.url}/v1/data/oauth", timeout=10).json() == {}
