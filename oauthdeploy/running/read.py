"""Read live: every server at once, each asked only for what the manifest makes necessary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TypeVar

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.errors import OAuthDeployError, ServersFailed
from oauthdeploy.drivers.base import Driver, ServerReport, Wanted
from oauthdeploy.model.objects import Side
from oauthdeploy.model.state import DesiredState, LiveState, Prune, ServerState

T = TypeVar("T")

_MOST_AT_ONCE = 32
"""Servers asked at the same time; each answer is waited for in a thread of its own."""


def check_all(drivers: Mapping[str, Driver]) -> Mapping[str, ServerReport]:
    """Ask every server who it is and whether it lets us in, all at once; gives the reports by server name.

    Raises the error of the server that failed, or ServersFailed with the errors of all that did.
    """
    return _ask_all(drivers, lambda driver: driver.check())


def read_live(drivers: Mapping[str, Driver], desired: DesiredState, *, everything: bool = True) -> LiveState:
    """Read what the servers hold of the kinds that the manifest names, all servers at once.

    Without `everything` a driver may read by key, unless pruning has to see all. Raises what `check_all` raises.
    """
    wanted = {name: wanted_of(desired, name, everything=everything) for name in drivers}
    return read_wanted(drivers, wanted)


def read_wanted(drivers: Mapping[str, Driver], wanted: Mapping[str, Wanted]) -> LiveState:
    """Read from each server what `wanted` says for it; a server of which nothing is wanted is not asked.

    Raises what `check_all` raises.
    """
    asked = {name: driver for name, driver in drivers.items() if name in wanted and wanted[name].kinds}
    states = dict(_ask_all(asked, lambda driver: driver.read(wanted[driver.name])))
    for name in drivers:
        states.setdefault(name, ServerState(name, MappingProxyType({})))
    return LiveState(MappingProxyType({name: states[name] for name in sorted(states)}))


def wanted_of(desired: DesiredState, server: str, *, everything: bool = True) -> Wanted:
    """What has to be read from `server`: the kinds that the manifest names for it, and those that they can't do without."""
    objects = desired.on(server)
    absent = frozenset(address for address in desired.absent if address.server == server)
    pruned = _pruned_kinds(desired, server)
    kinds = {address.kind for address in (*objects, *absent)} | pruned
    on_authorization = Side.AUTHORIZATION in desired.servers[server].role.sides
    if on_authorization and (Kind.SCOPE in pruned or any(address.kind is Kind.SCOPE for address in absent)):
        # A scope can't go while clients may still ask for it, so those associations must be seen.
        kinds.add(Kind.ASSOCIATION)
    if kinds & {Kind.ASSOCIATION, Kind.REVOCATION}:
        # Servers keep both with the client, and tell clients by an id of their own.
        kinds.add(Kind.CLIENT)
    return Wanted(
        objects=objects,
        kinds=frozenset(kinds),
        absent=absent,
        moved=MappingProxyType({a: name for a, name in desired.moved.items() if a.server == server}),
        everything=everything or bool(pruned),
    )


def _pruned_kinds(desired: DesiredState, server: str) -> set[Kind]:
    """The kinds of which the server must list all, because what the manifest doesn't name may have to go."""
    prune = desired.policy.prune
    found = set()
    if prune.clients is not Prune.NONE:
        found.add(Kind.CLIENT)
    if prune.scopes is not Prune.NONE:
        found.add(Kind.SCOPE)
    listed = bool(desired.listed_clients or desired.listed_scopes)
    associations = prune.associations is Prune.FULL or (prune.associations is Prune.MANAGED and listed)
    if associations and Side.AUTHORIZATION in desired.servers[server].role.sides:
        found.add(Kind.ASSOCIATION)
    return found


def _ask_all(drivers: Mapping[str, Driver], ask: Callable[[Driver], T]) -> Mapping[str, T]:
    """Ask all drivers at once and wait for all, so that every server in trouble is named."""
    if not drivers:
        return MappingProxyType({})
    names = sorted(drivers)
    with ThreadPoolExecutor(min(len(names), _MOST_AT_ONCE), thread_name_prefix="read") as pool:
        futures = {name: pool.submit(ask, drivers[name]) for name in names}
    failed: list[OAuthDeployError] = []
    answers: dict[str, T] = {}
    for name, future in futures.items():
        try:
            answers[name] = future.result()
        except OAuthDeployError as error:
            failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise ServersFailed(failed)
    return MappingProxyType(answers)
