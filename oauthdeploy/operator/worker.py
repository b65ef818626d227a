"""The run of one estate: claim it, read it, run, and write the status. Blocking; several run at a time, each in its thread.

claim     a Lease for the estate, so that of several operators one runs it
read      the estate as it is now: another operator may have run it meanwhile
begin     a Lease for each server, so that of several operators one talks to it (`server_claims`)
run       with the Leases of the manifest's servers as its lock, which pipelines take too
status    only while the claim is still held
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
from lightkube import ApiError
from msgspec import Struct, field
from pydantic import ValidationError

from oauthdeploy.core.errors import OAuthDeployError, UsageError
from oauthdeploy.core.exit_codes import ExitCode
from oauthdeploy.manifest.api import Manifest
from oauthdeploy.model.servers import Limits
from oauthdeploy.operator.bounds import Bounds
from oauthdeploy.operator.cluster import PLAN_KEY, Cluster, document_text, plan_secret, shown
from oauthdeploy.operator.conditions import MEANINGS
from oauthdeploy.operator.inputs import Inputs, gather
from oauthdeploy.operator.resource import (
    APPROVE,
    DeletionPolicy,
    EstateSpec,
    EstateStatus,
    Mode,
    spec_of,
    status_of,
)
from oauthdeploy.operator.run import Made, Result, Task, failed, run
from oauthdeploy.operator.server_claims import ServerBusy, ServerClaims
from oauthdeploy.operator.status import Ran, after, due, removal_mark, suspended
from oauthdeploy.planning.outcome import Event
from oauthdeploy.running.clock import utc_now
from oauthdeploy.running.lease import DURATION_SECONDS, SKEW_SECONDS, LeaseFailed, LeaseHome, Leases, lease_name
from oauthdeploy.workflow import RunOptions
from oauthdeploy.workflow.shared_limits import origin_of, stricter

LOG: Final = logging.getLogger("oauthdeploy.operator")
_LATER: Final = timedelta(seconds=5)
_MOST_LOG: Final = 2000
Versions = Mapping[tuple[str, str], str]


class Settings(Struct, frozen=True):
    """What holds for every estate. `state` is the folder of journals and audit records; None: they end with the run.

    `lease_namespace` is where replicas keep the Leases of servers; "": the namespace of this process's configuration.
    """

    bounds: Bounds = field(default_factory=Bounds)
    per_server: int = 2
    state: Path | None = None
    claim_seconds: int = DURATION_SECONDS
    lease_namespace: str = ""
    temporary: Path | None = None


class Next(Struct, frozen=True):
    """When an estate is due again (None: when it changes), its servers, and whether it is gone; `code` is that of a run.

    `busy` is the server for which it waits until then.
    """

    due: datetime | None
    servers: tuple[str, ...] = ()
    gone: bool = False
    code: ExitCode | None = None
    seconds: float = 0.0
    busy: str = ""


class Worker:
    """Runs estates. `identity` is who claims them."""

    def __init__(self, cluster: Cluster, settings: Settings, identity: str = "") -> None:
        self.cluster = cluster
        self.settings = settings
        self.identity = identity
        self._ending = threading.Event()
        self._stops: set[threading.Event] = set()
        self._claims = ServerClaims(
            cluster.client,
            settings.lease_namespace or cluster.client.namespace,
            settings.bounds,
            per_server=settings.per_server,
            duration=settings.claim_seconds,
        )

    def end(self) -> None:
        """Skip the rest of each run, and of each that begins from now on."""
        self._ending.set()
        for stop in list(self._stops):
            stop.set()

    @contextmanager
    def _stop_event(self) -> Iterator[threading.Event]:
        """The event that stops one run. A run sets it itself if it has lost its lock, which must not stop the others."""
        stop = threading.Event()
        self._stops.add(stop)
        try:
            if self._ending.is_set():
                stop.set()
            yield stop
        finally:
            self._stops.discard(stop)

    def work(self, namespace: str, name: str, versions: Versions) -> Next:
        """Run the estate if it is due. `versions` are those of ConfigMaps and Secrets of its namespace.

        An API server that does not answer is no error: the estate is due again a little later.
        """
        try:
            return self._claimed(namespace, name, versions)
        except (ApiError, httpx2.HTTPError, LeaseFailed) as error:
            LOG.warning("%s/%s: the API server: %s", namespace, name, shown(_words(error), _MOST_LOG))
            return Next(utc_now() + _LATER)

    def _claimed(self, namespace: str, name: str, versions: Versions) -> Next:
        claim = Leases(
            self.cluster.client,
            namespace,
            [lease_name(("estate", namespace, name), {"oauthdeploy.example.com/estate": name})],
            identity=self.identity,
            duration=self.settings.claim_seconds,
        )
        other = claim.take()
        if other is not None:
            return Next(other.expires + timedelta(seconds=SKEW_SECONDS))
        with claim.kept():
            body = self.cluster.estate(namespace, name)
            if body is None:
                return Next(None, gone=True)
            moment = utc_now()
            when = due(body, moment, versions)
            if when is None or when > moment:
                return Next(when)
            return self._due(body, claim)

    def _due(self, body: Mapping[str, Any], claim: Leases) -> Next:
        metadata = body["metadata"]
        try:
            spec = spec_of(body)
        except ValidationError as error:
            # The API server checks the same; this is for what its schema cannot say.
            problem = UsageError("The spec of the estate is not valid", detail=_first(error))
            return self._finished(body, None, _nothing_run(failed(problem)), claim)
        if metadata.get("deletionTimestamp"):
            return self._removed(body, spec, claim)
        self.cluster.set_finalizer(body, spec.deletion_policy is DeletionPolicy.REMOVE)
        if spec.suspend:
            status = suspended(body, utc_now())
            if status is not None:
                self.cluster.write_status(metadata["namespace"], metadata["name"], status)
            return Next(None)
        return self._run(body, spec, claim)

    def _removed(self, body: Mapping[str, Any], spec: EstateSpec, claim: Leases) -> Next:
        """Remove what the manifest created, then let the estate go."""
        metadata = body["metadata"]
        if spec.deletion_policy is DeletionPolicy.REMOVE:
            ended = self._run(body, spec, claim, remove=True)
            if ended.code is not ExitCode.DONE:
                return ended
        fresh = self.cluster.estate(metadata["namespace"], metadata["name"])
        if fresh is not None:
            self.cluster.set_finalizer(fresh, False)
        return Next(None, gone=True, code=ExitCode.DONE)

    def _run(self, body: Mapping[str, Any], spec: EstateSpec, claim: Leases, *, remove: bool = False) -> Next:
        metadata = body["metadata"]
        began, started = utc_now(), time.monotonic()
        folder = Path(tempfile.mkdtemp(prefix="estate-", dir=self.settings.temporary))
        slots: dict[str, Limits] = {}
        seen: list[Manifest] = []
        try:
            (folder / "manifest").mkdir(mode=0o700)
            inputs = gather(
                spec,
                lambda kind, name: self.cluster.stored(kind, metadata["namespace"], name),
                folder / "manifest",
            )
            result = self._result(body, spec, inputs, folder, slots, seen, remove=remove)
            return self._finished(
                body,
                spec,
                Ran(
                    began,
                    time.monotonic() - started,
                    inputs.versions,
                    tuple(shown(text, 200) for text in _names(seen)),
                    result,
                    plan_secret(metadata["name"]),
                    folder,
                ),
                claim,
                tuple(slots),
                remove=remove,
            )
        except ServerBusy as busy:
            later = utc_now() + timedelta(seconds=busy.seconds)
            return Next(later, tuple(_limits(seen[-1])) if seen else (), busy=busy.server)
        finally:
            self._claims.give(slots)
            shutil.rmtree(folder, ignore_errors=True)

    def _result(
        self,
        body: Mapping[str, Any],
        spec: EstateSpec,
        inputs: Inputs,
        folder: Path,
        slots: dict[str, Limits],
        seen: list[Manifest],
        *,
        remove: bool,
    ) -> Result:
        """Run, and keep a plan that waits. Raises ServerBusy, and what the API server's client raises."""
        metadata = body["metadata"]
        if inputs.request is None:
            assert inputs.problem is not None
            return failed(inputs.problem)

        def look(manifest: Manifest) -> None:
            first = not seen
            seen.append(manifest)
            self.settings.bounds.require(manifest, metadata["namespace"])
            if first:
                wanted = _limits(manifest)
                self._claims.take(wanted)
                slots.update(wanted)

        with self._stop_event() as stop:
            task = Task(
                mode=spec.mode,
                request=inputs.request,
                options=RunOptions(
                    targets=spec.targets,
                    allow=spec.allow,
                    asks=False,
                    state_dir=self._state(metadata) or folder / "state",
                    lease=LeaseHome(metadata["namespace"], self.cluster.client),
                    on_manifest=look,
                    egress=self._claims.egress,
                ),
                folder=folder,
                pending=self._pending(body) if spec.mode is Mode.APPROVE and not remove else None,
                approved=str((metadata.get("annotations") or {}).get(APPROVE, "")),
                remove=remove,
                stop=stop,
                on_event=_teller(metadata),
            )
            result = _guarded(task)
        if result.waits is not None and result.waits.document is not None:
            return self._stored(body, result, result.waits)
        return result

    def _stored(self, body: Mapping[str, Any], result: Result, made: Made) -> Result:
        try:
            self.cluster.store_plan(body, document_text(made.document or {}))
        except OAuthDeployError as error:
            return failed(error)
        return result

    def _pending(self, body: Mapping[str, Any]) -> bytes | None:
        """The plan that waits, if it is for the estate as it is now and is the one that the status names."""
        metadata, waits = body["metadata"], status_of(body).pending_plan
        if waits is None or waits.generation != metadata.get("generation"):
            return None
        stored = self.cluster.stored("Secret", metadata["namespace"], waits.secret)
        data = stored.data.get(PLAN_KEY) if stored is not None else None
        return data if data is not None and waits.digest.encode() in data else None

    def _state(self, metadata: Mapping[str, Any]) -> Path | None:
        """The folder of an estate's journals and audit records: by its uid, so that a namesake does not continue them."""
        return (
            self.settings.state / metadata["namespace"] / metadata["uid"] if self.settings.state is not None else None
        )

    def _finished(
        self,
        body: Mapping[str, Any],
        spec: EstateSpec | None,
        ran: Ran,
        claim: Leases,
        servers: tuple[str, ...] = (),
        *,
        remove: bool = False,
    ) -> Next:
        metadata = body["metadata"]
        status = after(body, spec, ran)
        if remove:
            status = status.model_copy(update={"handled_run": removal_mark(metadata)})
        LOG.info(
            "%s/%s: %s: %s",
            metadata["namespace"],
            metadata["name"],
            MEANINGS[ran.result.code].reason,
            shown(ran.result.line, _MOST_LOG),
        )
        if not claim.still_held():
            # Another operator may have run the estate; its status is the newer one.
            return Next(utc_now() + _LATER, servers, code=ran.result.code, seconds=ran.seconds)
        self.cluster.write_status(metadata["namespace"], metadata["name"], status)
        for kind, reason, message in events(status_of(body), status, ran.result, body):
            self.cluster.event(body, kind, reason, message)
        return Next(status.next_run, servers, code=ran.result.code, seconds=ran.seconds)


def events(
    before: EstateStatus, now: EstateStatus, result: Result, body: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """What a person should see of a run, as type, reason and message of Events: changes, not states."""
    found = []
    meaning = MEANINGS[result.code]
    if result.outdated:
        found.append(("Warning", "PlanStale", f"The approved plan was not applied, and made again. {result.outdated}"))
    if result.written is not None:
        found.append(("Normal", "Applied", result.line))
    approved = str((body["metadata"].get("annotations") or {}).get(APPROVE, ""))
    pending = now.pending_plan
    if pending is not None and (before.pending_plan is None or before.pending_plan.digest != pending.digest):
        found.append(("Normal", "PlanPending", f"{result.line} Digest {pending.digest}"))
    unknown = pending is not None and approved not in ("", before.handled_approval, pending.digest)
    if unknown and not result.outdated:
        found.append(("Warning", "ApprovalUnknown", f"No plan with the digest {approved[:64]} waits."))
    reasons = {item.reason for item in before.conditions}
    if meaning.reason not in reasons and result.code is not ExitCode.LOCK_BUSY:
        kind = "Normal" if result.code is ExitCode.DONE else "Warning"
        found.append((kind, meaning.reason, result.line))
    return found


def _guarded(task: Task) -> Result:
    """The result; a bug ends one run, not the operator."""
    try:
        return run(task)
    except (ServerBusy, ApiError, httpx2.HTTPError):
        raise
    except Exception as error:
        LOG.exception("A run ended with a bug")
        return failed(
            OAuthDeployError(
                "The run ended unexpectedly",
                detail=f"{type(error).__name__}. This is a bug in oauthdeploy.",
                fix="See the log of the operator, and report it.",
            )
        )


def _teller(metadata: Mapping[str, Any]) -> Callable[[Event], None]:
    def tell(event: Event) -> None:
        LOG.info("%s/%s: %s", metadata["namespace"], metadata["name"], shown(event.message, _MOST_LOG))

    return tell


def _nothing_run(result: Result) -> Ran:
    return Ran(utc_now(), 0.0, (), (), result)


def _limits(manifest: Manifest) -> dict[str, Limits]:
    """The limits of the servers by origin: the stricter ones of two entries."""
    found: dict[str, Limits] = {}
    for server in manifest.desired.servers.values():
        if server.url:
            origin = origin_of(server.url)
            found[origin] = stricter(found[origin], server.limits) if origin in found else server.limits
    return found


def _names(seen: list[Manifest]) -> list[str]:
    servers = seen[-1].desired.servers if seen else {}
    return [f"{name} {server.url or ''}".strip() for name, server in sorted(servers.items())]


def _words(error: Exception) -> str:
    return (
        f"{error.summary}. {error.detail}" if isinstance(error, OAuthDeployError) else f"{type(error).__name__} {error}"
    )


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
