"""What `doctor` found about a server, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oauthdeploy.reports.console import Look, Sheet
from oauthdeploy.reports.formatting import visible

_STYLES = {"as expected": "good", "differs": "warning", "unknown": "faint"}


def render_diagnosis(
    server: str,
    record: Mapping[str, Any],
    changes: Sequence[tuple[str, str, str]] | None,
    left: Sequence[str],
    look: Look,
) -> str:
    """Product, each judgement in a line, then what differs from an earlier record, then the count."""
    sheet = Sheet(look)
    product = ", ".join(f"{visible(key)} {visible(value)}" for key, value in record["product"].items())
    sheet.add((f"{server}  {record['driver']}, {record['role']}", "name"))
    sheet.add((f"  {product}", "faint"), hang=2)
    judgements = record["judgements"]
    width = max((len(one["verdict"]) for one in judgements), default=0)
    for one in judgements:
        detail = f": {visible(one['detail'])}" if one["detail"] else ""
        style = _STYLES[one["verdict"]]
        sheet.add("  ", (one["verdict"].ljust(width), style), f"  {visible(one['subject'])}{detail}", hang=width + 4)
    for place, before, after in changes or ():
        sheet.add(
            "  ", ("changed".ljust(width), "warning"), f"  {visible(place)}: {visible(before)} -> {visible(after)}"
        )
    for what in left:
        sheet.add("  ", ("left".ljust(width), "error"), f"  {visible(what)} could not be removed")
    counts = {word: sum(one["verdict"] == word for one in judgements) for word in _STYLES}
    sheet.blank()
    said = ", ".join(f"{number} {word}" for word, number in counts.items())
    asked = "" if record["written"] else " Writing was not tried."
    sheet.add((f"{said}.{asked}", "strong"))
    if changes is not None:
        same = "The server answers as in the record." if not changes else f"{len(changes)} differences from the record."
        sheet.add((same, "strong"))
    return sheet.text()
