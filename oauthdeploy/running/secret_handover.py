"""Generated secrets on their way from the server to their place: delivered as soon as a driver has one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct, field

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.errors import DeliveryFailed
from oauthdeploy.core.secrets import Secret, is_masked
from oauthdeploy.core.values import LateTyped
from oauthdeploy.drivers.base import Applied, Deliver, Driver
from oauthdeploy.model.objects import Client, ClientType, DeliverTo, Side
from oauthdeploy.planning.changes import Action, Change

if TYPE_CHECKING:
    from oauthdeploy.running.secret_sinks import Sinks


class Delivered(Struct, frozen=True):
    """What became of a generated secret: the place that has it, or why it was not delivered.

    `gap` are the seconds from just before the request that generated it until it was delivered; None if the driver did not
    hand it over by itself.
    """

    secret: Secret | None
    place: str = ""
    problem: DeliveryFailed | None = None
    gap: float | None = None

    def in_words(self) -> str:
        """A sentence for a change that failed afterwards."""
        if self.problem is None:
            return f"The secret that the server generated was delivered to {self.place} before that."
        return f"The secret that the server generated was not delivered: {self.problem.detail}"


class SecretHandover(LateTyped, frozen=True):
    """Delivers the secrets that drivers hand over, and those in their results. Safe to use from several threads."""

    drivers: Mapping[str, Driver]
    sinks: Sinks
    now: Callable[[], datetime]
    _found: dict[Address, Delivered] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, change: Change) -> Deliver:
        """Called by a driver before it sends the request that generates a secret; what it returns delivers the secret."""
        target = self._target(change)
        began = self.now()

        def deliver(secret: Secret | None, client_id: str) -> None:
            # A response without a secret is judged by the driver's result, which may have it from a later one.
            if target is None or _is_missing(secret):
                return
            found = self._deliver(change, secret, target, client_id)
            gap = max(0.0, (self.now() - began).total_seconds())
            with self._lock:
                self._found[change.address] = Delivered(found.secret, found.place, found.problem, gap)

        return deliver

    def taken(self, change: Change) -> Delivered | None:
        """What the driver has handed over for a change so far; None if nothing. The next change of the object starts anew."""
        with self._lock:
            return self._found.pop(change.address, None)

    def finish(self, change: Change, answer: Applied) -> Delivered | None:
        """The delivery of a change's secret, made now if the driver has not handed it over; None if there is none to deliver."""
        target = self._target(change)
        before = self.taken(change)
        if target is None:
            return None
        if before is not None and answer.secret in (None, before.secret):
            return before
        if _is_missing(answer.secret):
            shows = "contains no secret" if not answer.secret else "contains a mask instead of the secret"
            problem = DeliveryFailed(
                "The generated secret is not in the server's response",
                detail=f"The response {shows}. The secret that was delivered before is unchanged.",
            )
            return Delivered(None, problem=problem)
        return self._deliver(change, answer.secret, target, answer.client_id or answer.identity or change.address.name)

    def _target(self, change: Change) -> DeliverTo | None:
        return deliver_target(change, self.drivers[change.address.server]) if may_make_secret(change) else None

    def _deliver(self, change: Change, secret: Secret | None, target: DeliverTo, client_id: str) -> Delivered:
        assert secret is not None
        try:
            return Delivered(secret, self.sinks.deliver(secret, target, change.address, client_id=client_id))
        except DeliveryFailed as error:
            return Delivered(secret, problem=error)


def _is_missing(secret: Secret | None) -> bool:
    return not secret or is_masked(secret.reveal())


def deliver_target(change: Change, driver: Driver) -> DeliverTo | None:
    """Where a secret that the server generates with this change goes; None if nowhere.

    Clients present their secret only to the authorization server. A secret from a server that is only a resource server is
    useless and must not replace the other one.
    """
    if Side.AUTHORIZATION not in driver.connection.server.role.sides:
        return None
    if isinstance(change.desired, Client) and change.desired.secret is not None:
        return change.desired.secret.deliver_to
    return None


def may_make_secret(change: Change) -> bool:
    """Whether the server may generate a secret with this change: a new client, or a new secret for one."""
    if not isinstance(change.desired, Client) or change.desired.secret is None or not change.desired.secret.generate:
        return False
    return change.action is not Action.UPDATE or any(
        field.path.startswith("secret") or (field.path == "type" and field.after is ClientType.CONFIDENTIAL)
        for field in change.fields
    )
