"""The HTTP side: one method for each request of the Administrator API that the driver sends, and nothing else."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, TypeVar

from msgspec import Struct

from oauthdeploy.core.errors import (
    NotFound,
    Rejected,
    ServerError,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
    Unsupported,
)
from oauthdeploy.core.secrets import Secret, is_masked
from oauthdeploy.drivers.common_steps import at_once, parsed, route_to
from oauthdeploy.drivers.field_table import Table, keys_of
from oauthdeploy.drivers.http import AdminClient, Answer
from oauthdeploy.drivers.json_values import Garbled, a_list
from oauthdeploy.drivers.json_wire import Route, revealed
from oauthdeploy.drivers.untouched import lost_fields
from oauthdeploy.drivers.webmethods import openapi_document as doc
from oauthdeploy.drivers.webmethods.accounts import (
    MEMBERS,
    Group,
    read_group,
    read_group_name,
    read_user,
    read_whole_group,
)
from oauthdeploy.drivers.webmethods.api_loading import NEEDS
from oauthdeploy.drivers.webmethods.fields import CLIENT, EXTERNAL, REMOTE, SCOPE, SETTINGS
from oauthdeploy.drivers.webmethods.links import linked_id, token_link
from oauthdeploy.drivers.webmethods.mapping import LiveClient, LiveScope, find_scope, read_client, read_scope
from oauthdeploy.drivers.webmethods.openapi_document import Api
from oauthdeploy.drivers.webmethods.server_parameters import parameter_value, with_value
from oauthdeploy.drivers.webmethods.tokens import Token, read_token, token_rows
from oauthdeploy.drivers.webmethods.whole import typed, whole_body

T = TypeVar("T")

EXPANDED: Final[Mapping[str, str]] = {"expand": "true"}
MOST_LINKS: Final = 500
"""The number of links of a list that are followed, one request each."""

PARALLEL: Final = 8
"""How many of them at a time, within the limits of the server entry."""


class TokenList(Struct, frozen=True):
    """The tokens of a server, and its clock."""

    tokens: Sequence[Token]
    now: datetime | None


MAY_MEAN_MISSING: Final = frozenset({400, 404, 410, 422, 500})
"""Statuses with which a server may say that an object does not exist: the OpenAPI document only says 4XX."""

NEEDED: Final[Mapping[str, frozenset[str]]] = {
    doc.CLIENT: frozenset({"type", "enabled", "scopes", "redirect_uris"}),
    doc.SCOPE: frozenset({"FoldersAndServices", "urlTemplates"}),
}
"""The fields of an object in a list that prove it complete; without them it is read by its id."""

LISTS: Final[Mapping[str, str]] = {
    doc.CLIENT: doc.CLIENTS,
    doc.CLIENT_BY_NAME: doc.CLIENTS,
    doc.SCOPE: doc.SCOPES,
    doc.EXTERNAL: doc.EXTERNALS,
    doc.REMOTE: doc.REMOTES,
    doc.USER: doc.USERS,
}
"""The list that shows whether an object exists."""


def _keys(table: Table, *more: str) -> Mapping[str, str]:
    return dict.fromkeys((*more, *(key for path in table for key in keys_of(table, path))), "")


WRITTEN: Final[Mapping[str, Mapping[str, str]]] = {
    doc.SETTINGS: _keys(SETTINGS, "authServerAlias"),
    doc.CLIENT: _keys(CLIENT, "scopes"),
    doc.SCOPE: _keys(SCOPE, "name"),
    doc.EXTERNAL: _keys(EXTERNAL, "name"),
    doc.REMOTE: _keys(REMOTE, "alias"),
    doc.GROUP: dict.fromkeys(MEMBERS, ""),
}
"""The fields that the driver writes, whether or not a server's document lists them for PATCH; of any type."""

KEYS: Final = {doc.CLIENT: "client_id", doc.SCOPE: "name"}
"""The field of an object in a list that is in its own path."""

VOLATILE: Final = frozenset({"client_secret", "clientSecret", "password", "registrationAccessToken", "warnings", "url"})
"""What a server may show in one response and not in the next."""


def _whole(read: Callable[[Any], T]) -> Callable[[Any], T]:
    def one(body: Any) -> T:
        if linked_id(body) is not None:
            raise Garbled("a link points to another link")
        return read(body)

    return one


class AdminApi:
    """The OAuth requests of one server, with the paths of its document."""

    def __init__(self, http: AdminClient, api: Api) -> None:
        self.http = http
        self.api = api
        self._wrapped = api.wraps_scopes
        self._lock = threading.Lock()
        self._bodies: dict[tuple[str, str], Any] = {}
        self._lost: dict[tuple[str, str], tuple[str, ...]] = {}
        self._turns: dict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)

    # -- settings ----------------------------------------------------------------------------------------------------

    def settings(self) -> Any:
        """GET the GlobalSetting."""
        return self._seen(doc.SETTINGS, self._send("GET", doc.SETTINGS).body)

    def patch_settings(self, body: Mapping[str, Any]) -> Any:
        """PATCH some settings; returns all of them."""
        return self._patch(doc.SETTINGS, body=body)

    # -- scopes ------------------------------------------------------------------------------------------------------

    def scopes(self) -> Sequence[LiveScope]:
        """List the scopes."""
        return self._list(doc.SCOPES, "scopes", read_scope, doc.SCOPE)

    def scope(self, name: str) -> LiveScope | None:
        """Read one scope; None if it does not exist."""
        return self._one(doc.SCOPE, read_scope, name)

    def create_scope(self, name: str, body: Mapping[str, Any]) -> LiveScope | None:
        """POST a scope; None if the response does not contain it.

        The published document wraps the body, which may be a mistake. If a server rejects one form, the other is sent.
        """
        whole = {"name": name, **body}
        wrapped = self._wrapped
        try:
            return self._post_scope(name, whole, wrapped)
        except Rejected as refused:
            if refused.status not in (400, 415, 422):
                raise
            try:
                made = self._post_scope(name, whole, not wrapped)
            except Rejected:
                raise refused from None
        self._wrapped = not wrapped
        return made

    def _post_scope(self, name: str, whole: Mapping[str, Any], wrapped: bool) -> LiveScope | None:
        answer = self._send("POST", doc.SCOPES, body={doc.WRAPPER: whole} if wrapped else whole)
        return self.parsed("POST", doc.SCOPES, lambda: find_scope(answer.body, name, doc.WRAPPER))

    def patch_scope(self, name: str, body: Mapping[str, Any]) -> LiveScope:
        """PATCH a scope."""
        answer = self._patch(doc.SCOPE, name, body=body)
        return self.parsed("PATCH", doc.SCOPE, lambda: read_scope(answer))

    def delete_scope(self, name: str) -> bool:
        """DELETE a scope; False if it did not exist."""
        return self._delete(doc.SCOPE, name)

    # -- clients -----------------------------------------------------------------------------------------------------

    def clients(self) -> Sequence[LiveClient]:
        """List the clients."""
        return [self._guarded(client) for client in self._list(doc.CLIENTS, "clients", read_client, doc.CLIENT)]

    def client(self, client_id: str) -> LiveClient | None:
        """Read one client by its id; None if it does not exist."""
        return self._one(doc.CLIENT, lambda body: self._guarded(read_client(body)), client_id)

    def client_named(self, name: str, version: str) -> LiveClient | None:
        """Read one client by its natural key; None if it does not exist."""
        if self.api.offers("GET", doc.CLIENT_BY_NAME):
            return self._one(doc.CLIENT_BY_NAME, lambda body: self._guarded(read_client(body)), name, version)
        return next((one for one in self.clients() if (one.name, one.version) == (name, version)), None)

    def create_client(self, body: Mapping[str, Any]) -> LiveClient:
        """POST a client."""
        answer = self._send("POST", doc.CLIENTS, body=body)
        made = self.parsed("POST", doc.CLIENTS, lambda: self._guarded(read_client(answer.body)))
        self._seen(doc.CLIENT, answer.body, made.client_id)
        return made

    def patch_client(self, client_id: str, body: Mapping[str, Any]) -> LiveClient:
        """PATCH a client."""
        answer = self._patch(doc.CLIENT, client_id, body=body)
        return self.parsed("PATCH", doc.CLIENT, lambda: self._guarded(read_client(answer)))

    def delete_client(self, client_id: str) -> bool:
        """DELETE a client with its tokens; False if it did not exist."""
        return self._delete(doc.CLIENT, client_id)

    # -- trusted servers ---------------------------------------------------------------------------------------------

    def alias(self, kind: str, name: str) -> Any | None:
        """Read an external server (`kind` is doc.EXTERNAL) or a remote server (doc.REMOTE); None if it does not exist."""
        return self._one(kind, self._guarded_alias, name)

    def create_alias(self, kind: str, body: Mapping[str, Any]) -> Any:
        """POST an alias into its collection; returns it as it is now."""
        whole = typed(body, self.api.patches.get(kind, {}))
        answer = self._send("POST", doc.EXTERNALS if kind == doc.EXTERNAL else doc.REMOTES, body=whole)
        return self._guarded_alias(answer.body)

    def patch_alias(self, kind: str, name: str, body: Mapping[str, Any]) -> Any:
        """PATCH an alias; returns it as it is now."""
        return self._patch(kind, name, body=body)

    # -- side effects of a write -------------------------------------------------------------------------------------

    def lost(self, path: str, name: str = "") -> tuple[str, ...]:
        """What the last PATCH of an object removed although it was not in its body; reading this clears it."""
        with self._lock:
            return self._lost.pop((path, name), ())

    def remembered(self, path: str, name: str) -> Mapping[str, Any]:
        """An object as the server last returned it; empty if it was not read."""
        with self._lock:
            body = self._bodies.get((path, name))
        return body if isinstance(body, Mapping) else {}

    def _seen(self, path: str, body: Any, name: str = "") -> Any:
        """Remember an object as the server last returned it: a PATCH must not change what it does not name."""
        with self._lock:
            self._bodies[path, name] = body
        return body

    @contextmanager
    def _turn(self, path: str, name: str) -> Iterator[None]:
        """One write of an object at a time: each sends the whole object as the previous one left it."""
        with self._lock:
            turn = self._turns[path, name]
        with turn:
            yield

    def _patch(self, path: str, *segments: str, body: Mapping[str, Any]) -> Any:
        name = "".join(segments)
        with self._turn(path, name):
            with self._lock:
                before = self._bodies.get((path, name))
            if before is None and self.api.offers("GET", path):
                before = self._send("GET", path, *segments).body
            whole = whole_body(before, body, {**WRITTEN[path], **self.api.patches.get(path, {})})
            answer = self._send("PATCH", path, *segments, body=whole).body
            lost = lost_fields(before, revealed(whole), answer, VOLATILE)
            if lost and self.api.offers("GET", path):
                # A response may contain less than the object has.
                lost = lost_fields(before, revealed(whole), self._send("GET", path, *segments).body, VOLATILE)
            with self._lock:
                self._bodies[path, name] = answer
                self._lost[path, name] = lost
            return answer

    # -- tokens ------------------------------------------------------------------------------------------------------

    def tokens(self) -> TokenList:
        """List the tokens, active and expired, from one list or from two."""
        answer = self._send("GET", doc.TOKENS, params=EXPANDED)
        listed = self.parsed("GET", doc.TOKENS, lambda: token_rows(answer.body))
        links = [link for raw in listed if (link := token_link(raw)) is not None]
        if not links:
            rows = self.parsed("GET", doc.TOKENS, lambda: [read_token(raw) for raw in listed])
            return TokenList(rows, answer.date)
        if len(links) != len(listed) or len(links) > MOST_LINKS:
            raise self._not_resolved("tokens", doc.TOKENS, len(links))
        found = at_once(PARALLEL, self._linked_token, links)
        return TokenList([token for token in found if token is not None], answer.date)

    def _linked_token(self, link: tuple[str, Secret]) -> Token | None:
        """The token that a link of the list leads to; None if it has ended since. Raises ServerError."""
        path, token_id = link
        try:
            answer = self._send("GET", path, token_id)
        except NotFound:
            return None
        return self.parsed("GET", path, lambda: read_token(answer.body))

    def delete_token(self, token: Token) -> ServerError | None:
        """DELETE a token by its access token, or by its refresh token if it has no other id.

        Returns the response that may mean that the token no longer existed; another read of the list shows it.
        """
        if token.access_id is not None:
            return self._try_delete(doc.ACCESS_TOKEN, token.access_id)
        assert token.refresh_id is not None
        return self._try_delete(doc.REFRESH_TOKEN, token.refresh_id)

    def delete_refresh_token(self, token: Token) -> ServerError | None:
        """DELETE the refresh token of a token that outlived its access token. As `delete_token`."""
        return None if token.refresh_id is None else self._try_delete(doc.REFRESH_TOKEN, token.refresh_id)

    # -- users and groups --------------------------------------------------------------------------------------------

    def users(self) -> Mapping[str, bool]:
        """List the users: name, and whether the user can sign in."""
        return dict(self._list(doc.USERS, "users", read_user, doc.USER))

    def user(self, name: str) -> tuple[str, bool] | None:
        """Read one user; None if there is none with that name."""
        return self._one(doc.USER, read_user, name)

    def group_names(self) -> frozenset[str]:
        """List the names of the groups."""
        return frozenset(self._list(doc.GROUPS, "groups", read_group_name))

    def groups(self) -> Sequence[Group]:
        """List the groups with their users. Of those whose entry shows none, each is read."""
        listed = self._list(doc.GROUPS, "groups", read_group, doc.GROUP)
        partial = [group.name for group in listed if group.members is None]
        if len(partial) > MOST_LINKS:
            raise self._not_resolved("groups", doc.GROUPS, len(partial))
        whole = at_once(PARALLEL, self._whole_group, partial)
        return [*(group for group in listed if group.members is not None), *whole]

    def _whole_group(self, name: str) -> Group:
        body = self._send("GET", doc.GROUP, name).body
        return self.parsed("GET", doc.GROUP, lambda: read_whole_group(body))

    def put_member(self, group: str, user: str, *, member: bool) -> tuple[str, ...]:
        """Put a user into a group, or take the user out; gives the fields that the group lost by that.

        Who else is in the group is read just before, so that nobody is written back or left out.
        """
        with self._turn(doc.GROUP, group):
            before = self._send("GET", doc.GROUP, group).body
            members = self.parsed("GET", doc.GROUP, lambda: read_whole_group(before)).members or ()
            wanted = [*(one for one in members if one != user), *([user] if member else [])]
            fields = {**WRITTEN[doc.GROUP], **self.api.patches.get(doc.GROUP, {})}
            whole = whole_body(before, {self.api.group_members: wanted}, fields)
            self._send("PATCH", doc.GROUP, group, body=whole)
            after = self._send("GET", doc.GROUP, group).body
            there = self.parsed("GET", doc.GROUP, lambda: read_whole_group(after)).members or ()
            if set(there) != set(wanted):
                raise ServerError(
                    f"'{self.http.server}' accepted the users of group '{group}' and lists others",
                    server=self.http.server,
                    method="PATCH",
                    path=doc.GROUP,
                    fix=f"Look at the group on '{self.http.server}'.",
                )
            return lost_fields(before, revealed(whole), after, VOLATILE)

    # -- server parameters -------------------------------------------------------------------------------------------

    def parameter(self, name: str) -> str | None:
        """Read a server parameter such as watt.server.oauth.requirePost; None if the server does not show it."""
        if not self.api.offers("GET", doc.SERVER_SETTING):
            return None
        try:
            return parameter_value(self._send("GET", doc.SERVER_SETTING, name).body, name)
        except (Unreachable, Unauthorized):
            raise
        except ServerError:
            return None

    def put_parameter(self, name: str, text: str) -> None:
        """Set a server parameter, in the form in which the server shows it: no guide describes the body.

        Raises Unsupported where the server does not show the parameter, or has no operation that sets one.
        """
        body = with_value(self._send("GET", doc.SERVER_SETTING, name).body, name, text)
        if body is None:
            raise Unsupported(
                f"'{self.http.server}' does not show the server parameter {name}",
                server=self.http.server,
                method="GET",
                path=doc.SERVER_SETTING,
                fix="Set it in Settings > Extended.",
            )
        self._send("PATCH", doc.SERVER_SETTING, name, body=body)

    # -- shared ------------------------------------------------------------------------------------------------------

    def parsed(self, method: str, path: str, read: Callable[[], T]) -> T:
        """Parse a response. Raises UnexpectedAnswer if it is garbled; a write has been carried out all the same."""
        return parsed(self.http.server, method, path, read)

    def _guarded(self, client: LiveClient) -> LiveClient:
        if client.secret is not None:
            self.http.guard(client.secret)
        return client

    def _guarded_alias(self, body: Any) -> Any:
        """An alias whose secret, if the server returns it, is kept out of traces and messages."""
        for key in ("clientSecret", "password"):
            shown = body.get(key) if isinstance(body, Mapping) else None
            if isinstance(shown, str) and shown and not is_masked(shown):
                self.http.guard(Secret(shown, "server"))
        return body

    def _route(self, method: str, path: str, segments: Sequence[str | Secret]) -> Route:
        literal = self.api.paths.get((method, path))
        if literal is None:
            raise Unsupported(
                f"The Administrator API of '{self.http.server}' lacks {method} {path}",
                server=self.http.server,
                fix=NEEDS,
            )
        return route_to(self.http.server, literal, *segments, method=method)

    def _send(
        self,
        method: str,
        path: str,
        *segments: str | Secret,
        body: Any = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        # A merge patch (RFC 7396) of whole values has the same result when applied twice.
        again = True if method == "PATCH" else None
        return self.http.request(method, self._route(method, path, segments), body, params=params, repeatable=again)

    def _list(self, path: str, what: str, read: Callable[[Any], T], one: str | None = None) -> Sequence[T]:
        """List objects. Those that a list contains only as a link, or only in part, are read by the path of `one`."""
        answer = self._send("GET", path, params=EXPANDED)
        listed = self.parsed("GET", path, lambda: a_list(answer.body, what))
        by_itself = [self._needs_look(raw, one) for raw in listed]
        if one is None or not any(by_itself):
            for raw in listed if one in KEYS else ():
                if isinstance(raw, Mapping):
                    self._seen(str(one), raw, str(raw.get(KEYS[str(one)])))
            return self.parsed("GET", path, lambda: [read(raw) for raw in listed])
        if not all(segment or linked_id(raw) is None for segment, raw in zip(by_itself, listed, strict=True)):
            raise self._not_resolved(what, path, len(listed))
        segments = [segment for segment in by_itself if segment]
        if len(segments) > MOST_LINKS:
            raise self._not_resolved(what, path, len(segments))
        looked = at_once(PARALLEL, lambda segment: self._one(one, _whole(read), segment), segments)
        if None in looked:
            raise UnexpectedAnswer(
                f"A link in the list of {what} of '{self.http.server}' is broken",
                server=self.http.server,
                method="GET",
                path=path,
                fix="Try again. If that does not help, check that the server supports ?expand=true.",
            )
        told = self.parsed(
            "GET", path, lambda: [read(raw) for raw, link in zip(listed, by_itself, strict=True) if not link]
        )
        return [*(live for live in looked if live is not None), *told]

    def _needs_look(self, raw: Any, one: str | None) -> str | None:
        """The id of an object whose entry in a list is incomplete; None if it is complete."""
        if one is None:
            return None
        link = linked_id(raw)
        if link is not None or not isinstance(raw, Mapping):
            return link
        key = raw.get(KEYS.get(one, ""))
        whole = NEEDED.get(one, frozenset()) <= raw.keys()
        return key if isinstance(key, str) and key and not whole else None

    def _not_resolved(self, what: str, path: str, links: int) -> UnexpectedAnswer:
        return UnexpectedAnswer(
            f"The list of {what} of '{self.http.server}' cannot be used",
            server=self.http.server,
            method="GET",
            path=path,
            fix=f"Check that the server supports ?expand=true: it returned {links} links; the limit is {MOST_LINKS}.",
        )

    def _one(self, path: str, read: Callable[[Any], T], *segments: str) -> T | None:
        try:
            answer = self._send("GET", path, *segments)
        except NotFound:
            return None
        except ServerError as error:
            if self._is_listed(path, segments, error):
                raise
            return None
        self._seen(path, answer.body, "".join(segments))
        if path == doc.CLIENT_BY_NAME and isinstance(answer.body, Mapping):
            self._seen(doc.CLIENT, answer.body, str(answer.body.get("client_id")))
        return self.parsed("GET", path, lambda: read(answer.body))

    def _is_listed(self, path: str, segments: Sequence[str], error: ServerError) -> bool:
        """Whether an object may exist although a request for it failed: the list shows it, whatever the status."""
        if error.status not in MAY_MEAN_MISSING or path not in LISTS:
            return True
        match path:
            case doc.CLIENT:
                return any(live.client_id == segments[0] for live in self.clients())
            case doc.CLIENT_BY_NAME:
                return any((live.name, live.version) == tuple(segments) for live in self.clients())
            case doc.SCOPE:
                return any(live.name == segments[0] for live in self.scopes())
            case doc.USER:
                return segments[0] in self.users()
            case _:
                return segments[0] in self._aliases(path)

    def _aliases(self, family: str) -> frozenset[str]:
        """The names of the aliases of a family."""
        path = LISTS[family]
        key = "name" if family == doc.EXTERNAL else "alias"
        what = "externalservers" if family == doc.EXTERNAL else "remoteservers"
        answer = self._send("GET", path, params=EXPANDED)

        def name(raw: Any) -> str:
            found = raw.get(key) if isinstance(raw, Mapping) else None
            named = found if isinstance(found, str) and found else linked_id(raw)
            if named is None:
                raise Garbled(f"an entry has no {key}")
            return named

        return self.parsed("GET", path, lambda: frozenset(name(raw) for raw in a_list(answer.body, what)))

    def _delete(self, path: str, *segments: str) -> bool:
        try:
            self._send("DELETE", path, *segments)
        except ServerError as error:
            # A wrong path is answered 404 as well: only the list shows that nothing is left.
            if self._is_listed(path, segments, error):
                raise
            return False
        return True

    def _try_delete(self, path: str, token_id: Secret) -> ServerError | None:
        try:
            self._send("DELETE", path, token_id)
        except ServerError as error:
            if error.status not in MAY_MEAN_MISSING:
                raise
            return error
        return None
