"""The tool is killed, or told to stop, at a request of an apply: one more apply ends as if nothing had happened."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from tests.faults.conftest import BenchFor
from tests.faults.proof import Mark
from tests.faults.proxy import Fault, Trap
from tests.faults.site import Setting

pytestmark = [pytest.mark.live, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")]

KILLS = (Fault.KILL_BEFORE, Fault.KILL_AFTER)
SIGNALS = (Fault.TERMINATE_BEFORE, Fault.TERMINATE_AFTER, Fault.INTERRUPT_AFTER)
SETTINGS = [Setting("empty", "embedded-own-ids", 1), Setting("change", "embedded", 1, parallel=4)]
ALONE = [Setting("change", estate, 1) for estate in ("hydra", "registration", "registration-keeping")]
SOME: dict[tuple[Fault, Setting], Sequence[tuple[Mark, str]]] = {
    (Fault.KILL_BEFORE, SETTINGS[0]): [(Mark.FIRST_WRITE, "orders")],
    (Fault.KILL_AFTER, SETTINGS[0]): [(Mark.CREATE, "login"), (Mark.LAST, "orders")],
    (Fault.KILL_BEFORE, SETTINGS[1]): [(Mark.UPDATE, "login")],
    (Fault.KILL_AFTER, SETTINGS[1]): [(Mark.REMOVAL, "login")],
    **{(Fault.KILL_BEFORE, setting): [(Mark.CREATE, "login")] for setting in ALONE},
    **{
        (Fault.KILL_AFTER, setting): [(mark, "login") for mark in (Mark.CREATE, Mark.UPDATE, Mark.REMOVAL)]
        for setting in ALONE
    },
}


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("fault", KILLS, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("setting", [*SETTINGS, *ALONE], ids=str)
def test_kill_9(bench_for: BenchFor, setting: Setting, fault: Fault, pytestconfig: pytest.Config) -> None:
    """No lock stands in the way, open intents are what may have happened, and a secret that went down is told of."""
    bench = bench_for(setting.estate)
    places = [(server, bench.marked(setting, server, mark)) for mark, server in SOME[fault, setting]]
    if pytestconfig.getoption("all_faults"):
        places = [(server, place) for server in bench.site.proxies for place in bench.positions(setting, server)]
    bench.prove_all(setting, [(server, Trap(fault, place)) for server, place in places])


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("fault", SIGNALS, ids=lambda fault: fault.name.lower())
def test_a_signal_ends_the_run_in_order(bench_for: BenchFor, fault: Fault, pytestconfig: pytest.Config) -> None:
    """Before the first write 130 and no journal, in the middle 4 and a journal that is closed; never a lock left behind."""
    setting = SETTINGS[0]
    bench = bench_for(setting.estate)
    first, create = (bench.marked(setting, "login", mark) for mark in (Mark.FIRST_WRITE, Mark.CREATE))
    before, during = [2], [create]
    if pytestconfig.getoption("all_faults"):
        before, during = list(range(1, first)), list(range(first, create + 1))
    bench.prove_all(setting, [("login", Trap(fault, place)) for place in before], code=130)
    bench.prove_all(setting, [("login", Trap(fault, place)) for place in during], code=4)
