"""The columns of the servers in a text report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oauthdeploy.reports.console import cells


@dataclass(frozen=True)
class Columns:
    """The columns of the servers: their headings and widths."""

    servers: tuple[str, ...]
    heads: tuple[str, ...]
    numbered: bool

    @property
    def width(self) -> int:
        """Columns taken, with the space behind."""
        return 2 + sum(cells(head) + 2 for head in self.heads)

    def numbers(self) -> Mapping[str, str]:
        """The number of each server, where columns have numbers; else nothing."""
        return dict(zip(self.servers, self.heads, strict=True)) if self.numbered else {}

    @classmethod
    def fitting(cls, servers: Sequence[str], room: int) -> Columns:
        """Names as heads where they take no more than `room`, else numbers."""
        named = cls(tuple(servers), tuple(servers), numbered=False)
        if named.width <= room:
            return named
        return cls(tuple(servers), tuple(str(number) for number in range(1, len(servers) + 1)), numbered=True)
