"""A lock for runs on any number of machines: one Lease of Kubernetes (coordination.k8s.io/v1) for each server of a manifest.

    take      create the Lease, or replace it with the `resourceVersion` that was read: of two runs, one gets it
    renew     at a third of its duration, in a thread; a Lease that is not renewed can be taken when it has expired
    write     each write first asks whether the Leases are still held; once that is doubtful, nothing more is written
    release   the holder is removed; the Lease stays, and counts its transitions

A process that was suspended beyond the expiry has lost the lock for good, even if nobody took it: the clock that counts is one
that goes on while the machine sleeps. An expired Lease is taken only after `SKEW_SECONDS`, so the clocks of two machines may
differ by that much.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from oauthdeploy.core.errors import LockBusy, OAuthDeployError
from oauthdeploy.core.extras import needs_extra
from oauthdeploy.core.processes import account_name
from oauthdeploy.core.urls import normalized_url
from oauthdeploy.core.values import LateTyped
from oauthdeploy.running.clock import utc_now
from oauthdeploy.running.lock import Holder
from oauthdeploy.running.signals import unwinding

if TYPE_CHECKING:
    from lightkube import Client
    from lightkube.resources.coordination_v1 import Lease

DURATION_SECONDS: Final = 30
"""How long a Lease is valid without being renewed."""
SKEW_SECONDS: Final = 5
"""How long after its expiry a Lease may be taken."""
_TRUSTED_FOR: Final = 1.0
"""How many seconds a look at the Leases answers further questions."""
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_TRIES: Final = 3
MANIFEST: Final = "oauthdeploy.example.com/manifest"
SERVER: Final = "oauthdeploy.example.com/server"
_LABELS: Final = {"app.kubernetes.io/managed-by": "oauthdeploy"}


class LeaseFailed(OAuthDeployError):
    """The Leases that serve as a lock cannot be read or written."""

    rule = "lease-not-usable"


class LeaseName(Struct, frozen=True):
    """The name of a Lease, and the annotations that say what it stands for."""

    name: str
    about: Mapping[str, str] = field(default_factory=dict)


def run_leases(manifest: str, urls: Iterable[str]) -> tuple[LeaseName, ...]:
    """The Leases of a manifest: one for each address of a server, in the order in which every run takes them."""
    places = sorted({normalized_url(url) for url in urls})
    return tuple(lease_name((manifest, place), {MANIFEST: manifest, SERVER: place}) for place in places)


def lease_name(parts: Iterable[str], about: Mapping[str, str]) -> LeaseName:
    """The Lease that stands for these words together: a name of a fixed length, since they may be longer than names can be."""
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return LeaseName(f"oauthdeploy-{digest[:20]}", dict(about))


def kubernetes_client() -> Client:
    """A client for the cluster of this process: its service account, else `KUBECONFIG`, else `~/.kube/config`.

    Raises ExtraMissing, and LeaseFailed if no cluster is configured.
    """
    with needs_extra("kubernetes", "A lock in Kubernetes"):
        from lightkube import Client
    try:
        return Client(field_manager="oauthdeploy")
    except Exception as error:  # noqa: BLE001 - whatever a kubeconfig holds
        raise LeaseFailed(
            "No Kubernetes cluster is configured",
            detail=f"The lock is a Lease in Kubernetes, and the configuration cannot be read: {error or type(error).__name__}",
            fix="Set KUBECONFIG to a usable file, or run in a pod with a service account.",
        ) from None


class LeaseHome(LateTyped, frozen=True):
    """Where Leases are kept: a namespace, and the client of its cluster; None: that of this process's configuration."""

    namespace: str
    client: Client | None = None

    @contextmanager
    def leases(self, manifest: str, urls: Iterable[str]) -> Iterator[Leases]:
        """The Leases of a manifest and its servers, not yet taken, for the block. Raises ExtraMissing and LeaseFailed."""
        client = self.client or kubernetes_client()
        try:
            yield Leases(client, self.namespace, run_leases(manifest, urls))
        finally:
            if client is not self.client:
                client.close()


class Leases:
    """Several Leases of one namespace that are held together, or not at all. Safe to use from several threads."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        names: Iterable[LeaseName],
        *,
        identity: str = "",
        duration: int = DURATION_SECONDS,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """`identity` is who takes them, in the form `owner@host/process/token`; default: this process."""
        self._client = client
        self._namespace = namespace
        self._names = tuple(names)
        self._duration = duration
        self._now = now
        self.identity = identity or own_identity()
        self._held: dict[str, Lease] = {}
        self._sure_at = 0.0
        self._looked_at = 0.0
        self._lost = False
        self._turn = threading.RLock()

    # -- taking and giving back --------------------------------------------------------------------------------------

    def take(self) -> Holder | None:
        """Take all of them; returns the holder of the first that another run holds, and then holds none. Raises LeaseFailed."""
        started = _clock()
        with self._turn, _asking(self._namespace):
            for name in self._names:
                other = self._take(name)
                if other is not None:
                    self.release()
                    return other
            self._sure_at = self._looked_at = started
            self._lost = False
        return None

    def release(self) -> None:
        """Give back those that are still held. A failure is ignored: they expire."""
        with self._turn:
            for name, lease in list(self._held.items()):
                assert lease.spec is not None
                lease.spec.holderIdentity = None
                lease.spec.leaseDurationSeconds = 1
                with suppress(LeaseFailed), _asking(self._namespace):
                    self._client.replace(lease)
                del self._held[name]
            self._lost = True

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew them in the block, and give them back at its end."""
        done = threading.Event()
        renewer = threading.Thread(target=self._keep, args=(done,), name="lease-renewal", daemon=True)
        renewer.start()
        try:
            yield
        finally:
            done.set()
            renewer.join()
            self.release()

    def still_held(self) -> bool:
        """Whether all are still held. Looks at the Leases, unless it did so within the last second.

        An API server that does not answer takes nothing away before the expiry.
        """
        with self._turn:
            asked = _clock()
            if self.expired:
                self._lost = True
                return False
            if asked - self._looked_at < _TRUSTED_FOR:
                return True
            try:
                with _asking(self._namespace):
                    if asked - self._sure_at > self._duration / 2:
                        self._renew(asked)
                    elif any(self._read(name).identity != self.identity for name in self._held):
                        self._lost = True
                    self._looked_at = asked
            except LeaseFailed:
                pass
            # An API server that is silent keeps this waiting, perhaps beyond the expiry.
            self._lost = self.expired
            return not self._lost

    @property
    def expired(self) -> bool:
        """Whether they were lost, or not renewed in time, as far as this process knows without asking."""
        return self._lost or _clock() - self._sure_at >= self._duration

    # -- looking -----------------------------------------------------------------------------------------------------

    def holder(self) -> Holder | None:
        """Who holds any of them now; None if all are free. Raises LeaseFailed."""
        with _asking(self._namespace):
            found = (self._read(name.name) for name in self._names)
            return next((item.holder for item in found if item.holder and not item.expired(self._now())), None)

    def break_off(self, token: str) -> bool:
        """Take them away from the holder with this token; False if another run holds them by now. Raises LeaseFailed."""
        broken = False
        with _asking(self._namespace):
            for name in self._names:
                found = self._read(name.name)
                if found.lease is None or found.holder is None or found.holder.token != token:
                    continue
                assert found.lease.spec is not None
                found.lease.spec.holderIdentity = None
                found.lease.spec.leaseDurationSeconds = 1
                broken = self._replace(found.lease) is not None or broken
        return broken

    # -- the steps ---------------------------------------------------------------------------------------------------

    def _take(self, name: LeaseName) -> Holder | None:
        for _ in range(_TRIES):
            found = self._read(name.name)
            if found.holder and found.identity != self.identity and not found.expired(self._now()):
                return found.holder
            lease = self._wanted(name, found)
            kept = self._replace(lease) if found.lease is not None else self._create(lease)
            if kept is not None:
                self._held[name.name] = kept
                return None
        return self._read(name.name).holder or _unknown(self._now(), self._duration)

    def _wanted(self, name: LeaseName, found: _Seen) -> Lease:
        from lightkube.models.coordination_v1 import LeaseSpec
        from lightkube.models.meta_v1 import ObjectMeta
        from lightkube.resources.coordination_v1 import Lease

        moment = self._now()
        lease = found.lease or Lease(
            metadata=ObjectMeta(
                name=name.name, namespace=self._namespace, labels=dict(_LABELS), annotations=dict(name.about)
            )
        )
        before = lease.spec.leaseTransitions if lease.spec is not None else None
        lease.spec = LeaseSpec(
            holderIdentity=self.identity,
            leaseDurationSeconds=self._duration,
            acquireTime=moment,
            renewTime=moment,
            leaseTransitions=(before or 0) + 1 if found.lease is not None else 0,
        )
        return lease

    def _renew(self, asked: float) -> None:
        """Renew all; one that somebody else changed is lost."""
        for name, lease in list(self._held.items()):
            assert lease.spec is not None
            lease.spec.renewTime = self._now()
            kept = self._replace(lease)
            if kept is None:
                # Written already, by a request whose response was lost; else somebody else has it.
                found = self._read(name)
                if found.lease is None or found.identity != self.identity:
                    self._lost = True
                    return
                kept = found.lease
            self._held[name] = kept
        self._sure_at = asked

    def _keep(self, done: threading.Event) -> None:
        """Renew until `done`. A failed renewal is retried at the next one; two may fail before the expiry."""
        while not done.wait(self._duration / 3):
            with self._turn, suppress(LeaseFailed), _asking(self._namespace):
                asked = _clock()
                if not self._lost and asked - self._sure_at < self._duration:
                    self._renew(asked)

    def _read(self, name: str) -> _Seen:
        from lightkube import ApiError
        from lightkube.resources.coordination_v1 import Lease

        try:
            return _Seen(self._client.get(Lease, name, namespace=self._namespace))
        except ApiError as error:
            if error.status.code == 404:
                return _Seen(None)
            raise

    def _create(self, lease: Lease) -> Lease | None:
        return _unless_changed(lambda: self._client.create(lease, namespace=self._namespace))

    def _replace(self, lease: Lease) -> Lease | None:
        return _unless_changed(lambda: self._client.replace(lease))


class _Seen(LateTyped, frozen=True):
    """A Lease as it was read; None if there is none."""

    lease: Lease | None

    @property
    def identity(self) -> str:
        spec = self.lease.spec if self.lease is not None else None
        return (spec.holderIdentity or "") if spec is not None else ""

    @property
    def holder(self) -> Holder | None:
        spec = self.lease.spec if self.lease is not None else None
        if spec is None or not spec.holderIdentity:
            return None
        renewed = spec.renewTime or spec.acquireTime or datetime.min.replace(tzinfo=UTC)
        expires = renewed + timedelta(seconds=spec.leaseDurationSeconds or DURATION_SECONDS)
        return holder_of(spec.holderIdentity, spec.acquireTime or renewed, expires)

    def expired(self, moment: datetime) -> bool:
        """Whether it may be taken."""
        holder = self.holder
        return holder is None or holder.expires + timedelta(seconds=SKEW_SECONDS) <= moment


def own_identity() -> str:
    """This process as the holder of a Lease: `owner@host/process/token`."""
    return f"{account_name()}@{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex}"


def holder_of(identity: str, since: datetime, expires: datetime) -> Holder:
    """The holder with this identity; one in a foreign form has it as its owner and as its token."""
    who, _, rest = identity.rpartition("@")
    host, _, numbers = rest.partition("/")
    pid, _, token = numbers.partition("/")
    if not who or not token or not pid.isdigit():
        return Holder(identity, "an unknown host", 0, since, expires, identity)
    return Holder(who, host, int(pid), since, expires, token)


def _unknown(moment: datetime, duration: int) -> Holder:
    return Holder("unknown", "an unknown host", 0, moment, moment + timedelta(seconds=duration), "")


@contextmanager
def lease_lock(
    leases: Leases,
    *,
    timeout: float = 0,
    stop: threading.Event | None = None,
    pause: Callable[[float], object] | None = None,
) -> Iterator[Callable[[], bool]]:
    """Hold the Leases while the block runs; yields the question whether they are still held.

    Waits up to `timeout` seconds for another run, checking again after 0.2 s, then twice as long each time up to 5 s; setting
    `stop` ends the wait. Raises LockBusy and LeaseFailed.
    """
    stop = stop or threading.Event()
    until, wait = _clock() + timeout, _FIRST_PAUSE
    with unwinding():
        while (other := leases.take()) is not None:
            remaining = until - _clock()
            if remaining <= 0 or stop.is_set():
                raise _busy(other)
            (pause or stop.wait)(min(wait, remaining))
            wait = min(wait * 2, _LONGEST_PAUSE)
        with leases.kept():
            yield leases.still_held


def _busy(holder: Holder) -> LockBusy:
    until = holder.expires.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return LockBusy(
        "Somebody else is applying this manifest",
        detail=f"{holder} holds it until {until} (Lease).",
        fix="Wait for it with --lock-timeout. If you are sure that it no longer runs, run oauthdeploy force-unlock.",
    )


@contextmanager
def _asking(namespace: str) -> Iterator[None]:
    """Turns errors of the client into ours."""
    import httpx2
    from lightkube import ApiError

    try:
        yield
    except ApiError as error:
        raise LeaseFailed(
            "A Lease cannot be used as a lock",
            detail=f"Namespace {namespace}: the API server answered {error.status.code}: {error.status.message}",
            fix="Allow get, create and update of leases (coordination.k8s.io) in that namespace.",
        ) from None
    except httpx2.HTTPError as error:
        raise LeaseFailed(
            "The API server of Kubernetes does not answer",
            detail=f"Namespace {namespace}: {type(error).__name__}.",
            fix="Nothing was written without a lock. Try again when it answers.",
        ) from None


def _unless_changed(write: Callable[[], Lease]) -> Lease | None:
    """What the write returns; None if somebody else was faster (409), or if the Lease is gone (404)."""
    from lightkube import ApiError

    try:
        return write()
    except ApiError as error:
        if error.status.code in (404, 409):
            return None
        raise


def _clock() -> float:
    """Seconds of a clock that goes on while the machine sleeps, where the system has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
