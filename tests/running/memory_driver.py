"""A driver whose server is a dictionary: the whole interface, with faults that a test plants."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.core.errors import NotFound
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Applied, Connection, Driver, DriverInfo, ServerReport, Wanted
from oauthdeploy.model.capabilities import Capability, DriverFacts, every_field, yes
from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import Client, Object, Revocation
from oauthdeploy.model.servers import Limits, Role, Server
from oauthdeploy.model.state import LiveObject, Ownership, ServerState, TokenCount
from oauthdeploy.planning.changes import Action, Change


class NoSettings(Model):
    """Credentials and options of a server that needs none."""


FACTS = DriverFacts(
    name="memory",
    title="A dictionary",
    roles=frozenset(Role),
    credentials=NoSettings,
    options=NoSettings,
    capabilities={role: {capability: yes() for capability in Capability} for role in Role},
    fields=dict.fromkeys(Role, every_field(yes())),
    trusts_two=frozenset({"jwt"}),
)


@dataclass
class MemoryServer:
    """What the server holds, what goes wrong, and what was asked of it.

    `check_error` and `read_error` are raised; `before` and `after` are called around each change of a batch, and may
    raise; `keeps` changes what is stored of an object; `secrets` are told of the clients of those names, and with `hands_over`
    handed over before `after`; `lost` goes with each
    write; with `silent`, writes are answered without the object, and `lost` is told by the next reading. With `marks` the
    server tells no secrets and records the revision of each one that it was sent.
    `hidden` kinds are read as far as the account may see them; `owners` are the manifests in the marks of objects.
    """

    objects: dict[Address, Object] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    check_error: Exception | None = None
    read_error: Exception | None = None
    unreadable: dict[Kind, Diagnostic] = field(default_factory=dict)
    hidden: dict[Kind, Diagnostic] = field(default_factory=dict)
    owners: dict[Address, str] = field(default_factory=dict)
    before: Callable[[Change], None] = lambda _change: None
    after: Callable[[Change], None] = lambda _change: None
    keeps: Callable[[Address, Object], Object] = lambda _address, value: value
    secrets: dict[str, str] = field(default_factory=dict)
    hands_over: bool = False
    lost: tuple[str, ...] = ()
    silent: bool = False
    marks: dict[Address, int] | None = None
    checks: int = 0
    reads: list[Wanted] = field(default_factory=list)
    batches: list[tuple[Address, ...]] = field(default_factory=list)
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    _at_once: int = 0


class _Http:
    """Stands where drivers keep their connections."""

    closed = False
    stop: threading.Event | None = None

    def set_stop_event(self, stop: threading.Event) -> None:
        self.stop = stop

    def allow_writes(self) -> None:
        """This transport refuses nothing."""

    def close(self) -> None:
        self.closed = True


class MemoryDriver(Driver):
    """One connection to a MemoryServer. `batch` names the request of a change; default: one request each."""

    def __init__(
        self,
        name: str,
        store: MemoryServer,
        *,
        role: Role = Role.BOTH,
        parallel: int = 8,
        batch: Callable[[Change], str] | None = None,
    ) -> None:
        entry = Server(role=role, driver="memory", url=f"memory://{name}", limits=Limits(parallel=parallel))
        super().__init__(Connection(name, entry, NoSettings(), NoSettings(), cast(Any, _Http())))
        self.store = store
        self._batch = batch

    def check(self) -> ServerReport:
        with self.store.lock:
            self.store.checks += 1
        if self.store.check_error:
            raise self.store.check_error
        return ServerReport("memory", "1", "tester")

    def read(self, wanted: Wanted) -> ServerState:
        with self.store.lock:
            self.store.reads.append(wanted)
        if self.store.read_error:
            raise self.store.read_error
        named = wanted.objects.keys() | wanted.absent
        found = {
            address: self._owned(address, self._live(address, value), wanted.owner)
            for address, value in self.store.objects.items()
            if address.kind in wanted.kinds - self.store.unreadable.keys() and (wanted.everything or address in named)
        }
        if Kind.REVOCATION in wanted.kinds - self.store.unreadable.keys():
            found |= {
                address: self._revocation(value)
                for address, value in wanted.objects.items()
                if isinstance(value, Revocation)
            }
        return ServerState(
            self.name,
            found,
            MappingProxyType(dict(self.store.unreadable)),
            requests=1,
            hidden=MappingProxyType(dict(self.store.hidden)),
            lost=dict.fromkeys(found, self.store.lost) if self.store.silent and self.store.lost else {},
        )

    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        store = self.store
        with store.lock:
            store.batches.append(tuple(change.address for change in changes))
            store._at_once += 1
            store.most_at_once = max(store.most_at_once, store._at_once)
        try:
            for change in changes:
                store.before(change)
            handovers = [self.hand_over(change) for change in changes]
            with store.lock:
                answers = [self._carry_out(change) for change in changes]
            for answer, deliver in zip(answers, handovers, strict=True):
                if store.hands_over:
                    deliver(answer.secret, answer.identity)
            for change in changes:
                store.after(change)
            return answers
        finally:
            with store.lock:
                store._at_once -= 1

    def batch_key(self, change: Change) -> str:
        return self._batch(change) if self._batch else super().batch_key(change)

    def _live(self, address: Address, value: Object) -> LiveObject:
        found = LiveObject(value, identity=f"id-{address.name}", fingerprint=fingerprint(value))
        if self.store.marks is None or not isinstance(value, Client):
            return found
        bare = value.model_copy(update={"secret": None})
        bare.model_fields_set.discard("secret")
        return replace(
            found, value=bare, incomparable=frozenset({"secret.value"}), revision=self.store.marks.get(address)
        )

    def _owned(self, address: Address, found: LiveObject, ours: str) -> LiveObject:
        owner = self.store.owners.get(address)
        if owner is None:
            return found
        return replace(found, owner=owner, ownership=Ownership.OURS if owner == ours else Ownership.FOREIGN)

    def _revocation(self, value: Revocation) -> LiveObject:
        left = self.store.tokens.get(value.client, 0)
        return LiveObject(value, tokens=TokenCount(left, left), blocked=value.client in self.store.blocked)

    def _carry_out(self, change: Change) -> Applied:
        store, address = self.store, change.address
        if isinstance(change.desired, Revocation):
            store.tokens.pop(change.desired.client, None)
            if change.desired.block:
                store.blocked.add(change.desired.client)
            return Applied(address, change.desired)
        if change.action is Action.DELETE:
            if address not in store.objects:
                raise NotFound("No such object", server=self.name, status=404)
            del store.objects[address]
            if address.kind is Kind.CLIENT:
                # As on every server: a client takes its associations along.
                for other in [a for a in store.objects if a.kind is Kind.ASSOCIATION and a.client == address.name]:
                    del store.objects[other]
            return Applied(address, None)
        assert change.desired is not None
        value: Object = change.desired
        if change.action is Action.UPDATE:
            before = store.objects[address]
            value = before.model_copy(update={name: getattr(value, name) for name in value.model_fields_set})
        value = store.keeps(address, value)
        store.objects[address] = value
        wish = change.desired.secret if isinstance(change.desired, Client) else None
        if store.marks is not None and wish is not None and wish.revision is not None:
            store.marks[address] = wish.revision
        made = store.secrets.get(address.name) if isinstance(value, Client) else None
        secret = Secret(made, "server") if made else None
        if store.silent:
            return Applied(address, None, f"id-{address.name}", secret=secret, looked=False)
        return Applied(address, value, f"id-{address.name}", fingerprint(value), secret, lost=store.lost)


def fingerprint(value: Object) -> str:
    """A digest of everything the server holds of an object."""
    written = repr(sorted((name, repr(getattr(value, name))) for name in value.model_fields_set))
    return hashlib.sha256(written.encode()).hexdigest()


def info() -> Mapping[str, DriverInfo]:
    """The driver as a registry would give it."""
    return {"memory": DriverInfo(FACTS, None)}
