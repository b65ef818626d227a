"""Two live servers behind proxies, and the command line run against them."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final
from unittest import mock

import requests
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from oauthdeploy.cli.entrypoint import run
from oauthdeploy.server import Profile, RunningServer, SeedUser, ServerConfig, models, passwords, start
from oauthdeploy.server.app import state_of
from oauthdeploy.server.profile import effective
from oauthdeploy.server.state import State
from tests.faults.manifests import ALLOWED, GENERATED, MANIFESTS, PATIENT, prior_manifest
from tests.faults.proxy import Proxy, Seen, Trap

PASSWORDS: Final = {
    "LOGIN_PASSWORD": "canary-login-password-6b1e",
    "ORDERS_PASSWORD": "canary-orders-password-77ac",
    "INTROSPECTION_PASSWORD": "canary-introspection-password-c40d",
    "BATCH_SECRET": "canary-batch-secret-19f3",
}
SERVERS: Final = ("login", "orders")
_ADMIN: Final = ("deployer", "canary-hand-password-5d2a")
_UNTOLD: Final = frozenset({"_sa_instance_state", "id", "client_id", "secret_hash", "version_is_number"})
_SEALED: Final = frozenset({"registration_access_token", "client_secret", "password"})
_PEOPLE: Final = ("alice", "bob", "batch", "robot", "auditor")


@dataclass(frozen=True)
class Setting:
    """What a proof is made in: what the servers are and hold before, and how the tool is limited."""

    scenario: str
    estate: str
    """One of ESTATES."""
    retries: int
    parallel: int = 1

    def __str__(self) -> str:
        wide = f"-{self.parallel}-wide" if self.parallel > 1 else ""
        return f"{self.scenario}-{self.estate}-{self.retries}-retries{wide}"


@dataclass(frozen=True)
class Ran:
    """What a run of the command left: exit code, both streams, and the JSON report where it wrote one."""

    code: int
    out: str
    err: str
    report: Mapping[str, Any] | None

    @property
    def said(self) -> str:
        return f"exit code {self.code}\n{self.out}\n{self.err}"


@dataclass
class Site(ABC):
    """Servers, each behind a proxy, and the command line run against them: `login` and `orders`, or `login` alone."""

    home: Path
    accepts: bool = True
    """Whether the servers take ids and secrets that others choose."""
    proxies: dict[str, Proxy] = field(default_factory=dict)
    """The proxies by the names of the servers."""
    tokens: set[str] = field(default_factory=set)
    cases: int = 0

    passwords: Mapping[str, str] = field(default_factory=lambda: PASSWORDS)
    """The environment variables of the manifests that are secret."""
    updates_by: ClassVar[str] = "PATCH"
    """The method with which `login` is told of a change."""
    allowed: ClassVar[Sequence[str]] = ALLOWED
    """The rules that every apply overrides."""

    @abstractmethod
    def open(self) -> None:
        """Start the servers and the proxies."""

    @abstractmethod
    def close(self) -> None:
        """Stop all of them."""

    @abstractmethod
    def reset(self, scenario: str) -> None:
        """Give both servers the state that a scenario begins with."""

    @abstractmethod
    def manifest(self, setting: Setting, timeout: int = PATIENT) -> str:
        """The manifest of a setting; `timeout` in seconds is how long an answer may take."""

    @abstractmethod
    def holdings(self) -> Mapping[str, Mapping[str, Any]]:
        """All that both servers hold, without what they make up themselves: ids and times."""

    @abstractmethod
    def names(self) -> Sequence[str]:
        """What each object of both servers is called there, once for each object."""

    @abstractmethod
    def generated(self, scenario: str) -> Sequence[str]:
        """The clients whose secret is made by the server in a scenario."""

    @abstractmethod
    def remove_client(self, client: str) -> None:
        """Delete a client from `login` by hand."""

    @abstractmethod
    def token(self, client_id: str, secret: str) -> str:
        """A token by client credentials; fails where the server gives none."""

    def credentials(self, folder: Path, client: str) -> tuple[str, str]:
        """Id and secret of a client, as its owner would find them."""
        delivered = delivered_to(folder, client)
        if delivered.exists():
            found = json.loads(delivered.read_text())
            return found["client_id"], found["client_secret"]
        return client, PASSWORDS["BATCH_SECRET"]

    def keeps_own_secret(self, scenario: str) -> bool:
        """Whether `batch` has a secret of the manifest's in a scenario."""
        return self.accepts and scenario == "empty"

    # -- runs --------------------------------------------------------------------------------------------------------

    def folder(self, name: str, manifest: str) -> Path:
        """A new folder with a manifest in it."""
        self.cases += 1
        folder = self.home / "cases" / f"{self.cases}-{name}"
        folder.mkdir(parents=True)
        (folder / "oauthdeploy.yaml").write_text(manifest)
        return folder

    def one_more_apply(self, folder: Path) -> Ran:
        """What a person does after an apply that was disturbed: apply once more, and no more than that."""
        return self.apply(folder)

    def apply(self, folder: Path, *more: str) -> Ran:
        """`oauthdeploy apply --yes` in this process; `more` are rules to override."""
        out, err = io.StringIO(), io.StringIO()
        environment = mock.patch.dict(os.environ, self.environment(), clear=True)
        with environment, redirect_stdout(out), redirect_stderr(err):
            code = run(self._arguments(folder, *more))
        return _ran(code, out.getvalue(), err.getvalue(), folder)

    @contextmanager
    def process(self, folder: Path) -> Iterator[subprocess.Popen[str]]:
        """`oauthdeploy apply --yes` as a process of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "oauthdeploy", *self._arguments(folder)],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            for proxy in self.proxies.values():
                proxy.aim(process.pid)
            yield process
        finally:
            process.kill()
            process.communicate()

    def _arguments(self, folder: Path, *more: str) -> list[str]:
        arguments = ["apply", "--yes", "-f", str(folder / "oauthdeploy.yaml"), "-v"]
        arguments += ["-o", "text", "-o", f"json={folder / 'report.json'}"]
        (folder / "report.json").unlink(missing_ok=True)
        return arguments + [word for rule in (*self.allowed, *more) for word in ("--allow", rule)]

    def environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "TMPDIR", "LANG")}
        urls = {f"{name.upper()}_URL": proxy.url for name, proxy in self.proxies.items()}
        return {**inherited, **urls, **self.passwords, "NO_COLOR": "1"}

    def arm(self, server: str, trap: Trap) -> None:
        self.proxies[server].arm(trap)

    def calm(self) -> None:
        """Wait until nothing is on its way, and take all traps away."""
        for proxy in self.proxies.values():
            proxy.arm()

    def seen(self) -> dict[str, Sequence[Seen]]:
        return {name: tuple(proxy.seen) for name, proxy in self.proxies.items()}

    @property
    def canaries(self) -> set[str]:
        """Every secret that the tool may have come to know."""
        made = {secret for proxy in self.proxies.values() for secret in proxy.secrets}
        return {*self.passwords.values(), *made, *self.tokens}


@dataclass
class EmbeddedSite(Site):
    """Two embedded servers, set back to a known state in no time; one site for each way of naming clients, and for each profile.

    Both hold a client and a scope that no manifest names. Everything by hand goes past the API, whose answers a profile changes.
    """

    servers: dict[str, RunningServer] = field(default_factory=dict)
    profile: Profile = field(default_factory=Profile)
    strict: bool = False
    _snapshots: dict[str, dict[str, Path]] = field(default_factory=dict)
    _there: frozenset[str] = frozenset()
    """The ids of the clients with which the scenario began: only their secrets are known before."""
    _quick: Any = field(default_factory=lambda: mock.patch.object(passwords, "METHOD", "pbkdf2:sha256:1"))

    @property
    def by_services(self) -> bool:
        """Whether the servers have the administration services only."""
        return self.profile.administration == "services"

    def open(self) -> None:
        # A slow hash would be much of the time that a proof takes, and is not what is proved.
        self._quick.start()
        for name, role in (("login", "authorization"), ("orders", "resource")):
            config = ServerConfig(
                role=role,  # type: ignore[arg-type]
                data_dir=self.home / name,
                accept_client_id=self.accepts,
                users=_users(name),
                profile=self.profile,
                strict=self.strict,
            )
            self.servers[name] = start(config)
            _hurry(self.servers[name])
            self.proxies[name] = Proxy(self.servers[name].url)
            with self._state(name).store.write() as session:
                session.add_all(_by_hand())
                session.flush()
                session.add(models.ClientScope(client_id="by-hand", scope="by.hand", position=0))
        self._keep("empty")

    def close(self) -> None:
        for proxy in self.proxies.values():
            proxy.close()
        for server in self.servers.values():
            server.stop()
        self._quick.stop()

    # -- states ------------------------------------------------------------------------------------------------------

    def reset(self, scenario: str) -> None:
        """Give both servers the state that a scenario begins with."""
        if scenario not in self._snapshots:
            self._prepare(scenario)
        for proxy in self.proxies.values():
            proxy.arm()
        for name, kept in self._snapshots[scenario].items():
            _copy_database(kept, self.home / name / "server.db")
        self._there = frozenset(
            client_id
            for server in SERVERS
            for client_id in self._read(server, lambda session: session.scalars(select(models.Client.client_id)).all())
        )

    def _prepare(self, scenario: str) -> None:
        assert scenario == "change", scenario
        self.reset("empty")
        folder = self.folder("prior", prior_manifest(accepts=self.accepts, by_services=self.by_services))
        with self._plain_answers():
            ran = self.apply(folder)
        assert ran.code == 0, ran.said
        for client in ("batch", "robot"):
            for _ in range(2):
                self.tokens.add(self.token(*self.credentials(folder, client)))
        for server in SERVERS:
            with self._state(server).store.write() as session:
                for row in session.scalars(select(models.Client)):
                    row.registration_client_uri = f"https://registration.example.com/{row.name}"
        self._keep(scenario)

    @contextmanager
    def _plain_answers(self) -> Iterator[None]:
        """Both servers answer as the documents suggest, in the form of their API."""
        plain = self.profile.model_validate({"administration": self.profile.administration})
        states = [self._state(server) for server in SERVERS]
        former = [state.profile for state in states]
        for state in states:
            state.__dict__["profile"] = effective(plain, strict=self.strict)
        yield
        for state, profile in zip(states, former, strict=True):
            state.__dict__["profile"] = profile

    def _state(self, server: str) -> State:
        return state_of(self.servers[server].app)

    def _read(self, server: str, read: Callable[[Session], Sequence[str]]) -> Sequence[str]:
        with self._state(server).store.read() as session:
            return read(session)

    def _keep(self, name: str) -> None:
        self._snapshots[name] = {server: self.home / f"{server}-{name}.db" for server in SERVERS}
        for server, kept in self._snapshots[name].items():
            _copy_database(self.home / server / "server.db", kept)

    def holdings(self) -> dict[str, Any]:
        """All that both servers hold, without what they make up themselves: ids, times and the secrets of new clients."""
        return {name: self._holdings(name) for name in SERVERS}

    def _holdings(self, server: str) -> dict[str, Any]:
        state = self._state(server)
        with state.store.read() as session:
            clients = list(session.scalars(select(models.Client)))
            named = {client.client_id: f"{client.name} ({client.version})" for client in clients}
            grants = [(named[one.client_id], one.scope) for one in session.scalars(select(models.ClientScope))]
            tokens = [f"{named[token.client_id]}: {token.scope}" for token in session.scalars(select(models.Token))]
            accounts = list(session.scalars(select(models.ClientAccount)))
            return {
                "settings": self._rows(state, session, models.Settings),
                "clients": self._rows(state, session, models.Client),
                "associations": sorted(grants),
                "ids": sorted(f"{name}: {key}" for key, name in named.items()) if self.accepts else [],
                "secrets": {named[c.client_id]: c.secret_hash for c in clients if c.client_id in self._there},
                "accounts": sorted(named.get(account.user, account.user) for account in accounts),
                "scopes": self._rows(state, session, models.Scope),
                "tokens": sorted(tokens),
                "external": self._rows(state, session, models.ExternalServer),
                "remote": self._rows(state, session, models.RemoteServer),
                "parameters": self._rows(state, session, models.ServerParameter),
            }

    def _rows(self, state: State, session: Session, table: type[models.Base]) -> list[dict[str, Any]]:
        return _sorted(
            {key: self._plain(state, key, value) for key, value in vars(row).items() if key not in _UNTOLD}
            for row in session.scalars(select(table))
        )

    def _plain(self, state: State, key: str, value: Any) -> Any:
        """A value as it is the same on every site: opened where it is sealed, without addresses; an empty text is none."""
        if isinstance(value, str) and key in _SEALED:
            return state.vault.open(value)
        for name, proxy in self.proxies.items():
            if value == int(proxy.url.rpartition(":")[2]):
                return name
            if isinstance(value, str):
                value = value.replace(proxy.url, f"<{name}>")
        return None if value == "" else _sorted_list(value)

    def names(self) -> Sequence[str]:
        found = []
        for server in SERVERS:
            with self._state(server).store.read() as session:
                clients, scopes = session.scalars(select(models.Client)), session.scalars(select(models.Scope))
                found += [f"client {item.name} ({item.version}) of {server}" for item in clients]
                found += [f"scope {item.name} of {server}" for item in scopes]
        return found

    def manifest(self, setting: Setting, timeout: int = PATIENT) -> str:
        make = MANIFESTS[setting.scenario]
        limits = {"timeout": timeout, "retries": setting.retries, "parallel": setting.parallel}
        return make(accepts=self.accepts, by_services=self.by_services, **limits)

    def generated(self, scenario: str) -> Sequence[str]:
        both = GENERATED[scenario]
        return both if self.accepts or scenario != "empty" else (*both, "batch")

    def remove_client(self, client: str) -> None:
        with self._state("login").store.write() as session:
            (found,) = session.scalars(select(models.Client).where(models.Client.name == client.capitalize()))
            account = session.get(models.User, found.client_id)
            session.delete(found)
            if account is not None:
                session.delete(account)

    # -- clients -----------------------------------------------------------------------------------------------------

    def token(self, client_id: str, secret: str) -> str:
        answer = requests.post(
            f"{self.servers['login'].url}/invoke/pub.oauth/getToken",
            data={"grant_type": "client_credentials"},
            auth=(client_id, secret),
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


def delivered_to(folder: Path, client: str) -> Path:
    return folder / "out" / f"{client}.json"


def finished(process: subprocess.Popen[str], folder: Path) -> Ran:
    """Wait for a process and give what it left."""
    out, err = process.communicate(timeout=60)
    return _ran(process.returncode, out, err, folder)


def _ran(code: int, out: str, err: str, folder: Path) -> Ran:
    report = folder / "report.json"
    found = json.loads(report.read_text()) if report.exists() else None
    return Ran(code, out, err, found if found and found["format"] == "oauthdeploy/apply" else None)


def _by_hand() -> Sequence[models.Base]:
    """A client and a scope of somebody else."""
    client = models.Client(
        client_id="by-hand",
        name="By Hand",
        version="7",
        version_is_number=True,
        type=models.CONFIDENTIAL,
        description="by hand",
        redirect_uris=["https://b.example.com/x", "https://a.example.com/y"],
        authorization_code_grant=True,
        implicit_grant=False,
        client_credentials_grant=True,
        password_grant=True,
        token_lifetime=99,
        refresh_count=3,
        enabled=True,
        registration_client_uri="https://registration.example.com/by-hand",
        registration_access_token=None,
        secret_hash=passwords.hash_generated("by-hand-secret-8c21"),
    )
    scope = models.Scope(name="by.hand", description="by hand", resources=["a.b"], url_templates=["GET_a/b"])
    return scope, client


def _users(server: str) -> tuple[SeedUser, ...]:
    password = PASSWORDS[f"{server.upper()}_PASSWORD"]
    helpers = ("orders-rs", "orders-rs-2") if server == "login" else ()
    return (
        SeedUser("deployer", _ADMIN[1], ("Administrators",)),
        SeedUser("tool", password, ("Administrators",)),
        *(SeedUser(name, PASSWORDS["INTROSPECTION_PASSWORD"], ("ResourceServers",)) for name in helpers),
        *(SeedUser(name, "nobody-signs-in-with-this") for name in _PEOPLE),
    )


def _hurry(server: RunningServer) -> None:
    """Let the database not wait for the disk: no proof cuts the power."""
    engine = state_of(server.app).store.engine
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF").close())
    engine.dispose()


def _copy_database(source: Path, target: Path) -> None:
    """Copy a database as one transaction, under the feet of whoever has it open."""
    reader, writer = sqlite3.connect(source), sqlite3.connect(target, timeout=10)
    try:
        writer.execute("PRAGMA synchronous=OFF")
        reader.backup(writer)
    finally:
        writer.close()
        reader.close()


def _sorted(values: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(values, key=lambda value: json.dumps(value, sort_keys=True))


def _sorted_list(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def plain(value: Any, *, without: frozenset[str], told: Callable[[str], bool]) -> Any:
    """What a server holds, without what it makes up, and in one order; of a field that is `told`, whether it has a value."""
    if isinstance(value, Mapping):
        kept = {key: inner for key, inner in value.items() if key not in without}
        return {
            key: bool(inner) if told(key) else plain(inner, without=without, told=told) for key, inner in kept.items()
        }
    if isinstance(value, list):
        found = (plain(inner, without=without, told=told) for inner in value)
        return sorted(found, key=lambda item: json.dumps(item, sort_keys=True))
    return value


def clear(folder: Path) -> None:
    shutil.rmtree(folder)
