"""Carries out a cut-off: sets the client's not-before, ends its sessions, and notifies it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.errors import ServerError
from oauthdeploy.drivers.base import Applied
from oauthdeploy.drivers.common_steps import at_once, blocks, deletes_tokens
from oauthdeploy.drivers.keycloak.client import AdminApi
from oauthdeploy.drivers.keycloak.mapping import BLOCKED, read_client, secret_in, whole
from oauthdeploy.drivers.keycloak.revocation_state import count_tokens, is_own, mark_name, moment_of
from oauthdeploy.model.objects import IssuedBefore, Revocation, Side
from oauthdeploy.model.state import TokenCount
from oauthdeploy.planning.changes import Change, shared_sessions

SIDES = frozenset({Side.AUTHORIZATION})


class Cutter(Struct, frozen=True):
    """Carries out revocations in one realm. `urgent`: their tokens have not been counted yet."""

    admin: AdminApi
    urgent: bool = False

    def revocation(self, change: Change, raw: Mapping[str, Any] | None = None) -> Applied:
        """Cut a client off: it is disabled, gets its not-before, its sessions end, and its own server is notified.

        `raw` is the client as it was read just now; None: it is read.
        """
        desired = change.desired
        assert isinstance(desired, Revocation)
        uuid = change.live.identity if change.live is not None else ""
        if not uuid:
            return Applied(change.address, desired, note="The client does not exist.")
        raw = raw or self.admin.client(uuid)
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
            note = _BEFORE_NOW
        notes = [note, *self._revoke_token(raw, desired)]
        # A push ends no token by itself (docs/servers.md, Keycloak, "Ending tokens"), so it need not wait for the sessions.
        with ThreadPoolExecutor(1, thread_name_prefix="push") as pool:
            push = pool.submit(copy_context().run, self._push, uuid)
            words, found = self._end_sessions(raw, change)
        notes += [*words, *push.result()]
        return Applied(change.address, desired, uuid, note=" ".join(notes), cut_at=cut_at, found=found)

    def _cut_before(self, raw: Mapping[str, Any], bound: IssuedBefore, *, blocking: str) -> str:
        """End the tokens issued before a time, in one PUT; a future time counts as now."""
        end, reached = moment_of(bound), self.admin.http.time_reached()
        if is_past(end, reached):
            self._put(raw, end, blocking=blocking)
            return _BEFORE_THAT
        made, now = self.admin.clock()
        self._put(raw, min(end, _after(now)), blocking=blocking, made=made)
        return _BEFORE_NOW if end > now else _BEFORE_THAT

    def _cut_all(self, raw: Mapping[str, Any], name: str, *, blocking: str) -> int:
        """End every token that was issued by now; returns the not-before that did it, and stores it as a mark.

        A token that is issued between reading the clock and the PUT may be younger than the not-before of that PUT. So the
        not-before that counts comes from a reading of the clock after which no token can be missed: after the client was
        disabled, or after a first not-before. Before that, the time of the sign-in ends most tokens without a reading of the
        clock. The mark is sent with the last PUT, so that a run that is killed before it is repeated.
        """
        if blocking:
            self._put(raw, None, blocking=blocking)
        elif raw.get("enabled") is not False:
            reached = self.admin.http.time_reached()
            if reached is not None:
                self._put(raw, _after(reached), blocking="")
            made, now = self.admin.clock()
            self._put(raw, _after(now), blocking="", made=made)
        made, now = self.admin.clock()
        return self._put(raw, _after(now), blocking=blocking, mark=mark_name(name), made=made)

    def _put(self, raw: Mapping[str, Any], end: int | None, *, blocking: str, mark: str = "", made: str = "") -> int:
        """PUT the client with a not-before, disabled by the revocation `blocking`; returns its resulting not-before.

        `made` is what a reading of the clock has left behind; it is deleted at the same time.
        """
        body = _disabled(whole(raw), blocking)
        had = body.get("notBefore")
        # Never earlier than before: that would reactivate tokens that another revocation ended.
        body["notBefore"] = max(end or 0, had if isinstance(had, int) else 0)
        if mark:
            body["attributes"][mark] = str(body["notBefore"])
        steps: list[Callable[[], object]] = [partial(self.admin.put_client, str(raw.get("id")), body, raw)]
        steps += [partial(self.admin.delete_initial_access, made)] if made else []
        at_once(2, lambda step: step(), steps)
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

    def _end_sessions(self, raw: Mapping[str, Any], change: Change) -> tuple[list[str], TokenCount | None]:
        """End the sessions that belong to this client only. In the others, its tokens have ended, and other clients' have not.

        Also returns the tokens that the client had, for the record of a cut-off that did not wait for them.
        """
        desired, live = change.desired, read_client(raw)
        assert isinstance(desired, Revocation)
        before = isinstance(desired.tokens, IssuedBefore)
        if before and not self.urgent:
            return [], None
        both = at_once(2, lambda offline: self.admin.sessions(live.uuid, offline=offline), (False, True))
        found = count_tokens(desired, live, [one for some in both for one in some], change.address.name)
        if before:
            return [], found
        ended = shared = 0
        for offline, sessions in zip((False, True), both, strict=True):
            own = _own(sessions, live.uuid)
            self._end(own, offline=offline)
            ended, shared = ended + len(own), shared + len(sessions) - len(own)
            if sessions:
                # A refresh in progress can restore a session that was ended meanwhile.
                self._end(_own(self.admin.sessions(live.uuid, offline=offline), live.uuid), offline=offline)
        notes = [f"{ended} session{'' if ended == 1 else 's'} ended."] if ended else []
        if shared:
            notes.append(f"{shared_sessions(shared)}: {_STILL_SIGNED_IN}")
        return notes, found

    def _end(self, sessions: Sequence[str], *, offline: bool) -> None:
        at_once(self.admin.parallel, partial(self.admin.end_session, offline=offline), sessions)

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


_BEFORE_NOW: Final = "Tokens issued before now are refused."
_BEFORE_THAT: Final = "Tokens issued before that time are refused."


def _own(sessions: Sequence[Mapping[str, Any]], uuid: str) -> Sequence[str]:
    """The ids of the sessions that belong to this client only."""
    return [str(one.get("id")) for one in sessions if is_own(one, uuid)]


def is_past(end: int, reached: int | None) -> bool:
    """Whether a not-before needs no reading of the clock, which has `reached` that time (None: unknown)."""
    return reached is not None and end <= reached


def _after(now: int) -> int:
    """The not-before that ends the tokens of the second `now`: Keycloak spares those of its own second (docs/servers.md)."""
    return now + 1


def _disabled(body: dict[str, Any], blocking: str) -> dict[str, Any]:
    """The body of a client, disabled with a mark that names the revocation `blocking`; unchanged for ""."""
    if blocking:
        body["enabled"] = False
        body["attributes"][BLOCKED] = blocking
    return body


def count_cut_off(change: Change, *, urgent: bool, reached: int | None) -> int:
    """How many requests a cut-off takes: reading and writing the client, the clock, the sessions, and notifying the client.

    `urgent`: the client was read just now. `reached` is a time that the server's clock has reached, if that is known.
    """
    live, desired = change.live, change.desired
    assert isinstance(desired, Revocation)
    if live is None or not live.identity:
        return 0
    read = 0 if urgent else 1
    if not deletes_tokens(change, SIDES):
        return read + 1
    pushes = 1 + int(desired.proof is not None)
    if isinstance(desired.tokens, IssuedBefore):
        clock = 0 if is_past(moment_of(desired.tokens), reached) else _CLOCK
        return read + clock + 1 + (2 if urgent else 0) + pushes
    sessions = live.tokens.total if live.tokens is not None else 0
    lists = 2 + sessions + int(sessions > 0)
    # The first writes: to disable, or with a not-before of their own, one of which takes another reading of the clock.
    first = 1 if blocks(change, SIDES) else 0 if live.blocked else int(reached is not None) + _CLOCK + 1
    return read + first + _CLOCK + 1 + lists + pushes


_CLOCK: Final = 2
"""The requests of one reading of the clock."""
