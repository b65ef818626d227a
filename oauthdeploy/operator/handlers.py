"""Watches -> agenda -> workers. kopf keeps the watches, the credentials, the probes and the signals; nothing is written by it.

kopf's own handlers of changes keep their progress in annotations of the object, for one active operator. An estate needs less:
whatever happens, the question is only whether it is due, and its status says so. So the events are only noted
(docs/decisions/kopf-watches.md).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import kopf
from msgspec import Struct

from oauthdeploy.operator.agenda import Agenda, Key, Reference
from oauthdeploy.operator.metrics import Metrics
from oauthdeploy.operator.resource import GROUP, PLURAL, VERSION, spec_of, status_of
from oauthdeploy.operator.status import due
from oauthdeploy.operator.worker import Next, Worker
from oauthdeploy.running.clock import utc_now

LOG: Final = logging.getLogger("oauthdeploy.operator")
_NO_BODY_OF_INTEREST: Final = "type!=kubernetes.io/service-account-token,type!=helm.sh/release.v1"
"""Secrets that no estate refers to, and that are many or large."""
_TICK: Final = 1.0
_AFTER_A_BUG: Final = 60.0
_CONNECT_SECONDS: Final = 10.0


class _Backoffs:
    """Seconds between the attempts of a watch, without an end: kopf's own end after a minute, and the operator with them."""

    def __iter__(self) -> Iterator[float]:
        yield from (1.0, 1.0, 2.0, 3.0)
        while True:
            yield 5.0


class Options(Struct, frozen=True):
    """What the command line sets. `namespaces`: none means the whole cluster."""

    namespaces: tuple[str, ...] = ()
    workers: int = 4
    per_namespace: int = 2
    per_server: int = 2
    health_listen: tuple[str, int] | None = None
    grace_seconds: float = 20.0


class Operator:
    """One replica: what it knows of the cluster, and its workers."""

    def __init__(self, worker: Worker, options: Options) -> None:
        self.worker = worker
        self.options = options
        self.metrics = Metrics()
        self.agenda = Agenda(
            workers=options.workers, per_namespace=options.per_namespace, per_server=options.per_server
        )
        self._versions: dict[str, dict[Reference, str]] = {}
        self._wake = asyncio.Event()
        self._pool = ThreadPoolExecutor(options.workers, thread_name_prefix="estate")
        self._runs: set[asyncio.Task[None]] = set()
        self._scheduler: asyncio.Task[None] | None = None
        self.metrics.watch(
            lambda: len(self.agenda), lambda: self.agenda.running, lambda: self.agenda.overdue(time.time())
        )

    # -- what becomes known ------------------------------------------------------------------------------------------

    def saw_estate(self, event: Mapping[str, Any]) -> None:
        """An estate was listed, added, changed or deleted."""
        body = event["object"]
        key = (str(body["metadata"]["namespace"]), str(body["metadata"]["name"]))
        if event.get("type") == "DELETED":
            self.agenda.forget(key)
            return
        versions = self._versions.get(key[0], {})
        self.agenda.note(key, _seconds(due(body, utc_now(), versions)), _references(body))
        self._wake.set()

    def saw_input(self, kind: str, event: Mapping[str, Any]) -> None:
        """A ConfigMap or Secret was listed, added, changed or deleted."""
        metadata = event["object"]["metadata"]
        namespace, reference = str(metadata["namespace"]), (kind, str(metadata["name"]))
        version = "" if event.get("type") == "DELETED" else str(metadata["resourceVersion"])
        self._versions.setdefault(namespace, {})[reference] = version
        for key in self.agenda.outdated(namespace, reference, version):
            self.agenda.hurry(key, time.time())
            self._wake.set()

    # -- what is done ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to run what is due. Called in the event loop."""
        self._scheduler = asyncio.create_task(self._schedule(), name="estates")

    def alive(self) -> bool:
        """Whether estates are still being run."""
        return self._scheduler is not None and not self._scheduler.done()

    async def end(self) -> None:
        """Start nothing more; let requests in flight finish, and skip the rest of each run."""
        self.worker.end()
        if self._scheduler is not None:
            self._scheduler.cancel()
            with suppress(asyncio.CancelledError):
                await self._scheduler
        if self._runs:
            await asyncio.wait(self._runs, timeout=self.options.grace_seconds)
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _schedule(self) -> None:
        while True:
            self._wake.clear()
            now = time.time()
            while (key := self.agenda.take(now)) is not None:
                run = asyncio.create_task(self._work(key))
                self._runs.add(run)
                run.add_done_callback(self._runs.discard)
            coming = self.agenda.next_due(now)
            pause = _TICK if coming is None or coming <= now else min(_TICK, coming - now)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)

    async def _work(self, key: Key) -> None:
        known = self._versions.get(key[0], {})
        versions = {item: known[item] for item in self.agenda.references(key) if item in known}
        try:
            ended = await asyncio.get_running_loop().run_in_executor(self._pool, self.worker.work, *key, versions)
        except Exception:
            LOG.exception("%s/%s could not be run", *key)
            self.agenda.done(key, time.time(), time.time() + _AFTER_A_BUG)
            return
        self._note_end(key, ended)

    def _note_end(self, key: Key, ended: Next) -> None:
        if ended.busy and ended.due is not None:
            self.agenda.wait_for(ended.busy, ended.due.timestamp(), key, ended.servers)
        else:
            self.agenda.done(key, time.time(), _seconds(ended.due), ended.servers, gone=ended.gone)
        if ended.code is not None:
            self.metrics.count(ended.code, ended.seconds)
        self._wake.set()


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None


def _references(body: Mapping[str, Any]) -> dict[Reference, str]:
    try:
        named = spec_of(body).references()
    except ValueError:
        return {}
    read = {(item.kind, item.name): item.resource_version for item in status_of(body).inputs}
    return {reference: read.get(reference, "") for reference in named}


def registry_of(operator: Operator) -> kopf.OperatorRegistry:
    """What kopf calls: the watches, the beginning and the end, and the probe."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def sign_in(**given: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**given) or kopf.login_with_kubeconfig(**given)

    @kopf.on.startup(registry=registry)
    async def begin(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.peering.standalone = True
        settings.watching.field_selectors["secrets"] = _NO_BODY_OF_INTEREST
        settings.watching.chunk_size = 500
        settings.networking.error_backoffs = _Backoffs()
        settings.networking.connect_timeout = _CONNECT_SECONDS
        operator.start()

    @kopf.on.cleanup(registry=registry)
    async def end(**_: Any) -> None:
        await operator.end()

    @kopf.on.probe(id="estates", registry=registry)
    async def alive(**_: Any) -> int:
        if not operator.alive():
            raise RuntimeError("estates are no longer run")
        return len(operator.agenda)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def estate(event: kopf.RawEvent, **_: Any) -> None:
        operator.saw_estate(event)

    @kopf.on.event("v1", "configmaps", registry=registry)
    async def config_map(event: kopf.RawEvent, **_: Any) -> None:
        operator.saw_input("ConfigMap", event)

    @kopf.on.event("v1", "secrets", registry=registry)
    async def secret(event: kopf.RawEvent, **_: Any) -> None:
        operator.saw_input("Secret", event)

    return registry


def serve(make: Any, options: Options) -> None:
    """Run a replica until SIGTERM or Ctrl-C. `make` returns the Operator, in the event loop."""

    async def main() -> None:
        operator = make()
        listen = options.health_listen
        await kopf.operator(
            registry=registry_of(operator),
            standalone=True,
            clusterwide=not options.namespaces,
            namespaces=options.namespaces,
            liveness_endpoint=f"http://{listen[0]}:{listen[1]}/healthz" if listen is not None else None,
        )

    with suppress(asyncio.CancelledError):
        asyncio.run(main())
