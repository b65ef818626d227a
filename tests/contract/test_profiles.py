"""The driver on servers that answer each open question in its own way: it works, or it refuses in clear words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oauthdeploy.testing import SCENARIOS, Result, judge
from tests.contract.profiles import CASES, ProfileSite, profile_site

pytestmark = pytest.mark.live

TOLD = [(name, scenario) for name, case in CASES.items() for scenario in case.scenarios]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ProfileSite]]:
    """The servers that were started, by profile."""
    started: dict[str, ProfileSite] = {}
    yield started
    for site in started.values():
        site.stop()


@pytest.mark.parametrize(("name", "scenario"), TOLD, ids=lambda value: value.replace(" ", "-").replace("/", "-"))
def test_a_profile(
    name: str,
    scenario: str,
    sites: dict[str, ProfileSite],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """No answer that the documents allow makes the driver say that something is done which isn't."""
    case = CASES[name]
    if name not in sites:
        sites[name] = profile_site(tmp_path_factory.mktemp(name), case)
    verdict = judge(SCENARIOS[scenario], sites[name], tmp_path)
    words = case.refused.get(scenario)
    if words is None:
        good = (Result.WORKS, Result.NO, *((Result.NOT_OFFERED, Result.NO_HOOK) if case.by_services else ()))
        assert verdict.result in good, f"{verdict.result}\n{verdict.detail}"
    else:
        assert not verdict.good, f"{scenario} was to be refused"
        assert words in verdict.detail
