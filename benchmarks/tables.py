"""The tables of `docs/performance.md`, made from the figures of one run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

PAGE: Final = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN: Final = "<!-- figures: python -m benchmarks -->"
END: Final = "<!-- end of figures -->"
COLUMNS: Final = {
    "work": "work",
    "tool": "tool",
    "seconds": "s",
    "ratio": "of bare",
    "requests": "requests",
    "chain": "round trips",
    "connections": "connections",
    "kilobytes": "kB received",
}
GROWTH: Final = {"work": "work", "clients": "clients", "seconds": "CPU s", "megabytes": "MB", "growth": "growth"}


def markdown(document: Mapping[str, Any]) -> str:
    """The figures as tables, one for each kind of server, and one for the growth of offline work."""
    parts = [f"Measured with {document['about']}. Rounds: {document['rounds']}. Seconds contain the start of Python."]
    for server in dict.fromkeys(one["server"] for one in document["rows"]):
        rows = [one for one in document["rows"] if one["server"] == server]
        parts.append(f"**{server}**, {document['sizes'][server]}\n\n{table(COLUMNS, rows)}")
    parts += [f"Not measured: {tool} ({why})." for tool, why in document["absent"].items()]
    if document["growth"]:
        parts.append(f"**Without a server**\n\n{table(GROWTH, document['growth'])}")
    return "\n\n".join(parts)


def table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    """A table in Markdown; what was not measured is a dash."""
    lines = ["| " + " | ".join(columns.values()) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_shown(one.get(key)) for key in columns) + " |" for one in rows]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def with_figures(page: str, document: Mapping[str, Any]) -> str:
    """The page with the tables in their place."""
    pattern = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
    return pattern.sub(lambda _found: f"\n{markdown(document)}\n\n", page)
