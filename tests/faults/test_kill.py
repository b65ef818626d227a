"""The tool is killed, or told to stop, at a request of an apply: one more apply ends as if nothing had happened."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.faults.conftest import BenchFor
from tests.faults.proof import Bench, sample
from tests.faults.proxy import Fault, Trap
from tests.faults.site import SERVERS, Setting
from tests.faults.test_faults import prove_all

pytestmark = [pytest.mark.live, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")]

KILLS = (Fault.KILL_BEFORE, Fault.KILL_AFTER)
SIGNALS = (Fault.TERMINATE_BEFORE, Fault.TERMINATE_AFTER, Fault.INTERRUPT_AFTER)
SETTINGS = [Setting("empty", False, 1), Setting("change", True, 1)]
ALL_SETTINGS = [*SETTINGS, Setting("empty", True, 1), Setting("change", False, 1)]


def kills(bench: Bench, setting: Setting, fault: Fault, *, everything: bool) -> Iterator[tuple[str, Trap]]:
    """Every request; or the first write and the last create of each server."""
    places = [(server, place) for server in SERVERS for place in bench.positions(setting, server)]
    if not everything:
        chosen = list(dict.fromkeys(sample(bench, setting)))
        places = [chosen[1 if fault is Fault.KILL_AFTER else 0], chosen[-2 if fault is Fault.KILL_AFTER else -5]]
    for server, place in places:
        yield server, Trap(fault, place)


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("fault", KILLS, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("setting", ALL_SETTINGS, ids=str)
def test_kill_9(bench_for: BenchFor, setting: Setting, fault: Fault, pytestconfig: pytest.Config) -> None:
    """No lock stands in the way, open intents are what may have happened, and a secret that went down is told of."""
    everything = bool(pytestconfig.getoption("all_faults"))
    if not everything and setting not in SETTINGS:
        pytest.skip("--all-faults takes this setting too")
    bench = bench_for(setting.accepts)
    prove_all(bench, setting, kills(bench, setting, fault, everything=everything))


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("fault", SIGNALS, ids=lambda fault: fault.name.lower())
def test_a_signal_ends_the_run_in_order(bench_for: BenchFor, fault: Fault, pytestconfig: pytest.Config) -> None:
    """Before the first write 130 and no journal, in the middle 4 and a journal that is closed; never a lock left behind."""
    setting = Setting("change", False, 1)
    bench = bench_for(setting.accepts)
    found = bench.undisturbed(setting).seen["login"]
    writes = [place for place, seen in enumerate(found, 1) if seen.writes]
    everything = bool(pytestconfig.getoption("all_faults"))
    before = range(1, writes[0]) if everything else (2,)
    during = writes[:-1] if everything else (writes[0], writes[len(writes) // 2])
    bench.stop_in_order(setting, "login", [Trap(fault, place) for place in before], codes={130})
    bench.stop_in_order(setting, "login", [Trap(fault, place) for place in during], codes={4})
