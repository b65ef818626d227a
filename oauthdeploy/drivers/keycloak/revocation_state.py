"""What a cut-off still has to do, according to a client's not-before, its sessions and the mark of what was done. Pure.

Keycloak has no list of tokens. A token is valid if it was issued at or after its client's not-before (and has neither expired
nor been revoked by RFC 7009). So a client's tokens issued before a given time are invalid once not-before is that time or
later, whether they have a session or, like those of client credentials, have none. A session whose last token for the client is
older than not-before has no valid token.

`issued_before` needs nothing else. `all` means the tokens that exist when it is carried out: that time is stored as a mark of
the revocation in the client's attributes, since later it cannot be found out whether tokens without a session are older.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import Any

from msgspec.structs import replace

from oauthdeploy.drivers.keycloak.mapping import REVOKED, LiveClient, marks_of, sessions_since, started_before
from oauthdeploy.model.objects import IssuedBefore, Revocation
from oauthdeploy.model.state import LiveObject, TokenCount


def live_revocation(
    value: Revocation,
    live: LiveClient | None,
    sessions: Sequence[Mapping[str, Any]] | None,
    mark: str,
    *,
    name: str = "",
) -> LiveObject:
    """The state of a revocation: `sessions` are those of the client, including offline ones (None: they were not read, because
    they do not decide whether there is something to do); `mark` is the fingerprint.

    Tokens without a session count as one if they were not cut off. Raises Garbled.
    """
    if live is None:
        tokens = TokenCount(active=0, total=0) if value.tokens is not None else None
        return LiveObject(value, fingerprint=mark, tokens=tokens)
    tokens = None if value.tokens is None else count_tokens(value, live, sessions or (), name)
    if tokens is not None and tokens.active and sessions is None:
        tokens = replace(tokens, counted=False)
    cut_at = carried_out_at(live, name) if value.tokens == "all" else None
    return LiveObject(value, live.uuid, mark, tokens=tokens, blocked=live.value.enabled is False, cut_at=cut_at)


def was_carried_out(value: Revocation, live: LiveClient, name: str) -> bool:
    """Whether all tokens of a client were ended by this revocation before, so that only sessions show whether one is left."""
    return value.tokens == "all" and carried_out_at(live, name) is not None


def count_tokens(value: Revocation, live: LiveClient, sessions: Sequence[Mapping[str, Any]], name: str) -> TokenCount:
    """The tokens of a client that a revocation means. Raises Garbled."""
    working = sessions_since(sessions, live.not_before)
    if isinstance(value.tokens, IssuedBefore):
        moment = moment_of(value.tokens)
        if live.not_before >= moment:
            return TokenCount(active=0, total=0)
        meant = started_before(working, moment)
        # At least one: tokens of client credentials have no session, so an empty list does not mean that there are none.
        return TokenCount(active=max(1, len(meant)), total=len(meant))
    done = carried_out_at(live, name)
    if done is not None:
        # Tokens that are valid now were issued after the cut-off, which is over. A session from before it that still issues
        # tokens was ended during a refresh, which restored it. That second itself is left out: a session may have begun in it
        # after the cut-off.
        left = [one for one in started_before(working, done - 1) if is_own(one, live.uuid)]
        return TokenCount(active=len(left), total=len(left))
    return TokenCount(active=max(1, len(working)), total=len(working))


def is_own(session: Mapping[str, Any], uuid: str) -> bool:
    """Whether a session belongs to this client only."""
    return set(session.get("clients") or {uuid: ""}) <= {uuid}


def moment_of(bound: IssuedBefore) -> int:
    """The not-before, in seconds since 1970, that ends every token issued before a given time."""
    # Rounded up: not-before is in whole seconds, and must not spare tokens from just before the limit.
    return ceil((bound.issued_before - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def mark_name(name: str) -> str:
    """The attribute that records when a revocation was carried out."""
    return REVOKED + re.sub(r"[^A-Za-z0-9._-]", "_", name)


def carried_out_at(live: LiveClient, name: str) -> int | None:
    """The time of a revocation that was carried out, from its mark; None without one, or if not-before was reset."""
    written = str(marks_of(live.raw).get(mark_name(name), ""))
    if not written.isascii() or not written.isdigit() or len(written) >= 12:
        return None
    return int(written) if live.not_before >= int(written) else None
