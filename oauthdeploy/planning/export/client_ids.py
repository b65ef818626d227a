"""Clients whose client_id changes in a copy of a server. Pure.

RFC 6749 section 2.2: the authorization server chooses the client_id. Applications are configured with it, and tokens contain
it. A server that accepts client ids gets the key of the entry; others generate one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.planning.export.client_matching import LiveClient
from oauthdeploy.planning.inventory import Inventory

RULE = "export-client-id-changes"

_SHOWN = 20


def changed_ids(inventory: Inventory, source: str, target: str, groups: Iterable[LiveClient]) -> Iterator[Diagnostic]:
    """One finding for each reason; each names the clients with their ids on the source."""
    generates = inventory.live.servers[target].makes_client_ids
    generated, by_key, existing = [], [], []
    for group in groups:
        there = group.sides.get(source)
        if there is None or not there.client_id:
            continue
        other = group.sides.get(target)
        named = f"{group.key} ({there.client_id})"
        if other is not None:
            if other.client_id and other.client_id != there.client_id:
                existing.append(f"{named[:-1]}, on {target} {other.client_id})")
        elif generates:
            generated.append(named)
        elif group.key != there.client_id:
            by_key.append(named)
    fix = (
        f"Configure the applications that use {target} with its client_id. Tokens of {source} carry the ids of {source}, so "
        f"block clients there."
    )
    for clients, why, mend in (
        (generated, f"{target} generates client ids. These clients get other ids there than on {source}", fix),
        (
            by_key,
            f"{target} gets the keys of the manifest as client ids. These clients have other ids on {source}",
            "Rename their keys to the ids before you apply, to keep the ids.",
        ),
        (existing, f"These clients have other ids on {source} than on {target}, and an id cannot be changed", fix),
    ):
        if clients:
            more = f" and {len(clients) - _SHOWN} more" if len(clients) > _SHOWN else ""
            yield Diagnostic(
                RULE,
                "Clients do not keep their client_id",
                f"{why}: {', '.join(clients[:_SHOWN])}{more}.",
                mend,
                severity=Severity.WARNING,
            )
