"""`/admin/oauth/scope`: the scopes, with the folders, services and URL templates that each gives access to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session

from oauthdeploy.server.admin.api import Api, answer_fields, expanding, listing, path_tail
from oauthdeploy.server.admin.errors import AdminError, conflict, invalid, missing, shown
from oauthdeploy.server.admin.fields import Field, Value, check_name, patch_of, read_body, read_fields
from oauthdeploy.server.models import ClientScope, Scope
from oauthdeploy.server.state import State

PATH = "/admin/oauth/scope"
WRAPPER = "scopeInputData"
FORBIDDEN = '\\,"'
LONGEST = 100

_RESOURCE = re.compile(r'[^\s:.,"\\/]+(\.[^\s:.,"\\/]+)*(:[^\s:.,"\\/]+)?')
_TEMPLATE = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)_[^\s/]+(/\S*)?")

FIELDS = (
    Field("name", "name", "text", "Unique name of ASCII characters 33 to 126; cannot be changed.", required=True),
    Field("description", "description", "text", "What the scope is for."),
    Field("FoldersAndServices", "resources", "texts", "Folders (a.b) and services (a.b:svc) that the scope opens."),
    Field("urlTemplates", "url_templates", "texts", "<METHOD>_<namespace>/<resource template>, for REST resources."),
)


def register(api: Api) -> None:
    """Serve scopes: list, create, read, replace, update, delete.

    The published document has a wrapper, `{"scopeInputData": Scope}`, in the bodies of create and replace, and an answer with
    it. Strict mode accepts and returns only that. Tolerant mode also accepts a bare scope, and responds in the form of the
    request.
    """
    state = api.state

    @api.operation("GET", PATH, summary="List the scopes", answer="ScopeList", expandable=True)
    def list_scopes() -> object:
        with state.store.read() as session:
            scopes = session.scalars(select(Scope).order_by(Scope.name)).all()
        if expanding():
            return {"scopes": [answer(scope) for scope in scopes]}
        return listing("scopes", [(scope.name, scope.name) for scope in scopes], PATH)

    @api.operation("POST", PATH, summary="Create a scope", body="ScopeList", answer="ScopeList", status=201)
    def create_scope() -> object:
        body, wrapped = unwrap(state, read_body(request))
        values = read_fields(body, FIELDS, strict=state.strict)
        warnings = check(state, values)
        with state.store.write() as session:
            if session.get(Scope, values["name"]) is not None:
                raise conflict(f"A scope named {shown(values['name'])} exists.")
            scope = Scope(**values)
            session.add(scope)
        return wrap(answer(scope, warnings), wrapped)

    @api.operation("GET", PATH + "/{name}", summary="Read a scope", answer="Scope")
    def read_scope(name: str) -> object:
        with state.store.read() as session:
            return answer(get(state, session, name))

    @api.operation(
        "PUT",
        PATH + "/{name}",
        summary="Replace a scope; unnamed fields become empty",
        body="ScopeList",
        answer="ScopeList",
    )
    def replace_scope(name: str) -> object:
        body, wrapped = unwrap(state, read_body(request))
        return wrap(change(name, body, partial=False), wrapped)

    @api.operation("PATCH", PATH + "/{name}", summary="Update a scope (JSON Merge Patch)", body="Scope", answer="Scope")
    def update_scope(name: str) -> object:
        body = read_body(request, merge_patch=True)
        if not state.strict:
            body, _ = unwrap(state, body)
        return change(name, body, partial=True)

    @api.operation("DELETE", PATH + "/{name}", summary="Delete a scope that no client uses", status=204)
    def delete_scope(name: str) -> object:
        with state.store.write() as session:
            scope = get(state, session, name)
            if session.scalar(select(ClientScope.client_id).where(ClientScope.scope == scope.name).limit(1)):
                raise conflict(f"The scope {shown(scope.name)} is in use by a client.")
            session.delete(scope)
        return None

    def change(name: str, body: Mapping[str, object], *, partial: bool) -> dict[str, object]:
        body, partial = patch_of(state.profile, body, {}, partial=partial)
        with state.store.write() as session:
            scope = get(state, session, name)
            values = read_fields({"name": scope.name, **body}, FIELDS, strict=state.strict, partial=partial)
            if values.pop("name") != scope.name:
                raise invalid("Field 'name' cannot be changed.")
            warnings = check(state, values)
            for attribute, value in values.items():
                setattr(scope, attribute, value)
            return answer(scope, warnings)


def get(state: State, session: Session, name: str) -> Scope:
    """The scope with this name, or a 404."""
    name = path_tail(name, lambda whole: session.get(Scope, whole) is not None, state.strict)
    scope = session.get(Scope, name)
    if scope is None:
        raise missing("scope", name)
    return scope


def answer(scope: Scope, warnings: list[str] | None = None) -> dict[str, object]:
    """A scope as its JSON object, with warnings."""
    result = answer_fields(scope, FIELDS, {})
    return {**result, "warnings": warnings} if warnings else result


def unwrap(state: State, body: dict[str, object]) -> tuple[dict[str, object], bool]:
    """The scope in a body, and whether it was in the document's wrapper."""
    if WRAPPER in body:
        inner = body[WRAPPER]
        if not isinstance(inner, dict):
            raise invalid(f"Field '{WRAPPER}' must be an object.")
        if state.strict and set(body) - {WRAPPER, "scopes"}:
            raise invalid(f"Only '{WRAPPER}' is expected in the body.")
        return inner, True
    if state.strict:
        raise invalid(f"Field '{WRAPPER}' is required.")
    return body, False


def wrap(scope: dict[str, object], wrapped: bool) -> dict[str, object]:
    """The response to create and replace, in the form of the request."""
    return {WRAPPER: scope, "scopes": [scope]} if wrapped else scope


def check(state: State, values: Mapping[str, Value]) -> list[str]:
    """Check a scope against its rules (guide, Adding a Scope).

    A folder or service that does not exist here is refused in strict mode. Releases from 10.5 on only warn, and so does
    tolerant mode.

    Returns:
        the warnings.

    Raises:
        AdminError: 400 naming the field.
    """
    if "name" in values:
        name = cast("str", values["name"])
        check_name("name", name, FORBIDDEN, LONGEST)
        if any(not 33 <= ord(character) <= 126 for character in name):
            raise invalid("Field 'name' must contain only ASCII characters from 33 to 126.")
        if name in (".", ".."):
            raise invalid("Field 'name' cannot be a dot segment, which no URL path can carry.")
    resources = cast("list[str]", values.get("resources") or [])
    for entry in resources:
        if not _RESOURCE.fullmatch(entry):
            raise invalid(
                f"Field 'FoldersAndServices' contains {shown(entry)}, which is neither a folder nor a service."
            )
    for entry in cast("list[str]", values.get("url_templates") or []):
        if not _TEMPLATE.fullmatch(entry):
            raise invalid(
                f"Field 'urlTemplates' contains {shown(entry)}, which is not a <METHOD>_<namespace>/<template>."
            )
    warnings = [f"{entry} does not exist on this server." for entry in resources if not state.knows_resource(entry)]
    if warnings and state.strict:
        raise AdminError(400, f"Field 'FoldersAndServices': {warnings[0]}")
    return warnings
