"""The driver: two lists to read, and one request for each object to write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from acme_oauth.fields import CLIENT, SCOPE
from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import NotFound
from oauthdeploy.drivers.base import Applied, Connection, Driver, ServerReport, Wanted
from oauthdeploy.drivers.common_steps import GONE, changed_values, parsed, reading_kinds, writing
from oauthdeploy.drivers.field_table import Table, read_fields, write_fields
from oauthdeploy.drivers.json_values import Garbled, a_name, an_object, fingerprint, some_texts
from oauthdeploy.drivers.json_wire import Route
from oauthdeploy.drivers.request_count import counting
from oauthdeploy.drivers.untouched import lost_fields
from oauthdeploy.model.objects import Association, Client, Scope
from oauthdeploy.model.state import LiveObject, ServerState
from oauthdeploy.planning.changes import Action, Change

Json = dict[str, Any]
TABLES: Mapping[Kind, tuple[Table, type[Client] | type[Scope], str]] = {
    Kind.SCOPE: (SCOPE, Scope, "/scopes"),
    Kind.CLIENT: (CLIENT, Client, "/clients"),
}


class AcmeDriver(Driver):
    """One Acme Gateway, for one run."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._lock = threading.Lock()
        self._known: dict[Kind, dict[str, Json]] = {Kind.SCOPE: {}, Kind.CLIENT: {}}

    def check(self) -> ServerReport:
        """Who the server is."""
        answer = self.connection.http.get("/version")

        def read() -> ServerReport:
            body = an_object(answer.body, "the version")
            return ServerReport(a_name(body, "product"), a_name(body, "version"), account="")

        return parsed(self.name, "GET", "/version", read)

    def read(self, wanted: Wanted) -> ServerState:
        """Read the lists that are wanted. Associations are in the list of clients."""
        objects: dict[Address, LiveObject] = {}
        unreadable: dict[Kind, Any] = {}
        with counting() as tally:
            if Kind.SCOPE in wanted.kinds:
                with reading_kinds(unreadable, objects, Kind.SCOPE):
                    objects.update(self._list(Kind.SCOPE))
            about = wanted.kinds & {Kind.CLIENT, Kind.ASSOCIATION}
            if about:
                with reading_kinds(unreadable, objects, *about):
                    found = self._list(Kind.CLIENT)
                    objects.update({a: live for a, live in found.items() if a.kind in wanted.kinds})
        return ServerState(self.name, objects, unreadable, tally.requests)

    def read_again(self, changes: Sequence[Change], wanted: Wanted) -> ServerState:
        """The lists are short, so the objects of a change are read by them."""
        return self.read(wanted)

    def _list(self, kind: Kind) -> dict[Address, LiveObject]:
        path = TABLES[kind][2]
        answer = self.connection.http.get(path)

        def read() -> tuple[dict[str, Json], dict[Address, LiveObject]]:
            if not isinstance(answer.body, list):
                raise Garbled("it is not a list")
            items = {a_name(raw := an_object(one, "an item"), "id"): dict(raw) for one in answer.body}
            return items, {a: live for name, raw in items.items() for a, live in self._objects(kind, name, raw).items()}

        items, objects = parsed(self.name, "GET", path, read)
        with self._lock:
            self._known[kind] = items
        return objects

    def _objects(self, kind: Kind, name: str, raw: Json) -> dict[Address, LiveObject]:
        """An object, and the associations of a client."""
        table, model, _path = TABLES[kind]
        fields = read_fields(table, raw)
        mark = fingerprint(raw, {"scopes"})
        client_id = name if kind is Kind.CLIENT else ""
        live = LiveObject(fields.build(model), name, mark, client_id=client_id, unparsed=fields.unparsed)
        found = {Address(kind, name, self.name): live}
        for scope in some_texts(raw, "scopes"):
            mark = fingerprint({"client": name, "scope": scope})
            found[Address.association(name, scope, self.name)] = LiveObject(Association(), name, mark)
        return found

    def batch_key(self, change: Change) -> str:
        """A client and its associations are one object on the gateway, so their changes are one request."""
        if change.address.kind is Kind.SCOPE or (change.address.kind is Kind.CLIENT and change.action is Action.DELETE):
            return str(change.address)
        return f"client {change.address.client}"

    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Send one PUT or DELETE for the changes of one object."""
        with writing() as tally:
            made = self._apply(changes) if changes else ()
        return [replace(one, requests=0 if place else tally.requests) for place, one in enumerate(made)]

    def _apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        first = changes[0]
        kind = Kind.SCOPE if first.address.kind is Kind.SCOPE else Kind.CLIENT
        name = first.address.name if kind is Kind.SCOPE else first.address.client
        about = next((one for one in changes if one.address.kind is kind), None)
        route = Route.to(f"{TABLES[kind][2]}/{{}}", name)
        if about is not None and about.action is Action.DELETE:
            return [Applied(about.address, None, name, note=self._delete(route))]
        with self._lock:
            before = self._known[kind].get(name)
        if before is None and (about is None or about.action is not Action.CREATE):
            if all(change.action is Action.DELETE for change in changes):
                return [Applied(change.address, None, note=GONE) for change in changes]
            raise NotFound(f"'{self.name}' has no {kind} '{name}'", server=self.name, fix="Make a new plan.")
        body = self._draft(dict(before or {"id": name}), changes, about, TABLES[kind][0])
        answer = self.connection.http.request("PUT", route, body)
        after = parsed(self.name, "PUT", route.shown, lambda: dict(an_object(answer.body, "the object")))
        with self._lock:
            self._known[kind][name] = after
        return self._applied(changes, kind, name, after, lost_fields(before, body, after))

    def _delete(self, route: Route) -> str:
        try:
            self.connection.http.request("DELETE", route)
        except NotFound:
            return GONE
        return ""

    def _draft(self, body: Json, changes: Sequence[Change], about: Change | None, table: Table) -> Json:
        """The whole object as it should be: what the manifest does not manage stays as it was read."""
        if about is not None:
            write_fields(table, changed_values(about, table), body)
        for change in changes:
            if change.address.kind is Kind.ASSOCIATION:
                others = [one for one in body.get("scopes", []) if one != change.address.scope]
                body["scopes"] = others + ([change.address.scope] if change.desired is not None else [])
        return body

    def _applied(
        self, changes: Sequence[Change], kind: Kind, name: str, after: Json, lost: tuple[str, ...]
    ) -> Sequence[Applied]:
        live: Callable[[], dict[Address, LiveObject]] = lambda: self._objects(kind, name, after)  # noqa: E731
        found = parsed(self.name, "PUT", "", live)
        none = LiveObject(Association())
        return [
            Applied(
                change.address,
                found[change.address].value if change.address in found else None,
                name,
                found.get(change.address, none).fingerprint,
                lost=lost,
                unparsed=found.get(change.address, none).unparsed,
            )
            for change in changes
        ]
