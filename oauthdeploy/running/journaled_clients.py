"""By which id a server knows a client that is renamed, by the journals: for servers that make ids and keep no mark.

Such a server tells a client by its name and version. Where a manifest changes the key and the name at once, nothing that it says
leads to the client, but the run that created it recorded the id.
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
    """The id of each client of a manifest's `moved_from`, by its former address, as the last journal that names it has it.

    A journal that can't be read is passed over.
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
    """The ids that a journal has of clients; "" of one that was deleted."""
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
