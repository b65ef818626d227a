"""Other clients of Keycloak's admin API, each doing the same works in a realm of its own.

`kcadm.sh` comes with the server and python-keycloak with the tools of development; keycloak-config-cli and OpenTofu are
measured if their paths are given.
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

LIBRARY, KCADM, CONFIG_CLI, TOFU = "python-keycloak", "kcadm.sh", "keycloak-config-cli", "OpenTofu"
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
class Installed:
    """Where peers are that do not come with the server: a JAR, a program, and a folder with a provider's program."""

    config_cli: Path | None = None
    tofu: Path | None = None
    tofu_provider: Path | None = None


@dataclass(frozen=True)
class Peers:
    """What the peers need: the address that they are given, the account, a folder of their own, and what is installed."""

    url: str
    server: Keycloak
    folder: Path
    estate: Estate
    installed: Installed

    def tools(self) -> Mapping[str, Callable[[Realm], Iterator[Work]]]:
        """The works of each peer in a realm, one after the other. Raises Failed where a peer is not here."""
        return {
            LIBRARY: self.library,
            KCADM: self.kcadm,
            CONFIG_CLI: self.keycloak_config_cli,
            TOFU: self.opentofu,
        }

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
        jar = self.installed.config_cli
        if jar is None:
            raise Failed("no --config-cli was given")

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

    def opentofu(self, realm: Realm) -> Iterator[Work]:
        """A plan and an apply of one configuration, with the provider keycloak/keycloak and a local state."""
        program_file, provider = self.installed.tofu, self.installed.tofu_provider
        if program_file is None or provider is None:
            raise Failed("no --tofu and --tofu-provider were given")
        tofu, here = program_file.resolve(), self.folder / "tofu"
        here.mkdir()
        settings = here / "tofu.rc"
        override = f'"keycloak/keycloak" = "{provider.resolve()}"'
        settings.write_text(
            f"provider_installation {{ dev_overrides {{ {override} }} direct {{}} }}\n", encoding="utf-8"
        )

        def run(*words: str, changed: int = 0, gone: int = 0) -> Callable[[], object]:
            def do() -> None:
                form = self._configuration(realm.name, changed, gone)
                (here / "main.tf.json").write_text(json.dumps(form), encoding="utf-8")
                program([tofu, *words, "-input=false", "-no-color"], here, {"TF_CLI_CONFIG_FILE": str(settings)})

            return do

        yield "create", run("apply", "-auto-approve")
        yield "plan, nothing to do", run("plan", "-detailed-exitcode")
        yield "apply, nothing to do", run("apply", "-auto-approve")
        yield "change 10", run("apply", "-auto-approve", changed=10)
        yield "delete a tenth", run("apply", "-auto-approve", changed=10, gone=self.estate.clients // 10)

    def _configuration(self, realm: str, changed: int, gone: int) -> Mapping[str, Any]:
        clients = self.estate.client_bodies(changed)
        kept = {f"c{n}": one for n, one in enumerate(clients[: len(clients) - gone])}
        scopes = {one["name"]: f"s{n}" for n, one in enumerate(self.estate.scope_bodies())}
        account = {"username": self.server.username, "password": self.server.password, "client_id": "admin-cli"}
        return {
            "terraform": {"required_providers": {"keycloak": {"source": "keycloak/keycloak"}}},
            "provider": {"keycloak": {"url": self.url, "client_timeout": 120, **account}},
            "resource": {
                "keycloak_openid_client_scope": {
                    scopes[one["name"]]: {"realm_id": realm, "name": one["name"], "description": one["description"]}
                    for one in self.estate.scope_bodies()
                },
                "keycloak_openid_client": {
                    key: {
                        "realm_id": realm,
                        "client_id": one["clientId"],
                        "access_type": "PUBLIC",
                        "standard_flow_enabled": True,
                        "valid_redirect_uris": one["redirectUris"],
                    }
                    for key, one in kept.items()
                },
                "keycloak_openid_client_optional_scopes": {
                    key: {
                        "realm_id": realm,
                        "client_id": f"${{keycloak_openid_client.{key}.id}}",
                        "optional_scopes": [
                            f"${{keycloak_openid_client_scope.{scopes[scope]}.name}}" if scope in scopes else scope
                            for scope in one["optionalClientScopes"]
                        ],
                    }
                    for key, one in kept.items()
                },
            },
        }

    def _written(self, form: Mapping[str, Any]) -> Path:
        path = self.folder / "bodies.json"
        path.write_text(json.dumps(form), encoding="utf-8")
        return path
