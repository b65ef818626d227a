"""The objects of a realm in the manifest's form: from what was read to live objects. Only three of them send requests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from json.encoder import encode_basestring_ascii
from typing import Any

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import Forbidden
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.common_steps import ownership_of, parsed
from oauthdeploy.drivers.field_table import read_fields
from oauthdeploy.drivers.json_values import fingerprint
from oauthdeploy.drivers.keycloak import client as api
from oauthdeploy.drivers.keycloak import scopes as scope_mapping
from oauthdeploy.drivers.keycloak.client import AdminApi
from oauthdeploy.drivers.keycloak.everything import scope_told, settings_told
from oauthdeploy.drivers.keycloak.facts import BUILT_IN_SCOPES
from oauthdeploy.drivers.keycloak.fields import ASSOCIATION, LISTS, LiveAssociation
from oauthdeploy.drivers.keycloak.mapping import HOLDER, LiveClient, marks_of, options_of, read_client, with_options
from oauthdeploy.drivers.keycloak.policies import Rule, enforced, entries, named_profiles
from oauthdeploy.drivers.keycloak.revocation_state import live_revocation, was_carried_out
from oauthdeploy.drivers.keycloak.scopes import LiveScope, read_scope
from oauthdeploy.drivers.keycloak.secret_fields import keeps_secrets, sealed
from oauthdeploy.drivers.keycloak.settings import is_whole, read_settings, settings_fingerprint
from oauthdeploy.model.objects import AssignedAs, Association, Client, Revocation, Scope, Settings
from oauthdeploy.model.state import LiveObject


def client_object(live: LiveClient, desired: Client | None, flows: Mapping[str, str], ours: str) -> LiveObject:
    """A live client in the manifest's form. `flows` are aliases by id."""
    written = options_of(desired)[0]
    if keeps_secrets(written):
        live = read_client(sealed(live.raw, written))
    value, odd = with_options(live, desired, flows)
    return LiveObject(
        value,
        live.uuid,
        live.fingerprint,
        ownership=ownership_of(live.owner, ours),
        owner=live.owner,
        client_id=live.client_id,
        revision=live.revision,
        renewed_by=str(marks_of(live.raw).get(HOLDER, "")),
        unparsed=odd,
    )


def has_flows(desired: Client | None) -> bool:
    """Whether the manifest binds authentication flows to a client."""
    return "authentication_flows" in options_of(desired)[0]


def flow_aliases(admin: AdminApi) -> Mapping[str, str]:
    """The authentication flows of the realm: alias by id."""
    return {str(one.get("id")): str(one.get("alias")) for one in admin.flows()}


def associations_by_client(objects: Iterable[Address]) -> Mapping[str, frozenset[str]]:
    """The scopes that the manifest associates with each client."""
    found: dict[str, set[str]] = {}
    for address in objects:
        if address.kind is Kind.ASSOCIATION:
            found.setdefault(address.client, set()).add(address.scope)
    return {client: frozenset(scopes) for client, scopes in found.items()}


def unlisted_scopes(wanted: Wanted) -> Mapping[str, frozenset[str]]:
    """The scopes that the manifest names and the written list of a client leaves out: a new client does not keep them."""
    named = {a.scope for a in (*wanted.objects, *wanted.external) if a.kind in (Kind.SCOPE, Kind.ASSOCIATION)}
    given = associations_by_client(wanted.objects)
    return {client: frozenset(named - given.get(client, frozenset())) for client in wanted.listed}


def scope_object(live: LiveScope, desired: Scope | None, new_clients: str, ours: str) -> LiveObject:
    """A live client scope in the manifest's form; `new_clients` is how new clients get it."""
    written = scope_mapping.options_of(desired)[0]
    if keeps_secrets(written):
        live = read_scope(sealed(live.raw, written))
    value, odd = scope_mapping.with_options(live, desired, new_clients)
    return LiveObject(
        value,
        live.uuid,
        live.fingerprint,
        ownership=ownership_of(live.owner, ours),
        owner=live.owner,
        unparsed=odd,
    )


def with_all_of_scope(made: LiveObject, live: LiveScope, way: str) -> LiveObject:
    """The same with all of the client scope; Keycloak's own are looked at apart (`fresh`)."""
    if live.name in BUILT_IN_SCOPES:
        return replace(made, built_in=True)
    options, unheld = scope_told(live, way)
    return replace(made, options=options, unheld=unheld)


def association_object(live: LiveClient, scope: str, *, built_in: bool = False) -> LiveObject:
    """A live association, with whether it is default or optional, and whether every new client gets it (`built_in`)."""
    default = scope in live.default
    mark = association_fingerprint(live.uuid, scope, default=default)
    if live.scopes_unparsed:
        value = read_fields(ASSOCIATION, LiveAssociation(live.raw, scope)).build(Association)
    else:
        value = _association(default=default)
    return LiveObject(value, live.uuid, mark, built_in=built_in)


def association_fingerprint(client: str, scope: str, *, default: bool) -> str:
    """`fingerprint` of what is known of an association. A large realm has a hundred thousand, so its text is written here."""
    called, names = encode_basestring_ascii(client), encode_basestring_ascii(scope)
    text = f'{{"client":{called},"default":{"true" if default else "false"},"scope":{names}}}'
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _association(*, default: bool) -> Association:
    """One of the only two that there are; a realm has thousands of each."""
    lists = {LISTS[AssignedAs.DEFAULT]: ["one"] if default else []}
    return read_fields(ASSOCIATION, LiveAssociation(lists, "one")).build(Association)


def revocation_object(
    admin: AdminApi, name: str, value: Revocation, live: LiveClient | None, *, urgent: bool
) -> LiveObject:
    """What a revocation still has to do, according to the client's not-before, its sessions and the mark of what was done.

    If it is `urgent`, sessions are read only if they decide whether there is something to do.
    """
    if live is None:
        return live_revocation(value, None, (), fingerprint({"client": None}))
    sessions: Sequence[Mapping[str, Any]] | None = None
    if value.tokens is not None and (not urgent or was_carried_out(value, live, name)):
        sessions = admin.all_sessions(live.uuid)
    state = {"client": live.uuid, "enabled": live.value.enabled is not False, "not_before": live.not_before}
    return parsed(
        admin.http.server,
        "GET",
        api.USER_SESSIONS,
        lambda: live_revocation(value, live, sessions, fingerprint(state), name=name),
    )


def settings_of(
    admin: AdminApi, realm: Mapping[str, Any], desired: Settings | None, *, whole: bool = False
) -> LiveObject:
    """The settings of a realm in the manifest's form; all of them with `whole`. Raises Forbidden if they are withheld."""
    if not is_whole(realm):
        raise Forbidden(
            f"'{admin.http.server}' does not show this account the settings of the realm",
            server=admin.http.server,
            method="GET",
            path=api.REALM,
            fix="Give the account the role view-realm.",
        )

    def read() -> LiveObject:
        policies = entries(realm.get("clientPolicies", {}), "policies")
        profiles = list(entries(realm.get("clientProfiles", {}), "profiles"))
        if not named_profiles(policies) <= {str(one.get("name")) for one in profiles}:
            profiles += entries(admin.profiles(everywhere=True), "globalProfiles")

        def holds(rule: Rule) -> Mapping[str, Any] | None:
            return enforced(rule, profiles, policies)

        value, odd = read_settings(realm, desired, holds)
        options, unheld = settings_told(realm, holds) if whole else ({}, {})
        return LiveObject(value, fingerprint=settings_fingerprint(realm), unparsed=odd, options=options, unheld=unheld)

    return parsed(admin.http.server, "GET", api.REALM, read)
