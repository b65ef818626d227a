"""Keycloak: its distribution from Maven Central, built once with the options of the tests, run in memory."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import trustme

from tests.servers.obtain import Tool, Unobtainable, cache, check_sha256, once, run, say
from tests.servers.process import Running, answers, free_port, spawn, start

VERSION = "26.7.3"
SHA256 = "77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47"
"""Of the file `keycloak-quarkus-dist-VERSION.tar.gz`."""
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
BUILD = ("--db=dev-mem", "--health-enabled=true", "--features=client-secret-rotation")
"""Options that Keycloak takes at build time only; whoever changes them builds anew."""
HEAP = "-Xms128m -Xmx640m"
HEAP_OF_MANY_RUNS = "-Xms128m -Xmx3g"
START_WITHIN = 240
OLDEST_JAVA = 17

JAVA = Tool("java", "Keycloak", f"{OLDEST_JAVA} or newer", "default-jre-headless", home="JAVA_HOME")
MAVEN = Tool("mvn", "Obtaining Keycloak", "3.6 or newer", "maven")


def obtain() -> Path:
    """Gives the folder of the built distribution; from the cache without any network, where it is there.

    Raises `Unobtainable` where Java or Maven is missing, or a download is not the pinned file.
    """
    java = JAVA.release("-version")
    if java[0] < OLDEST_JAVA:
        raise Unobtainable(JAVA.advice(f"is too old ({'.'.join(map(str, java))})"))
    options = hashlib.sha256(" ".join(BUILD).encode()).hexdigest()[:8]
    return once(f"keycloak-{VERSION}-{options}", _make)


def _make(target: Path) -> None:
    scratch = target.parent
    maven = MAVEN.find()
    say(f"Fetching Keycloak {VERSION} from Maven Central (170 MB)")
    artifact = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:tar.gz"
    run([maven, "-B", "-q", "-ntp", COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={scratch}"])
    archive = scratch / f"keycloak-quarkus-dist-{VERSION}.tar.gz"
    check_sha256(archive, SHA256)
    run(["tar", "-xzf", archive, "-C", scratch])
    unpacked = scratch / f"keycloak-{VERSION}"
    say("Building Keycloak with the options of the tests (half a minute to a minute)")
    run([unpacked / "bin/kc.sh", "build", *BUILD])
    unpacked.rename(target)


@dataclass
class Keycloak:
    """A running Keycloak, and its admin API by hand."""

    url: str
    https_url: str
    management_url: str
    ca_file: Path
    username: str
    password: str = field(repr=False)
    process: Running
    _session: requests.Session = field(default_factory=requests.Session, repr=False)
    _token_until: float = 0.0

    def to_state(self) -> dict[str, Any]:
        """What another process of the run needs in order to use this server, as JSON."""
        places = {"ca_file": str(self.ca_file), "log": str(self.process.log), "mark": str(self.process.mark)}
        names = ("url", "https_url", "management_url", "username", "password")
        return {name: getattr(self, name) for name in names} | places

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Keycloak:
        """The inverse of `to_state`."""
        given = dict(state)
        process = Running("keycloak", Path(given.pop("log")), Path(given.pop("mark")))
        return cls(ca_file=Path(given.pop("ca_file")), process=process, **given)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """A request to `/admin/realms` + `path` as the administrator; gives the answer, whatever its status."""
        if time.monotonic() > self._token_until:
            self._sign_in()
        options.setdefault("timeout", 60)
        return self._session.request(method, f"{self.url}/admin/realms{path}", json=body, **options)

    def _sign_in(self) -> None:
        answer = requests.post(
            f"{self.url}/realms/master/protocol/openid-connect/token",
            data={
                "grant_type": "password",
                "client_id": "admin-cli",
                "username": self.username,
                "password": self.password,
            },
            timeout=60,
        )
        answer.raise_for_status()
        told = answer.json()
        self._session.headers["Authorization"] = f"Bearer {told['access_token']}"
        self._token_until = time.monotonic() + told["expires_in"] / 2


@dataclass(frozen=True)
class Realm:
    """A fresh realm of a running Keycloak."""

    server: Keycloak
    name: str

    @property
    def issuer(self) -> str:
        """The issuer over plain HTTP, which is also the base of the realm's OAuth endpoints."""
        return f"{self.server.url}/realms/{self.name}"

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/token"

    def call(self, method: str, path: str = "", body: Any = None, **options: Any) -> requests.Response:
        """A request to the realm's part of the admin API; gives the answer, whatever its status."""
        return self.server.call(method, f"/{self.name}{path}", body, **options)

    def get(self, path: str = "", **options: Any) -> Any:
        """What a GET of the admin API gives; fails the test when it gives none."""
        answer = self.call("GET", path, **options)
        assert answer.ok, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def add(self, path: str, body: Any) -> str:
        """POST an object; gives the id that the server made, from `Location`."""
        answer = self.call("POST", path, body)
        assert answer.status_code == 201, f"POST {path}: {answer.status_code} {answer.text}"
        return answer.headers["Location"].rsplit("/", 1)[1]

    def client(self, client_id: str) -> Any:
        """The representation of the client with that `clientId`."""
        (found,) = self.get("/clients", params={"clientId": client_id})
        return found

    def token(self, client_id: str, secret: str, **parameters: str) -> requests.Response:
        """Ask for a token by client credentials, or with other `parameters` (RFC 6749)."""
        form = {"grant_type": "client_credentials", **parameters}
        return requests.post(self.token_url, data=form, auth=(client_id, secret), timeout=60)

    def introspect(self, token: str, client_id: str, secret: str) -> Any:
        """What the server says of a token to that confidential client (RFC 7662)."""
        answer = requests.post(
            f"{self.token_url}/introspect", data={"token": token}, auth=(client_id, secret), timeout=60
        )
        answer.raise_for_status()
        return answer.json()


def make_realm(server: Keycloak, **settings: Any) -> Realm:
    """A new realm with a name of its own; `settings` go into its representation."""
    name = f"t-{secrets.token_hex(4)}"
    answer = server.call("POST", "", {"realm": name, "enabled": True, **settings})
    assert answer.status_code == 201, f"{answer.status_code} {answer.text}"
    return Realm(server, name)


def standing() -> Keycloak | None:
    """The Keycloak that `python -m tests.servers keycloak` runs for all; None where none answers."""
    if not standing_file().is_file():
        return None
    server = Keycloak.from_state(json.loads(standing_file().read_text()))
    try:
        requests.get(server.url, timeout=10)
    except requests.ConnectionError:
        return None
    return server


def standing_file() -> Path:
    """Where test runs find the Keycloak that stands already."""
    return cache() / f"keycloak-{VERSION}.json"


def launch(folder: Path, owner: int, heap: str = HEAP) -> Keycloak:
    """Start a Keycloak with an empty in-memory database on free ports; its log and certificates are in `folder`.

    `heap` are the options of Java's memory. It ends with the process `owner` at the latest. Raises Unobtainable and NotStarted.
    """
    home = obtain()
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    leaf.private_key_pem.write_to_path(str(folder / "server.key"))
    for pem in leaf.cert_chain_pems:
        pem.write_to_path(str(folder / "server.pem"), append=True)
    password = secrets.token_urlsafe(16)
    made: list[Keycloak] = []

    def attempt() -> tuple[Running, Any]:
        http, https, management = free_port(), free_port(), free_port()
        command: list[str | Path] = [
            home / "bin/kc.sh",
            "start",
            "--optimized",
            "--cache=local",
            "--http-enabled=true",
            "--hostname-strict=false",
            "--http-host=127.0.0.1",
            f"--http-port={http}",
            f"--https-port={https}",
            f"--http-management-port={management}",
            "--http-management-scheme=http",
            f"--https-certificate-file={folder / 'server.pem'}",
            f"--https-certificate-key-file={folder / 'server.key'}",
        ]
        env = {
            "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
            "KC_BOOTSTRAP_ADMIN_PASSWORD": password,
            "JAVA_OPTS_KC_HEAP": heap,
        }
        running = spawn("keycloak", command, folder, owner, env)
        server = Keycloak(
            url=f"http://127.0.0.1:{http}",
            https_url=f"https://127.0.0.1:{https}",
            management_url=f"http://127.0.0.1:{management}",
            ca_file=folder / "ca.pem",
            username="admin",
            password=password,
            process=running,
        )
        made.append(server)
        return running, lambda: answers(f"{server.url}/realms/master")

    start(attempt, START_WITHIN)
    return made[-1]
