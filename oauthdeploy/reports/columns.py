"""The columns of the servers in a text report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from oauthdeploy.reports.console import cells


class Columns(Struct, frozen=True):
    """The columns of the servers: their headings and widths."""

    servers: tuple[str, ...]
    heads: tuple[str, ...]
    numbered: bool

    @property
    def width(self) -> int:
        """The width with the space behind."""
        return 2 + sum(cells(head) + 2 for head in self.heads)

    def numbers(self) -> Mapping[str, str]:
        """The number of each server if columns have numbers; empty otherwise."""
        return dict(zip(self.servers, self.heads, strict=True)) if self.numbered else {}

    @classmethod
    def fitting(cls, servers: Sequence[str], room: int) -> Columns:
        """Names as headings if they fit into `room`, otherwise numbers."""
        named = cls(tuple(servers), tuple(servers), numbered=False)
        if named.width <= room:
            return named
        return cls(tuple(servers), tuple(str(number) for number in range(1, len(servers) + 1)), numbered=True)
