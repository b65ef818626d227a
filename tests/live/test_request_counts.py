"""How many requests and round trips each command takes: numbers that don't depend on the machine.

The measure is the least that reaches the same end: one write for each object, one look at each list, and the second look that
ends an apply. A counting proxy holds each answer back, so that what could go out together and doesn't shows as round trips.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from oauthdeploy.running import precondition
from oauthdeploy.server import SeedUser, ServerConfig, start
from tests.cli.conftest import process
from tests.live.conftest import PASSWORD, Result, run_command
from tests.servers.counting_proxy import CountingProxy, Exchange, round_trips
from tests.servers.keycloak import Realm
from tests.servers.opa import Opa

DELAY = 0.15
CLIENTS, SCOPES = 12, 3


@dataclass
class Far:
    """A realm behind a proxy that answers late, and a folder with a manifest of it."""

    realm: Realm
    proxy: CountingProxy
    folder: Path

    def write(self, *, changed: int = 0, clients: int = CLIENTS, scopes: int = SCOPES) -> None:
        """Write the manifest; the first `changed` clients have another redirect URI."""
        lines = [
            "version: 1",
            "name: far",
            "servers:",
            "  login:",
            "    role: authorization",
            "    driver: keycloak",
            f"    url: {self.proxy.url}",
            f"    options: {{realm: {self.realm.name}}}",
            f"    credentials: {{username: {self.realm.server.username}, password: '${{env:P}}'}}",
        ]
        if scopes:
            lines += ["settings: {access_token_lifetime: 7m}", "scopes:"]
            lines += [f"  scope.{n}: {{description: Number {n}}}" for n in range(scopes)]
        lines.append("clients:")
        for n in range(clients):
            place = "other" if n < changed else "callback"
            lines.append(
                f"  client-{n}: {{type: public, grants: [authorization_code], redirect_uris: [https://a{n}.example/{place}]}}"
            )
        if scopes:
            lines.append("associations:")
            lines += [
                f"  - {{client: client-{n}, scopes: [scope.{n % scopes}, scope.{(n + 1) % scopes}]}}"
                for n in range(clients)
            ]
        (self.folder / "oauthdeploy.yaml").write_text("\n".join(lines) + "\n")

    def run(self, *arguments: str) -> Result:
        self.proxy.reset()
        return run_command(self.folder, *arguments, env={"P": self.realm.server.password})

    def counted(self) -> tuple[int, int, int, int]:
        """Requests, writes, round trips and connections of the last command; fetching a token is a request too."""
        seen = self.proxy.seen
        return len(seen), sum(one.writes for one in seen), round_trips(seen), self.proxy.connections


@pytest.fixture
def far(realm: Realm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    # On a machine under load a look would otherwise grow old, and be taken again.
    monkeypatch.setattr(precondition, "GOOD_FOR", 600.0)
    with CountingProxy(realm.server.url, DELAY) as proxy:
        yield Far(realm, proxy, tmp_path)


def test_an_apply_writes_each_object_once_and_reads_each_list_twice(far: Far) -> None:
    """A first apply is one write for each object, however many associations there are; then nothing, one and ten changes."""
    far.write()
    assert far.run("apply", "--yes").code == 0
    requests, writes, trips, connections = far.counted()
    # The realm's settings, the scopes, and the clients with their associations.
    assert writes == 1 + SCOPES + CLIENTS
    # A token, the realm, scopes, clients and the two lists of new clients; the realm after its settings; to verify, the realm,
    # the list of clients and each of the few scopes.
    assert requests <= writes + 6 + 1 + 2 + SCOPES
    assert trips <= 12
    assert connections <= 10

    for command in (("plan",), ("drift",), ("apply", "--yes")):
        assert far.run(*command).code == 0
        assert far.counted()[:3] == (6, 0, 2), command

    far.write(changed=1)
    assert far.run("apply", "--yes").code == 0
    requests, writes, trips, _connections = far.counted()
    assert (requests, writes) == (6 + 1 + 1, 1), "a plan, a PUT of what was read, and one look by its key"
    assert trips <= 6

    far.write(changed=10)
    assert far.run("apply", "--yes", "--allow", "too-many-updates").code == 0
    requests, writes, trips, _connections = far.counted()
    assert writes == 9
    assert requests <= 6 + 9 + 2
    assert trips <= 8


def test_a_saved_plan_looks_at_each_object_once_before_its_write(far: Far) -> None:
    """What was reviewed must be what is written, so each object is read just before; that look serves the write too."""
    far.write()
    assert far.run("apply", "--yes").code == 0
    far.write(changed=3)
    assert far.run("plan", "--out", "p.plan").code == 0
    assert far.run("apply", "p.plan", "--yes").code == 0
    requests, writes, _trips, _connections = far.counted()
    assert writes == 3
    assert requests <= 6 + 2 * 3 + 3


def test_an_answer_without_a_body_gives_its_connection_back(far: Far) -> None:
    """Ten PUTs, each answered 204, take no more connections than are open at once."""
    far.write(clients=20, scopes=0)
    assert far.run("apply", "--yes").code == 0
    far.write(clients=20, scopes=0, changed=10)
    assert far.run("apply", "--yes").code == 0
    _requests, writes, _trips, connections = far.counted()
    assert writes == 10
    # Eight at once, and one to sign in.
    assert connections <= 9


def test_a_human_who_was_asked_may_have_taken_long_so_the_servers_are_read_again(far: Far) -> None:
    """Only where nobody was asked is what the plan read still what stands there."""
    from oauthdeploy import workflow
    from oauthdeploy.manifest.api import ManifestRequest

    far.write(clients=2, scopes=0)
    request = ManifestRequest(files=(str(far.folder / "oauthdeploy.yaml"),), environ={"P": far.realm.server.password})
    far.proxy.reset()
    report = workflow.run_plan(request, confirm=lambda _plan: True)
    assert report is not None
    lists = [one for one in far.proxy.seen if one.method == "GET" and one.path.endswith("/clients")]
    tokens = [one for one in far.proxy.seen if one.path.endswith("/token")]
    assert len(lists) >= 2, "the list of clients is read for the plan, and again before the first write"
    assert len(tokens) == 1, "the sign-in stays"


def test_an_export_reads_each_list_once_and_once_more_to_prove_itself(far: Far) -> None:
    """A token, the realm and the lists at once; then the realm and the lists at once, for the plan of what was written."""
    far.write()
    assert far.run("apply", "--yes").code == 0
    assert far.run("export").code == 0
    assert far.counted()[:3] == (1 + 5 + 5, 0, 3)


def test_an_export_asks_a_policy_agent_what_it_is_only_once(start_opa: Callable[..., Opa], tmp_path: Path) -> None:
    """The document, with its configuration, bundles and policies at once; then only the document, for the plan."""
    with CountingProxy(start_opa().url, DELAY) as proxy:
        idp = "role: authorization, driver: external, issuer: 'https://i.example', jwks_uri: 'https://i.example/k'"
        entry = f"role: resource, driver: opa, url: '{proxy.url}', authorization_server: idp, options: {{path: rs}}"
        lines = ["version: 1", "name: far", "servers:", f"  orders: {{{entry}}}", f"  idp: {{{idp}}}"]
        lines += ["clients:", "  client-1: {name: One}"]
        (tmp_path / "oauthdeploy.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        assert run_command(tmp_path, "apply", "--yes", env={}).code == 0
        proxy.reset()
        assert run_command(tmp_path, "export", env={}).code == 0
        assert (len(proxy.seen), round_trips(proxy.seen)) == (4 + 1, 2)


REALM_SIZES = (4, 200)


def _trips_to_the_cut_off(seen: Sequence[Exchange]) -> int:
    """How many round trips had gone by when the first write that cuts off was answered, that one included."""
    cut = next(one for one in seen if one.method in ("PUT", "PATCH"))
    return round_trips(one for one in seen if one.answered <= cut.answered)


@pytest.mark.parametrize("block", ["authorization", "none"])
def test_a_cut_off_is_the_third_round_trip_in_a_realm_of_any_size(far: Far, block: str) -> None:
    """Sign in, look at the client by its key, cut off; what it was, the clock, sessions and the second look come after."""
    counts: list[tuple[int, int]] = []
    for size in REALM_SIZES:
        fill(far.realm, size)
        far.write(clients=1, scopes=0)
        assert far.run("revoke", f"filler-{size - 2}", "--block", block, "--yes", "--no-write").code == 0
        requests, _writes, trips, connections = far.counted()
        assert _trips_to_the_cut_off(far.proxy.seen) == 3
        # A token, realm and client, the cut-off, the clock, its not-before (without a block twice), sessions and push, the
        # second look and the sessions again.
        assert trips <= (8 if block != "none" else 10)
        assert requests <= (13 if block != "none" else 16)
        assert connections <= 9
        counts.append((requests, sum(one.sent + one.received for one in far.proxy.seen)))
    (few, little), (many, much) = counts
    assert few == many, "requests do not grow with the realm"
    assert much <= 1.5 * little, "nor do bytes"


def fill(realm: Realm, size: int) -> None:
    """Give a realm so many clients besides those of the test, in one request."""
    made = [{"clientId": f"filler-{n}", "redirectUris": [f"https://f{n}.example/cb"]} for n in range(size)]
    answer = realm.call("POST", "/partialImport", {"ifResourceExists": "SKIP", "clients": made})
    assert answer.status_code == 200, answer.text


def test_a_cut_off_on_an_integration_server_is_the_third_round_trip(tmp_path: Path) -> None:
    """Its document, then settings, client and tokens at once, then the cut-off; the second look is the fourth."""
    users = (SeedUser("deployer", PASSWORD, ("Administrators",)),)
    config = ServerConfig(role="both", data_dir=tmp_path / "data", users=users, accept_client_id=True)
    with start(config) as server, CountingProxy(server.url, DELAY) as proxy:
        lines = ["version: 1", "name: far", "servers:", "  main:", "    role: both", "    driver: webmethods"]
        lines += [f"    url: {proxy.url}", "    credentials: {username: deployer, password: '${env:P}'}", "clients:"]
        lines += [f'  client-{n}: {{name: Client {n}, version: "1", type: public}}' for n in range(CLIENTS)]
        (tmp_path / "oauthdeploy.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        assert run_command(tmp_path, "apply", "--yes", env={"P": PASSWORD}).code == 0
        proxy.reset()
        assert run_command(tmp_path, "revoke", "client-3", "--yes", "--no-write", env={"P": PASSWORD}).code == 0
        assert _trips_to_the_cut_off(proxy.seen) == 3
        assert round_trips(proxy.seen) == 4
        assert len(proxy.seen) == 9


NOT_FOR_NOTHING = {
    "tenacity",
    "rich",
    "ruamel",
    "deepdiff",
    "jsonschema",
    "oauthdeploy.workflow.writing",
    "oauthdeploy.running.apply",
    "oauthdeploy.planning.revocation.audit_schema",
    "oauthdeploy.reports.json",
    "oauthdeploy.running.event_documents",
}


@pytest.mark.parametrize("words", [("plan",), ("drift",), ("apply", "--yes")])
def test_a_run_that_finds_nothing_to_do_loads_nothing_of_what_writes(words: tuple[str, ...], tmp_path: Path) -> None:
    """Imports are most of the time of a run that changes nothing, and such runs are the most frequent ones."""
    users = (SeedUser("deployer", PASSWORD, ("Administrators",)),)
    config = ServerConfig(role="both", data_dir=tmp_path / "data", users=users, accept_client_id=True)
    code = (
        "import sys; from oauthdeploy.cli.entrypoint import run; code = run(sys.argv[1:]); "
        f"print(*sorted(n for n in sys.modules if n in {NOT_FOR_NOTHING!r})); sys.exit(code)"
    )
    with start(config) as server:
        lines = ["version: 1", "name: near", "servers:", "  main:", "    role: both", "    driver: webmethods"]
        lines += [f"    url: {server.url}", "    credentials: {username: deployer, password: '${env:P}'}", "clients:"]
        lines += ['  client-1: {name: Client 1, version: "1", type: public}']
        (tmp_path / "oauthdeploy.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        assert run_command(tmp_path, "apply", "--yes", env={"P": PASSWORD}).code == 0
        found = process(*words, code=code, cwd=tmp_path, env={**os.environ, "P": PASSWORD})
    assert found.code == 0, found.err
    assert found.out.splitlines()[-1] == ""


def test_servers_are_cut_off_at_once_however_many_there_are(start_opa: Callable[..., Opa], tmp_path: Path) -> None:
    """Eight policy agents take as many round trips as one: look, look again with the revision, write, and two looks after it."""
    opa = start_opa()
    with ExitStack() as stack:
        proxies = [stack.enter_context(CountingProxy(opa.url, DELAY)) for _ in range(8)]
        lines = ["version: 1", "name: far", "servers:"]
        lines.append(
            "  idp: {role: authorization, driver: external, issuer: 'https://i.example', jwks_uri: 'https://i.example/k'}"
        )
        for n, proxy in enumerate(proxies):
            entry = (
                f"role: resource, driver: opa, url: '{proxy.url}', authorization_server: idp, options: {{path: rs{n}}}"
            )
            lines.append(f"  rs-{n}: {{{entry}}}")
        lines += ["clients:", "  client-1: {name: One}"]
        (tmp_path / "oauthdeploy.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        assert run_command(tmp_path, "apply", "--yes", env={}).code == 0
        for proxy in proxies:
            proxy.reset()
        told = run_command(tmp_path, "revoke", "client-1", "--yes", "--no-write", env={}).out
        assert told.count(" 1 read, ") == len(proxies)
        seen = [one for proxy in proxies for one in proxy.seen]
        assert sum(one.writes for one in seen) == len(proxies)
        assert _trips_to_the_cut_off(proxies[0].seen) == 3
        assert round_trips(seen) <= 6
