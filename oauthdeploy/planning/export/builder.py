"""Builds the edits with which a manifest has an empty plan against its live servers. Pure.

Only values that are not a server's default are written, and a value that several servers share is written once. Differences
between servers become `overrides` of settings and of what scopes open, and `on`. An entry of scopes or clients has one value
for every other field, so a field that differs is left unmanaged and reported in a finding, as is everything else that a
manifest cannot express. Entries that the servers fulfil already are not rewritten.

With a source and a target, the edits declare the source's values on both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from oauthdeploy.core.addresses import Address, Kind, object_address
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.model.capabilities import Capability
from oauthdeploy.model.objects import Client, Side
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.export.associations import Associations
from oauthdeploy.planning.export.client_ids import changed_ids
from oauthdeploy.planning.export.client_matching import LiveClient, group_clients
from oauthdeploy.planning.export.draft import Draft
from oauthdeploy.planning.export.entries import Entries
from oauthdeploy.planning.export.settings import export_settings
from oauthdeploy.planning.export.trusts import trusts
from oauthdeploy.planning.export.values import EntryEdit, Export, ExportOptions, Keys, Left, SettingsEdit
from oauthdeploy.planning.inventory import Inventory
from oauthdeploy.planning.omissions import changed_stock


def export(inventory: Inventory, options: ExportOptions, left: Collection[Left] = ()) -> Export:
    """The edits; `left` are fields that a manifest cannot express."""
    draft = Draft(inventory, options, frozenset(left))
    kinds = options.kinds
    _report_unseen(draft)
    entries, groups = Entries(draft), _groups(draft)
    scopes = list(_scopes(draft, entries, groups)) if Kind.SCOPE in kinds else []
    # What a list of scopes may name depends on the scopes, and whether it is written on the clients.
    associations = Associations(draft, groups)
    clients = list(_clients(draft, entries, groups)) if Kind.CLIENT in kinds else []
    if Kind.CLIENT in kinds and options.source is not None and options.target is not None:
        taken = [group for group in groups if options.takes(group.key)]
        draft.findings += changed_ids(inventory, options.source, options.target, taken)
    return Export(
        scopes=tuple(scopes),
        clients=tuple(clients),
        settings=_settings(draft) if Kind.SETTINGS in kinds else SettingsEdit(),
        associations=dict(associations.lists()) if Kind.ASSOCIATION in kinds else {},
        listing=_listing(inventory),
        trusts=dict(trusts(draft)) if Kind.TRUST in kinds else {},
        findings=Diagnostics.of(draft.findings),
        omissions=tuple(sorted(set(draft.omissions))),
    )


def _report_unseen(draft: Draft) -> None:
    """Report what could not be read, and what no manifest holds of what was."""
    kinds, options = draft.options.kinds, draft.options
    for server, state in sorted(draft.inventory.live.servers.items()):
        for kind, why in (*state.unreadable.items(), *state.hidden.items()):
            draft.report("export-unreadable", f"{kind}@{server}", f"{why.summary}. {why.detail}".strip(), why.fix)
        for address, found in sorted(state.foreign.items()):
            if address.kind in kinds and options.takes(address.name):
                draft.omit(object_address(address.kind, address.name), "", found.why)
        for address in state.changed_stock:
            external = (address.kind, address.name) in draft.external
            named = address.name in draft.named.get(address.kind, ()) and not external
            if address.kind in kinds and options.takes(address.name) and not named:
                draft.omissions += changed_stock(state, address)


def _settings(draft: Draft) -> SettingsEdit:
    made = export_settings(draft.inventory, draft.options, draft.left)
    for server, state in sorted(draft.inventory.live.servers.items()):
        address = Address.singleton(Kind.SETTINGS, server)
        if there := state.objects.get(address):
            list(draft.unparsed(str(address), {server: there}))
            draft.unheld(str(address), {server: there})
    for edit in made.options:
        if edit.gone:
            draft.report_dropped_option("settings", edit)
    return made


def _listing(inventory: Inventory) -> tuple[Keys, ...]:
    """The options that list some of the associations of a client."""
    drivers = [inventory.driver(server) for server in inventory.live.servers]
    return tuple(sorted({(one.name, one.default_scopes_option) for one in drivers if one.default_scopes_option}))


def _scopes(draft: Draft, entries: Entries, groups: Iterable[LiveClient]) -> Iterator[EntryEdit]:
    found: dict[str, dict[str, LiveObject]] = defaultdict(dict)
    for server in draft.inventory.read(Kind.SCOPE):
        for address, there in draft.inventory.live.servers[server].objects.items():
            if address.kind is Kind.SCOPE:
                found[address.name][server] = there
    needed = _unusual_scopes(draft, groups)
    for name in sorted(found.keys() | draft.named[Kind.SCOPE] | draft.words.keys()):
        if not draft.options.takes(name):
            continue
        sides = found.get(name, {})
        own = not all(there.built_in for there in sides.values()) or (
            name in draft.words and name not in draft.made_by_target
        )
        if name in draft.named[Kind.SCOPE] or own:
            yield from entries.entry(Kind.SCOPE, name, sides)
            continue
        if name in needed or name in draft.words:
            draft.named[Kind.SCOPE].add(name)
            everywhere = set(sides) == set(draft.inventory.holders(Kind.SCOPE))
            yield EntryEdit(name, values={"external": True}, on=None if everywhere else tuple(sides))


def _unusual_scopes(draft: Draft, groups: Iterable[LiveClient]) -> frozenset[str]:
    """The scopes that lists must name: some client has them although a new client does not get them, or the reverse. A copy to a
    server that keeps only their names needs all that clients have.
    """
    found = {scope for group in groups for there in group.sides.values() for scope in there.lacks}
    for server in draft.inventory.read(Kind.ASSOCIATION):
        for address, there in draft.inventory.live.servers[server].objects.items():
            if address.kind is Kind.ASSOCIATION and (draft.keeps_words or not there.built_in):
                found.add(address.scope)
    return frozenset(found)


def _groups(draft: Draft) -> tuple[LiveClient, ...]:
    live = draft.inventory.live.servers
    chooses = {
        name
        for name in draft.inventory.tables
        if draft.inventory.can(name, Capability.CLIENT_ID_CHOICE) and not (name in live and live[name].makes_client_ids)
    }
    source, target = draft.options.source, draft.options.target
    kept_from = source if source is not None and target in chooses else None
    sides = draft.inventory.read(Kind.CLIENT)
    ordered = sorted(sides, key=lambda name: Side.AUTHORIZATION not in draft.inventory.entry(name).role.sides)
    return group_clients(draft.inventory.desired, draft.inventory.live, ordered, chooses, kept_from)


def _clients(draft: Draft, entries: Entries, groups: Iterable[LiveClient]) -> Iterator[EntryEdit]:
    known = {group.key: group for group in groups}
    for key in sorted(known.keys() | draft.named[Kind.CLIENT]):
        group = known.get(key, LiveClient(key))
        names = [there.value.name for there in group.sides.values() if isinstance(there.value, Client)]
        if draft.options.takes(key, *(name for name in names if name)):
            yield from entries.entry(Kind.CLIENT, key, group.sides, group.former)
