"""The page of the drivers is what tables and runs give, and a table says nothing that no run showed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oauthdeploy.drivers.registry import BUILT_IN, driver_facts
from oauthdeploy.model.capabilities import QUESTIONS, Answer, Capability, supports, table_for
from oauthdeploy.model.servers import Role
from oauthdeploy.testing import SCENARIOS, Result, Site
from oauthdeploy.testing.matrix import SiteResults
from oauthdeploy.testing.verdicts import BAD
from tests.contract.page import PAGE, text
from tests.contract.results import HOW, committed

UNPROVED = {Capability.LEASE: "no part of the driver interface holds a lease"}
"""Capabilities that no scenario can look at, with the reason."""

SITES = {site.name: site for site in committed()}


def test_the_page_is_what_the_data_gives() -> None:
    """Nothing of it is typed. `python -m tests.contract.page` writes it."""
    assert PAGE.read_text(encoding="utf-8") == text(), HOW


def test_every_capability_is_proved_by_a_scenario() -> None:
    """A yes that nothing looks at would be a promise of nobody."""
    proved = {scenario.proves for scenario in SCENARIOS.values()}
    assert {*QUESTIONS} - proved == set(UNPROVED)


@pytest.mark.parametrize("name", SITES)
def test_a_site_has_a_result_for_every_scenario(name: str) -> None:
    """A run of a part of the suite is not committed, and neither is one with failures."""
    assert list(SITES[name].results) == list(SCENARIOS)
    assert not BAD & set(SITES[name].results.values())
    assert SITES[name].server


def claims() -> Iterator[tuple[str, Role, str]]:
    for name in sorted(BUILT_IN):
        facts = driver_facts()[name]
        for role in (Role.AUTHORIZATION, Role.RESOURCE):
            if facts.writable and role in facts.roles:
                yield from ((name, role, able) for able in QUESTIONS if able not in UNPROVED)


@pytest.mark.parametrize(("name", "role", "able"), list(claims()), ids=lambda value: str(value))
def test_a_table_says_nothing_that_no_run_showed(name: str, role: Role, able: str) -> None:
    """Each yes worked on some site of the role, each no was tried or stands for what the side hasn't; untested is neither."""
    support = supports(table_for(driver_facts()[name], role), able)
    shown = {result for site in _sites(name, role) for result in _results(site, able)}
    match support.answer:
        case Answer.YES:
            assert Result.WORKS in shown, f"{name} says yes to {able}, and no run showed it: {shown}"
        case Answer.NO:
            assert Result.WORKS not in {r for site in _sites(name, role, alone=True) for r in _results(site, able)}
        case Answer.UNTESTED:
            assert Result.WORKS not in shown


def _sites(driver: str, role: Role, *, alone: bool = False) -> list[SiteResults]:
    roles = {role.value} if alone else {role.value, Role.BOTH.value}
    return [site for site in SITES.values() if site.driver == driver and site.role in roles]


def _results(site: SiteResults, able: str) -> list[Result]:
    return [site.results[name] for name, told in SCENARIOS.items() if told.proves == able and name in site.results]


def test_the_guide_names_every_hook_and_every_result() -> None:
    """Who writes a driver finds there what a site can do and what a verdict means."""
    guide = (PAGE.parent / "writing-a-driver.md").read_text(encoding="utf-8")
    given = {"driver", "role", "url", "entry", "reset", "info", "name", "server", "title", "server_version"}
    hooks = {name for name in vars(Site) if not name.startswith("_")} - given
    assert [name for name in sorted(hooks) if f"`{name}`" not in guide] == []
    assert [result.value for result in Result if result.value not in guide] == []
