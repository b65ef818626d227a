"""The ids of renamed clients, from the journals, for servers that generate ids and store no mark.

Such a server identifies a client by its name and version. If a manifest changes the key and the name at once, nothing on the
server leads to the client, but the run that created it recorded the id.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.errors import JournalFailed
from oauthdeploy.model.identities import Identity
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.outcome import Status
from oauthdeploy.running.journal import journals_in, read_journal


def journaled_identities(folder: Path, desired: DesiredState) -> Mapping[Address, Identity]:
    """The id of each client of a manifest's `moved_from`, by its former address, from the last journal that names it.

    Journals that cannot be read are skipped.
    """
    former = {Address(address.kind, name, address.server) for address, name in desired.moved.items()}
    sought = {str(address) for address in former - desired.objects.keys() - desired.identities.keys()}
    found: dict[Address, Identity] = {}
    for path in reversed(journals_in(folder, desired.name)) if sought else ():
        for written, identity in _identities(path, sought).items():
            found[Address.parse(written)] = Identity(id=identity)
            sought.discard(written)
        if not sought:
            break
    return {address: identity for address, identity in found.items() if identity.id}


def _identities(path: Path, sought: set[str]) -> Mapping[str, str]:
    """The ids of clients in a journal; "" for a deleted one."""
    try:
        data = path.read_bytes()
        if not any(address.encode() in data for address in sought):
            return {}
        records = read_journal(path).records
    except (OSError, JournalFailed):
        return {}
    found = {}
    for record in records:
        address = str(record.get("address"))
        if address in sought and record.get("status") == Status.DONE.value:
            found[address] = "" if record["action"] == Action.DELETE.value else str(record.get("identity", ""))
    return found
