"""Reads a realm: Keycloak's JSON becomes live objects in the manifest's form."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, Final, NoReturn, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.core.errors import Forbidden, ServerError, Unauthorized, UnexpectedAnswer, Unreachable
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.common_steps import at_once, parsed, reading_kinds, warning_of
from oauthdeploy.drivers.json_values import fingerprint
from oauthdeploy.drivers.keycloak import client as api
from oauthdeploy.drivers.keycloak import fresh
from oauthdeploy.drivers.keycloak import scopes as scope_mapping
from oauthdeploy.drivers.keycloak.client import AdminApi
from oauthdeploy.drivers.keycloak.everything import client_told, has_like_new, lacking
from oauthdeploy.drivers.keycloak.facts import BUILT_IN_CLIENTS, BUILT_IN_SCOPES
from oauthdeploy.drivers.keycloak.live_objects import (
    association_object,
    client_object,
    flow_aliases,
    has_flows,
    revocation_object,
    scope_object,
    settings_of,
    with_all_of_scope,
)
from oauthdeploy.drivers.keycloak.mapping import LiveClient, read_client
from oauthdeploy.drivers.keycloak.revocation_state import live_revocation
from oauthdeploy.drivers.keycloak.scopes import LiveScope, read_scope
from oauthdeploy.drivers.keycloak.stock import LISTS as STOCK_LISTS
from oauthdeploy.drivers.keycloak.stock import SERVICE_ACCOUNT
from oauthdeploy.drivers.keycloak.visibility import Sight, filtered
from oauthdeploy.model.objects import Client, Object, Revocation, Scope, Settings
from oauthdeploy.model.state import LiveObject, ServerState, Unheld

T = TypeVar("T")

BUILT_IN_CLIENT: Final = "realm-management"
BUILT_IN_SCOPE: Final = "basic"

FEW: Final = 8
"""The number of clients that are read one by one; for more of them, pages are cheaper."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The form of an id that Keycloak generates."""


class Reader(Struct, frozen=True, dict=True):
    """One reading of one realm.

    `realm` is its JSON, None if it is still to be created; `scope_ids` are the ids of client scopes by name, from earlier
    readings. `sight` is what the account may see. `known` is how many clients were there when they were last read; `before` has
    those of a reading of everything, by id.
    """

    server: str
    admin: AdminApi
    wanted: Wanted
    realm: Mapping[str, Any] | None
    scope_ids: Mapping[str, str]
    sight: Sight
    known: int = 0
    before: Mapping[str, LiveClient] = field(default_factory=dict)
    objects: dict[Address, LiveObject] = field(default_factory=dict)
    unreadable: dict[Kind, Diagnostic] = field(default_factory=dict)
    hidden: dict[Kind, Diagnostic] = field(default_factory=dict)
    clients: dict[str, LiveClient] = field(default_factory=dict)
    scopes: dict[str, LiveScope] = field(default_factory=dict)
    accounts: dict[str, bool] = field(default_factory=dict)
    accounts_unread: list[Diagnostic] = field(default_factory=list)
    foreign: dict[Address, Mapping[str, Any]] = field(default_factory=dict)
    changed_stock: dict[Address, Mapping[str, Unheld]] = field(default_factory=dict)
    answers: dict[str, Callable[[], Any]] = field(default_factory=dict)

    def read(self) -> None:
        """Fill the collections. Raises Unreachable and Unauthorized."""
        if self.realm is None:
            self._nothing()
            return
        if not self.answers:
            self.look_ahead(least=2)
        kinds = self.wanted.kinds
        if Kind.SETTINGS in kinds:
            with self._reading(Kind.SETTINGS):
                self._settings(self.realm)
        if kinds & {Kind.SCOPE, Kind.ASSOCIATION}:
            with self._reading(*(kinds & {Kind.SCOPE, Kind.ASSOCIATION})):
                self._scopes()
        about_clients = kinds & {Kind.CLIENT, Kind.ASSOCIATION, Kind.REVOCATION}
        if about_clients:
            with self._reading(*about_clients):
                self._clients()
        if self.wanted.accounts:
            self._accounts()

    def look_ahead(self, least: int = 1) -> None:
        """Request at once all lists that will be needed, if there are at `least` so many.

        An error of one is raised where its answer is used: see `_answer`. Raises Unreachable and Unauthorized.
        """
        kinds, steps = self.wanted.kinds, dict[str, Callable[[], Any]]()
        if kinds & {Kind.SCOPE, Kind.ASSOCIATION}:
            steps["scopes"] = self._raw_scopes
        if kinds & {Kind.CLIENT, Kind.ASSOCIATION, Kind.REVOCATION}:
            steps["clients"] = self._raw
        if self._needs_realm_scopes:
            steps["realm scopes"] = self.admin.realm_scopes
        for name in self.wanted.accounts:
            steps[f"account {name}"] = partial(self.admin.user, name)

        def ask(step: Callable[[], Any]) -> Callable[[], Any]:
            try:
                found = step()
            except (Unreachable, Unauthorized):
                raise
            except ServerError as error:
                return partial(_raise, error)
            return lambda: found

        if len(steps) >= least:
            self.answers.update(zip(steps, at_once(self.admin.parallel, ask, steps.values()), strict=True))

    @property
    def _needs_realm_scopes(self) -> bool:
        """Whether the realm's lists are needed to return associations, or to create clients with some."""
        told = self.wanted.everything and Kind.ASSOCIATION in self.wanted.kinds
        return told or any(
            scope_mapping.asks_for_new_clients(v) for v in self.wanted.objects.values() if isinstance(v, Scope)
        )

    def _answer(self, name: str, ask: Callable[[], T]) -> T:
        """The answer of a request that was sent ahead, or is sent now. Raises what the request raised."""
        found: T = self.answers.pop(name, ask)()
        return found

    def _reading(self, *kinds: Kind) -> AbstractContextManager[None]:
        return reading_kinds(self.unreadable, self.objects, *kinds)

    def _is_hidden(self, kinds: Iterable[Kind], named: Collection[str], found: Collection[str], built_in: str) -> bool:
        """Whether a name that was not found may be hidden from the account: then its absence proves nothing.

        If every name was found, only objects that the manifest does not name may be hidden, and that is recorded. A complete
        list without `built_in`, which every realm has, was filtered.
        """
        missing = tuple(sorted(set(named) - set(found)))
        whole = self.wanted.everything and built_in in found
        if not (missing or self.wanted.everything) or self.sight.shows_all(whole_list=whole):
            return False
        for kind in kinds:
            (self.unreadable if missing else self.hidden)[kind] = filtered(self.server, kind, missing)
        return bool(missing)

    def _nothing(self) -> None:
        """A realm that does not exist is empty; a revocation is fulfilled, since there is no client to cut off."""
        for address, value in self.wanted.objects.items():
            if isinstance(value, Revocation):
                self.objects[address] = live_revocation(value, None, (), fingerprint({"client": None}))

    # -- settings ----------------------------------------------------------------------------------------------------

    def _settings(self, realm: Mapping[str, Any]) -> None:
        address = Address.singleton(Kind.SETTINGS, self.server)
        desired = self.wanted.objects.get(address)
        wanted = desired if isinstance(desired, Settings) else None
        live = settings_of(self.admin, realm, wanted, whole=self.wanted.whole)
        self.objects[address] = live

    # -- client scopes -----------------------------------------------------------------------------------------------

    def _scopes(self) -> None:
        raw = self._answer("scopes", self._raw_scopes)
        called = [one for one in raw if not scope_mapping.is_nameless(one)]
        found = parsed(self.admin.http.server, "GET", api.SCOPES, lambda: [read_scope(one) for one in called])
        self.scopes.update({live.name: live for live in found})
        named = {a.name for a in (*self.wanted.objects, *self.wanted.absent) if a.kind is Kind.SCOPE}
        kinds = self.wanted.kinds & {Kind.SCOPE}
        if self._is_hidden(kinds, named, self.scopes, BUILT_IN_SCOPE):
            return
        if Kind.SCOPE not in self.wanted.kinds:
            return
        nameless = (one for one in raw if scope_mapping.is_nameless(one))
        self.foreign.update({Address(Kind.SCOPE, str(one["id"]), self.server): one for one in nameless})
        for live in found:
            address = Address(Kind.SCOPE, live.name, self.server)
            if self.wanted.whole and live.name in fresh.objects(fresh.SCOPES):
                ways = (
                    (self._way(live.name), scope_mapping.way_to_new_clients(live.name, STOCK_LISTS))
                    if live.openid
                    else None
                )
                self._stock(address, live.raw, fresh.SCOPES, ways)
            if not live.openid:
                self.foreign[address] = live.raw
            elif self._told_scope(live):
                desired = self.wanted.objects.get(address)
                wanted = desired if isinstance(desired, Scope) else None
                asked = self.wanted.whole or scope_mapping.asks_for_new_clients(wanted)
                way = self._way(live.name) if asked else scope_mapping.NONE
                made = scope_object(live, wanted, way, self.wanted.owner)
                self.objects[address] = with_all_of_scope(made, live, way) if self.wanted.whole else made
        if self.wanted.whole:
            self._missing(Kind.SCOPE, fresh.SCOPES, self.scopes)

    def _missing(self, kind: Kind, section: str, there: Collection[str]) -> None:
        """What Keycloak makes itself and the realm does not have any more."""
        for name in fresh.objects(section).keys() - set(there):
            self.changed_stock[Address(kind, name, self.server)] = {"": Unheld(fresh.MISSING, "missing", "there")}

    def _stock(
        self, address: Address, raw: Mapping[str, Any], section: str, ways: tuple[str, str] | None = None
    ) -> None:
        """What of an object that Keycloak makes itself is otherwise; `ways` are how new clients get a scope, and do usually."""
        given = self._realm_scopes if self.scopes else None
        found = dict(fresh.changed(raw, section, address.name, self.admin.realm_name, given))
        if ways is not None and ways[0] != ways[1]:
            found["new_clients"] = Unheld(fresh.CHANGED, *ways)
        if found:
            self.changed_stock[address] = found

    def _raw_scopes(self) -> Sequence[Mapping[str, Any]]:
        """All of them in one request; single requests if the manifest mentions few and their ids are known."""
        ids = [self.scope_ids.get(name) for name in sorted(self._named_scopes)]
        # The list of client scopes has no pages (docs/servers.md, "Scopes of a client"), so for a few of them single
        # requests are cheaper.
        if self.wanted.everything or len(ids) > FEW or None in ids:
            return self.admin.scopes()
        asked = at_once(self.admin.parallel, self.admin.scope, [uuid for uuid in ids if uuid is not None])
        return [raw for raw in asked if raw is not None]

    @cached_property
    def _named_scopes(self) -> frozenset[str]:
        """The scopes that the manifest mentions."""
        addresses = (*self.wanted.objects, *self.wanted.absent, *self.wanted.external)
        return frozenset(a.scope for a in addresses if a.kind in (Kind.SCOPE, Kind.ASSOCIATION))

    def _told_scope(self, live: LiveScope) -> bool:
        """Whether a client scope is returned: Keycloak's own only if the manifest names them or everything is wanted."""
        return self.wanted.whole or live.name not in BUILT_IN_SCOPES or live.name in self._named_scopes

    @property
    def known_realm_scopes(self) -> tuple[frozenset[str], frozenset[str]] | None:
        """The scopes that new clients get as default and as optional scopes, if that was read."""
        if "realm scopes" in self.answers:
            with suppress(ServerError):
                return self._realm_scopes
        return self._realm_scopes if "_realm_scopes" in self.__dict__ else None

    @cached_property
    def _given_scopes(self) -> frozenset[str]:
        """The scopes that clients get automatically: they are not associations unless the manifest says so."""
        defaults, optionals = self._realm_scopes
        return (BUILT_IN_SCOPES | defaults | optionals) - self._named_scopes

    @cached_property
    def _realm_scopes(self) -> tuple[frozenset[str], frozenset[str]]:
        return self._answer("realm scopes", self.admin.realm_scopes)

    def _way(self, scope: str) -> str:
        return scope_mapping.way_to_new_clients(scope, self._realm_scopes)

    # -- clients and their parts ---------------------------------------------------------------------------------------

    def _clients(self) -> None:
        raws = self._answer("clients", self._raw)
        lives = parsed(self.admin.http.server, "GET", api.CLIENTS, lambda: [self._live(raw) for raw in raws])
        for live in lives:
            self.clients[live.client_id] = live
        named = self._named_clients - {
            former for address, former in self.wanted.moved.items() if address.client in self.clients
        }
        about = self.wanted.kinds & {Kind.CLIENT, Kind.ASSOCIATION, Kind.REVOCATION}
        if self._is_hidden(about, named, self.clients, BUILT_IN_CLIENT):
            return
        for live in lives:
            key = self._key(live)
            if not live.openid:
                self.foreign[Address(Kind.CLIENT, key, self.server)] = live.raw
                continue
            if live.client_id in BUILT_IN_CLIENTS and key not in self._named_clients:
                if self.wanted.whole:
                    self._stock(Address(Kind.CLIENT, key, self.server), live.raw, fresh.CLIENTS)
                continue
            if Kind.CLIENT in self.wanted.kinds:
                self._client(key, live)
            if Kind.ASSOCIATION in self.wanted.kinds and Kind.ASSOCIATION not in self.unreadable:
                with self._reading(Kind.ASSOCIATION):
                    self._associations(key, live)
        if self.wanted.whole:
            self._missing(Kind.CLIENT, fresh.CLIENTS, self.clients)
        if Kind.REVOCATION in self.wanted.kinds:
            with self._reading(Kind.REVOCATION):
                self._revocations()

    def _live(self, raw: Mapping[str, Any]) -> LiveClient:
        return read_client(raw, self.before.get(str(raw.get("id"))))

    @cached_property
    def _named_clients(self) -> frozenset[str]:
        """The clients that the manifest mentions, by client_id, including former ones."""
        named = (*self.wanted.objects, *self.wanted.absent, *self.wanted.external)
        about = [a for a in named if a.kind in (Kind.CLIENT, Kind.ASSOCIATION)]
        cut_off = {value.client for value in self.wanted.objects.values() if isinstance(value, Revocation)}
        return frozenset({address.client for address in about} | set(self.wanted.moved.values()) | cut_off)

    def _key(self, live: LiveClient) -> str:
        """The client_id; the id if the manifest uses that for the client, and has no other client with that client_id."""
        by_id = live.uuid in self._named_clients and live.client_id not in self._named_clients
        return live.uuid if by_id and not self._is_wanted(live.uuid) else live.client_id

    def _is_wanted(self, key: str) -> bool:
        return Address(Kind.CLIENT, key, self.server) in self.wanted.objects

    def _raw(self) -> Sequence[Mapping[str, Any]]:
        names = sorted(self._named_clients)
        # `?clientId=` matches exactly (docs/servers.md, "Reading"), so a few clients cost one request each and no page.
        if self.wanted.everything or len(names) > FEW:
            return self.admin.clients(self.known, len(names))
        return [raw for raw in at_once(self.admin.parallel, self._called, names) if raw is not None]

    def _called(self, name: str) -> Mapping[str, Any] | None:
        """The client with a client_id, or with an id if that is what the manifest uses."""
        found = self.admin.client_called(name)
        return self.admin.client(name) if found is None and _UUID.fullmatch(name) else found

    def _client(self, key: str, live: LiveClient) -> None:
        address = Address(Kind.CLIENT, key, self.server)
        # A client that is still to be renamed has its former name, and is wanted under its new one.
        desired = self.wanted.objects.get(address) or self._renamed.get(key)
        wanted = desired if isinstance(desired, Client) else None
        bound = self.wanted.whole and live.raw.get("authenticationFlowBindingOverrides")
        flows = self._flows if bound or has_flows(wanted) else {}
        made = client_object(live, wanted, flows, self.wanted.owner)
        if self.wanted.whole:
            options, unheld = client_told(live, flows, self.scopes)
            made = replace(made, options=options, unheld=unheld, lacks=lacking(live, self.scopes))
        self.objects[address] = made

    @cached_property
    def _renamed(self) -> Mapping[str, Object]:
        """The desired state of clients to be renamed, by their former names."""
        moved = self.wanted.moved.items()
        return {former: self.wanted.objects[address] for address, former in moved if address in self.wanted.objects}

    @cached_property
    def _flows(self) -> Mapping[str, str]:
        return flow_aliases(self.admin)

    def _associations(self, key: str, live: LiveClient) -> None:
        """Return the associations of a client. A list that cannot be parsed is not empty, if the manifest names the client."""
        if live.scopes_unparsed and key in self._named_clients:
            raise UnexpectedAnswer(
                f"The client scopes of '{live.client_id}' on '{self.server}' cannot be read",
                server=self.server,
                method="GET",
                path=api.CLIENTS,
                fix="Fix them on the server.",
            )
        like_new = has_like_new(live) if self.wanted.whole else ()
        for scope in filter(None, live.scopes):
            # Keycloak adds and removes this one with the service account of the client, at each PUT: no list decides about it.
            if scope == SERVICE_ACCOUNT:
                address = Address.association(key, scope, self.server)
                if address not in self.wanted.objects and address not in self.wanted.absent:
                    continue
            elif self._is_told(scope):
                address = Address.association(key, scope, self.server)
            else:
                continue
            self.objects[address] = association_object(live, scope, built_in=scope in like_new)

    def _is_told(self, scope: str) -> bool:
        """Whether the associations with a scope are returned: if the manifest names it, or if everything is wanted."""
        if scope in self._named_scopes:
            return True
        known = self.scopes.get(scope)
        if not self.wanted.everything:
            return False
        return (self.wanted.whole or scope not in self._given_scopes) and (known is None or known.openid)

    def _revocations(self) -> None:
        by_id = {live.uuid: live for live in self.clients.values()}
        for address, value in self.wanted.objects.items():
            if isinstance(value, Revocation):
                live = self.clients.get(value.client) or by_id.get(value.client)
                self.objects[address] = revocation_object(
                    self.admin, address.name, value, live, urgent=self.wanted.urgent
                )

    # -- accounts ----------------------------------------------------------------------------------------------------

    def _accounts(self) -> None:
        """Read the wanted users; a client's account is its service account."""
        try:
            names = sorted(self.wanted.accounts)
            for name, enabled in zip(names, at_once(self.admin.parallel, self._account, names), strict=True):
                if enabled is not None:
                    self.accounts[name] = enabled
            if not self.sight.shows_users and not self.wanted.accounts <= self.accounts.keys():
                raise Forbidden(
                    f"'{self.server}' does not show this account every user",
                    server=self.server,
                    method="GET",
                    path=api.USERS,
                    fix="Give the account the role view-users.",
                )
        except (Unreachable, Unauthorized):
            raise
        except ServerError as error:
            self.accounts_unread.append(warning_of(error))

    def _account(self, name: str) -> bool | None:
        named = self._answer(f"account {name}", lambda: self.admin.user(name))
        found = named or self.admin.user(f"service-account-{name}")
        return None if found is None else found.get("enabled") is True


def _raise(error: ServerError) -> NoReturn:
    raise error


def state_of(reader: Reader, requests: int) -> ServerState:
    """The result of a finished reading, and its number of requests."""
    unread = next(iter(reader.accounts_unread), None)
    return ServerState(
        reader.server,
        MappingProxyType(dict(reader.objects)),
        MappingProxyType(dict(reader.unreadable)),
        requests,
        accounts=MappingProxyType(dict(reader.accounts)) if reader.wanted.accounts and unread is None else None,
        accounts_unread=unread,
        hidden=MappingProxyType(dict(reader.hidden)),
        foreign=MappingProxyType(fresh.foreign_told(reader.foreign) if reader.wanted.whole else {}),
        changed_stock=MappingProxyType(dict(reader.changed_stock)),
        cut_offs=MappingProxyType({one.uuid: one.cut_off for one in reader.clients.values() if one.cut_off}),
    )
