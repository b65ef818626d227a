"""Servers that answer the open questions of the guides in another way: what undisturbed applies leave there is the same, and
faults are survived there too; where the answers cannot be used, nothing is written.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.conftest import BenchFor
from tests.faults.manifests import PATIENT
from tests.faults.profiles import PLAIN, PROFILES, REFUSED, SERVICES
from tests.faults.proof import Mark
from tests.faults.proxy import Fault, Trap
from tests.faults.site import SERVERS, EmbeddedSite, Setting

pytestmark = [pytest.mark.live, pytest.mark.timeout(7200)]

USABLE = [name for name in PROFILES if name != REFUSED]
SCENARIOS = ("empty", "change")
LOST = (Fault.RESET_AFTER, Fault.ERROR_AFTER, Fault.TOO_MANY_AFTER)
"""What leaves open whether a write was made."""
SERVERS_OWN = ("secrets", "ids")
"""What each pair of servers makes up for itself."""
NOT_BY_SERVICES = {"remote", "external", "accounts"}
"""By the services the other server is trusted by its introspection endpoint, and they are not in strict mode."""


def setting(name: str, scenario: str) -> Setting:
    return Setting(scenario, name, 1)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("name", [name for name in USABLE if name != PLAIN])
def test_a_profile_ends_like_documented_answers(bench_for: BenchFor, name: str, scenario: str) -> None:
    """Green means right: the same is there, named by the manifest or not, with the same secrets."""
    found = bench_for(name).undisturbed(setting(name, scenario)).holdings
    expected = bench_for(PLAIN).undisturbed(setting(PLAIN, scenario)).holdings
    by_services = PROFILES[name].administration == "services"
    for server in SERVERS:
        for what in expected[server].keys() - set(SERVERS_OWN) - (NOT_BY_SERVICES if by_services else set()):
            here, there = (_comparable(side[server][what], by_services=by_services) for side in (found, expected))
            assert here == there, f"{what} of {server}"


def _comparable(rows: Any, *, by_services: bool) -> Any:
    """Without a field of clients that the administration services do not know."""
    if not by_services or not isinstance(rows, list):
        return rows
    known = [
        {key: value for key, value in row.items() if key != "registration_client_uri"} if isinstance(row, dict) else row
        for row in rows
    ]
    return sorted(known, key=repr)


@pytest.mark.parametrize("turn", range(len(USABLE)), ids=lambda turn: USABLE[turn])
def test_a_lost_answer_is_survived_with_any_profile(
    bench_for: BenchFor, turn: int, pytestconfig: pytest.Config
) -> None:
    """At a create of new clients and scopes; then at an update, a removal and the last request of a change."""
    name = USABLE[turn]
    bench = bench_for(name)
    for scenario, marks in (("empty", (Mark.CREATE,)), ("change", (Mark.UPDATE, Mark.REMOVAL, Mark.LAST))):
        here = setting(name, scenario)
        places = [(SERVERS[(turn + step) % 2], mark) for step, mark in enumerate(marks)]
        traps = [
            (server, Trap(LOST[(turn + step) % len(LOST)], bench.marked(here, server, mark)))
            for step, (server, mark) in enumerate(places)
        ]
        if pytestconfig.getoption("all_faults"):
            traps = [(s, Trap(fault, at)) for s in SERVERS for fault in LOST for at in bench.positions(here, s)]
        bench.prove_all(here, traps)


@pytest.mark.parametrize("name", ["profile-all-at-once", SERVICES])
def test_kill_9_is_survived_with_odd_profiles(bench_for: BenchFor, name: str) -> None:
    """What the journal leaves open is looked up by lists and answers of another form."""
    bench, here = bench_for(name), setting(name, "change")
    bench.prove_all(here, [("login", Trap(Fault.KILL_AFTER, bench.marked(here, "login", Mark.UPDATE)))])


LISTED = ("clients", "associations", "scopes", "tokens", "secrets", "accounts")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_lists_that_can_not_be_told_apart_are_refused(bench_for: BenchFor, scenario: str) -> None:
    """Neither green nor destructive: findings say which list is unclear, and nothing that such a list holds is touched."""
    site = bench_for(REFUSED).site
    assert isinstance(site, EmbeddedSite)
    site.reset(scenario)
    before = site.holdings()
    ran = site.apply(site.folder("refused", site.manifest(setting(REFUSED, scenario), PATIENT)))
    assert ran.code == 4, ran.said
    for kind in ("clients", "scopes"):
        assert f"the answer holds 2 lists, and which of them is that of {kind} is not known" in " ".join(
            ran.out.split()
        )
    written = {seen.path for found in site.seen().values() for seen in found if seen.writes}
    assert not any("client" in path or "scope" in path or "token" in path for path in written)
    after = site.holdings()
    for server in SERVERS:
        assert {what: after[server][what] for what in LISTED} == {what: before[server][what] for what in LISTED}
