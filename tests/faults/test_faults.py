"""Whatever happens to one request of an apply, or to all from it on: one more apply ends as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest

from tests.faults.conftest import BenchFor
from tests.faults.proof import Bench, Mark
from tests.faults.proxy import CONTENT_FAULTS, NETWORK_FAULTS, Fault, Trap
from tests.faults.site import SERVERS, Setting

pytestmark = pytest.mark.live

ONCE = tuple(fault for fault in NETWORK_FAULTS if fault is not Fault.REFUSE)
"""A server that refuses connections does so from some moment on."""
LASTING_FAULTS = tuple(fault for fault in NETWORK_FAULTS if fault not in CONTENT_FAULTS)
"""What comes wrong once can come right again; a server that never shows a field or tells a secret is another server."""

NO_SECOND_CHANCE = [Setting("empty", "embedded", 0), Setting("change", "embedded", 0)]
SECOND_CHANCE = [
    Setting("empty", "embedded-own-ids", 1),
    Setting("change", "embedded-own-ids", 1, parallel=4),
]
LASTING = [Setting("empty", "embedded", 0), Setting("change", "embedded-own-ids", 0)]
REAL = [Setting("empty", "keycloak-opa", 0), Setting("change", "keycloak-opa", 0)]
ALONE = {
    estate: [Setting(scenario, estate, 0) for scenario in ("empty", "change")]
    for estate in ("hydra", "registration", "registration-keeping")
}
"""Authorization servers without a resource server."""
NEVER_STALE = [*ALONE["hydra"], ALONE["registration"][0], ALONE["registration-keeping"][0]]
"""No request is sent twice there, so that no answer can be an old one."""


@dataclass(frozen=True)
class Case:
    """A fault in a setting, at every request, at those that `marks` name, each on one server, or at one of `every` so many."""

    setting: Setting
    fault: Fault
    lasting: bool
    marks: Sequence[tuple[Mark, str]] | None = None
    every: int = 1

    def __str__(self) -> str:
        word = "for-good" if self.lasting else "once"
        return f"{self.fault.name.lower()}-{word}-{self.setting}"

    def traps(self, bench: Bench) -> Iterable[tuple[str, Trap]]:
        places = (
            [
                (server, place)
                for server in bench.site.proxies
                for place in bench.positions(self.setting, server, self.fault)
            ]
            if self.marks is None
            else [(server, bench.marked(self.setting, server, mark)) for mark, server in self.marks]
        )
        return [(server, Trap(self.fault, place, self.lasting)) for server, place in places[:: self.every]]


def all_cases() -> Iterable[Case]:
    """Every fault at every request: with retries and without, once and for good."""
    alone = [setting for settings in ALONE.values() for setting in settings]
    for setting in (*NO_SECOND_CHANCE, *SECOND_CHANCE, *REAL, *alone):
        # Which request a fault of content meets is known only where they come one after the other.
        faults = ONCE if setting.parallel == 1 else LASTING_FAULTS
        for fault in faults:
            if fault is not Fault.REFUSE and (fault is not Fault.STALE or setting not in NEVER_STALE):
                yield Case(setting, fault, False)
    for setting in LASTING:
        yield from (Case(setting, fault, True) for fault in LASTING_FAULTS)


def some_cases() -> Iterable[Case]:
    """Every fault at the first write, at a create, at an update or a removal, and at the last request, settings in turn."""
    for turn, fault in enumerate(LASTING_FAULTS):
        here, there = (SERVERS[turn % 2], SERVERS[(turn + 1) % 2])
        if fault is not Fault.REFUSE:
            yield Case(NO_SECOND_CHANCE[turn % 2], fault, False, ((Mark.FIRST_WRITE, here), (Mark.LAST, there)))
            yield Case(SECOND_CHANCE[turn % 2], fault, False, ((Mark.CREATE, here),))
        mark = (Mark.UPDATE, Mark.REMOVAL, Mark.CREATE)[turn % 3]
        yield Case(LASTING[1], fault, True, ((mark, there),))
    for turn, kind in enumerate(ONCE):
        yield Case(REAL[turn % 2], kind, False, every=16 if kind in CONTENT_FAULTS else 40)
        for settings in ALONE.values():
            turned = settings[1 if kind in CONTENT_FAULTS else turn % 2]
            every = 1 if kind is Fault.STALE else 2 if kind in CONTENT_FAULTS else 5
            if kind is not Fault.STALE or turned not in NEVER_STALE:
                yield Case(turned, kind, False, every=every)
    yield Case(REAL[0], Fault.NOT_KEPT, False, ((Mark.CREATE, "login"),))
    for kind in CONTENT_FAULTS:
        yield from (Case(setting, kind, False, every=12) for setting in (*NO_SECOND_CHANCE, SECOND_CHANCE[0]))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cases = all_cases() if metafunc.config.getoption("all_faults") else some_cases()
    metafunc.parametrize("case", list(cases), ids=str)


@pytest.mark.timeout(7200)
def test_one_more_apply_puts_all_right(bench_for: BenchFor, case: Case) -> None:
    """Same end, nothing doubled or lost, a true journal, a true exit code, no secret in any file."""
    bench = bench_for(case.setting.estate)
    bench.prove_all(case.setting, case.traps(bench))
