"""The accounts that must exist on both sides: resource owners, and the account of each client that uses client credentials.

Source: webMethods Integration Server, Configuring OAuth: a token is issued for an account of the authorization server, and a
resource server runs its request as its own account of the same name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.model.capabilities import Capability, DriverFacts, supports, table_for
from oauthdeploy.model.objects import Client, Grant, Trust
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.server_pairs import trusting_pairs, unchecked_finding

_CREDENTIALS_ONLY: Final = frozenset({Grant.CLIENT_CREDENTIALS})


def accounts_of(desired: DesiredState, server: str) -> frozenset[str]:
    """The users that `server` must have: resource owners, and client credentials clients by their keys.

    None if an external server issues the tokens. Resource owners are left out if all clients use only client credentials.
    """
    found: set[str] = set()
    for resource, trusted in _issuing(desired):
        if server in (resource, trusted):
            found.update(_people(desired, trusted))
            found.update(address.name for address in _machines(desired, trusted))
    return frozenset(found)


def _issuing(desired: DesiredState) -> Iterator[tuple[str, str]]:
    """The pairs whose trusted server issues tokens for accounts that both it and the resource server have.

    A server that is trusted by introspection or by token signature is a different product with its own accounts.
    """
    for resource, trusted in trusting_pairs(desired):
        trust = desired.objects.get(Address.singleton(Kind.TRUST, resource))
        if not (isinstance(trust, Trust) and trust.via in ("external", "jwt")):
            yield resource, trusted


def _clients(desired: DesiredState, server: str) -> Iterator[tuple[Address, Client]]:
    found = [(a, v) for a, v in desired.objects.items() if isinstance(v, Client) and a.server == server]
    return iter(sorted(found, key=lambda item: item[0].sort_key))


def _machines(desired: DesiredState, server: str) -> Sequence[Address]:
    return [a for a, client in _clients(desired, server) if Grant.CLIENT_CREDENTIALS in (client.grants or ())]


def _people(desired: DesiredState, trusted: str) -> Collection[str]:
    clients = list(_clients(desired, trusted))
    if clients and all(frozenset(client.grants or ()) == _CREDENTIALS_ONLY for _, client in clients):
        return ()
    machines = {address.name for address in _machines(desired, trusted)}
    return [name for name in desired.resource_owners if name not in machines]


def account_findings(desired: DesiredState, live: LiveState, *, named_only: bool = False) -> Iterator[Diagnostic]:
    """Findings for accounts that a server lacks. A disabled account of a person counts as missing."""
    reported: set[tuple[str, str]] = set()
    for resource, trusted in _issuing(desired):
        for server in dict.fromkeys((resource, trusted)):
            state = live.servers.get(server)
            if state is None or state.accounts is None:
                continue
            for name in _people(desired, trusted):
                if not state.accounts.get(name) and (server, name) not in reported:
                    reported.add((server, name))
                    state_there = "is disabled on" if name in state.accounts else "is no user or group of"
                    yield _person_missing(desired, name, state_there, server, (resource, trusted))
            for address in _machines(desired, trusted):
                if named_only and address.name not in desired.resource_owners:
                    continue
                client = live.servers[trusted].objects.get(address) if trusted in live.servers else None
                names = {address.name, client.client_id if client is not None else ""} - {""}
                if not names & state.accounts.keys() and (server, address.name) not in reported:
                    reported.add((server, address.name))
                    yield _machine_missing(desired, address, server, (resource, trusted))


def _person_missing(desired: DesiredState, name: str, state: str, server: str, both: tuple[str, str]) -> Diagnostic:
    resource, trusted = both
    place = ("resource_owners", desired.resource_owners.index(name))
    return Diagnostic(
        "resource-owner-missing",
        "A resource owner is missing on a server",
        detail=f"'{name}' {state} {server}. {trusted} issues tokens for resource owners that {resource} runs as, so both "
        "must have the account.",
        fix=f"Create or enable '{name}' on {server}, or remove it from resource_owners.",
        severity=Severity.WARNING,
        address=str(Address.singleton(Kind.TRUST, resource)),
        path=place,
    )


def _machine_missing(desired: DesiredState, address: Address, server: str, both: tuple[str, str]) -> Diagnostic:
    resource, trusted = both
    address_there = Address(Kind.CLIENT, address.name, server)
    return Diagnostic(
        "client-account-missing",
        "The account behind a client is missing on a server",
        detail=f"{server} has no account for the client '{address.name}'. With client credentials the client acts as its "
        f"own account, which {trusted} and {resource} must both have.",
        fix=f"Create the account on {server}, or remove client_credentials from the client's grants.",
        severity=Severity.WARNING,
        address=str(address_there if address_there in desired.objects else address),
        path=desired.places.get(address, ()),
    )


def unread_accounts(desired: DesiredState, live: LiveState, facts: Mapping[str, DriverFacts]) -> Iterator[Diagnostic]:
    """Findings for servers whose accounts are needed but were not read; `facts` are by driver name."""
    for name in sorted(live.servers.keys() & desired.servers.keys()):
        state = live.servers[name]
        wanted = accounts_of(desired, name)
        if not wanted or state.accounts is not None:
            continue
        entry = desired.servers[name]
        support = supports(table_for(facts[entry.driver], entry.role), Capability.USERS_LIST)
        if state.accounts_unread is not None:
            why = state.accounts_unread.summary
        else:
            why = support.note or "The driver did not read them" if not support else "The driver did not read them"
        pair = next(pair for pair in _issuing(desired) if name in pair)
        yield unchecked_finding(
            str(Address.singleton(Kind.TRUST, pair[0])),
            f"The users of {name} could not be read, so nobody knows whether {pair[0]} and {pair[1]} both have "
            f"{_names(wanted)}. {why}.",
            f"Let oauthdeploy read the users of {name}, or check them by hand.",
        )


def _names(names: Collection[str]) -> str:
    listed = [f"'{name}'" for name in sorted(names)]
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return ", ".join(listed[:5]) + more
