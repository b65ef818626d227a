"""When earlier runs cut clients off, from their journals, for servers that keep no record of it.

A server that lists its tokens, such as an Integration Server, has no place to record that a `tokens: all` was carried out.
Without its time, each apply would delete the tokens that the client has obtained since.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import JournalFailed
from oauthdeploy.model.objects import Revocation
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.outcome import Status
from oauthdeploy.running.journal import journals_in, plain, read_journal

_MARK = b'"cut_at":'


def journaled_cut_offs(folder: Path, desired: DesiredState) -> dict[Address, float]:
    """The time of each `tokens: all` of a manifest that a journal in `folder` records, in seconds since 1970.

    A revocation counts as carried out if it had the same content then. A journal that cannot be read is skipped; the tokens are
    then deleted once more.
    """
    sought = {
        str(address): plain(value)
        for address, value in desired.objects.items()
        if address.kind is Kind.REVOCATION and isinstance(value, Revocation) and value.tokens == "all"
    }
    found: dict[Address, float] = {}
    for path in reversed(journals_in(folder, desired.name)) if sought else ():
        for written, moment in _moments(path, sought).items():
            found.setdefault(Address.parse(written), moment)
        if len(found) == len(sought):
            break
    return found


def _moments(path: Path, sought: Mapping[str, Any]) -> Mapping[str, float]:
    try:
        if _MARK not in path.read_bytes():
            return {}
        records = read_journal(path).records
    except (OSError, JournalFailed):
        return {}
    requested: dict[str, Any] = {}
    found: dict[str, float] = {}
    for record in records:
        address = str(record.get("address"))
        if address not in sought:
            continue
        if record["type"] == "intent":
            requested[address] = record["after"]
        elif record.get("status") == Status.DONE.value and "cut_at" in record:
            if _selection(requested.get(address)) != _selection(sought[address]):
                continue
            found[address] = float(record["cut_at"])
    return found


def _selection(written: Any) -> Any:
    """What a revocation cuts off, without its reason and its expiry."""
    names = ("client", "tokens", "owner", "scope", "handles")
    return [written.get(name) for name in names] if isinstance(written, Mapping) else None
