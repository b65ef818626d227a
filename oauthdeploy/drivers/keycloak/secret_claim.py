"""Renews a client's secret while another machine may do the same.

Keycloak has no compare-and-set, but the names of a client's roles are unique in its database, and a role can be deleted by its
id: together that is a lock that all machines see. A run that renews a secret creates a role with a reserved name, which is
assigned to nobody, and deletes it at the end. In between, it checks after each write whether the lock, the recorded revision
and the secret are still as it left them, since the lock of a run that was stopped for long is taken over. A PUT merges
attributes by key and keeps a secret that it does not contain (docs/servers.md), so none of these writes restores what another
run has replaced.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import asdict

from oauthdeploy.core.errors import NotFound, RenewedElsewhere, ServerError
from oauthdeploy.core.processes import account_name, is_running, machine, started
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.keycloak.client import AdminApi
from oauthdeploy.drivers.keycloak.mapping import HOLDER, marks_of, revision_in, secret_in
from oauthdeploy.drivers.keycloak.options import MARK

ROLE: Final = f"{MARK}secret.renewal"
"""The role that is the lock."""
LEASE_SECONDS: Final = 300
"""How long a renewal may take; after that, another run takes over."""
_ATTEMPTS: Final = 3


class Holder(Struct, frozen=True):
    """Who renews a secret; `until` is in seconds since 1970."""

    token: str
    who: str
    until: int
    machine: str = ""
    pid: int = 0
    started: str = ""

    @property
    def text(self) -> str:
        """The value of the role's attribute."""
        return json.dumps(asdict(self), separators=(",", ":"))

    def blocks(self, now: float) -> bool:
        """Whether it is still running, as far as can be known from here."""
        if self.until <= now:
            return False
        here = bool(self.machine) and self.machine == machine()
        return not here or (is_running(self.pid) and self.started == started(self.pid))


def holder_in(role: Mapping[str, Any]) -> Holder | None:
    """The holder that a role names; None if there is none, or if the role is not one of ours."""
    try:
        found = json.loads(role["attributes"][HOLDER][0])
        return Holder(
            token=str(found["token"]),
            who=str(found["who"]),
            until=int(found["until"]),
            machine=str(found["machine"]),
            pid=int(found["pid"]),
            started=str(found["started"]),
        )
    except (ValueError, KeyError, TypeError, IndexError):
        return None


class Claim:
    """The lock of one run on the secret of the client `uuid`.

    `recorded` is the revision that the plan saw, None for none. Its methods raise RenewedElsewhere if another run is renewing
    the secret, or was faster.
    """

    def __init__(
        self,
        admin: AdminApi,
        uuid: str,
        client_id: str,
        recorded: int | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.admin = admin
        self.uuid = uuid
        self.client_id = client_id
        self.recorded = recorded
        self.clock = clock
        pid = os.getpid()
        until = int(clock()) + LEASE_SECONDS
        who = f"{account_name()} on {socket.gethostname()}"
        self.holder = Holder(uuid4().hex, who, until, machine(), pid, started(pid))
        self.role = ""

    def take(self) -> None:
        """Take the lock, and check that nobody has renewed the secret since the plan was made."""
        self.role = self._make_role()
        try:
            raw = self._read()
            if revision_in(raw) != self.recorded:
                raise self._lost(raw, "another run has renewed it since the plan was made", None)
        except BaseException:
            self.leave()
            raise

    def check(self, secret: Secret | None) -> Mapping[str, Any]:
        """The client as it is now, with the revision of the plan, with `secret`, and with this run's lock."""
        role = self.admin.client_role(self.uuid, ROLE)
        raw = self._read()
        told = secret_in(raw)
        if secret is not None and told is not None and told != secret:
            raise self._lost(raw, "it was replaced meanwhile", secret)
        if revision_in(raw) != self.recorded:
            raise self._lost(raw, "another run has renewed it meanwhile", secret)
        if role is None or role.get("id") != self.role:
            raise self._lost(raw, "another run has taken over the lock", secret)
        return raw

    def check_done(self, secret: Secret | None, revision: int) -> Mapping[str, Any]:
        """Check once more after the last write: the secret, the new revision and the lock are in place."""
        self.recorded = revision
        return self.check(secret)

    @property
    def has_expired(self) -> bool:
        """Whether another run may have taken over the lock, because this one has had it for too long."""
        return self.clock() >= self.holder.until

    @property
    def marks(self) -> Mapping[str, str]:
        """The attribute of the client that says who renewed the secret last."""
        moment = datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return {HOLDER: f"{self.holder.who} at {moment}"}

    def leave(self) -> None:
        """Release the lock if it is still this run's own; a failure only makes the next run wait."""
        if self.role:
            with suppress(ServerError):
                self.admin.delete_role(self.role)

    def _make_role(self) -> str:
        """Create the role and return its id. The role of a run that has ended or expired is deleted first."""
        body = {
            "name": ROLE,
            "description": "The lock of a renewal by oauthdeploy. It grants nothing.",
            "attributes": {HOLDER: [self.holder.text]},
        }
        for _ in range(_ATTEMPTS):
            self.admin.create_role(self.uuid, body)
            role = self.admin.client_role(self.uuid, ROLE) or {}
            found = holder_in(role)
            if found is not None and found.token == self.holder.token:
                return str(role.get("id"))
            if found is not None and found.blocks(self.clock()):
                raise self._lost(self._read(), f"{found.who} is renewing it", None)
            if found is None and role:
                raise self._lost(
                    self._read(), f"the client has a role {ROLE} that is not oauthdeploy's; delete it", None
                )
            # By its id: a slower run that saw the same role does not delete its successor.
            self.admin.delete_role(str(role.get("id", "")))
        raise self._lost(self._read(), "other runs are renewing it", None)

    def _read(self) -> Mapping[str, Any]:
        raw = self.admin.client(self.uuid)
        if raw is None:
            server = self.admin.http.server
            raise NotFound(f"'{server}' has no client '{self.client_id}'", server=server, fix="Make a new plan.")
        return raw

    def _lost(self, raw: Mapping[str, Any], why: str, mine: Secret | None) -> RenewedElsewhere:
        server = self.admin.http.server
        told, last = secret_in(raw), str(marks_of(raw).get(HOLDER, ""))
        if mine is not None and told == mine:
            whose = "the one that this run made; what another run delivered no longer works"
        else:
            whose = f"the one of {last}" if last else "not one of this run"
        return RenewedElsewhere(
            f"Another run renews the secret of '{self.client_id}' on '{server}'",
            server=server,
            words=f"{why}. The live secret is {whose}",
            fix="Let one machine apply at a time. Plan again; if this machine needs its own delivery, raise secret.revision.",
        )
