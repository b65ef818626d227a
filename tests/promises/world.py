"""Two servers that are dictionaries, registered as a driver like anybody's, and the command line run on them."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from oauthdeploy.cli.entrypoint import run
from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import Forbidden
from oauthdeploy.drivers import registry
from oauthdeploy.drivers.base import Applied, Connection, Driver, DriverInfo
from oauthdeploy.model.capabilities import yes
from oauthdeploy.model.objects import Client, Revocation
from oauthdeploy.model.servers import Role
from oauthdeploy.model.state import LiveObject, LiveToken
from tests.running.memory_driver import FACTS, MemoryDriver, MemoryServer

OWNER = "shop"
_FACTS = replace(FACTS, block_proof={role: yes() for role in Role})
"""Reading a client again proves that it is cut off."""
MANIFEST = """\
version: 1
name: shop
servers:
  login:
    role: authorization
    driver: memory
    url: https://login.example.com
  orders:
    role: resource
    driver: memory
    url: https://orders.example.com
    authorization_server: login
scopes:
  orders.read: {description: Read orders, resources: [orders:read]}
  orders.write: {description: Write orders, resources: [orders:write]}
clients:
  web-shop:
    name: Web Shop
    version: "1"
    description: The shop
    type: public
    redirect_uris: [https://shop.example.com/cb]
    grants: [authorization_code]
  kiosk:
    name: Kiosk
    version: "1"
    description: The kiosk
    type: public
    redirect_uris: [https://kiosk.example.com/cb]
    grants: [authorization_code]
associations:
  - {client: web-shop, scopes: [orders.read]}
environments:
  test:
    servers:
      login: {url: https://login.test.example.com}
      orders: {url: https://orders.test.example.com}
  tuned:
    clients:
      web-shop: {description: Another shop}
"""


class WorldDriver(MemoryDriver):
    """A memory driver that keeps marks and lists tokens."""

    def _revocation(self, value: Revocation) -> LiveObject:
        found = super()._revocation(value)
        here = Address(Kind.CLIENT, value.client, self.name) in self.store.objects
        return found if here else replace(found, blocked=None)

    def mark(self, address: Address, live: LiveObject, owner: str) -> Applied:
        self.store.owners[address] = owner
        return Applied(address, live.value, live.identity, live.fingerprint)

    def read_tokens(self) -> tuple[Sequence[LiveToken], int] | None:
        if self.store.read_error:
            raise self.store.read_error
        if Kind.CLIENT in self.store.unreadable:
            raise Forbidden(
                "The account may not list tokens", server=self.name, method="GET", path="/tokens", status=403
            )
        return [
            LiveToken(f"id-{client}", handle=f"{number:012x}")
            for client, count in self.store.tokens.items()
            for number in range(count)
        ], 1


@dataclass
class Ended:
    """How a command ended: its exit code, and what it said last; for an error, the first line of it."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        errors = [line for line in self.err.splitlines() if line.startswith(("error: ", "Not known: "))]
        lines = (self.out.strip() or self.err.strip()).splitlines()
        return _steady(errors[-1] if errors else lines[-1].strip() if lines else "")


def _steady(line: str) -> str:
    """The line without what differs from run to run: times, folders, names of journals."""
    line = re.sub(r"\b[0-9.]+ (?:ms|s)\b", "N ms", line)
    line = re.sub(r"\S*/(?=[^/\s]+\.(?:json|yaml|jsonl))", "", line)
    return re.sub(r"\b20\d{6}T\d{6}\S*?\.jsonl\b", "JOURNAL", line)


@dataclass
class World:
    """The folder with the manifest, and the two servers."""

    folder: Path
    login: MemoryServer = field(default_factory=MemoryServer)
    orders: MemoryServer = field(default_factory=MemoryServer)

    @property
    def servers(self) -> tuple[MemoryServer, MemoryServer]:
        return self.login, self.orders

    def run(self, *arguments: str, env: str = "") -> Ended:
        """Run a command in the folder, by the program's own entry."""
        out, err = io.StringIO(), io.StringIO()
        known = {name: value for name, value in os.environ.items() if not name.startswith("OAUTHDEPLOY_")}
        given = [*arguments, *(("--env", env) if env else ())]
        with (
            patch.dict(os.environ, {**known, "NO_COLOR": "1", "COLUMNS": "400"}, clear=True),
            patch("sys.stdin", io.TextIOWrapper(io.BytesIO(b""), encoding="utf-8")),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = run(given)
        return Ended(int(code), out.getvalue(), err.getvalue())

    def deploy(self) -> None:
        """Apply the manifest twice: as it is, and with one description changed."""
        (self.folder / "oauthdeploy.yaml").write_text(MANIFEST, encoding="utf-8")
        for kiosk in ("The kiosk", "The kiosk in the hall"):
            self.edit("description: The kiosk", f"description: {kiosk}")
            done = self.run("apply", "--yes", "--state-dir", "state")
            assert done.code == 0, done.out + done.err

    def copy(self, folder: Path) -> World:
        """The same in another folder, with servers of its own."""
        shutil.copytree(self.folder, folder)
        return World(folder, *(MemoryServer(objects=dict(store.objects)) for store in self.servers))

    def edit(self, old: str, new: str) -> None:
        """Change the manifest."""
        path = self.folder / "oauthdeploy.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text, old
        path.write_text(text.replace(old, new), encoding="utf-8")

    def by_hand(self, written: str, **fields: Any) -> None:
        """Change a live client, as somebody with a console does."""
        address = Address.parse(written)
        store = self.login if address.server == "login" else self.orders
        store.objects[address] = store.objects.get(address, Client()).model_copy(update=fields)

    def journals(self) -> list[Path]:
        """The journals of this folder, the oldest first."""
        return sorted((self.folder / "state" / "journal").glob("*.jsonl"))


@contextlib.contextmanager
def world_in(made: World) -> Iterator[World]:
    """The world, with its servers within reach of the command line."""
    stores = {"login": made.login, "orders": made.orders}

    def open_memory(connection: Connection) -> Driver:
        return WorldDriver(connection.name, stores[connection.name], role=connection.server.role)

    point = EntryPoint("memory", "tests.promises:nothing", registry.GROUP)
    known = registry.Registry(registry.BUILT_IN, lambda: [point])
    known._infos["memory"] = DriverInfo(_FACTS, open_memory)
    with patch.object(registry, "_registry", lambda: known):
        yield made
