"""The figures of many proofs: how many faults were tried, and which promises held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.faults.proof import Result

_COLUMNS: Final = ("estate", "fault", "tried", "converged", "secrets lost untold", "double objects", "untrue")


def totals(results: Sequence[Result]) -> Mapping[str, Any]:
    """The figures of all results, and of each estate and fault, as JSON values."""
    rows = sorted({(result.estate, result.fault) for result in results})
    return {
        **_figures(results),
        "rows": [
            {"estate": estate, "fault": fault}
            | _figures([each for each in results if (each.estate, each.fault) == (estate, fault)])
            for estate, fault in rows
        ],
    }


def _figures(results: Sequence[Result]) -> dict[str, Any]:
    return {
        "tried": len(results),
        "converged": sum(result.kept("converged") for result in results),
        "secrets lost untold": sum(not result.kept("told") for result in results),
        "double objects": sum(not result.kept("single") for result in results),
        "untrue": sum(not result.kept("honest") for result in results),
    }


def table(results: Sequence[Result]) -> Sequence[str]:
    """The same as lines of text, with the sum in the last."""
    found = totals(results)
    rows = [[str(row[column]) for column in _COLUMNS] for row in found["rows"]]
    rows = [list(_COLUMNS), *rows, ["all", "", *(str(found[column]) for column in _COLUMNS[2:])]]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_COLUMNS))]

    def line(row: Sequence[str]) -> str:
        texts = [text.ljust(width) for text, width in zip(row[:2], widths[:2], strict=True)]
        numbers = [text.rjust(width) for text, width in zip(row[2:], widths[2:], strict=True)]
        return "  ".join((*texts, *numbers))

    return [line(row) for row in rows]
