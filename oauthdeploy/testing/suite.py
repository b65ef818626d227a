"""The contract suite as a pytest class; the only module that needs pytest (extra `testing`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oauthdeploy.testing.field_support import broken_promises
from oauthdeploy.testing.scenarios import SCENARIOS, Scenario
from oauthdeploy.testing.site import Site
from oauthdeploy.testing.verdicts import Result, Verdict, judge


class ContractSuite:
    """Runs every scenario on one site. Make a subclass whose name starts with Test, and give it the fixture `site`:

        class TestAcme(ContractSuite):
            @pytest.fixture(scope="class")
            @classmethod
            def site(cls) -> Iterator[Site]:
                with AcmeSite.started() as site:
                    yield site

    A scenario that the driver declares as not supported is skipped, with the driver's note, and so is one that needs a hook
    that the site does not have. A yes that fails and a no that works are failures: either the table or the driver is wrong.
    """

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls) -> Iterator[Site]:
        """The server to run on. Override it."""
        pytest.fail("give the class a fixture `site` that yields an oauthdeploy.testing.Site", pytrace=False)

    def record_verdict(self, site: Site, verdict: Verdict) -> None:
        """Called with each verdict before the test passes or fails. Does nothing; override it to keep results."""

    def test_every_field_is_held_or_refused(self, site: Site) -> None:
        """Every field of the model is held, with a scenario that shows it, or a manifest that writes it is refused by name."""
        assert broken_promises(site.info.facts) == []

    @pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=[name.replace(" ", "-") for name in SCENARIOS])
    def test_contract(self, scenario: Scenario, site: Site, tmp_path: Path) -> None:
        """The driver follows the interface, scenario by scenario."""
        verdict = judge(scenario, site, tmp_path)
        self.record_verdict(site, verdict)
        if not verdict.good:
            pytest.fail(f"{scenario.title}: {verdict.result}\n{verdict.detail}", pytrace=False)
        if verdict.result in (Result.NOT_OFFERED, Result.LEFT_OUT, Result.NO_HOOK, Result.UNTESTED_FAILS):
            pytest.skip(f"{verdict.result}: {verdict.detail.splitlines()[0] if verdict.detail else ''}")
