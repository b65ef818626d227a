"""Entries that can't both be meant: absent and in use, renamed and kept, joined twice."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, client_finding, rule
from oauthdeploy.manifest.rules.context import Pair, RuleContext


def _pair_address(pair: Pair) -> str:
    return Address.association(pair.client, pair.scope, "").without_server


@rule(
    "absent-client-in-use",
    Severity.ERROR,
    "Client is marked absent but has associations",
    reason="An association needs its client, so one of the two entries is a mistake.",
    source="oauthdeploy manifest, version 1: associations",
    fix="Remove the client from the associations, or remove state: absent.",
    bad="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
clients:
  legacy-batch: {state: absent}
associations:
  - {client: legacy-batch, scopes: [orders.read]}
""",
    good="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
clients:
  legacy-batch: {state: absent}
  batch: {type: public}
associations:
  - {client: batch, scopes: [orders.read]}
""",
)
def absent_client(context: RuleContext) -> Iterator[Finding]:
    """An association of a client that shall go."""
    for pair in context.pairs if context.absent_clients else ():
        if pair.client in context.absent_clients:
            detail = f"{pair.client} is marked absent, but it is associated with {pair.scope}."
            yield Finding(pair.path, detail, _pair_address(pair))


@rule(
    "absent-scope-in-use",
    Severity.ERROR,
    "Scope is marked absent but still in use",
    reason="A scope that a client may request can't be removed: the server refuses, and the apply fails halfway.",
    source="webMethods Integration Server, Deleting Scopes",
    fix="Remove the scope from the associations, or remove state: absent.",
    bad="""
scopes:
  orders.read: {state: absent}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.read]}
""",
    good="""
scopes:
  orders.read: {state: absent}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: []}
""",
)
def absent_scope(context: RuleContext) -> Iterator[Finding]:
    """An association of a scope that shall go."""
    for pair in context.pairs if context.absent_scopes else ():
        if pair.scope in context.absent_scopes:
            detail = f"{pair.scope} is marked absent, but {pair.client} may request it."
            yield Finding(pair.path, detail, _pair_address(pair))


@rule(
    "association-duplicate",
    Severity.INFO,
    "Association is listed twice",
    reason="The second entry has no effect. If you later remove the first, the association stays.",
    source="oauthdeploy manifest, version 1: associations",
    fix="Remove one of the two.",
    bad="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.read]}
  - {scope: orders.read, clients: [mobile]}
""",
    good="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.read]}
""",
)
def association_duplicate(context: RuleContext) -> Iterator[Finding]:
    """The same client and scope, from either end."""
    if len(set(map(itemgetter(0, 1), context.pairs))) == len(context.pairs):
        return
    seen: set[tuple[str, str]] = set()
    for pair in context.pairs:
        key = (pair.client, pair.scope)
        if key in seen:
            yield Finding(
                pair.path, f"{pair.client} and {pair.scope} are already associated above.", _pair_address(pair)
            )
        seen.add(key)


@rule(
    "moved-from-still-there",
    Severity.ERROR,
    "Client is renamed from a client that still has its own entry",
    reason="A rename takes over the old client, so the old key can be neither kept nor removed as a separate client.",
    source="oauthdeploy manifest, version 1: moved_from",
    fix="Remove the old entry, or remove moved_from.",
    bad="""
clients:
  web-shop: {type: public, moved_from: webshop}
  webshop: {type: public}
""",
    good="""
clients:
  web-shop: {type: public, moved_from: webshop}
""",
)
def moved_still_there(context: RuleContext) -> Iterator[Finding]:
    """moved_from names a key of the manifest, the client's own included."""
    entries = context.document.clients or {}
    for key, entry in context.clients_that_write("moved_from"):
        if entry.moved_from is not None and entry.moved_from in entries:
            yield client_finding(key, "moved_from", f"{entry.moved_from} has an entry in this manifest.")


@rule(
    "moved-from-twice",
    Severity.ERROR,
    "Two clients are renamed from the same client",
    reason="Only one client can take over the old one.",
    source="oauthdeploy manifest, version 1: moved_from",
    fix="Keep moved_from on one of them.",
    bad="""
clients:
  web-shop: {type: public, moved_from: webshop}
  shop: {type: public, moved_from: webshop}
""",
    good="""
clients:
  web-shop: {type: public, moved_from: webshop}
  shop: {type: public}
""",
)
def moved_twice(context: RuleContext) -> Iterator[Finding]:
    """The same moved_from in two entries."""
    owners: dict[str, str] = {}
    for key, entry in context.clients_that_write("moved_from"):
        if entry.moved_from is None:
            continue
        other = owners.setdefault(entry.moved_from, key)
        if other != key:
            yield client_finding(key, "moved_from", f"{other} is also renamed from {entry.moved_from}.")


RULES: tuple[Rule, ...] = (absent_client, absent_scope, association_duplicate, moved_still_there, moved_twice)
