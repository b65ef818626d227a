"""Carry out a cut-off: the client's not-before, its sessions, and telling it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from oauthdeploy.core.errors import ServerError
from oauthdeploy.drivers.base import Applied
from oauthdeploy.drivers.common_steps import at_once, blocks, deletes_tokens
from oauthdeploy.drivers.keycloak.client import AdminApi
from oauthdeploy.drivers.keycloak.mapping import secret_in, whole
from oauthdeploy.drivers.keycloak.revocation_state import mark_name, moment_of
from oauthdeploy.model.objects import IssuedBefore, Revocation, Side
from oauthdeploy.planning.changes import Change

SIDES = frozenset({Side.AUTHORIZATION})


@dataclass(frozen=True)
class Cutter:
    """Carries out revocations in one realm."""

    admin: AdminApi

    def revocation(self, change: Change) -> Applied:
        """Cut a client off: in one write it is disabled and gets its not-before; then its sessions end, and it is told."""
        desired = change.desired
        assert isinstance(desired, Revocation)
        uuid = change.live.identity if change.live is not None else ""
        if not uuid:
            return Applied(change.address, desired, note="The client does not exist.")
        raw = self.admin.client(uuid)
        if raw is None:
            return Applied(change.address, desired, note="The client no longer exists.")
        body = whole(raw)
        if blocks(change, SIDES):
            body["enabled"] = False
        notes: list[str] = []
        cuts = deletes_tokens(change, SIDES)
        if cuts:
            notes.append(self._put_not_before(body, change.address.name, desired))
        # One PUT for both: between two, a client that is still enabled could get tokens that not-before does not
        # reach.
        self.admin.put_client(uuid, body, raw)
        if cuts:
            notes += self._revoke_token(raw, desired)
            notes += self._end_sessions(uuid, desired)
            # It tells clients that have an admin URL, and ends no token by itself (docs/servers.md, Keycloak, "Ending
            # tokens").
            notes += self._push(uuid)
        return Applied(change.address, desired, uuid, note=" ".join(notes))

    def _put_not_before(self, body: dict[str, Any], name: str, desired: Revocation) -> str:
        """Tokens issued before that moment are dead. Times are whole seconds, so `all` reaches to the end of this one."""
        now = self.admin.clock()
        # Keycloak spares tokens of the very second of not-before (docs/servers.md, Keycloak, "Ending tokens").
        end = now + 1
        if isinstance(desired.tokens, IssuedBefore):
            end = min(moment_of(desired.tokens), end)
        else:
            body["attributes"][mark_name(name)] = str(end)
        had = body.get("notBefore")
        # Never earlier than it was: that would bring tokens back to life that another revocation ended.
        body["notBefore"] = max(end, had if isinstance(had, int) else 0)
        return "Tokens issued before now are refused." if end > now else "Tokens issued before that time are refused."

    def _revoke_token(self, raw: Mapping[str, Any], desired: Revocation) -> list[str]:
        """End the one token that the manifest has at hand, in the name of its client (RFC 7009); not-before ends the others."""
        if desired.proof is None:
            return []
        try:
            self.admin.revoke(desired.proof.token, str(raw.get("clientId")), secret_in(raw))
        except ServerError as error:
            return [f"The token you supplied was not revoked individually ({error.summary})."]
        # An answer of 200 alone proves nothing: RFC 7009, 2.2, wants it for tokens that the server doesn't know, too.
        return ["The token you supplied is revoked."]

    def _end_sessions(self, uuid: str, desired: Revocation) -> list[str]:
        """End the sessions that only this client takes part in. In the others its tokens are dead, and other clients' live."""
        if isinstance(desired.tokens, IssuedBefore):
            return []
        ended = shared = 0
        for offline in (False, True):
            sessions = self.admin.sessions(uuid, offline=offline)
            own = [str(one.get("id")) for one in sessions if set(one.get("clients") or {uuid: ""}) <= {uuid}]
            at_once(self.admin.parallel, partial(self.admin.end_session, offline=offline), own)
            ended, shared = ended + len(own), shared + len(sessions) - len(own)
        notes = [f"{ended} session{'' if ended == 1 else 's'} ended."] if ended else []
        if shared:
            notes.append(
                f"{shared} session{' shared with other clients stays' if shared == 1 else 's shared with other clients stay'}."
            )
        return notes

    def _push(self, uuid: str) -> list[str]:
        """Tell the client's own server, where it has an admin URL; that it can't be told undoes nothing."""
        try:
            told = self.admin.push_revocation(uuid)
        except ServerError as error:
            return [f"The client could not be notified ({error.summary})."]
        failed = told.get("failedRequests") or ()
        return [f"{len(failed)} of the client's addresses could not be notified."] if failed else []


def count_cut_off(change: Change) -> int:
    """How many requests a cut-off takes: the client read and written, the clock, the sessions, and telling the client."""
    live, desired = change.live, change.desired
    assert isinstance(desired, Revocation)
    if live is None or not live.identity:
        return 0
    if not deletes_tokens(change, SIDES):
        return 2
    lists = 0 if isinstance(desired.tokens, IssuedBefore) else 2 + (live.tokens.total if live.tokens is not None else 0)
    return 5 + lists + int(desired.proof is not None)
