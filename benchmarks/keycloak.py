"""Every command on a realm of Keycloak, next to the bare loader and to other clients of its admin API."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.estate import Estate
from benchmarks.measuring import Failed, Row, Run, bare, measured, oauthdeploy, row
from benchmarks.peers import Installed, Peers, Work
from tests.servers.counting_proxy import Counter, proxies_apart
from tests.servers.keycloak import Keycloak, Realm, make_realm

SERVER: Final = "Keycloak"
BARE, OURS = "bare", "oauthdeploy"
LOOKING: Final = "bare, and a second look"
LONGEST_WARM_UP: Final = 6
"""So many times the estate is made at most before anything is measured."""


@dataclass
class Round:
    """The runs of one round, by work and tool."""

    estate: Estate
    proxy: Counter
    folder: Path
    server: Keycloak
    runs: dict[tuple[str, str], Run] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """The peers that were not measured, and why."""
    ends: dict[str, Any] = field(default_factory=dict)
    """What the realm then had of a client and a scope, by tool, without ids and our marks."""

    def go(self, peers: Peers | None, *, bare_first: bool) -> None:
        """Do every work, each tool in a realm of its own.

        The tools that are compared most take turns in going first, since the server compiles its hot code for as long as it
        runs, and who comes later finds it faster.
        """
        for works in (self._bare, self._ours) if bare_first else (self._ours, self._bare):
            self._in_a_realm(works)
        self._in_a_realm(self._bare_looking)
        if self.ends[OURS] != self.ends[BARE]:
            raise Failed(f"the bare client came to another end: {self.ends[BARE]}, not {self.ends[OURS]}")
        for tool, steps in peers.tools().items() if peers else ():
            try:
                self._in_a_realm(partial(self._peer, tool, steps))
            except Failed as problem:
                self.absent[tool] = str(problem).splitlines()[-1].strip()

    def warm_up(self) -> None:
        """Let the server do the work of its first minutes, which takes it several times as long as later: until it gets no
        faster by a tenth.
        """

        def load(realm: Realm) -> None:
            self._load(realm, "create", scopes=self.estate.scope_bodies(), clients=self.estate.client_bodies())
            self._load(realm, "change", clients=self.estate.client_bodies(10)[:10], expected=self.estate.clients)

        best = math.inf
        for _ in range(LONGEST_WARM_UP):
            started = time.monotonic()
            self._in_a_realm(load)
            took = time.monotonic() - started
            if took > 0.9 * best:
                return
            best = took

    def _load(self, realm: Realm, work: str, **arguments: Any) -> None:
        self.folder.mkdir(exist_ok=True, parents=True)
        account = (self.server.username, self.server.password)
        bare(self.folder, work, arguments, url=self.proxy.url, realm=realm.name, account=account)

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
        self.ends[OURS] = _end(realm)
        run("plan, nothing to do", "plan", "--detailed-exitcode", "-q")
        run("drift, nothing to do", "drift", "-q")
        run("apply, nothing to do", "apply", "--yes", "-q")
        run("plan with an HTML and a JSON report", "plan", "-q", "-o", "html=plan.html", "-o", "json=plan.json")
        run("export", "export", "-q")
        run("change 10", "apply", "--yes", "-q", *lifted, changed=10)
        run("revoke", "revoke", "client-1", "--yes", "--no-write", changed=10)
        run("delete a tenth", "apply", "--yes", "-q", *lifted, changed=10, gone=self.estate.clients // 10)

    def _bare_looking(self, realm: Realm) -> None:
        made = {"scopes": self.estate.scope_bodies(), "clients": self.estate.client_bodies()}
        self._measure("create", LOOKING, lambda: self._load(realm, "create_and_look", **made))

    def _peer(self, tool: str, works: Callable[[Realm], Iterator[Work]], realm: Realm) -> None:
        for work, do in works(realm):
            self._measure(work, tool, do)

    def _bare(self, realm: Realm) -> None:
        estate = self.estate

        def run(work: str, loads: str, **arguments: Any) -> None:
            self._measure(work, BARE, lambda: self._load(realm, loads, **arguments))

        run("create", "create", scopes=estate.scope_bodies(), clients=estate.client_bodies())
        self.ends[BARE] = _end(realm)
        reading = ("plan, nothing to do", "drift, nothing to do", "apply, nothing to do", "export")
        for work in (*reading, "plan with an HTML and a JSON report"):
            run(work, "read", expected=estate.clients)
        changed = estate.client_bodies(10)[:10]
        run("change 10", "change", clients=changed, expected=estate.clients)
        run("revoke", "cut_off", name="client-1")
        gone = [f"client-{n}" for n in range(estate.clients - estate.clients // 10, estate.clients)]
        run("delete a tenth", "delete", names=gone, expected=estate.clients)


def _end(realm: Realm) -> Any:
    """A client and a scope of the realm as they can be compared."""
    scope = next(one for one in realm.get("/client-scopes") if one["name"] == "scope.1")
    return [_comparable(one) for one in (realm.client("client-1"), scope)]


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _comparable(v) for k, v in value.items() if k != "id" and not k.startswith("oauthdeploy.")}
    return sorted(value) if isinstance(value, list) else value


def rows(
    server: Keycloak,
    estate: Estate,
    rounds: int,
    folder: Path,
    absent: dict[str, str],
    *,
    installed: Installed | None,
) -> Iterator[Row]:
    """The medians of every work and tool, the bare loader first; `absent` gets the peers that were not measured, and why.

    Without `installed` no peer is measured.
    """
    done: list[Round] = []
    with proxies_apart([server.url]) as (proxy,):
        Round(estate, proxy, folder, server).warm_up()
        for number in range(rounds):
            here = folder / str(number)
            here.mkdir(parents=True)
            done.append(Round(estate, proxy, here, server))
            peers = Peers(proxy.url, server, here, estate, installed) if installed else None
            done[-1].go(peers, bare_first=number % 2 == 0)
            absent.update(done[-1].absent)
            shutil.rmtree(here)
    tools = dict.fromkeys((BARE, LOOKING, *(tool for one in done for _work, tool in one.runs)))
    for work in dict.fromkeys(work for one in done for work, _tool in one.runs):
        bare = [one.runs[work, BARE] for one in done if (work, BARE) in one.runs]
        for tool in tools:
            runs = [one.runs[work, tool] for one in done if (work, tool) in one.runs]
            if len(runs) == len(done):
                yield row(SERVER, work, tool, runs, () if tool == BARE else bare)
