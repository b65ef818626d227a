"""Other clients of Keycloak's admin API, each doing the same works in a realm of its own.

`kcadm.sh` comes with the server, python-keycloak is measured if it is installed beside oauthdeploy, and keycloak-config-cli
if the path of its JAR is given.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.estate import Estate
from benchmarks.measuring import Failed, program
from tests.servers.keycloak import Keycloak, Realm, obtain

LIBRARY, KCADM, CONFIG_CLI = "python-keycloak", "kcadm.sh", "keycloak-config-cli"
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

Work = tuple[str, Callable[[], object]]


@dataclass(frozen=True)
class Peers:
    """What the peers need: the address that they are given, the account, a folder of their own, and what is installed."""

    url: str
    server: Keycloak
    folder: Path
    estate: Estate
    config_cli: Path | None = None

    def tools(self) -> Mapping[str, Callable[[Realm], Iterator[Work]]]:
        """The works of each peer in a realm, one after the other. Raises Failed where a peer is not here."""
        return {LIBRARY: self.library, KCADM: self.kcadm, CONFIG_CLI: self.keycloak_config_cli}

    def library(self, realm: Realm) -> Iterator[Work]:
        """One request after the other, by the library's own functions."""
        found = subprocess.run([sys.executable, "-c", "import keycloak"], capture_output=True, check=False)
        if found.returncode:
            raise Failed("it is not installed")
        bodies = self._written({"scopes": self.estate.scope_bodies(), "clients": self.estate.client_bodies()})
        account = (self.server.username, self.server.password)
        command = [sys.executable, "-c", LIBRARY_LOOP, self.url, realm.name, *account, str(bodies)]
        yield "create", lambda: program(command, self.folder, {})

    def kcadm(self, realm: Realm) -> Iterator[Work]:
        """A partial import, which takes no client scopes; those are there before, since Java would start for each of them."""
        script = obtain() / "bin" / "kcadm.sh"
        config = f"--config={self.folder / 'kcadm.config'}"
        for scope in self.estate.scope_bodies():
            realm.add("/client-scopes", scope)
        bodies = self._written({"ifResourceExists": "FAIL", "clients": self.estate.client_bodies()})
        account = ("--user", self.server.username, "--password", self.server.password)
        sign_in = (script, "config", "credentials", "--server", self.url, "--realm", "master", *account, config)

        def load() -> None:
            program(sign_in, self.folder, {})
            program([script, "create", "partialImport", "-r", realm.name, "-f", bodies, config], self.folder, {})

        yield "create", load

    def keycloak_config_cli(self, realm: Realm) -> Iterator[Work]:
        """An import of the realm's file. With its cache it compares a checksum of the file, and does not look at the realm."""
        if self.config_cli is None:
            raise Failed("no --config-cli was given")
        jar = self.config_cli

        def run(*, changed: int = 0, gone: int = 0, cache: bool = False) -> Callable[[], object]:
            clients = self.estate.client_bodies(changed)
            form = {
                "realm": realm.name,
                "clientScopes": self.estate.scope_bodies(),
                "clients": clients[: len(clients) - gone],
            }

            def do() -> None:
                options = {
                    "keycloak.url": self.url,
                    "keycloak.user": self.server.username,
                    "keycloak.password": self.server.password,
                    "import.files.locations": str(self._written(form)),
                    "import.cache.enabled": str(cache).lower(),
                }
                program(["java", "-jar", jar, *(f"--{key}={value}" for key, value in options.items())], self.folder, {})

            return do

        yield "create", run()
        yield "apply, nothing to do", run()
        # The first run with the cache stores the checksum.
        run(cache=True)()
        yield "apply, nothing to do, by a checksum", run(cache=True)
        yield "change 10", run(changed=10)
        yield "delete a tenth", run(changed=10, gone=self.estate.clients // 10)

    def _written(self, form: Mapping[str, Any]) -> Path:
        path = self.folder / "bodies.json"
        path.write_text(json.dumps(form), encoding="utf-8")
        return path
