"""Carries out a cut-off: sets the client's not-before, ends its sessions, and notifies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from oauthdeploy.core.errors import ServerError
from oauthdeploy.drivers.base import Applied
from oauthdeploy.drivers.common_steps import at_once, blocks, deletes_tokens
from oauthdeploy.drivers.keycloak.client import AdminApi
from oauthdeploy.drivers.keycloak.mapping import BLOCKED, secret_in, whole
from oauthdeploy.drivers.keycloak.revocation_state import is_own, mark_name, moment_of
from oauthdeploy.model.objects import IssuedBefore, Revocation, Side
from oauthdeploy.planning.changes import Change, shared_sessions

SIDES = frozenset({Side.AUTHORIZATION})


@dataclass(frozen=True)
class Cutter:
    """Carries out revocations in one realm."""

    admin: AdminApi

    def revocation(self, change: Change) -> Applied:
        """Cut a client off: it is disabled, gets its not-before, its sessions end, and its own server is notified."""
        desired = change.desired
        assert isinstance(desired, Revocation)
        uuid = change.live.identity if change.live is not None else ""
        if not uuid:
            return Applied(change.address, desired, note="The client does not exist.")
        raw = self.admin.client(uuid)
        if raw is None:
            return Applied(change.address, desired, note="The client no longer exists.")
        blocking = change.address.name if blocks(change, SIDES) else ""
        if not deletes_tokens(change, SIDES):
            self.admin.put_client(uuid, _disabled(whole(raw), blocking), raw)
            return Applied(change.address, desired, uuid)
        cut_at: int | None = None
        if isinstance(desired.tokens, IssuedBefore):
            note = self._cut_before(raw, desired.tokens, blocking=blocking)
        else:
            cut_at = self._cut_all(raw, change.address.name, blocking=blocking)
            note = "Tokens issued before now are refused."
        notes = [note, *self._revoke_token(raw, desired), *self._end_sessions(uuid, desired)]
        # It notifies clients that have an admin URL, and ends no token by itself (docs/servers.md, Keycloak, "Ending tokens").
        notes += self._push(uuid)
        return Applied(change.address, desired, uuid, note=" ".join(notes), cut_at=cut_at)

    def _cut_before(self, raw: Mapping[str, Any], bound: IssuedBefore, *, blocking: str) -> str:
        """End the tokens issued before a time, in one PUT; a future time counts as now."""
        now = self.admin.clock()
        end = min(moment_of(bound), _after(now))
        self._put(raw, end, blocking=blocking)
        return "Tokens issued before now are refused." if end > now else "Tokens issued before that time are refused."

    def _cut_all(self, raw: Mapping[str, Any], name: str, *, blocking: str) -> int:
        """End every token that was issued by now; returns the not-before that did it, and stores it as a mark.

        A token that is issued between reading the clock and the PUT may be younger than the not-before of that PUT. So the
        not-before that counts comes from a reading of the clock after which no token can be missed: after the client was
        disabled, or after a first not-before. The mark is sent with the last PUT, so that a run that is killed before it is
        repeated.
        """
        if blocking:
            self._put(raw, None, blocking=blocking)
        elif raw.get("enabled") is not False:
            self._put(raw, _after(self.admin.clock()), blocking="")
        return self._put(raw, _after(self.admin.clock()), blocking=blocking, mark=mark_name(name))

    def _put(self, raw: Mapping[str, Any], end: int | None, *, blocking: str, mark: str = "") -> int:
        """PUT the client with a not-before, disabled by the revocation `blocking`; returns its resulting not-before."""
        body = _disabled(whole(raw), blocking)
        had = body.get("notBefore")
        # Never earlier than before: that would reactivate tokens that another revocation ended.
        body["notBefore"] = max(end or 0, had if isinstance(had, int) else 0)
        if mark:
            body["attributes"][mark] = str(body["notBefore"])
        self.admin.put_client(str(raw.get("id")), body, raw)
        return int(body["notBefore"])

    def _revoke_token(self, raw: Mapping[str, Any], desired: Revocation) -> list[str]:
        """End the one token that the manifest has, in the name of its client (RFC 7009); not-before ends the others."""
        if desired.proof is None:
            return []
        try:
            self.admin.revoke(desired.proof.token, str(raw.get("clientId")), secret_in(raw))
        except ServerError as error:
            return [f"The token you supplied was not revoked individually ({error.summary})."]
        # A 200 alone proves nothing: RFC 7009 section 2.2 requires it for tokens that the server does not know, too.
        return ["The token you supplied is revoked."]

    def _end_sessions(self, uuid: str, desired: Revocation) -> list[str]:
        """End the sessions that belong to this client only. In the others, its tokens have ended, and other clients' have not."""
        if isinstance(desired.tokens, IssuedBefore):
            return []
        ended = shared = 0
        for offline in (False, True):
            own, others = self._own_sessions(uuid, offline=offline)
            at_once(self.admin.parallel, partial(self.admin.end_session, offline=offline), own)
            ended, shared = ended + len(own), shared + others
            # A refresh in progress can restore a session that was ended meanwhile.
            again = self._own_sessions(uuid, offline=offline)[0] if own or others else []
            at_once(self.admin.parallel, partial(self.admin.end_session, offline=offline), again)
        notes = [f"{ended} session{'' if ended == 1 else 's'} ended."] if ended else []
        if shared:
            notes.append(f"{shared_sessions(shared)}: {_STILL_SIGNED_IN}")
        return notes

    def _own_sessions(self, uuid: str, *, offline: bool) -> tuple[list[str], int]:
        """The ids of the sessions that belong to this client only, and the number of the others."""
        sessions = self.admin.sessions(uuid, offline=offline)
        own = [str(one.get("id")) for one in sessions if is_own(one, uuid)]
        return own, len(sessions) - len(own)

    def _push(self, uuid: str) -> list[str]:
        """Notify the client's own server, if it has an admin URL; a failure undoes nothing."""
        try:
            told = self.admin.push_revocation(uuid)
        except ServerError as error:
            return [f"The client could not be notified ({error.summary})."]
        failed = told.get("failedRequests") or ()
        return [f"{len(failed)} of the client's addresses could not be notified."] if failed else []


_STILL_SIGNED_IN: Final = (
    "whoever is signed in there gets new tokens for the client. Block it, or end these sessions, to prevent that."
)


def _after(now: int) -> int:
    """The not-before that ends the tokens of the second `now`: Keycloak spares those of its own second (docs/servers.md)."""
    return now + 1


def _disabled(body: dict[str, Any], blocking: str) -> dict[str, Any]:
    """The body of a client, disabled with a mark that names the revocation `blocking`; unchanged for ""."""
    if blocking:
        body["enabled"] = False
        body["attributes"][BLOCKED] = blocking
    return body


def count_cut_off(change: Change) -> int:
    """How many requests a cut-off takes: reading and writing the client, the clock, the sessions, and notifying the client."""
    live, desired = change.live, change.desired
    assert isinstance(desired, Revocation)
    if live is None or not live.identity:
        return 0
    if not deletes_tokens(change, SIDES):
        return 2
    told = 5 + int(desired.proof is not None)
    if isinstance(desired.tokens, IssuedBefore):
        return told
    sessions = live.tokens.total if live.tokens is not None else 0
    lists = 2 + sessions + int(sessions > 0)
    # The first of two writes: to disable, or with its own not-before, which takes another reading of the clock.
    first = 1 if blocks(change, SIDES) else 0 if live.blocked else 3
    return told + lists + first
