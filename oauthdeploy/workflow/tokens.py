"""The live tokens of the authorization servers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.drivers.base import Driver, Wanted
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.model.objects import Side
from oauthdeploy.model.state import DesiredState, LiveState, LiveToken, ServerState
from oauthdeploy.planning.identities import Names
from oauthdeploy.planning.revocation.token_list import ListedToken, TokenSelection, listed_tokens
from oauthdeploy.running.read import ask_each, raise_all
from oauthdeploy.workflow.connections import connected, load
from oauthdeploy.workflow.options import RunOptions


class ClientNotThere(OAuthDeployError):
    """No server has the client. Its name is probably wrong, and nothing was cut off."""

    rule = "client-not-there"


class TokenList(Struct, frozen=True):
    """The selected tokens; `servers` listed theirs, `silent` ones cannot, and `down` ones did not respond."""

    tokens: tuple[ListedToken, ...]
    servers: tuple[str, ...]
    silent: tuple[str, ...]
    down: Mapping[str, OAuthDeployError]


def list_tokens(
    request: ManifestRequest, selection: TokenSelection | None = None, options: RunOptions | None = None
) -> TokenList:
    """List the active tokens of a `selection` on all authorization servers that respond. Writes nothing.

    The selection can name its client by any of its names. Raises ManifestInvalid, UsageError, ClientNotThere for a client
    that neither the manifest nor a server has, and the errors of the servers if none responds.
    """
    selection = selection or TokenSelection()
    options = options or RunOptions()
    manifest = load(replace(request, who_only=True), options)
    desired = manifest.desired
    with connected(manifest, options, read_only=True) as drivers:
        issuers = {
            name: driver for name, driver in drivers.items() if Side.AUTHORIZATION in desired.servers[name].role.sides
        }

        def ask(driver: Driver) -> tuple[Sequence[LiveToken] | None, ServerState]:
            found = driver.read_tokens()
            wanted = Wanted(desired.on(driver.name), frozenset({Kind.CLIENT}), owner=desired.name)
            return (None if found is None else found[0]), driver.read(wanted)

        answers, down = ask_each(issuers, ask)
    if selection.client is not None:
        # A token names its client by the server's id, so without the clients its owner is unknown.
        unread = _clients_unread(answers)
        down = {**down, **unread}
        answers = {name: answer for name, answer in answers.items() if name not in unread}
    if down and not answers:
        raise_all(down.values())
    live = LiveState(MappingProxyType({name: state for name, (_tokens, state) in answers.items()}))
    tokens = {name: found for name, (found, _state) in answers.items() if found is not None}
    if selection.client is not None:
        listed = {token.client for found in tokens.values() for token in found}
        found = _client_meant(selection.client, desired, live, listed)
        if found is None and not down:
            raise _client_not_there(selection.client, desired, answers)
        selection = replace(selection, client=found or selection.client)
    return TokenList(
        listed_tokens(tokens, live, _clients_of(desired), selection),
        tuple(tokens),
        tuple(sorted(answers.keys() - tokens.keys())),
        down,
    )


def _clients_unread(answers: Mapping[str, tuple[Any, ServerState]]) -> dict[str, OAuthDeployError]:
    """The servers whose clients could not be read, each with the reason as an error."""
    states = {name: state.unreadable.get(Kind.CLIENT) for name, (_, state) in answers.items()}
    return {
        name: OAuthDeployError(unread.summary, detail=unread.detail, fix=unread.fix)
        for name, unread in states.items()
        if unread is not None
    }


def _clients_of(desired: DesiredState) -> set[str]:
    return {address.name for address in desired.objects if address.kind is Kind.CLIENT}


def _client_not_there(client: str, desired: DesiredState, searched: Iterable[str]) -> ClientNotThere:
    return ClientNotThere(
        f"No server has the client '{client}'",
        detail=f"Searched: {', '.join(sorted(searched))}.",
        fix="Give the client's key in the manifest, or its id or name on a server. "
        f"Clients of the manifest are: {', '.join(sorted(_clients_of(desired))[:20])}.",
    )


def _client_meant(word: str, desired: DesiredState, live: LiveState, known: Collection[str]) -> str | None:
    """The name under which a client is listed, by its key, label, name or id; None if there is no such client."""
    if word in _clients_of(desired):
        return word
    names = Names(desired, live)
    for address in live.objects:
        if address.kind is Kind.CLIENT:
            names_of_client = {address.name, *(other.name for other in names.others(address))}
            if word in names_of_client:
                return address.name
    return word if word in known else None
