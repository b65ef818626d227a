"""Reads live state from all servers in parallel, only what the manifest requires."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import NoReturn, TypeVar

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.core.errors import OAuthDeployError, ServerError, ServersFailed, Unauthorized, Unreachable
from oauthdeploy.drivers.base import Driver, ServerReport, Wanted
from oauthdeploy.model.identities import Identity
from oauthdeploy.model.objects import Revocation
from oauthdeploy.model.servers import Role
from oauthdeploy.model.state import DesiredState, LiveState, Prune, ServerState
from oauthdeploy.planning.accounts import accounts_of, needs_accounts_of_clients, needs_memberships
from oauthdeploy.planning.unread import needed_kinds, pruned_kinds

T = TypeVar("T")

_MOST_AT_ONCE = 100
"""The number of servers read at the same time, each in its own thread."""


def check_all(drivers: Mapping[str, Driver]) -> Mapping[str, ServerReport]:
    """Check in parallel who every server is and whether it accepts the credentials. Returns the reports by server name.

    Raises the error of the server that failed, or ServersFailed with the errors of all that did.
    """
    return _ask_all(drivers, lambda driver: driver.check())


def read_live(drivers: Mapping[str, Driver], desired: DesiredState, *, everything: bool = True) -> LiveState:
    """Read the kinds that the manifest names, from all servers in parallel.

    Without `everything` a driver may read by key, unless pruning has to see all. Also reads the accounts that both sides must
    have. Raises what `check_all` raises.
    """
    return read_wanted(drivers, {name: _to_compare(desired, name, everything=everything) for name in drivers})


def _to_compare(desired: DesiredState, server: str, *, everything: bool) -> Wanted:
    """What to read from a server for the plan and for the check of both sides."""
    wanted = wanted_of(desired, server, everything=everything)
    entry = desired.servers[server]
    # A resource server whose trust the manifest does not set may trust anyone, so it is worth reading.
    unsaid = bool(wanted.kinds) and entry.role is Role.RESOURCE and entry.authorization_server is None
    kinds = wanted.kinds | {Kind.TRUST} if unsaid else wanted.kinds
    return replace(
        wanted,
        kinds=kinds,
        accounts=accounts_of(desired, server),
        client_accounts=needs_accounts_of_clients(desired, server),
        memberships=needs_memberships(desired, server),
    )


def read_wanted(drivers: Mapping[str, Driver], wanted: Mapping[str, Wanted]) -> LiveState:
    """Read from each server what `wanted` says for it; a server that is not in it gets no request.

    Raises what `check_all` raises.
    """
    needed = {name: driver for name, driver in drivers.items() if name in wanted and _asks(wanted[name])}
    return _live(drivers, wanted, _ask_all(needed, lambda driver: driver.read(wanted[driver.name])))


def _asks(wanted: Wanted) -> bool:
    return bool(wanted.kinds or wanted.accounts)


def _live(servers: Iterable[str], wanted: Mapping[str, Wanted], found: Mapping[str, ServerState]) -> LiveState:
    """What was found, with the kinds that were read completely; a server that was not asked has nothing."""
    states = {
        name: replace(
            state, complete=wanted[name].kinds - state.hidden.keys() if wanted[name].everything else frozenset()
        )
        for name, state in found.items()
    }
    for name in servers:
        states.setdefault(name, ServerState(name, MappingProxyType({})))
    return LiveState(MappingProxyType({name: states[name] for name in sorted(states)}))


def check_and_read(
    drivers: Mapping[str, Driver], desired: DesiredState
) -> tuple[Mapping[str, ServerReport], LiveState]:
    """`check_all` and `read_live` in as few round trips as the servers allow. Raises what these raise."""
    return check_and_read_wanted(drivers, {name: _to_compare(desired, name, everything=True) for name in drivers})


def check_and_read_each(
    drivers: Mapping[str, Driver], desired: DesiredState
) -> tuple[Mapping[str, ServerReport], LiveState, Mapping[str, OAuthDeployError]]:
    """The same, and the errors of the servers that failed, by name; the others are read all the same."""
    return _check_and_read(drivers, {name: _to_compare(desired, name, everything=True) for name in drivers})


def check_and_read_wanted(
    drivers: Mapping[str, Driver], wanted: Mapping[str, Wanted]
) -> tuple[Mapping[str, ServerReport], LiveState]:
    """`check_all` and `read_wanted` in as few round trips as the servers allow. Raises what these raise."""
    reports, live, failed = _check_and_read(drivers, wanted)
    if failed:
        raise_all(failed.values())
    return reports, live


def _check_and_read(
    drivers: Mapping[str, Driver], wanted: Mapping[str, Wanted]
) -> tuple[Mapping[str, ServerReport], LiveState, Mapping[str, OAuthDeployError]]:
    def ask(driver: Driver) -> tuple[ServerReport, ServerState | None]:
        if not _asks(wanted[driver.name]):
            return driver.check(), None
        return driver.check_and_read(wanted[driver.name])

    answers, failed = ask_each(drivers, ask)
    reports = {name: report for name, (report, _) in answers.items()}
    states = {name: state for name, (_, state) in answers.items() if state is not None}
    return reports, with_answers(_live(answers, wanted, states), reports), failed


def with_answers(live: LiveState, reports: Mapping[str, ServerReport]) -> LiveState:
    """The same, with what each server reports of what it can do."""
    told = {
        name: replace(state, answers=reports[name].capabilities) if name in reports else state
        for name, state in live.servers.items()
    }
    return LiveState(MappingProxyType(told))


def with_tokens(drivers: Mapping[str, Driver], live: LiveState, servers: Collection[str]) -> LiveState:
    """The same with the working tokens of some servers that list them, and the reason for what cannot be read.

    Raises Unreachable and Unauthorized, and ServersFailed for several of them.
    """

    def ask(driver: Driver) -> ServerState:
        state = live.servers[driver.name]
        try:
            found = driver.read_tokens()
        except (Unreachable, Unauthorized):
            raise
        except ServerError as error:
            return replace(state, tokens_unread=Diagnostic(error.rule, error.summary, error.detail, error.fix))
        if found is None:
            return state
        tokens, requests = found
        return replace(state, tokens=tuple(tokens), requests=state.requests + requests)

    listing = {name: drivers[name] for name in servers if name in drivers and name in live.servers}
    return LiveState(MappingProxyType({**live.servers, **_ask_all(listing, ask)}))


def wanted_of(desired: DesiredState, server: str, *, everything: bool = True) -> Wanted:
    """What has to be read from `server`: the kinds that the manifest names for it, and those that they depend on."""
    objects = desired.on(server)
    absent = frozenset(address for address in desired.absent if address.server == server)
    external = frozenset(address for address in desired.external if address.server == server)
    everything = (everything and not desired.by_key) or bool(pruned_kinds(desired, server))
    prunes = desired.policy.prune.associations is not Prune.NONE
    return Wanted(
        objects=objects,
        listed=desired.listed_clients if prunes else frozenset(),
        kinds=needed_kinds(desired, server),
        absent=absent,
        moved=MappingProxyType({a: name for a, name in desired.moved.items() if a.server == server}),
        everything=everything,
        urgent=desired.urgent,
        owner=desired.name,
        external=external,
        cut_at=MappingProxyType({a: moment for a, moment in desired.cut_at.items() if a.server == server}),
        identities=_identities(desired, server, (*objects, *absent, *external), everything=everything),
    )


def _identities(
    desired: DesiredState, server: str, named: Collection[Address], *, everything: bool
) -> Mapping[Address, Identity]:
    """The known identities of the clients of a server: all, or those that the read is about."""
    known = {address: identity for address, identity in desired.identities.items() if address.server == server}
    if known and not everything:
        clients = {a.client for a in named if a.kind in (Kind.CLIENT, Kind.ASSOCIATION)}
        clients |= {value.client for a in named if isinstance(value := desired.objects.get(a), Revocation)}
        known = {address: identity for address, identity in known.items() if address.name in clients}
    return MappingProxyType(known)


def ask_each(
    drivers: Mapping[str, Driver], ask: Callable[[Driver], T]
) -> tuple[Mapping[str, T], Mapping[str, OAuthDeployError]]:
    """Call all drivers in parallel and wait for all. Returns the results and the errors by server name."""
    answers: dict[str, T] = {}
    failed: dict[str, OAuthDeployError] = {}
    names = sorted(drivers)
    if names:
        with ThreadPoolExecutor(min(len(names), _MOST_AT_ONCE), thread_name_prefix="read") as pool:
            futures = {name: pool.submit(ask, drivers[name]) for name in names}
        for name, future in futures.items():
            try:
                answers[name] = future.result()
            except OAuthDeployError as error:
                failed[name] = error
    return MappingProxyType(answers), MappingProxyType(failed)


def raise_all(errors: Collection[OAuthDeployError]) -> NoReturn:
    """Raise one error as it is, and several as ServersFailed."""
    raise next(iter(errors)) if len(errors) == 1 else ServersFailed(tuple(errors))


def _ask_all(drivers: Mapping[str, Driver], ask: Callable[[Driver], T]) -> Mapping[str, T]:
    """Call all drivers in parallel and wait for all, so that every failing server is named."""
    answers, failed = ask_each(drivers, ask)
    if failed:
        raise_all(failed.values())
    return answers
