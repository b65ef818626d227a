"""Every command on a realm of Keycloak, next to the bare loader and to other clients of its admin API."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.bare import KeycloakLoader
from benchmarks.measuring import Failed, Row, Run, measured, oauthdeploy, program, row
from tests.servers.counting_proxy import CountingProxy
from tests.servers.keycloak import Keycloak, Realm, make_realm, obtain

SERVER: Final = "Keycloak"
BARE, OURS, LIBRARY, KCADM = "bare", "oauthdeploy", "python-keycloak", "kcadm.sh"
DEFAULTS: Final = ["web-origins", "acr", "roles", "profile", "basic", "email"]
LIBRARY_LOOP: Final = """
import json, sys
from keycloak import KeycloakAdmin
url, realm, username, password, bodies = sys.argv[1:]
admin = KeycloakAdmin(server_url=url, username=username, password=password, realm_name=realm, user_realm_name="master")
given = json.load(open(bodies))
for scope in given["scopes"]:
    admin.create_client_scope(scope)
for client in given["clients"]:
    admin.create_client(client)
"""


@dataclass(frozen=True)
class Estate:
    """So many clients with two redirect URIs and two of so many scopes each."""

    clients: int
    scopes: int

    def scope_bodies(self) -> Sequence[Mapping[str, Any]]:
        return [
            {"name": f"scope.{n}", "protocol": "openid-connect", "description": f"Number {n}"}
            for n in range(self.scopes)
        ]

    def client_bodies(self, changed: int = 0) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "clientId": f"client-{n}",
                "publicClient": True,
                "redirectUris": self._uris(n, changed),
                "webOrigins": [],
                "defaultClientScopes": [*DEFAULTS, *self._scopes_of(n)],
                "optionalClientScopes": [],
            }
            for n in range(self.clients)
        ]

    def manifest(self, server: str, *, changed: int = 0, gone: int = 0) -> str:
        """The same as a manifest; the first clients have other redirect URIs, the last ones are marked as absent."""
        lines = ["version: 1", "name: bench", "servers:", "  login:", "    role: authorization", server, "scopes:"]
        lines += [f"  scope.{n}: {{description: Number {n}}}" for n in range(self.scopes)]
        lines.append("clients:")
        for n in range(self.clients):
            uris = ", ".join(self._uris(n, changed))
            body = f"type: public, grants: [authorization_code], redirect_uris: [{uris}]"
            lines.append(f"  client-{n}: {{{'state: absent' if n >= self.clients - gone else body}}}")
        lines.append("associations:")
        there = range(self.clients - gone)
        lines += [f"  - {{client: client-{n}, scopes: [{', '.join(self._scopes_of(n))}]}}" for n in there]
        return "\n".join(lines) + "\n"

    def _uris(self, number: int, changed: int) -> list[str]:
        place = "other" if number < changed else "callback"
        return [f"https://a{number}.example/{place}", f"https://b{number}.example/{place}"]

    def _scopes_of(self, number: int) -> list[str]:
        return [f"scope.{one % self.scopes}" for one in (number, number + 1)]


@dataclass
class Round:
    """The runs of one round, by work and tool."""

    estate: Estate
    proxy: CountingProxy
    folder: Path
    server: Keycloak
    runs: dict[tuple[str, str], Run] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """The peers that were not measured, and why."""

    def go(self, *, peers: bool) -> None:
        """Do every work, each tool in a realm of its own."""
        self._in_a_realm(self._ours)
        self._in_a_realm(self._bare)
        for tool, works in ((LIBRARY, self._library), (KCADM, self._kcadm)) if peers else ():
            try:
                self._in_a_realm(works)
            except Failed as problem:
                self.absent[tool] = str(problem).splitlines()[-1].strip()

    def _in_a_realm(self, works: Callable[[Realm], None]) -> None:
        realm = make_realm(self.server)
        try:
            works(realm)
        finally:
            realm.call("DELETE")

    def _measure(self, work: str, tool: str, do: Callable[[], object]) -> None:
        self.runs[work, tool] = measured(do, [self.proxy])

    def _ours(self, realm: Realm) -> None:
        here = self.folder / realm.name
        here.mkdir()
        entry = (
            f"    driver: keycloak\n    url: {self.proxy.url}\n    options: {{realm: {realm.name}}}\n"
            f"    credentials: {{username: {self.server.username}, password: '${{env:P}}'}}"
        )

        def run(work: str, *arguments: str, changed: int = 0, gone: int = 0) -> None:
            (here / "oauthdeploy.yaml").write_text(
                self.estate.manifest(entry, changed=changed, gone=gone), encoding="utf-8"
            )
            self._measure(work, OURS, lambda: oauthdeploy(here, {"P": self.server.password}, *arguments))

        lifted = ("--allow", "too-many-updates", "--allow", "too-many-deletes")
        run("create", "apply", "--yes", "-q")
        run("plan, nothing to do", "plan", "--detailed-exitcode", "-q")
        run("drift, nothing to do", "drift", "-q")
        run("apply, nothing to do", "apply", "--yes", "-q")
        run("plan with an HTML and a JSON report", "plan", "-q", "-o", "html=plan.html", "-o", "json=plan.json")
        run("export", "export", "-q")
        run("change 10", "apply", "--yes", "-q", *lifted, changed=10)
        run("revoke", "revoke", "client-1", "--yes", "--no-write", changed=10)
        run("delete a tenth", "apply", "--yes", "-q", *lifted, changed=10, gone=self.estate.clients // 10)

    def _bare(self, realm: Realm) -> None:
        loader = KeycloakLoader(self.proxy.url, realm.name, self.server.username, self.server.password)
        estate = self.estate
        self._measure("create", BARE, lambda: loader.create(estate.scope_bodies(), estate.client_bodies()))
        reading = ("plan, nothing to do", "drift, nothing to do", "apply, nothing to do", "export")
        for work in (*reading, "plan with an HTML and a JSON report"):
            self._measure(work, BARE, lambda: loader.read(estate.clients))
        changed = estate.client_bodies(10)[:10]
        self._measure("change 10", BARE, lambda: loader.change(changed, estate.clients))
        self._measure("revoke", BARE, lambda: loader.cut_off("client-1"))
        gone = [f"client-{n}" for n in range(estate.clients - estate.clients // 10, estate.clients)]
        self._measure("delete a tenth", BARE, lambda: loader.delete(gone, estate.clients))

    def _bodies(self, form: Mapping[str, Any]) -> Path:
        path = self.folder / "bodies.json"
        path.write_text(json.dumps(form), encoding="utf-8")
        return path

    def _library(self, realm: Realm) -> None:
        if not has_library():
            raise Failed("it is not installed")
        bodies = self._bodies({"scopes": self.estate.scope_bodies(), "clients": self.estate.client_bodies()})
        account = (self.server.username, self.server.password)
        command = [sys.executable, "-c", LIBRARY_LOOP, self.proxy.url, realm.name, *account, str(bodies)]
        self._measure("create", LIBRARY, lambda: program(command, self.folder, {}))

    def _kcadm(self, realm: Realm) -> None:
        script = obtain() / "bin" / "kcadm.sh"
        config = f"--config={self.folder / 'kcadm.config'}"
        # It imports no client scopes, and would start Java once for each of them.
        for scope in self.estate.scope_bodies():
            realm.add("/client-scopes", scope)
        bodies = self._bodies({"ifResourceExists": "FAIL", "clients": self.estate.client_bodies()})
        account = ("--user", self.server.username, "--password", self.server.password)
        sign_in: list[str | Path] = [
            script,
            "config",
            "credentials",
            "--server",
            self.proxy.url,
            "--realm",
            "master",
            *account,
            config,
        ]

        def load() -> None:
            program(sign_in, self.folder, {})
            program([script, "create", "partialImport", "-r", realm.name, "-f", bodies, config], self.folder, {})

        self._measure("create", KCADM, load)


def has_library() -> bool:
    """Whether python-keycloak is installed beside oauthdeploy."""
    return subprocess.run([sys.executable, "-c", "import keycloak"], capture_output=True, check=False).returncode == 0


def rows(
    server: Keycloak, estate: Estate, rounds: int, folder: Path, absent: dict[str, str], *, peers: bool
) -> Iterator[Row]:
    """The medians of every work and tool, the bare loader first; `absent` gets the peers that were not measured, and why."""
    done: list[Round] = []
    with CountingProxy(server.url) as proxy:
        for number in range(rounds):
            here = folder / str(number)
            here.mkdir(parents=True)
            done.append(Round(estate, proxy, here, server))
            done[-1].go(peers=peers)
            absent.update(done[-1].absent)
            shutil.rmtree(here)
    works = list(dict.fromkeys(work for work, _tool in done[0].runs))
    for work in works:
        bare = [one.runs[work, BARE] for one in done]
        for tool in (BARE, OURS, LIBRARY, KCADM):
            runs = [one.runs[work, tool] for one in done if (work, tool) in one.runs]
            if len(runs) == len(done):
                yield row(SERVER, work, tool, runs, () if tool == BARE else bare)
