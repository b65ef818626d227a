"""Whatever happens to one request of an apply, or to all from it on: one more apply ends as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.conftest import BenchFor
from tests.faults.proof import Bench, sample
from tests.faults.proxy import NETWORK_FAULTS, Fault, Trap
from tests.faults.site import SERVERS, Setting

pytestmark = pytest.mark.live

ONCE = tuple(fault for fault in NETWORK_FAULTS if fault is not Fault.REFUSE)
"""A server that refuses connections does so from some moment on."""

PARTS = {
    "no-retries": [Setting(scenario, True, 0) for scenario in ("empty", "change")],
    "server-ids": [Setting(scenario, False, 0) for scenario in ("empty", "change")],
    "retries": [Setting(scenario, False, 1) for scenario in ("empty", "change")],
    "wide": [Setting(scenario, True, 1, parallel=4) for scenario in ("empty", "change")],
}
SETTINGS = [setting for part in PARTS.values() for setting in part]
LASTING = [Setting("empty", True, 0), Setting("change", False, 0)]


def traps(
    bench: Bench, setting: Setting, fault: Fault, *, lasting: bool, everything: bool, turn: int
) -> Iterator[tuple[str, Trap]]:
    """All places of a fault, or two of those that stand for the others; `turn` chooses."""
    if everything:
        places = [(server, place) for server in SERVERS for place in bench.positions(setting, server)]
    else:
        stand_for = list(dict.fromkeys(sample(bench, setting)))
        places = [stand_for[(2 * turn + offset) % len(stand_for)] for offset in range(2)]
    for server, place in places:
        yield server, Trap(fault, place, lasting)


def prove_all(bench: Bench, setting: Setting, found: Iterator[tuple[str, Trap]]) -> None:
    """Try each trap, and tell of all that were not survived."""
    stories = []
    for server, trap in found:
        try:
            bench.prove(setting, server, trap)
        except AssertionError as story:
            stories.append(str(story))
    assert not stories, f"{len(stories)} faults were not survived\n\n" + "\n\n".join(stories)


def _cases(settings: list[Setting], faults: tuple[Fault, ...]) -> list[pytest.ParameterSet]:
    """Every setting with every fault, each numbered so that a sample takes them in turn."""
    pairs = [(fault, setting) for fault in faults for setting in settings]
    return [
        pytest.param(setting, fault, turn, id=f"{setting}-{fault.name.lower()}")
        for turn, (fault, setting) in enumerate(pairs)
    ]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("setting", "fault", "turn"), _cases(SETTINGS, ONCE))
def test_a_fault_of_one_request(
    bench_for: BenchFor, setting: Setting, fault: Fault, turn: int, pytestconfig: pytest.Config
) -> None:
    """Same end, nothing doubled or lost, a true journal, a true exit code, no secret in any file."""
    everything = bool(pytestconfig.getoption("all_faults"))
    if not everything and setting not in (SETTINGS[turn // len(SETTINGS) % 2], SETTINGS[2 + turn // len(SETTINGS) % 6]):
        pytest.skip("the sample takes other settings for this fault; --all-faults takes all")
    bench = bench_for(setting.accepts)
    prove_all(bench, setting, traps(bench, setting, fault, lasting=False, everything=everything, turn=turn))


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("setting", "fault", "turn"), _cases(LASTING, NETWORK_FAULTS))
def test_a_server_that_goes_bad_and_stays_so(
    bench_for: BenchFor, setting: Setting, fault: Fault, turn: int, pytestconfig: pytest.Config
) -> None:
    """The same, where no look after the fault can tell what became of the change."""
    everything = bool(pytestconfig.getoption("all_faults"))
    if not everything and (turn // 2 + turn) % 2:
        pytest.skip("the sample takes the other setting for this fault; --all-faults takes both")
    bench = bench_for(setting.accepts)
    prove_all(bench, setting, traps(bench, setting, fault, lasting=True, everything=everything, turn=turn))
