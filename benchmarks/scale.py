"""The tables of docs/kubernetes-scale.md, made from the figures of one run, and what they mean for more estates."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

PAGE: Final = Path(__file__).parents[1] / "docs" / "kubernetes-scale.md"
BEGIN: Final = "<!-- figures: python -m benchmarks.estates -->"
END: Final = "<!-- end of figures -->"
ESTATES: Final = 10_000
INTERVALS: Final = {600: "10 minutes", 3600: "1 hour"}
USED: Final = 0.7
"""The part of a core that a replica should use, so that it can take over from another one."""


def markdown(figures: Mapping[str, Any]) -> str:
    """The figures, and the reckoning from them."""
    return "\n\n".join(
        [
            f"Measured with {figures['about']}.",
            table(("what", "figure"), measured(figures)),
            f"Reckoned for {ESTATES:,} estates of this size:",
            table(("what", *(f"interval of {words}" for words in INTERVALS.values())), reckoned(figures)),
        ]
    )


def measured(figures: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """What was seen, as rows of a table."""
    steady, limits = figures["steady"], figures["limits"]
    memory = " and ".join(str(item) for item in steady["memory_mb"])
    return [
        ("estates, servers, replicas", f"{figures['estates']}, {figures['sites']}, 2"),
        ("interval, workers of each replica", f"{figures['interval_s']} s, {figures['workers']}"),
        (
            "first round, from the start of the operators until every estate is created on its server",
            f"{figures['first_round_estates_per_s']} estates a second",
        ),
        ("then, while nothing changes", f"{steady['estates_per_s']} estates a second, as many as are due"),
        ("requests of a run to its server", str(steady["requests_per_run"])),
        ("writes to all servers together, while nothing changes", str(steady["writes"])),
        ("requests of a run to the API server of Kubernetes", str(steady["api_requests_per_run"])),
        ("a run takes (median)", f"{steady['run_s_median']} s"),
        (
            "processor of each replica",
            f"{steady['processor_share']} cores; {steady['processor_s_per_run']} s for a run",
        ),
        ("memory of each replica", f"{memory} MB; {figures['one_estate_memory_mb']} MB with one estate"),
        ("memory of a replica, at most", f"{figures['memory_peak_mb']} MB"),
        ("changes by hand, kills of a replica", f"{figures['changes']}, {figures['kills']}"),
        (
            "time until a change was repaired",
            f"{figures['repair_s']['median']} s (median), {figures['repair_s']['worst']} s (worst)",
        ),
        ("requests to a server at a time", f"at most {figures['most_at_a_time']}; the limit is {limits['parallel']}"),
        (
            "requests to a server within a second",
            f"at most {figures['most_in_a_second']}; the limit is {limits['requests_per_second']}",
        ),
        (
            "double, missing, not repaired, not in sync, locked at the end",
            ", ".join(str(figures[key]) for key in ("double", "missing", "not_repaired", "not_in_sync", "leases_held")),
        ),
    ]


def reckoned(figures: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """What many estates would need, by the interval; nothing but these figures, multiplied."""
    steady = figures["steady"]
    each = max(0.0, max(steady["memory_mb"]) - figures["one_estate_memory_mb"]) / max(1, figures["estates"] - 1)
    memory = figures["one_estate_memory_mb"] + each * ESTATES
    columns = []
    for interval in INTERVALS:
        rate = ESTATES / interval
        cores = rate * steady["processor_s_per_run"]
        columns.append(
            (
                f"{rate:.1f}",
                f"{cores:.1f}",
                str(max(2, math.ceil(cores / USED) + 1)),
                str(math.ceil(rate * steady["run_s_median"] / USED)),
                f"{memory / 1000:.1f} GB",
                f"{rate * steady['api_requests_per_run']:.0f}",
                f"{rate * steady['requests_per_run']:.0f}",
            )
        )
    names = (
        "estates a second",
        "cores of all replicas together",
        f"replicas, each using {USED:.0%} of a core, and one to spare",
        "workers of all replicas together",
        "memory of each replica, at most",
        "requests a second to the API server of Kubernetes",
        "requests a second to all OAuth servers together",
    )
    return [(name, *values) for name, values in zip(names, zip(*columns, strict=True), strict=True)]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def with_figures(page: str, figures: Mapping[str, Any]) -> str:
    """The page with the tables in their place."""
    pattern = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
    return pattern.sub(lambda _found: f"\n{markdown(figures)}\n\n", page)
