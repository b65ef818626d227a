"""Two live embedded servers, and the command line as a user's shell runs it."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import flask
import pytest
import requests

from oauthdeploy.cli.entrypoint import run
from oauthdeploy.server import RunningServer, SeedUser, ServerConfig, start

EXAMPLES = Path(__file__).parents[2] / "examples"
PASSWORD = "dep-loyer-pass-word"
SECRET = "nightly-secret-canary-8c1f"


@dataclass
class Result:
    """What a command left: its exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run_command(folder: Path, *arguments: str, env: Mapping[str, str], stdin: str | None = None) -> Result:
    """Run `oauthdeploy` in a folder: in this process, by the program's own entry.

    Starting Python anew for each of some hundred commands would take most of the time of these tests; what needs a
    process of its own (signals, streams, the demo) is tested with one elsewhere.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OAUTHDEPLOY_")}
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, {**inherited, "NO_COLOR": "1", **env}, clear=True),
        patch("sys.stdin", io.TextIOWrapper(io.BytesIO((stdin or "").encode()), encoding="utf-8")),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run(arguments)
    return Result(code, out.getvalue(), err.getvalue())


@dataclass
class Pair:
    """An authorization server `login`, a resource server `orders`, and a folder with a manifest for both."""

    folder: Path
    login: RunningServer
    orders: RunningServer
    seen: list[tuple[str, str, str]] = field(default_factory=list, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LOGIN_URL": self.login.url,
            "LOGIN_PASSWORD": PASSWORD,
            "LOGIN_CA": str(self.login.ca_file),
            "ORDERS_URL": self.orders.url,
            "ORDERS_PASSWORD": PASSWORD,
            "ORDERS_CA": str(self.orders.ca_file),
            "INTROSPECTION_PASSWORD": PASSWORD,
            "NIGHTLY_BATCH_SECRET": SECRET,
        }

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> Result:
        """Run `oauthdeploy` in the folder of the manifest."""
        return run_command(self.folder, *arguments, env={**self.environment, **(env or {})}, stdin=stdin)

    def admin(self, server: RunningServer, method: str, path: str, body: Any = None) -> Any:
        """A request to the admin API by hand; gives the JSON answer."""
        answer = requests.request(
            method,
            server.url + path,
            json=body,
            auth=("deployer", PASSWORD),
            verify=str(server.ca_file) if server.ca_file else True,
            timeout=10,
        )
        assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def holdings(self, server: RunningServer) -> Any:
        """Everything that the admin API tells of a server's OAuth configuration."""
        slash = "/" if server.config.strict else ""
        return {
            path: self.admin(server, "GET", f"/admin/oauth/{path}?expand=true")
            for path in ("globalsetting", "client", "scope", "externalserver", "token")
        } | {"remote": self.admin(server, "GET", f"/admin/remoteserver{slash or '/'}?expand=true")}

    def writes(self) -> list[tuple[str, str, str]]:
        """The mutating requests to either server since the last call: `(server, method, path)`."""
        found = [item for item in self.seen if item[1] not in ("GET", "HEAD", "OPTIONS")]
        self.seen.clear()
        return found


def users(*extra: SeedUser) -> tuple[SeedUser, ...]:
    return (
        SeedUser("deployer", PASSWORD, ("Administrators",)),
        SeedUser("reader", PASSWORD, ("ReadOnlyAdministrators",)),
        SeedUser("alice", PASSWORD),
        SeedUser("bob", PASSWORD),
        SeedUser("nightly-batch", PASSWORD),
        *extra,
    )


PairFactory = Callable[..., Pair]


@pytest.fixture
def make_pair(tmp_path: Path) -> Iterator[PairFactory]:
    """Start two servers, with other flags when asked; they stop after the test."""
    with pairs_in(tmp_path) as make:
        yield make


@contextlib.contextmanager
def pairs_in(tmp_path: Path) -> Iterator[PairFactory]:
    """Start pairs of servers that keep their data below a folder; they stop at the end of the block."""
    running: list[RunningServer] = []

    def make(*, tls: bool = True, example: str = "quickstart", **flags: Any) -> Pair:
        flags.setdefault("accept_client_id", True)
        number = len(running)
        login = start(
            ServerConfig(
                role="authorization",
                data_dir=tmp_path / f"login{number}",
                tls=tls,
                users=users(SeedUser("orders-rs", PASSWORD, ("ResourceServers",))),
                **flags,
            )
        )
        running.append(login)
        orders = start(
            ServerConfig(
                role="resource",
                data_dir=tmp_path / f"orders{number}",
                tls=tls,
                users=users(),
                ca_file=login.ca_file,
                **flags,
            )
        )
        running.append(orders)
        folder = tmp_path / f"manifest{number}"
        folder.mkdir()
        for source in (EXAMPLES / example).glob("*.yaml"):
            (folder / source.name).write_bytes(source.read_bytes())
        pair = Pair(folder, login, orders)
        for name, server in (("login", login), ("orders", orders)):
            _record(server.app, name, pair.seen)
        return pair

    try:
        yield make
    finally:
        for server in reversed(running):
            server.stop()


def _record(app: flask.Flask, name: str, seen: list[tuple[str, str, str]]) -> None:
    def note(sender: flask.Flask, **_: Any) -> None:
        seen.append((name, flask.request.method, flask.request.path))

    flask.request_started.connect(note, app, weak=False)


@pytest.fixture
def pair(make_pair: PairFactory) -> Pair:
    """Both servers with TLS, tolerant, accepting client ids; the quick-start manifest."""
    return make_pair()


@pytest.fixture
def deployed(pair: Pair) -> Pair:
    """The quick start, applied."""
    result = pair.run("apply", "--yes")
    assert result.code == 0, result.out + result.err
    pair.writes()
    return pair
