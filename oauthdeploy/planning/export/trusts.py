"""The trusts of resource servers in an export."""

from __future__ import annotations

from collections.abc import Iterator

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.objects import Side, Trust
from oauthdeploy.planning.export.draft import Draft


def trusts(draft: Draft) -> Iterator[tuple[str, str | None]]:
    """The trust of each resource server, if the manifest has an entry for the trusted server but does not declare the
    trust.
    """
    for server in draft.inventory.read(Kind.TRUST) if draft.options.source is None else ():
        there = draft.inventory.live.servers[server].objects.get(Address.singleton(Kind.TRUST, server))
        if there is None or not isinstance(there.value, Trust):
            continue
        now, trusted = draft.inventory.entry(server).authorization_server, there.value.authorization_server
        known = trusted in draft.inventory.desired.servers and (Kind.TRUST.value, server, "") not in draft.left
        if known and Side.AUTHORIZATION in draft.inventory.entry(trusted).role.sides:
            if now != trusted:
                yield server, trusted
        elif now is not None:
            why = f"{server} trusts '{trusted}', which a manifest cannot express"
            draft.omit(f"trust@{server}", "", why, "Add that server, with the driver external.")
            yield server, None
