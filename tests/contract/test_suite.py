"""The suite itself: a driver that breaks a rule is found out by the scenario that is there for it, and a good one is not."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pytest
import requests
from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.errors import Forbidden
from oauthdeploy.drivers.base import Applied, Connection, Driver, DriverInfo, ServerReport, Wanted
from oauthdeploy.drivers.webmethods import DRIVER
from oauthdeploy.drivers.webmethods.driver import WebMethodsDriver
from oauthdeploy.model.capabilities import Capability, Support, no, untested, yes
from oauthdeploy.model.servers import Role
from oauthdeploy.model.state import ServerState
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.testing import SCENARIOS, Result, Site, Verdict, judge
from tests.contract.webmethods import WebMethodsSite, webmethods_site
from tests.drivers.webmethods.site import ADMIN

pytestmark = pytest.mark.live


class Told(WebMethodsSite):
    """The same site with another driver, and another table, in the place of the good ones."""

    def __init__(
        self,
        site: WebMethodsSite,
        kind: type[WebMethodsDriver] = WebMethodsDriver,
        table: Mapping[str, Support] = MappingProxyType({}),
    ) -> None:
        super().__init__(site._running, site.title)
        self._kind, self._table = kind, table

    @property
    def info(self) -> DriverInfo:
        role, facts = self.role, DRIVER.facts
        kind, answers = self._kind, dict(self._table)

        class Answering(kind):  # type: ignore[valid-type,misc]
            def check(self) -> ServerReport:
                report: ServerReport = super().check()
                return replace(report, capabilities={**report.capabilities, **answers})

        def open_(connection: Connection) -> Driver:
            made: Driver = Answering(connection)
            return made

        return replace(DRIVER, facts=facts.answering(role, self._table), open=open_)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebMethodsSite]:
    with webmethods_site(tmp_path_factory.mktemp("site"), Role.BOTH, strict=True, takes_ids=True) as made:
        yield made


def tell(name: str, site: Site, folder: Path) -> Verdict:
    return judge(SCENARIOS[name], site, folder)


# -- drivers that break a rule ----------------------------------------------------------------------------------------


class WritesWhilePlanning(WebMethodsDriver):
    """Goes past its client, so that the read-only connection doesn't stop it."""

    def read(self, wanted: Wanted) -> ServerState:
        url = f"{self.connection.http.url}/admin/oauth/globalsetting/"
        requests.patch(url, json={}, auth=ADMIN, timeout=10)
        return super().read(wanted)


class GivesNothingBack(WebMethodsDriver):
    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        return [replace(one, value=None) for one in super().apply(changes)]


class CopiesThePlan(WebMethodsDriver):
    """Says what it was asked for, whatever the server made of it: here the server keeps the old redirect URIs."""

    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        kept = [c for c in changes if c.action is not Action.UPDATE or c.address.kind is not Kind.CLIENT]
        made = {one.address: one for one in super().apply(kept)} if kept else {}
        return [made.get(c.address) or Applied(c.address, c.desired, requests=0) for c in changes]


class ForgetsTheRest(WebMethodsDriver):
    """An update puts other fields back to what a new client has."""

    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        made = super().apply(changes)
        for change in changes:
            if change.address.kind is Kind.CLIENT and change.action is Action.UPDATE and change.live is not None:
                url = f"{self.connection.http.url}/admin/oauth/client/{change.live.identity}"
                requests.patch(url, json={"registrationClientUri": "https://other.example.com"}, auth=ADMIN, timeout=10)
        return made


class LogsSecrets(WebMethodsDriver):
    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        made = super().apply(changes)
        for one in made:
            if one.secret is not None:
                logging.getLogger("oauthdeploy.liar").debug("got %s", one.secret.reveal())
        return made


class NotesSecrets(WebMethodsDriver):
    """A note goes to reports and journals."""

    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        made = super().apply(changes)
        return [replace(one, note=one.secret.reveal()) if one.secret is not None else one for one in made]


class Miscounts(WebMethodsDriver):
    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        return [replace(one, requests=one.requests + 1) for one in super().apply(changes)]


class PromisesLess(WebMethodsDriver):
    def writes(self, changes: Sequence[Change]) -> int:
        return super().writes(changes) - 1


class AsksForEach(WebMethodsDriver):
    """One request for each client that is there."""

    def read(self, wanted: Wanted) -> ServerState:
        state = super().read(wanted)
        for address, live in state.objects.items():
            if address.kind is Kind.CLIENT:
                self.connection.http.get(f"/admin/oauth/client/{live.identity}")
        return state


class ForbiddenIsAbsent(WebMethodsDriver):
    """A kind that cannot be read is told as one of which nothing is there."""

    def read(self, wanted: Wanted) -> ServerState:
        try:
            return replace(super().read(wanted), unreadable=MappingProxyType({}))
        except Forbidden:
            return ServerState(self.name, MappingProxyType({}))


class Crashes(WebMethodsDriver):
    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        found = self.read(Wanted({}, frozenset({Kind.CLIENT, Kind.SCOPE})))
        ids = {live.identity: live for live in found.objects.values()}
        for change in changes:
            if change.live is not None:
                assert ids[change.live.identity]
        return super().apply(changes)


class SaysOtherwise(WebMethodsDriver):
    """By its key a client is read as another than in the list."""

    def read(self, wanted: Wanted) -> ServerState:
        state = super().read(wanted)
        if wanted.everything:
            return state
        return replace(
            state, objects={a: replace(live, identity=f"{live.identity}!") for a, live in state.objects.items()}
        )


@pytest.mark.parametrize(
    ("kind", "scenario", "words"),
    [
        (WritesWhilePlanning, "scopes/prune", "planning wrote: PATCH"),
        (GivesNothingBack, "scopes/prune", "returns no object"),
        (CopiesThePlan, "clients/grants", "verification finds"),
        (ForgetsTheRest, "unmanaged/client", "changed registrationClientUri too"),
        (LogsSecrets, "secrets/kept", "is in log oauthdeploy.liar"),
        (NotesSecrets, "secrets/kept", "a secret was disclosed"),
        (Miscounts, "requests/promised", "the driver reports"),
        (PromisesLess, "requests/promised", "the plan announces"),
        (AsksForEach, "requests/pages", "thirty take"),
        (ForbiddenIsAbsent, "reading/403", "plans {"),
        (Crashes, "vanished/client", "a vanished object is reported as KeyError"),
        (SaysOtherwise, "clients/prune", "differs between reading by its key"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_a_driver_that_breaks_a_rule_is_found_out(
    kind: type[WebMethodsDriver], scenario: str, words: str, site: WebMethodsSite, tmp_path: Path
) -> None:
    """The verdict says what was broken, and in which step."""
    verdict = tell(scenario, Told(site, kind), tmp_path)
    # A scenario that proves a declared field makes a broken one a wrong yes.
    assert verdict.result in (Result.FAILS, Result.WRONG_YES), verdict
    assert words in verdict.detail
    assert not verdict.good


@pytest.mark.parametrize(
    ("scenario", "able", "answer", "result"),
    [
        ("clients/description", "clients.description", no("so it says"), Result.WRONG_NO),
        ("clients/description", "clients.description", untested(), Result.UNTESTED_WORKS),
        ("clients/description", "clients.description", yes(), Result.WORKS),
        ("marks/ownership", Capability.MARKS, yes("so it says"), Result.WRONG_YES),
        ("marks/ownership", Capability.MARKS, untested(), Result.UNTESTED_FAILS),
        ("marks/ownership", Capability.MARKS, no("no field for them"), Result.NO),
        ("clients/name", Capability.CLIENTS, no("so it says"), Result.NOT_OFFERED),
        ("clients/life", Capability.CLIENTS, no("so it says"), Result.WRONG_NO),
        ("trust/jwt", Capability.TRUST_JWT, no("so it says"), Result.NO),
        ("trust/jwt", Capability.TRUST_JWT, yes("so it says"), Result.NO_HOOK),
    ],
)
def test_a_declared_answer_is_held_against_what_happens(
    scenario: str, able: str, answer: Support, result: Result, site: WebMethodsSite, tmp_path: Path
) -> None:
    """A yes that fails and a no that works are wrong; untested is neither; a need that isn't met skips with the note."""
    verdict = tell(scenario, Told(site, table={able: answer}), tmp_path)
    assert verdict.result is result, verdict
    assert verdict.good is (result not in (Result.WRONG_NO, Result.WRONG_YES))
    if result is Result.NOT_OFFERED:
        assert answer.note in verdict.detail


def test_a_site_of_few_words_is_enough(site: WebMethodsSite, tmp_path: Path) -> None:
    """Without hooks what needs none is told, and the rest is not taken for proved."""

    class Bare(Site):
        driver = "webmethods"
        role = Role.BOTH
        url = site.url
        entry = site.entry

        def reset(self) -> None:
            site.reset()

    for name, result in (
        ("clients/life", Result.WORKS),
        ("secrets/generated", Result.NO_HOOK),
        ("unmanaged/client", Result.NO_HOOK),
        ("tokens/delete", Result.NO_HOOK),
        ("accounts/list", Result.NO_HOOK),
    ):
        assert tell(name, Bare(), tmp_path).result is result, name


def test_the_suite_runs_from_a_few_lines(pytester: pytest.Pytester, site: WebMethodsSite) -> None:
    """As `docs/writing-a-driver.md` shows it: a site, a class, a fixture."""
    pytester.makepyfile(
        f"""
        import pytest
        from oauthdeploy.testing import ContractSuite, Site
        from oauthdeploy.model.servers import Role

        class MySite(Site):
            driver = "webmethods"
            role = Role.BOTH
            url = {site.url!r}
            entry = {dict(site.entry)!r}

            def reset(self):
                pass

        class TestMine(ContractSuite):
            @pytest.fixture(scope="class")
            @classmethod
            def site(cls):
                yield MySite()
        """
    )
    site.reset()
    done = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-k", "arrival or marks or jwt or accounts")
    done.assert_outcomes(passed=3, skipped=1)
