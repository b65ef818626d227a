"""The live tokens of the authorization servers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

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
    """No server has the client: its name is probably wrong, and no client was cut off."""

    rule = "client-not-there"


@dataclass(frozen=True)
class TokenList:
    """The selected tokens; `servers` listed theirs, `silent` can't, `down` didn't answer."""

    tokens: tuple[ListedToken, ...]
    servers: tuple[str, ...]
    silent: tuple[str, ...]
    down: Mapping[str, OAuthDeployError]


def list_tokens(
    request: ManifestRequest, selection: TokenSelection | None = None, options: RunOptions | None = None
) -> TokenList:
    """List the working tokens that `selection` means, of all authorization servers that answer. Writes nothing.

    Its client may be meant by any name. Raises ManifestInvalid, UsageError, ClientNotThere for a client that neither the manifest
    nor a server knows, and the errors of the servers where none answers.
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
        unread = {
            name: state.unreadable[Kind.CLIENT]
            for name, (_, state) in answers.items()
            if Kind.CLIENT in state.unreadable
        }
        down = {
            **down,
            **{name: OAuthDeployError(one.summary, detail=one.detail, fix=one.fix) for name, one in unread.items()},
        }
        answers = {name: answer for name, answer in answers.items() if name not in unread}
    if down and not answers:
        raise_all(down.values())
    live = LiveState(MappingProxyType({name: state for name, (_tokens, state) in answers.items()}))
    tokens = {name: found for name, (found, _state) in answers.items() if found is not None}
    clients = {address.name for address in desired.objects if address.kind is Kind.CLIENT}
    if selection.client is not None:
        known = {token.client for found in tokens.values() for token in found}
        meant = _client_meant(selection.client, desired, live, known)
        if meant is None and not down:
            raise ClientNotThere(
                f"No server has the client '{selection.client}'",
                detail=f"Searched: {', '.join(sorted(answers))}.",
                fix="Give the client's key in the manifest, or its id or name on a server. "
                f"Clients of the manifest are: {', '.join(sorted(clients)[:20])}.",
            )
        selection = replace(selection, client=meant or selection.client)
    return TokenList(
        listed_tokens(tokens, live, clients, selection),
        tuple(tokens),
        tuple(sorted(answers.keys() - tokens.keys())),
        down,
    )


def _client_meant(word: str, desired: DesiredState, live: LiveState, known: Collection[str]) -> str | None:
    """The name under which the client of a key, a label, a name or an id is listed; None where there is no such client."""
    if any(address.kind is Kind.CLIENT and address.name == word for address in desired.objects):
        return word
    names = Names(desired, live)
    for address in live.objects:
        if address.kind is Kind.CLIENT:
            mine = {address.name, *(other.name for other in names.others(address))}
            if word in mine:
                return address.name
    return word if word in known else None
