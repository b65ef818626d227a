"""Two machines that renew one secret: real processes, folders of their own, interleaved at each write of a renewal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from oauthdeploy.testing.proxy import Fault, Proxy, Seen
from tests.servers.keycloak import Realm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MANIFEST = """\
version: 1
name: shop
servers:
  login:
    role: authorization
    driver: keycloak
    url: ${{env:URL}}
    credentials: {{username: "${{env:ADMIN}}", password: "${{env:PASSWORD}}"}}
    options: {{realm: "${{env:REALM}}"}}
clients:
  robot:
    type: confidential
    grants: [client_credentials]
    secret: {{generate: true, revision: {revision}, deliver_to: {{file: out/robot.env}}}}
"""


@dataclass
class Machine:
    """A folder with the manifest, and its way to Keycloak."""

    folder: Path
    url: str
    realm: Realm

    def write(self, revision: int) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "oauthdeploy.yaml").write_text(MANIFEST.format(revision=revision))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        server = self.realm.server
        own = {"URL": self.url, "ADMIN": server.username, "PASSWORD": server.password, "REALM": self.realm.name}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OAUTHDEPLOY_")}
        return subprocess.run(
            [sys.executable, "-m", "oauthdeploy", *arguments],
            cwd=self.folder,
            env={**inherited, **own},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def secret(self) -> str:
        file = self.folder / "out/robot.env"
        return file.read_text().partition("CLIENT_SECRET=")[2].strip() if file.exists() else ""


class Pause:
    """Holds the write of that number, from the first of a renewal on, until `meanwhile` has ended."""

    def __init__(self, number: int, meanwhile: Callable[[], None]) -> None:
        self.left = number
        self.meanwhile = meanwhile
        self.begun = self.held = False

    def __call__(self, seen: Seen) -> Fault | None:
        self.begun = self.begun or (seen.method == "POST" and seen.path.endswith("/roles"))
        if self.begun and seen.writes and not self.held:
            if self.left == 0:
                self.held = True
                self.meanwhile()
            self.left -= 1
        return None


def test_two_machines_that_renew_one_secret_do_not_both_end_well(realm: Realm, tmp_path: Path) -> None:
    """While one waits before each of its writes in turn, the other runs from beginning to end.

    Never do both end with 0; who does has delivered the secret that is live; the other one ends with 4, 6 or 7, says whose secret
    that is, and its next plan says that its own is not the live one.
    """
    proxy = Proxy(realm.server.url)
    one, two = Machine(tmp_path / "one", proxy.url, realm), Machine(tmp_path / "two", realm.server.url, realm)
    try:
        one.write(1)
        first = one.run("apply", "--yes")
        assert first.returncode == 0, first.stderr
        revision, number, ends = 1, 0, []
        while True:
            revision += 1
            for machine in (one, two):
                machine.write(revision)
            other: list[subprocess.CompletedProcess[str]] = []
            pause = Pause(number, lambda found=other: found.append(two.run("apply", "--yes")))  # type: ignore[misc]
            proxy.spoil(pause)
            mine = one.run("apply", "--yes")
            proxy.spoil(None)
            if not pause.held:
                break
            runs = {one.folder.name: (one, mine), two.folder.name: (two, other[0])}
            live = realm.get(f"/clients/{realm.client('robot')['id']}/client-secret")["value"]
            won = [machine for machine, run in runs.values() if run.returncode == 0]
            assert len(won) == 1, (number, mine.stdout, mine.stderr, other[0].stdout, other[0].stderr)
            assert won[0].secret == live
            (loser, lost) = next((machine, run) for machine, run in runs.values() if run.returncode)
            assert lost.returncode in (4, 6, 7), lost.stdout + lost.stderr
            # Who plans after all is over has nothing to change, and a secret that is not the live one.
            assert "secret-renewed-elsewhere" in lost.stdout, lost.stdout + lost.stderr
            assert ("renewed by" if number == 3 else "live secret") in " ".join(lost.stdout.split())
            told = loser.run("plan").stdout
            assert "secret-renewed-elsewhere" in told or "secret-not-there" in told or "Update" in told, told
            ends.append(won[0].folder.name)
            number += 1
        assert number == 4, "the lock, the secret, the client, and the lock again"
        assert set(ends) == {"one", "two"}
        roles = realm.get(f"/clients/{realm.client('robot')['id']}/roles")
        assert roles == []
    finally:
        proxy.close()
