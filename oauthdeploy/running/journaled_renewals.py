"""How long clients were without a valid secret at their last renewal, from the journals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.errors import JournalFailed
from oauthdeploy.model.fields import parse_time
from oauthdeploy.planning.run_history import End
from oauthdeploy.running.journal import journals_in, read_run_history

_RENEWED = "secret.revision"


def journaled_renewals(folder: Path, name: str, clients: Collection[Address]) -> Mapping[Address, float]:
    """The seconds that the last renewal of each client took, from replacing the old secret to delivering the new one.

    If a journal does not say how long that was, it is the time of the whole change. `name` is the manifest's. Journals that
    cannot be read are skipped.
    """
    sought, found = set(clients), dict[Address, float]()
    for path in reversed(journals_in(folder, name)) if sought else ():
        try:
            if _RENEWED.encode() not in path.read_bytes():
                continue
            entries = read_run_history(path).entries
        except (OSError, JournalFailed):
            continue
        for entry in entries:
            if entry.address in sought and entry.end is End.DONE and _RENEWED in entry.fields:
                took = (parse_time(entry.ended) - parse_time(entry.sent)).total_seconds()
                found[entry.address] = took if entry.secret_gap is None else entry.secret_gap
        sought -= found.keys()
        if not sought:
            break
    return found
