"""Reads an Integration Server: its JSON becomes live objects in the manifest's form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeVar

from msgspec import Struct, field

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.core.errors import ServerError, Unauthorized, UnexpectedAnswer, Unreachable
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.common_steps import at_once, reading_kinds, warning_of
from oauthdeploy.drivers.json_values import fingerprint
from oauthdeploy.drivers.webmethods import openapi_document as doc
from oauthdeploy.drivers.webmethods.accounts import memberships
from oauthdeploy.drivers.webmethods.client import AdminApi, TokenList
from oauthdeploy.drivers.webmethods.client_matching import Match, Sought, find_loosely, left_at_former_names, match
from oauthdeploy.drivers.webmethods.mapping import (
    LiveClient,
    told_client,
    with_groups,
    writes_groups,
)
from oauthdeploy.drivers.webmethods.options import INHERIT, PKCE
from oauthdeploy.drivers.webmethods.settings import whole_settings
from oauthdeploy.drivers.webmethods.tokens import count, selected
from oauthdeploy.drivers.webmethods.trust import (
    LOCAL,
    LiveTrust,
    dangling_trust,
    external_trust,
    local_trust,
    read_alias,
    remote_trust,
)
from oauthdeploy.model.identities import Identity
from oauthdeploy.model.objects import Association, Client, ClientType, Revocation, Scope, Settings, Side, Trust
from oauthdeploy.model.state import LiveObject, ServerState, TokenCount, Unheld

T = TypeVar("T")

SECRET_FIELDS: Final = frozenset({"secret.value"})
"""The fields of a client that the server never returns."""

FEW: Final = 8
"""The number of objects that are read one by one; for more of them, a list is cheaper."""

FEW_USERS: Final = 2
"""The same for users: a directory behind a server can make its list long."""

OPENS_NOTHING: Final = "what a scope opens is stored on the resource server"
ISSUES_NONE: Final = "associations are kept on the authorization server"
_UNKNOWN: Final = Identity()


class Reader(Struct):
    """One reading of one server. `known` are the ids of clients by the manifest's keys, from earlier readings."""

    server: str
    sides: frozenset[Side]
    admin: AdminApi
    zone: str | None
    wanted: Wanted
    known: Mapping[str, str]
    objects: dict[Address, LiveObject] = field(default_factory=dict)
    unreadable: dict[Kind, Diagnostic] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, bool] = field(default_factory=dict)
    accounts_unread: list[Diagnostic] = field(default_factory=list)
    groups: Mapping[str, frozenset[str]] | None = None
    parameters: dict[str, str | None] = field(default_factory=dict)

    def read(self) -> None:
        """Fill `objects`, `unreadable` and `ids`. Raises Unreachable and Unauthorized."""
        kinds = self.wanted.kinds
        if kinds & {Kind.SETTINGS, Kind.TRUST}:
            self._settings()
        if Kind.SCOPE in kinds:
            with self._reading(Kind.SCOPE):
                self._scopes()
        about_clients = kinds & {Kind.CLIENT, Kind.ASSOCIATION, Kind.REVOCATION}
        if about_clients:
            with self._reading(*about_clients):
                self._clients()
        if self.wanted.accounts:
            self._accounts()

    def _reading(self, *kinds: Kind) -> AbstractContextManager[None]:
        return reading_kinds(self.unreadable, self.objects, *kinds)

    # -- settings and trust ------------------------------------------------------------------------------------------

    def _settings(self) -> None:
        # One GET serves both: the trusted server is a field of the settings, authServerAlias.
        asked = [kind for kind in (Kind.SETTINGS, Kind.TRUST) if kind in self.wanted.kinds]
        body: Any = None
        with self._reading(*asked):
            body = self.admin.settings()
        if self.unreadable:
            return
        if Kind.SETTINGS in asked:
            with self._reading(Kind.SETTINGS):
                address = Address.singleton(Kind.SETTINGS, self.server)
                wanted = self.wanted.objects.get(address)
                asked_for = wanted if isinstance(wanted, Settings) else None
                settings = whole_settings(self.admin, "GET", body, asked_for, whole=self.wanted.whole)
                self.parameters.update(settings.shown)
                self.objects[address] = LiveObject(
                    settings.value,
                    fingerprint=settings.fingerprint,
                    unparsed=settings.unparsed,
                    options=settings.options,
                )
        if Kind.TRUST in asked:
            with self._reading(Kind.TRUST):
                address = Address.singleton(Kind.TRUST, self.server)
                desired = self.wanted.objects.get(address)
                live = read_trust(self.admin, self.server, body, desired if isinstance(desired, Trust) else None)
                self.objects[address] = LiveObject(
                    live.value, fingerprint=live.fingerprint, incomparable=live.incomparable, unparsed=live.unparsed
                )

    # -- users and groups --------------------------------------------------------------------------------------------

    def _accounts(self) -> None:
        """Read the wanted users, and look for other names among the groups."""
        names = self.wanted.accounts | {self.ids[key] for key in self.wanted.accounts if key in self.ids}
        try:
            self.accounts.update(self._users(names))
            if not names <= self.accounts.keys() and self.admin.api.offers("GET", doc.GROUPS):
                self.accounts.update(dict.fromkeys(self.admin.group_names() - self.accounts.keys(), True))
            if self.wanted.memberships and self.groups is None and self.admin.api.offers("GET", doc.GROUPS):
                self.groups = memberships(self.admin.groups())
        except (Unreachable, Unauthorized):
            raise
        except ServerError as error:
            self.accounts_unread.append(warning_of(error))

    def _users(self, names: frozenset[str]) -> Mapping[str, bool]:
        if not self.wanted.client_accounts and len(names) <= FEW_USERS and self.admin.api.offers("GET", doc.USER):
            found = (self.admin.user(name) for name in sorted(names))
            return dict(user for user in found if user is not None)
        return self.admin.users()

    # -- scopes ------------------------------------------------------------------------------------------------------

    def _scopes(self) -> None:
        names = {
            a.name for a in (*self.wanted.objects, *self.wanted.absent, *self.wanted.external) if a.kind is Kind.SCOPE
        }
        by_name = not self.wanted.everything and len(names) <= FEW and self.admin.api.offers("GET", doc.SCOPE)
        if by_name:
            found = [live for name in sorted(names) if (live := self.admin.scope(name)) is not None]
        else:
            found = list(self.admin.scopes())
        for live in found:
            address = Address(Kind.SCOPE, live.name, self.server)
            self.objects[address] = LiveObject(
                live.value, live.name, live.fingerprint, unparsed=live.unparsed, unheld=self._opens(live.value)
            )

    def _opens(self, value: Scope) -> Mapping[str, Unheld]:
        """What a scope opens, where that is told and means nothing: on a server that only issues tokens."""
        if not self.wanted.whole or Side.RESOURCE in self.sides:
            return {}
        written = {"resources": value.resources, "url_templates": value.url_templates}
        return {path: Unheld(OPENS_NOTHING, list(entries)) for path, entries in written.items() if entries}

    # -- clients and their parts ---------------------------------------------------------------------------------------

    def _clients(self) -> None:
        sought = self._sought()
        lives, listed = self._lives_and_tokens(sought)
        self._read_groups()
        matched = self.admin.parsed("GET", doc.CLIENTS, lambda: match(lives, sought))
        self.ids.update({key: one.live.client_id for key, one in matched.items()})
        self.versions.update({key: one.live.version for key, one in matched.items()})
        keys = {one.live.client_id: key for key, one in matched.items()}
        former = {one.key: one.former for one in sought if one.former and one.key in matched and matched[one.key].moved}
        left = left_at_former_names(lives, sought, keys.keys())
        for live in lives:
            own = keys.get(live.client_id)
            # A client that is still to be renamed has its former name, and so has one beside a client with the new name.
            key = left.get(live.client_id) or self._label(live, sought)
            if own is not None:
                key = former.get(own) or own
            if Kind.CLIENT in self.wanted.kinds:
                self._client(key, own, live)
            if Kind.ASSOCIATION in self.wanted.kinds and Kind.ASSOCIATION not in self.unreadable:
                with self._reading(Kind.ASSOCIATION):
                    self._associations(key, own, live)
        if Kind.REVOCATION in self.wanted.kinds:
            with self._reading(Kind.REVOCATION):
                self._revocations(matched, lives, listed)

    def _read_groups(self) -> None:
        """The groups of each user, if a client writes its groups (then raises ServerError), or all fields are wanted."""
        written = any(isinstance(value, Client) and writes_groups(value) for value in self.wanted.objects.values())
        if Side.AUTHORIZATION not in self.sides or not (written or self.wanted.whole):
            return
        try:
            self.groups = memberships(self.admin.groups())
        except (Unreachable, Unauthorized):
            raise
        except ServerError:
            if written:
                raise

    def _associations(self, key: str, own: str | None, live: LiveClient) -> None:
        """Return the associations of a client. A list that cannot be parsed is not empty, if the manifest names the client."""
        if live.scopes is None and own is not None:
            raise UnexpectedAnswer(
                f"The scopes of client '{live.label}' on '{self.server}' cannot be read",
                server=self.server,
                method="GET",
                path=doc.CLIENTS,
                fix="Fix them on the server.",
            )
        for scope in live.scopes or ():
            address = Address.association(key, scope, self.server)
            mark = fingerprint({"client": live.client_id, "scope": scope})
            self.objects[address] = LiveObject(Association(), live.client_id, mark)

    def _sought(self) -> Sequence[Sought]:
        """Every client that a document names."""
        known = self.wanted.identities
        found: dict[str, Sought] = {}
        for address, value in self.wanted.objects.items():
            if isinstance(value, Client):
                former, identity = self.wanted.moved.get(address), known.get(address, _UNKNOWN)
                found[address.name] = Sought(address.name, value, former, identity, self._id_of(former))
        for address, identity in known.items():
            # Of a former name only the id is known: it is the renamed client's, which may have its new name by now.
            if identity.is_written or address.name not in self.wanted.moved.values():
                found.setdefault(address.name, Sought(address.name, identity=identity))
        others = {address.client for address in self.wanted.absent if address.kind in (Kind.CLIENT, Kind.ASSOCIATION)}
        others |= {address.client for address in self.wanted.objects if address.kind is Kind.ASSOCIATION}
        for key in others - found.keys():
            found[key] = Sought(key)
        return [found[key] for key in sorted(found)]

    def _id_of(self, former: str | None) -> str:
        """The id of the client that has, or had, a former name; "" if unknown."""
        if former is None:
            return ""
        address = Address(Kind.CLIENT, former, self.server)
        return self.known.get(former) or self.wanted.identities.get(address, _UNKNOWN).id

    def _lives_and_tokens(self, sought: Sequence[Sought]) -> tuple[Sequence[LiveClient], TokenList | None]:
        """The clients; at the same time the list of tokens, if a cut-off needs it and does not wait, otherwise None."""
        cut_off = any(isinstance(v, Revocation) and v.tokens is not None for v in self.wanted.objects.values())
        if not (self.wanted.urgent and cut_off and Side.AUTHORIZATION in self.sides):
            return self._lives(sought), None
        asks: tuple[Callable[[], Any], ...] = (partial(self._lives, sought), self.admin.tokens)
        lives, listed = at_once(len(asks), _call, asks)
        return lives, listed

    def _lives(self, sought: Sequence[Sought]) -> Sequence[LiveClient]:
        few = not self.wanted.everything and len(sought) <= FEW
        loose = any(not one.is_described and one.key not in self.known for one in sought)
        cut_off = {value.client for value in self.wanted.objects.values() if isinstance(value, Revocation)}
        if not few or loose or cut_off - {one.key for one in sought}:
            return self.admin.clients()
        found = (self._one_by_one(one) for one in sought)
        return list({live.client_id: live for live in found if live is not None}.values())

    def _one_by_one(self, one: Sought) -> LiveClient | None:
        """The client by its id, by its key if that may be the id, by its name and version, or by its former ones."""
        asks: list[Callable[[], LiveClient | None]] = []
        known = self.known.get(one.key) or one.identity.id
        if known:
            asks.append(lambda: self.admin.client(known))
        elif self.admin.api.takes_client_id and one.key not in (".", ".."):
            asks.append(lambda: self.admin.client(one.key))
        if one.is_described:
            asks.append(lambda: self.admin.client_named(*one.natural))
        former, former_natural = one.former, one.former_natural
        if one.former_id:
            asks.append(lambda: self.admin.client(one.former_id))
        if former is not None and former_natural is not None:
            asks.append(lambda: self.admin.client(former))
            asks.append(lambda: self.admin.client_named(*former_natural))
        others = {client_id for key, client_id in self.known.items() if key not in (one.key, one.former)}
        # A cut-off does not wait for one answer before it asks the next question.
        found = at_once(len(asks), _call, asks) if self.wanted.urgent and asks else map(_call, asks)
        for live in found:
            if live is not None and live.client_id not in others:
                return live
        return None

    def _label(self, live: LiveClient, sought: Sequence[Sought]) -> str:
        """The name of a client that the manifest does not know; never one that the manifest uses."""
        return live.client_id if any(one.key == live.label for one in sought) else live.label

    def _client(self, key: str, own: str | None, live: LiveClient) -> None:
        """Return a client at `key`; `own` is its key in the manifest, if it has one."""
        address = Address(Kind.CLIENT, key, self.server)
        desired = None if own is None else self.wanted.objects.get(Address(Kind.CLIENT, own, self.server))
        wanted = desired if isinstance(desired, Client) else None
        value, unparsed = told_client(wanted, live)
        mark = live.fingerprint
        if self.groups is not None and (self.wanted.whole or (wanted is not None and writes_groups(wanted))):
            groups = tuple(sorted(self.groups.get(live.client_id, ()))) if value.type is not ClientType.PUBLIC else ()
            value = value.model_copy(update={"groups": groups})
            mark = with_groups(mark, groups) if wanted is not None and writes_groups(wanted) else mark
        self.objects[address] = LiveObject(
            value,
            live.client_id,
            mark,
            # Release 11.1 shows a secret once, in the answer that makes it, and older ones mask it: nothing to
            # compare with.
            incomparable=SECRET_FIELDS,
            client_id=live.client_id,
            unparsed=unparsed,
            options=self._own_pkce(live),
            unheld=self._associated(live),
        )

    def _own_pkce(self, live: LiveClient) -> Mapping[str, Any]:
        usual = False if self.admin.api.client_pkce_type == "boolean" else INHERIT
        told = self.wanted.whole and isinstance(live.pkce, bool | str) and live.pkce != usual
        return {PKCE: live.pkce} if told else {}

    def _associated(self, live: LiveClient) -> Mapping[str, Unheld]:
        """The scopes of a client, where no token has them: on a server that issues none."""
        if not self.wanted.whole or Side.AUTHORIZATION in self.sides or not live.scopes:
            return {}
        return {"scopes": Unheld(ISSUES_NONE, sorted(live.scopes))}

    def _revocations(self, matched: Mapping[str, Match], lives: Sequence[LiveClient], listed: TokenList | None) -> None:
        for address, value in self.wanted.objects.items():
            if not isinstance(value, Revocation):
                continue
            own = matched.get(value.client)
            live = own.live if own is not None else find_loosely(lives, value.client)
            tokens: TokenCount | None = None
            if value.tokens is not None and Side.AUTHORIZATION in self.sides:
                tokens = TokenCount(active=0, total=0)
                if live is not None:
                    listed = listed or self.admin.tokens()
                    tokens = self._count(listed, live.client_id, value, self.wanted.cut_at.get(address))
            if live is None:
                self.objects[address] = LiveObject(value, fingerprint=fingerprint({"client": None}), tokens=tokens)
                continue
            state = {"client": live.client_id, "enabled": live.enabled, "tokens": tokens.total if tokens else 0}
            self.objects[address] = LiveObject(
                value,
                live.client_id,
                fingerprint(state),
                tokens=tokens,
                blocked=not live.enabled,
                cut_at=self.wanted.cut_at.get(address),
            )

    def _count(self, listed: TokenList, client_id: str, revocation: Revocation, cut_at: float | None) -> TokenCount:
        def counted() -> TokenCount:
            meant = selected(listed.tokens, client_id, revocation, self.zone, cut_at)
            return count(meant, listed.now, self.zone)

        return self.admin.parsed("GET", doc.TOKENS, counted)


def _call(ask: Callable[[], T]) -> T:
    return ask()


def read_trust(admin: AdminApi, server: str, settings: Any, desired: Trust | None) -> LiveTrust:
    """What a GlobalSetting and the alias that it names say about the trusted server."""
    alias = admin.parsed("GET", doc.SETTINGS, lambda: read_alias(settings))
    if alias == LOCAL:
        return local_trust(server)
    # The setting has an alias, and does not say whether it is an external or a remote server.
    families = [doc.EXTERNAL, doc.REMOTE]
    if desired is not None and desired.via == "remote":
        families.reverse()
    for family in families:
        if not admin.api.offers("GET", family):
            continue
        body = admin.alias(family, alias)
        if body is None:
            continue
        return alias_trust(admin, family, alias, body, desired)
    return dangling_trust(alias, desired.via if desired is not None else "remote")


def alias_trust(admin: AdminApi, family: str, alias: str, body: Any, desired: Trust | None) -> LiveTrust:
    """Trust by an alias: `family` is doc.EXTERNAL or doc.REMOTE, `body` the server's representation."""

    def made() -> LiveTrust:
        return external_trust(alias, body) if family == doc.EXTERNAL else remote_trust(alias, body, desired)

    return admin.parsed("GET", family, made)


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
        memberships=reader.groups,
        makes_client_ids=not reader.admin.api.takes_client_id,
    )
