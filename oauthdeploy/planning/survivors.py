"""Tokens that outlive a change: how many, until when, and what would end them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import UTC
from typing import Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.objects import Revocation
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState, TokenCount
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.risk import Direction, effect_of

_OF_TOKENS: Final = frozenset({"grants", "tokens.access_lifetime", "tokens.refresh_count", "secret.value", "type"})


def revoked_clients(desired: DesiredState) -> frozenset[tuple[str, str]]:
    """Server and client of every revocation that deletes all tokens of a client."""
    return frozenset(
        (address.server, value.client)
        for address, value in desired.objects.items()
        if isinstance(value, Revocation) and value.tokens == "all" and value.owner is None and value.scope is None
    )


def surviving_tokens(change: Change, live: LiveState, revoked: Set[tuple[str, str]]) -> str:
    """What to say beside a change that leaves tokens alive; empty where it leaves none or none are known.

    An association can be removed, a grant withdrawn, a lifetime shortened: what was issued before stays good until it ends
    (RFC 6749 knows no other way than RFC 7009). Whether a deleted client's tokens die with it is up to the server.
    """
    address = change.address
    if address.kind not in (Kind.ASSOCIATION, Kind.CLIENT) or change.action in (Action.CREATE, Action.REPLACE):
        return ""
    if (address.server, address.client) in revoked:
        return ""
    tokens = _tokens_of(change, live)
    if tokens is None or not tokens.active:
        return ""
    if address.kind is Kind.CLIENT and change.action is Action.DELETE:
        return f"If the server keeps them, {_count(tokens, 'lives', 'live')} {_until(tokens)}; a revocation ends them for sure."
    if address.kind is Kind.CLIENT and not _narrows_tokens(change):
        return ""
    return f"{_count(tokens, 'stays', 'stay')} valid {_until(tokens)}; add a revocation to end them."


def _tokens_of(change: Change, live: LiveState) -> TokenCount | None:
    if change.address.kind is Kind.CLIENT:
        return change.live.tokens if change.live is not None else None
    state = live.servers.get(change.address.server)
    objects: Mapping[Address, LiveObject] = state.objects if state is not None else {}
    client = objects.get(Address(Kind.CLIENT, change.live_address.client, change.address.server))
    return client.tokens if client is not None else None


def _narrows_tokens(change: Change) -> bool:
    return any(
        field.path in _OF_TOKENS
        and (field.path == "secret.value" or Direction.NARROWS in effect_of(Kind.CLIENT, field).direction)
        for field in change.fields
    )


def _count(tokens: TokenCount, does: str, do: str) -> str:
    return f"1 token of the client {does}" if tokens.active == 1 else f"{tokens.active} tokens of the client {do}"


def _until(tokens: TokenCount) -> str:
    if tokens.endless:
        return "without end"
    if tokens.until is None:
        return "until they expire"
    return f"until {tokens.until.astimezone(UTC).isoformat(timespec='seconds').replace('+00:00', 'Z')}"
