"""The live tokens of the authorization servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.drivers.base import Driver, Wanted
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.model.objects import Side
from oauthdeploy.model.state import LiveState, LiveToken, ServerState
from oauthdeploy.planning.revocation.token_list import ListedToken, TokenSelection, listed_tokens
from oauthdeploy.running.read import ask_each, raise_all
from oauthdeploy.workflow.connections import connected, load
from oauthdeploy.workflow.options import RunOptions


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

    Raises ManifestInvalid, UsageError, and the errors of the servers where none answers.
    """
    options = options or RunOptions()
    manifest = load(replace(request, who_only=True), options)
    desired = manifest.desired
    with connected(manifest, options, read_only=True) as drivers:
        asked = {
            name: driver for name, driver in drivers.items() if Side.AUTHORIZATION in desired.servers[name].role.sides
        }

        def ask(driver: Driver) -> tuple[Sequence[LiveToken] | None, ServerState]:
            found = driver.read_tokens()
            wanted = Wanted(desired.on(driver.name), frozenset({Kind.CLIENT}), owner=desired.name)
            return (None if found is None else found[0]), driver.read(wanted)

        answers, down = ask_each(asked, ask)
    if down and not answers:
        raise_all(down.values())
    live = LiveState(MappingProxyType({name: state for name, (_tokens, state) in answers.items()}))
    tokens = {name: found for name, (found, _state) in answers.items() if found is not None}
    clients = {address.name for address in desired.objects if address.kind is Kind.CLIENT}
    return TokenList(
        listed_tokens(tokens, live, clients, selection or TokenSelection()),
        tuple(tokens),
        tuple(sorted(answers.keys() - tokens.keys())),
        down,
    )
