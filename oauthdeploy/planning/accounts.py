"""The accounts that must exist on both sides: resource owners, and the account of each client that uses client credentials.

Source: webMethods Integration Server, Configuring OAuth: a token is issued for an account of the authorization server, and a
resource server runs its request as its own account of the same name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.model.capabilities import Capability, DriverFacts, supports
from oauthdeploy.model.objects import Client, Grant, Trust
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.requirements import table_on
from oauthdeploy.planning.server_pairs import trusting_pairs, unchecked_finding

_CREDENTIALS: Final = Grant.CLIENT_CREDENTIALS
_CREDENTIALS_ONLY: Final = frozenset({_CREDENTIALS})


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
    return ((a, v) for a, v in desired.objects.items() if isinstance(v, Client) and a.server == server)


def _machines(desired: DesiredState, server: str) -> Sequence[Address]:
    """The clients that use client credentials, by address."""
    found = [a for a, client in _clients(desired, server) if _CREDENTIALS in (client.grants or ())]
    return sorted(found, key=lambda address: address.sort_key)


def _people(desired: DesiredState, trusted: str) -> Collection[str]:
    if not desired.resource_owners:
        return ()
    only = (frozenset(client.grants or ()) == _CREDENTIALS_ONLY for _, client in _clients(desired, trusted))
    if next(only, False) and all(only):
        return ()
    machines = {address.name for address in _machines(desired, trusted)}
    return [name for name in desired.resource_owners if name not in machines]


def needs_accounts_of_clients(desired: DesiredState, server: str) -> bool:
    """Whether `server` runs calls as accounts that are called by the client ids of another server."""
    return any(server == resource != trusted and _machines(desired, trusted) for resource, trusted in _issuing(desired))


def needs_memberships(desired: DesiredState, server: str) -> bool:
    """Whether the groups of such accounts must be compared."""
    return any(
        server == resource != trusted and any(_groups(client) for _, client in _clients(desired, trusted))
        for resource, trusted in _issuing(desired)
    )


def _groups(client: Client) -> frozenset[str]:
    return frozenset(client.groups or ()) if "groups" in client.model_fields_set else frozenset()


def account_findings(desired: DesiredState, live: LiveState, *, named_only: bool = False) -> Iterator[Diagnostic]:
    """Findings for accounts that a server lacks, and for groups that they are not in. A disabled account of a person counts as
    missing.
    """
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
                if (server, address.name) not in reported:
                    found = list(_machine(desired, live, address, server, (resource, trusted)))
                    reported.update((server, address.name) for _ in found)
                    yield from found


def _machine(
    desired: DesiredState, live: LiveState, address: Address, server: str, both: tuple[str, str]
) -> Iterator[Diagnostic]:
    """A finding if the account of a client credentials client is missing on a server, or is in too few groups there.

    The account is called as the client_id on the server that issues the tokens. Registering the client makes it there.
    """
    _resource, trusted = both
    issuer, state = live.servers.get(trusted), live.servers[server]
    there = issuer.objects.get(address) if issuer is not None else None
    account = there.client_id if there is not None else address.name
    registered = server == trusted or not (state.makes_client_ids or (issuer is not None and issuer.makes_client_ids))
    if registered and Address(Kind.CLIENT, address.name, server) not in state.objects:
        return
    generated = there is None and issuer is not None and issuer.makes_client_ids
    accounts = state.accounts or {}
    if generated or account not in accounts:
        yield _machine_missing(desired, address, server, both, "" if generated else account)
        return
    client = desired.objects[address]
    wanted = _groups(client) if isinstance(client, Client) else frozenset()
    if server == trusted or state.memberships is None:
        return
    if missing := sorted(wanted - state.memberships.get(account, frozenset())):
        yield Diagnostic(
            "client-account-groups",
            "The account behind a client lacks groups on the resource server",
            detail=f"On {server}, the user '{account}' of the client '{address.name}' is not in {', '.join(missing)}. "
            f"{server} runs its calls with client credentials as that user.",
            fix=f"Add the user to {'the group' if len(missing) == 1 else 'these groups'} on {server}.",
            severity=Severity.WARNING,
            address=str(_on(desired, address, server)),
            path=desired.places.get(address, ()),
        )


def _on(desired: DesiredState, address: Address, server: str) -> Address:
    there = Address(Kind.CLIENT, address.name, server)
    return there if there in desired.objects else address


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


def _machine_missing(
    desired: DesiredState, address: Address, server: str, both: tuple[str, str], account: str
) -> Diagnostic:
    """`account` is the name of the missing user; "" if it is not known before the client is registered."""
    resource, trusted = both
    client = f"the client '{address.name}'"
    named = f"is called '{account}'" if account else f"is called as the client_id that {trusted} will generate"
    user = f"the user '{account}'" if account else "a user of that name"
    servers = " and of ".join(dict.fromkeys((trusted, resource)))
    groups = "put it into groups that the ACLs of the services allow"
    fix = (
        f"Create {user} on {server} and {groups}; nobody signs in as it there, so give it a long random password."
        if server != trusted
        else f"Registering a confidential client makes this user. Create {user} on {server} with the client's secret as its "
        f"password, or register the client again, and {groups}."
    )
    return Diagnostic(
        "client-account-missing",
        "The account behind a client is missing on a server",
        detail=f"With client credentials, {client} acts as a user account of {servers} that {named}. {server} has no such user.",
        fix=fix if account else f"After the apply: {fix[0].lower()}{fix[1:]}",
        severity=Severity.WARNING,
        address=str(_on(desired, address, server)),
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
        support = supports(table_on(facts, entry, state), Capability.USERS_LIST)
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
