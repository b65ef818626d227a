"""What a cut-off still has to do, told from a client's not-before, its sessions and the mark of what was done. Pure.

Keycloak keeps no list of tokens. A token is good when it was issued at or after its client's not-before (and has not ended, nor
been revoked by RFC 7009). So a client's tokens issued before a moment are dead once not-before is that moment or later, whether
they have a session or, as those of client credentials, have none. A session whose last token for the client is older than
not-before holds none that works.

`issued_before` needs nothing else. `all` means those that are there when it is carried out: that moment is kept as a mark of the
revocation in the client's attributes, since nobody could tell later whether tokens without a session came before or after.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import Any

from oauthdeploy.drivers.keycloak.mapping import REVOKED, LiveClient, marks_of, sessions_since, started_before
from oauthdeploy.model.objects import IssuedBefore, Revocation
from oauthdeploy.model.state import LiveObject, TokenCount


def live_revocation(
    value: Revocation,
    live: LiveClient | None,
    sessions: Sequence[Mapping[str, Any]],
    mark: str,
    *,
    name: str = "",
) -> LiveObject:
    """A revocation as it stands: `sessions` are those of the client, offline ones among them; `mark` is the fingerprint.

    Tokens without a session are counted as one where they were not cut off. Raises Garbled.
    """
    if live is None:
        tokens = TokenCount(active=0, total=0) if value.tokens is not None else None
        return LiveObject(value, fingerprint=mark, tokens=tokens)
    tokens = None if value.tokens is None else _count(value, live, sessions, name)
    cut_at = carried_out_at(live, name) if value.tokens == "all" else None
    return LiveObject(value, live.uuid, mark, tokens=tokens, blocked=live.value.enabled is False, cut_at=cut_at)


def _count(value: Revocation, live: LiveClient, sessions: Sequence[Mapping[str, Any]], name: str) -> TokenCount:
    working = sessions_since(sessions, live.not_before)
    if isinstance(value.tokens, IssuedBefore):
        moment = moment_of(value.tokens)
        if live.not_before >= moment:
            return TokenCount(active=0, total=0)
        meant = started_before(working, moment)
        # At least one: tokens of client credentials have no session, so an empty list doesn't mean that none is
        # alive.
        return TokenCount(active=max(1, len(meant)), total=len(meant))
    done = carried_out_at(live, name)
    if done is not None:
        # What works now was issued after the cut-off, which is over. A session from before that still gives tokens was ended
        # while a refresh was under way, which brought it back.
        # That second itself is left out: a session may have begun in it after the cut-off.
        left = [one for one in started_before(working, done - 1) if is_own(one, live.uuid)]
        return TokenCount(active=len(left), total=len(left))
    return TokenCount(active=max(1, len(working)), total=len(working))


def is_own(session: Mapping[str, Any], uuid: str) -> bool:
    """Whether only this client takes part in a session."""
    return set(session.get("clients") or {uuid: ""}) <= {uuid}


def moment_of(bound: IssuedBefore) -> int:
    """The not-before, in seconds since 1970, that ends every token issued before a moment."""
    # Rounded up: not-before counts whole seconds, and must not spare tokens from just before the bound.
    return ceil((bound.issued_before - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def mark_name(name: str) -> str:
    """The attribute that records when a revocation was carried out."""
    return REVOKED + re.sub(r"[^A-Za-z0-9._-]", "_", name)


def carried_out_at(live: LiveClient, name: str) -> int | None:
    """The moment of a revocation that was carried out, from its mark; None without one, or where not-before was taken back."""
    written = str(marks_of(live.raw).get(mark_name(name), ""))
    if not written.isascii() or not written.isdigit() or len(written) >= 12:
        return None
    return int(written) if live.not_before >= int(written) else None
