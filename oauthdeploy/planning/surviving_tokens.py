"""Tokens that remain valid after a change: their number, their expiry, and the revocation that would end them.

After an association is removed, a grant withdrawn or a lifetime shortened, tokens that were issued before remain valid until
they expire or are revoked (RFC 7009). Whether the tokens of a deleted client end with it depends on the server.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.model.capabilities import Capability, DriverFacts, supports
from oauthdeploy.model.fields import Amount, marked
from oauthdeploy.model.objects import Client, IssuedBefore, Revocation, Side
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState, LiveToken, ServerState, TokenCount
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.requirements import table_on
from oauthdeploy.planning.risk import Direction, effect_of
from oauthdeploy.planning.server_view import trusted_by

_OF_TOKENS: Final = marked(Client, Amount) | {"grants", "secret.value", "type"}
_LIFETIME: Final = "access_token_lifetime"
_ALL: Final = "all"
_ENTRIES: Final = 3
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]*\Z")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


def leaves_tokens(change: Change) -> bool:
    """Whether tokens from before the change may remain valid after it although users might expect them to end."""
    if change.action in (Action.CREATE, Action.REPLACE):
        return False
    match change.address.kind:
        case Kind.ASSOCIATION:
            return change.action is Action.DELETE
        case Kind.CLIENT:
            return change.action is Action.DELETE or _narrows_tokens(change)
        case Kind.SETTINGS:
            return any(
                field.path == _LIFETIME and _narrows(Kind.SETTINGS, change, _LIFETIME) for field in change.fields
            )
    return False


def asks_for_tokens(changes: Iterable[Change], desired: DesiredState, live: LiveState) -> frozenset[str]:
    """The authorization servers whose tokens must be read to find out which ones remain valid; none if that is known."""
    servers = {change.address.server for change in changes if leaves_tokens(change)} & live.servers.keys()
    return frozenset(
        server
        for server in servers
        if Side.AUTHORIZATION in desired.servers[server].role.sides
        and live.servers[server].tokens is None
        and not any(
            found.tokens for address, found in live.servers[server].objects.items() if address.kind is Kind.CLIENT
        )
    )


class SurvivingTokens(Struct, frozen=True, dict=True):
    """Finds the tokens that remain valid after the changes of one plan. Revocations and tokens are grouped by client only
    once.
    """

    desired: DesiredState
    live: LiveState
    facts: Mapping[str, DriverFacts]

    def note(self, change: Change) -> str:
        """The note for a change after which tokens remain valid, with the revocation that ends them; "" if none are known.
        Tokens that a revocation of the manifest ends are left out.
        """
        state = self.live.servers.get(change.address.server)
        if state is None or not leaves_tokens(change):
            return ""
        left = self._surviving(change, state)
        if left is None or not left.count.active:
            return self._unlisted(change)
        tokens = left.count
        if change.address.kind is Kind.CLIENT and change.action is Action.DELETE:
            note = f"If the server keeps them, {_counted(tokens, 'lives', 'live')} {_until(tokens)}."
        else:
            whose = "" if change.address.kind is Kind.SETTINGS else " of the client"
            note = f"{_counted(tokens, 'stays', 'stay', whose)} valid {_until(tokens)}."
        entries = " ".join(left.entries[:_ENTRIES])
        more = len(left.entries) - _ENTRIES
        rest = f" and likewise for {more} more client{'' if more == 1 else 's'}" if more > 0 else ""
        return f"{note} To end {'it' if tokens.active == 1 else 'them'}, paste under revocations: {entries}{rest}"

    def _unlisted(self, change: Change) -> str:
        """The same on an authorization server that does not list all tokens, so that nobody knows whether there are any."""
        address = change.address
        if not self._lists_some_only(address.server) or (
            change.action is Action.DELETE and address.kind is Kind.CLIENT
        ):
            return ""
        if address.kind is Kind.SETTINGS:
            return "Tokens that clients have already stay valid until they expire; the server does not list them."
        scope = address.scope if address.kind is Kind.ASSOCIATION else None
        if address.kind is Kind.ASSOCIATION and self._is_refused_elsewhere(change):
            return ""
        if any(_ends_all(item, scope) for item in self._revocations.get((address.server, address.client), ())):
            return ""
        entry = _entry(address.client, self._selectable(address.server, scope), _ALL)
        return (
            "Tokens that the client has already stay valid until they expire; the server does not list them. To end them, paste "
            f"under revocations: {entry}"
        )

    def _lists_some_only(self, server: str) -> bool:
        entry = self.desired.servers[server]
        if Side.AUTHORIZATION not in entry.role.sides:
            return False
        return not supports(table_on(self.facts, entry, self.live.servers.get(server)), Capability.TOKENS_LIST)

    def _selectable(self, server: str, scope: str | None) -> str | None:
        """The scope, where the server can end the tokens of one scope."""
        entry = self.desired.servers[server]
        table = table_on(self.facts, entry, self.live.servers.get(server))
        return scope if supports(table, Capability.TOKENS_BY_SCOPE) else None

    def _is_refused_elsewhere(self, change: Change) -> bool:
        """Whether every resource server that takes the tokens looks by itself whether the client may use the scope."""
        trusting = [name for name in self.desired.servers if trusted_by(self.desired, name) == change.address.server]
        return bool(trusting) and all(name in self.desired.associating for name in trusting)

    @cached_property
    def _revocations(self) -> Mapping[tuple[str, str], Sequence[Revocation]]:
        """By server and client."""
        found: dict[tuple[str, str], list[Revocation]] = defaultdict(list)
        for address, value in self.desired.objects.items():
            if isinstance(value, Revocation):
                found[address.server, value.client].append(value)
        return dict(found)

    @cached_property
    def _tokens(self) -> Mapping[tuple[str, str], Sequence[LiveToken]]:
        """By server and the id of the client."""
        found: dict[tuple[str, str], list[LiveToken]] = defaultdict(list)
        for name, state in self.live.servers.items():
            for token in state.tokens or ():
                found[name, token.client].append(token)
        return dict(found)

    def _surviving(self, change: Change, state: ServerState) -> _SurvivorCount | None:
        address = change.address
        if address.kind is Kind.SETTINGS:
            return self._surviving_settings(state)
        client = Address(Kind.CLIENT, change.live_address.client, address.server)
        client_object = change.live if address.kind is Kind.CLIENT else state.objects.get(client)
        revoked = self._revocations.get((address.server, address.client), ())
        scope = address.scope if address.kind is Kind.ASSOCIATION else None
        if state.tokens is None:
            counted = client_object.tokens if client_object is not None else None
            whole = any(_ends_all(item, scope) for item in revoked)
            if counted is None or whole:
                return None
            return _SurvivorCount(counted, [_entry(address.client, self._selectable(address.server, scope), _ALL)])
        if client_object is None or not client_object.identity:
            return None
        own = [
            token
            for token in self._tokens.get((address.server, client_object.identity), ())
            if (scope is None or scope in token.scopes) and not _is_revoked(token, revoked)
        ]
        selection = _selection(change, scope, own)
        return _SurvivorCount(_count(own), [_entry(address.client, self._selectable(address.server, scope), selection)])

    def _surviving_settings(self, state: ServerState) -> _SurvivorCount | None:
        """A shorter lifetime leaves the existing tokens of all clients without a lifetime of their own."""
        if state.tokens is None:
            return None
        keys = {
            live.identity: (a, live) for a, live in state.objects.items() if a.kind is Kind.CLIENT and live.identity
        }
        by_server: dict[str, list[LiveToken]] = defaultdict(list)
        for token in state.tokens:
            known = keys.get(token.client)
            if known is None:
                by_server[token.client].append(token)
                continue
            client = known[0].client
            if _follows_settings(known[1]) and not _is_revoked(
                token, self._revocations.get((state.server, client), ())
            ):
                by_server[client].append(token)
        entries = [_entry(client, None, _before(tokens)) for client, tokens in sorted(by_server.items())]
        return _SurvivorCount(_count([token for tokens in by_server.values() for token in tokens]), entries)


def unread_tokens(desired: DesiredState, live: LiveState) -> Iterator[Diagnostic]:
    """A finding for each server whose tokens were needed and could not be read."""
    for name in sorted(live.servers.keys() & desired.servers.keys()):
        why = live.servers[name].tokens_unread
        if why is not None:
            yield Diagnostic(
                "tokens-unread",
                "Live tokens could not be counted",
                detail=f"The plan removes something on {name}, and the number of tokens that stay valid is unknown. "
                f"{why.summary}.",
                fix="Let oauthdeploy read the tokens, or write a revocation for the affected clients.",
                severity=Severity.WARNING,
                address=str(Address.singleton(Kind.SETTINGS, name)),
            )


class _SurvivorCount(Struct, frozen=True):
    """The tokens that remain valid after a change, and the entries of `revocations` that end them."""

    count: TokenCount
    entries: Sequence[str]


def _follows_settings(live: LiveObject) -> bool:
    tokens = live.value.tokens if isinstance(live.value, Client) else None
    return tokens is None or tokens.access_lifetime in (None, "inherit")


def _ends_all(item: Revocation, scope: str | None) -> bool:
    return item.tokens == "all" and item.owner is None and item.handles is None and item.scope in (None, scope)


def _is_revoked(token: LiveToken, revocations: Iterable[Revocation]) -> bool:
    """Whether a revocation of the manifest ends the token; one for a single owner's tokens does not count."""
    for item in revocations:
        if item.owner is not None or (item.scope is not None and item.scope not in token.scopes):
            continue
        if item.handles is not None and token.handle not in item.handles:
            continue
        if item.tokens == "all":
            return True
        if (
            isinstance(item.tokens, IssuedBefore)
            and token.issued is not None
            and token.issued < item.tokens.issued_before
        ):
            return True
    return False


def _narrows_tokens(change: Change) -> bool:
    return any(
        field.path in _OF_TOKENS and (field.path == "secret.value" or _narrows(Kind.CLIENT, change, field.path))
        for field in change.fields
    )


def _narrows(kind: Kind, change: Change, path: str) -> bool:
    return any(Direction.NARROWS in effect_of(kind, field).direction for field in change.fields if field.path == path)


# -- in words ---------------------------------------------------------------------------------------------------------


def _count(tokens: Collection[LiveToken]) -> TokenCount:
    ends = [token.until for token in tokens]
    known = [end for end in ends if end is not None]
    endless = len(known) < len(ends)
    until = max(known) if known and not endless else None
    return TokenCount(active=len(ends), total=len(ends), until=until, endless=endless)


def _counted(tokens: TokenCount, does: str, do: str, whose: str = " of the client") -> str:
    return f"1 token{whose} {does}" if tokens.active == 1 else f"{tokens.active} tokens{whose} {do}"


def _until(tokens: TokenCount) -> str:
    if tokens.endless:
        return "without end"
    return "until they expire" if tokens.until is None else f"until {_time(tokens.until)}"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _selection(change: Change, scope: str | None, tokens: Collection[LiveToken]) -> str:
    """All tokens, if it cannot include a new one; otherwise those issued until now."""
    ends = scope is not None or change.action is Action.DELETE
    return "all" if ends else _before(tokens)


def _before(tokens: Collection[LiveToken]) -> str:
    """The current tokens, selected by the latest time of issue, so that later tokens stay valid."""
    issued = [token.issued for token in tokens]
    known = [moment for moment in issued if moment is not None]
    if not known or len(known) < len(issued):
        return "all"
    return f'{{issued_before: "{_time(max(known).replace(microsecond=0) + timedelta(seconds=1))}"}}'


def _entry(client: str, scope: str | None, tokens: str) -> str:
    """One entry of `revocations`, in a line of YAML."""
    name = f"end-{client}-{scope}" if scope is not None else f"end-{client}"
    parts: Mapping[str, str] = {
        "id": _scalar(re.sub(r"[^A-Za-z0-9._-]+", "-", name)),
        "client": _scalar(client),
        **({"scope": _scalar(scope)} if scope is not None else {}),
        "tokens": tokens,
    }
    return "- {" + ", ".join(f"{key}: {value}" for key, value in parts.items()) + "}"


def _scalar(text: str) -> str:
    """A text as YAML; JSON's quoted form is valid YAML."""
    return text if _PLAIN.match(text) and text.lower() not in _WORDS else json.dumps(text)
