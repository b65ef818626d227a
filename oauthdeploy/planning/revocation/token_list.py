"""Lists of live tokens: which are selected, the manifest's names of their clients, and the revocations that end them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.objects import IssuedBefore, Revocation
from oauthdeploy.model.state import LiveState, LiveToken


class TokenSelection(Struct, frozen=True):
    """A selection of tokens that match all of its conditions. `client` is a key of the manifest, or an id on a server.

    `owner` is a resource owner, `scope` the name of one of the token's scopes, `issued_before` a time with its zone, and
    `handles` are those of single tokens; None matches any.
    """

    client: str | None = None
    owner: str | None = None
    scope: str | None = None
    issued_before: datetime | None = None
    handles: tuple[str, ...] | None = None

    @property
    def is_empty(self) -> bool:
        """True if every token is selected."""
        return self == TokenSelection()

    @property
    def narrows(self) -> bool:
        """Whether it selects some of the tokens of a client and not all."""
        return replace(self, client=None) != TokenSelection()


class ListedToken(Struct, frozen=True):
    """An active token on a server. `client` is the name of its client, in the manifest or else on the server."""

    server: str
    client: str
    named: bool
    token: LiveToken


def listed_tokens(
    tokens: Mapping[str, Iterable[LiveToken]], live: LiveState, named: Iterable[str], selection: TokenSelection
) -> tuple[ListedToken, ...]:
    """The selected tokens, the newest first; `tokens` are by server, `live` has the clients, `named` those of the manifest."""
    known = frozenset(named)
    names = {
        (address.server, item.identity): address.name
        for address, item in live.objects.items()
        if address.kind is Kind.CLIENT and item.identity
    }
    found = []
    for server, some in tokens.items():
        for token in some:
            client = names.get((server, token.client), token.client)
            if _selected(token, client, selection):
                found.append(ListedToken(server, client, client in known, token))
    return tuple(sorted(found, key=_order))


def revocations_for(tokens: Iterable[ListedToken], selection: TokenSelection, key: str) -> Mapping[str, Revocation]:
    """The revocations that end the tokens, one for each client. A client that only a server knows is named by its id."""
    clients = dict.fromkeys(item.client if item.named else item.token.client for item in tokens)
    return {
        f"{key}-{number}" if len(clients) > 1 else key: revocation_of(client, selection)
        for number, client in enumerate(sorted(clients), start=1)
    }


def revocation_of(client: str, selection: TokenSelection, **more: object) -> Revocation:
    """The revocation that ends the selected tokens of one client; it blocks the client only if `more` says so."""
    return Revocation(client=client, **dict(_fields(selection)), **more)


def _fields(selection: TokenSelection) -> Iterator[tuple[str, object]]:
    bound = selection.issued_before
    yield "tokens", "all" if bound is None else IssuedBefore(issued_before=bound)
    if selection.owner is not None:
        yield "owner", selection.owner
    if selection.scope is not None:
        yield "scope", selection.scope
    if selection.handles is not None:
        yield "handles", selection.handles


def _selected(token: LiveToken, client: str, selection: TokenSelection) -> bool:
    bound = selection.issued_before
    return (
        (selection.client is None or selection.client in (client, token.client))
        and (selection.owner is None or selection.owner == token.owner)
        and (selection.scope is None or selection.scope in token.scopes)
        and (selection.handles is None or token.handle in selection.handles)
        # A token of unknown age is listed too; otherwise the list would seem complete without it.
        and (bound is None or token.issued is None or token.issued < bound)
    )


def _order(item: ListedToken) -> tuple[str, float, str, str]:
    issued = item.token.issued or datetime.min.replace(tzinfo=UTC)
    return item.server, -issued.timestamp() if item.token.issued else 0.0, item.client, item.token.handle
