"""`/admin/oauth/externalserver` and `/admin/remoteserver`: the authorization servers that can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar, cast
from urllib.parse import urlsplit

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session

from oauthdeploy.server.admin.api import Api, answer_fields, expanding, listing
from oauthdeploy.server.admin.errors import conflict, invalid, missing, shown
from oauthdeploy.server.admin.fields import Field, Value, check_name, patch_of, read_body, read_fields
from oauthdeploy.server.models import ExternalServer, RemoteServer
from oauthdeploy.server.state import State
from oauthdeploy.server.store import LOCAL, get_settings

EXTERNAL_PATH = "/admin/oauth/externalserver"
REMOTE_PATH = "/admin/remoteserver"
FORBIDDEN_IN_NAMES = '?[]/\\=+<>:;",*|^@'
FORBIDDEN_IN_ALIASES = '#-&@^!%*:$./\\`;,~+=)(|}{][><"'
MASK = "********"

EXTERNAL_FIELDS = (
    Field("name", "name", "text", "Alias; cannot be changed.", required=True),
    Field("introspectionEndpoint", "introspection_endpoint", "text", "URL of RFC 7662 introspection.", required=True),
    Field("clientId", "client_id", "text", "This server's client id there.", required=True),
    Field("clientSecret", "client_secret", "text", "Its secret; never answered.", required=True, write_only=True),
    Field("user", "user", "text", "The user that runs a request once its token is active.", required=True),
    Field("keystoreAlias", "keystore_alias", "text", "Kept as given; not used here."),
    Field("keyAlias", "key_alias", "text", "Kept as given; not used here."),
    Field("truststoreAlias", "truststore_alias", "text", "Kept as given; not used here."),
    Field("defaultScope", "default_scope", "text", "Scope of a token whose introspection names none."),
)
REMOTE_FIELDS = (
    Field("alias", "alias", "text", "Alias; cannot be changed.", required=True),
    Field("host", "host", "text", "Host name or address.", required=True),
    Field("port", "port", "integer", "TCP port.", minimum=1, required=True, loose="digits"),
    Field("user", "user", "text", "User on the remote server.", required=True),
    Field("password", "password", "text", "Password of that user; never answered.", required=True, write_only=True),
    Field("ssl", "ssl", "text", "Whether the connection uses TLS.", "no", choices=("yes", "no"), loose="yes_no"),
    Field("keystoreAlias", "keystore_alias", "text", "Kept as given; not used here."),
    Field("keyAlias", "key_alias", "text", "Kept as given; not used here."),
    Field("acl", "acl", "text", "Kept as given; not used here."),
    Field("keepAlive", "keep_alive", "text", "Kept as given; not used here."),
    Field("timeout", "timeout", "text", "Kept as given; not used here."),
    Field("retryServer", "retry_server", "text", "Kept as given; not used here."),
)


Row = TypeVar("Row", ExternalServer, RemoteServer)


class _Family(Generic[Row]):
    """What external and remote servers share: an alias, and a secret that is written but never returned.

    Reading an object and writing it back must not lose the secret, which is not in the response: a replace without it keeps it.
    """

    def __init__(
        self,
        state: State,
        model: type[Row],
        fields: tuple[Field, ...],
        secret: str,
        what: str,
    ) -> None:
        self.state = state
        self.model: type[Row] = model
        self.fields = fields
        self.key = fields[0]
        self.secret = secret
        self.what = what

    def rows(self) -> list[Row]:
        with self.state.store.read() as session:
            rows: list[Row] = list(session.scalars(select(self.model)))
        return sorted(rows, key=self.name)

    def name(self, row: Row) -> str:
        return cast("str", getattr(row, self.key.attribute))

    def answer(self, row: Row) -> dict[str, object]:
        made = answer_fields(row, self.fields, {})
        if self.state.profile.secrets != "hidden":
            shown = self.state.vault.open(getattr(row, self.secret))
            made[self._secret_name()] = MASK if self.state.profile.secrets == "masked" and shown else shown
        return made

    def get(self, session: Session, name: str) -> Row:
        row = session.get(self.model, name)
        if row is None:
            raise missing(self.what, name)
        return row

    def read(self, name: str) -> dict[str, object]:
        with self.state.store.read() as session:
            return self.answer(self.get(session, name))

    def create(self) -> dict[str, object]:
        values = read_fields(read_body(request), self.fields, strict=self.state.strict)
        self.check(values)
        name = cast("str", values[self.key.attribute])
        with self.state.store.write() as session:
            existing = session.get(ExternalServer, name) or session.get(RemoteServer, name)
            if existing is not None or name == LOCAL:
                raise conflict(f"The alias {shown(name)} is taken.")
            row = self.model(**self.sealed(values))
            session.add(row)
        return self.answer(row)

    def change(self, name: str, *, partial: bool) -> dict[str, object]:
        body: Mapping[str, object] = read_body(request, merge_patch=partial)
        body, partial = patch_of(self.state.profile, body, {}, partial=partial)
        with self.state.store.write() as session:
            row = self.get(session, name)
            kept = self.state.vault.open(getattr(row, self.secret))
            known = {self.key.name: name} if partial else {self.key.name: name, self._secret_name(): kept}
            named = {member: value for member, value in body.items() if value is not None or member not in known}
            values = read_fields({**known, **named}, self.fields, strict=self.state.strict, partial=partial)
            if values.pop(self.key.attribute) != name:
                raise invalid(f"Field '{self.key.name}' cannot be changed.")
            self.check(values)
            for attribute, value in self.sealed(values).items():
                setattr(row, attribute, value)
            return self.answer(row)

    def delete(self, name: str) -> None:
        with self.state.store.write() as session:
            row = self.get(session, name)
            if get_settings(session).auth_server_alias == name:
                raise conflict(f"{shown(name)} is in use as the authorization server.")
            session.delete(row)

    def sealed(self, values: Mapping[str, Value]) -> dict[str, Value]:
        secret = values.get(self.secret)
        if not isinstance(secret, str):
            return dict(values)
        return {**values, self.secret: self.state.vault.seal(secret)}

    def check(self, values: Mapping[str, Value]) -> None:
        if self.key.attribute in values:
            strictly = self.model is RemoteServer and self.state.profile.aliases == "guide"
            forbidden = FORBIDDEN_IN_NAMES + (FORBIDDEN_IN_ALIASES if strictly else "")
            check_name(self.key.name, cast("str", values[self.key.attribute]), forbidden)
        endpoint = values.get("introspection_endpoint")
        if isinstance(endpoint, str) and not _is_web_address(endpoint):
            raise invalid("Field 'introspectionEndpoint' must be an http or https URL.")
        host = values.get("host")
        if isinstance(host, str):
            check_name("host", host, "/?#@ ")
        port = values.get("port")
        if isinstance(port, int) and port > 65535:
            raise invalid("Field 'port' must be between 1 and 65535.")

    def _secret_name(self) -> str:
        return next(field.name for field in self.fields if field.attribute == self.secret)


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and (parts.port is None or parts.port > 0)
            and parts.username is None
            and text.isprintable()
            and " " not in text
        )
    except ValueError:
        return False


def register(api: Api) -> None:
    """Serve both families: list, create, read, replace, update, delete."""
    external = _Family(api.state, ExternalServer, EXTERNAL_FIELDS, "client_secret", "external authorization server")
    remote = _Family(api.state, RemoteServer, REMOTE_FIELDS, "password", "remote server")
    _register(api, external, EXTERNAL_PATH, EXTERNAL_PATH + "/", "externalServers", "ExternalServer", "security.oauth")
    _register(api, remote, REMOTE_PATH + "/", REMOTE_PATH + "/", "remoteServers", "RemoteServer", "remoteserver")


def _register(
    api: Api, family: _Family[Row], list_path: str, create_path: str, wrapper: str, schema: str, tag: str
) -> None:
    item = f"{create_path}{{{family.key.name}}}"
    whole = schema + "Out"

    @api.operation(
        "GET", list_path, summary=f"List every {family.what}", tag=tag, answer=schema + "List", expandable=True
    )
    def list_all() -> object:
        rows = family.rows()
        if expanding():
            return {wrapper: [family.answer(row) for row in rows]}
        return listing(wrapper, [(family.name(row), family.name(row)) for row in rows], list_path)

    @api.operation(
        "POST", create_path, summary=f"Create one {family.what}", tag=tag, body=schema, answer=whole, status=201
    )
    def create() -> object:
        return family.create()

    @api.operation("GET", item, summary=f"Read one {family.what}", tag=tag, answer=whole)
    def read(name: str) -> object:
        return family.read(name)

    @api.operation(
        "PUT", item, summary=f"Replace one {family.what}; the name stays", tag=tag, body=schema, answer=whole
    )
    def replace(name: str) -> object:
        return family.change(name, partial=False)

    @api.operation(
        "PATCH", item, summary=f"Update one {family.what} (JSON Merge Patch)", tag=tag, body=schema, answer=whole
    )
    def update(name: str) -> object:
        return family.change(name, partial=True)

    @api.operation("DELETE", item, summary=f"Delete one {family.what} that is not in use", tag=tag, status=204)
    def delete(name: str) -> object:
        family.delete(name)
        return None
