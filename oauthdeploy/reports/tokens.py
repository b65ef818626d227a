"""Live tokens as a table and as a document: their owners, scopes and expiry, never the tokens themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.planning.revocation.token_list import ListedToken
from oauthdeploy.reports.console import Look, Sheet, cells
from oauthdeploy.reports.formatting import counted, listed, visible
from oauthdeploy.reports.json import VERSION

_OWNER: Final = 2
_REFRESHES: Final = 5
_HEADS: Final = ("HANDLE", "CLIENT", "OWNER", "ISSUED", "UNTIL", "REFRESHES", "SCOPES")


class TokenPage(Struct, frozen=True):
    """One page of a list. `page` counts from 1; a `limit` of 0 puts everything on one page. `silent` servers cannot list
    tokens.
    """

    tokens: tuple[ListedToken, ...]
    page: int
    limit: int
    servers: tuple[str, ...]
    silent: tuple[str, ...] = ()
    down: tuple[str, ...] = ()

    @property
    def pages(self) -> int:
        """The number of pages."""
        return max(1, -(-len(self.tokens) // self.limit)) if self.limit else 1

    @property
    def shown(self) -> Sequence[ListedToken]:
        """The tokens of this page."""
        start = (self.page - 1) * self.limit
        return self.tokens[start : start + self.limit] if self.limit else self.tokens


def render_tokens(page: TokenPage, look: Look) -> str:
    """A table for each server, and the number of tokens."""
    sheet = Sheet(look)
    for server in page.servers:
        own = [item for item in page.shown if item.server == server]
        if own:
            sheet.blank()
            sheet.add((visible(server), "name"))
            rows = [_HEADS, *(_row(item) for item in own)]
            if all(item.token.owner in ("", item.client, item.token.client) for item in own):
                # With client credentials the owner is the client, so a column would add nothing.
                rows = [(*row[:_OWNER], *row[_OWNER + 1 :]) for row in rows]
            if all(item.token.refreshes is None for item in own):
                place = len(rows[0]) - (len(_HEADS) - _REFRESHES)
                rows = [(*row[:place], *row[place + 1 :]) for row in rows]
            _table(sheet, rows)
    sheet.blank()
    clients = Counter((item.server, item.client) for item in page.tokens)
    total = f"{counted(len(page.tokens), 'live token')} of {counted(len(clients), 'client')}"
    part = f"; page {page.page} of {page.pages}, --page N for another" if page.pages > 1 else ""
    sheet.add((f"{total} on {counted(len(page.servers), 'server')}{part}.", "strong"), hang=2)
    if page.silent:
        sheet.add(f"These servers cannot list tokens: {listed(list(page.silent))}.", hang=2)
    if page.down:
        sheet.add((f"These servers did NOT answer: {listed(list(page.down))}.", "error"), hang=2)
    return sheet.text()


def _table(sheet: Sheet, rows: Sequence[Sequence[str]]) -> None:
    widths = [max(cells(row[place]) for row in rows) for place in range(len(rows[0]) - 1)]
    for number, row in enumerate(rows):
        style = "" if number else "faint"
        columns = "".join(text + " " * (width - cells(text) + 2) for text, width in zip(row, widths, strict=False))
        sheet.add("  ", (columns, style), (row[-1], style), hang=4)


def _row(item: ListedToken) -> Sequence[str]:
    token = item.token
    return (
        token.handle or "-",
        visible(item.client),
        visible(token.owner) or "-",
        _time(token.issued) or "not told",
        _time(token.until) or "refreshable or unknown",
        "-" if token.refreshes is None else "no limit" if token.refreshes < 0 else str(token.refreshes),
        visible(" ".join(sorted(token.scopes))) or "-",
    )


def tokens_document(page: TokenPage) -> dict[str, Any]:
    """The document of `tokens list -o json`."""
    return {
        "format": "oauthdeploy/tokens",
        "format_version": VERSION,
        "total": len(page.tokens),
        "page": page.page,
        "pages": page.pages,
        "servers": list(page.servers),
        "silent": list(page.silent),
        "unreachable": list(page.down),
        "clients": [
            {"server": server, "client": client, "tokens": number}
            for (server, client), number in sorted(Counter((i.server, i.client) for i in page.tokens).items())
        ],
        "tokens": [
            {
                "handle": item.token.handle,
                "server": item.server,
                "client": item.client,
                "client_id": item.token.client,
                "owner": item.token.owner,
                "scopes": sorted(item.token.scopes),
                "issued": _time(item.token.issued) or None,
                "until": _time(item.token.until) or None,
                "refreshes": item.token.refreshes,
            }
            for item in page.shown
        ],
    }


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
