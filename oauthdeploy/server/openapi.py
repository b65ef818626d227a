"""The OpenAPI 3.0 document of the admin API, generated from the operations and fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from oauthdeploy.server.admin import clients, groups, scopes, server_settings, settings, tokens, trusted_servers, users
from oauthdeploy.server.admin.api import Api, Operation
from oauthdeploy.server.admin.fields import INT32, Field
from oauthdeploy.server.state import NOT_FOR_PRODUCTION, State

Json = dict[str, object]

_PARAMETER = re.compile(r"\{(\w+)\}")


def build_document(api: Api) -> Json:
    """The document of one server, in its mode: a client's id and secret are in `ClientIn` only where accepted."""
    state = api.state
    paths: dict[str, Json] = {}
    for operation in api.operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    for path, item in paths.items():
        names = _PARAMETER.findall(path)
        if names:
            item["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
            ]
    slashes = (
        "Slashes at the end of a path are literal."
        if state.strict
        else "A path is served with and without a slash at its end, except below /admin/oauth/scope/."
    )
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "oauthdeploy embedded server, administration",
            "version": "1.0",
            "description": f"{NOT_FOR_PRODUCTION} Every path also answers OPTIONS, and HEAD where it answers GET. "
            f"{slashes} Mode: {'strict' if state.strict else 'tolerant'}.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "schemas": _schemas(state),
        },
        "security": [{"basic": []}],
    }


def _operation(operation: Operation) -> Json:
    success: Json = {"description": "Done."}
    if operation.answer:
        success["content"] = {"application/json": {"schema": _reference(operation.answer)}}
    failure = {"content": {"application/json": {"schema": _reference("Error")}}}
    result: Json = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "operationId": re.sub(r"\W+", "_", f"{operation.method.lower()}{operation.path}").strip("_"),
        "responses": {
            str(operation.status): success,
            "4XX": {"description": "The request is refused.", **failure},
            "5XX": {"description": "The server failed.", **failure},
        },
    }
    if operation.expandable:
        result["parameters"] = [
            {
                "name": "expand",
                "in": "query",
                "required": False,
                "description": "Whole objects instead of names and URLs.",
                "schema": {"type": "boolean", "default": False},
            }
        ]
    if operation.body:
        types = ["application/json"] + (["application/merge-patch+json"] if operation.method == "PATCH" else [])
        result["requestBody"] = {
            "required": True,
            "content": {media: {"schema": _reference(operation.body)} for media in types},
        }
    return result


def _reference(schema: str) -> Json:
    return {"$ref": f"#/components/schemas/{schema}"}


def _schemas(state: State) -> Json:
    named = state.profile.parameters == "named"
    written = {**_object(scopes.FIELDS, state), "description": "A scope."}
    warnings: Json = {"warnings": {**_array(_text()), "description": "Folders and services that do not exist here."}}
    schemas: Json = {
        "Error": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}},
        "Link": _plain({"name": _text(), "url": _text()}),
        "GlobalSetting": _object(settings.FIELDS, state),
        "ClientIn": _object(clients.input_fields(state), state),
        "ClientOut": _object((*clients.own_fields(state), *clients.IDENTITY_FIELDS), state),
        "Scope": _with(written, warnings),
        "Token": _object(tokens.FIELDS, state),
        "ExternalServer": _object(trusted_servers.EXTERNAL_FIELDS, state),
        "ExternalServerOut": _object(_readable(trusted_servers.EXTERNAL_FIELDS), state),
        "RemoteServer": _object(trusted_servers.REMOTE_FIELDS, state),
        "RemoteServerOut": _object(_readable(trusted_servers.REMOTE_FIELDS), state),
        "ServerSetting": _object(server_settings.FIELDS, state) if named else {"type": "object"},
        "User": _object(users.USER_FIELDS, state),
        "Group": _object(groups.fields_of(state.profile), state),
    }
    lists = (
        ("ClientList", "clients", "ClientOut"),
        ("ScopeList", "scopes", "Scope"),
        ("TokenList", "tokens", "Token"),
        ("ExternalServerList", "externalServers", "ExternalServerOut"),
        ("RemoteServerList", "remoteServers", "RemoteServerOut"),
        ("ServerSettingList", "settings", "ServerSetting"),
        ("UserList", "users", "User"),
        ("GroupList", "groups", "Group"),
    )
    for name, wrapper, item in lists:
        schemas[name] = _plain({wrapper: _array({"anyOf": [_reference("Link"), _reference(item)]})})
    scope_list = _plain(
        {
            "scopes": _array({"anyOf": [_reference("Link"), _reference("Scope")]}),
            scopes.WRAPPER: _reference("Scope"),
        }
    )
    schemas["ScopeList"] = scope_list if state.strict else {"anyOf": [scope_list, _reference("Scope")]}
    return schemas


def _readable(fields: Iterable[Field]) -> list[Field]:
    return [field for field in fields if not field.write_only]


def _object(fields: Sequence[Field], state: State) -> Json:
    return _plain({field.name: _schema(field, state) for field in fields})


def _with(schema: Json, more: Json) -> Json:
    properties = schema["properties"]
    assert isinstance(properties, dict)
    return {**schema, "properties": {**properties, **more}}


def _plain(properties: Json) -> Json:
    return {"type": "object", "properties": properties}


def _text() -> Json:
    return {"type": "string"}


def _array(items: Json) -> Json:
    return {"type": "array", "items": items}


def _schema(field: Field, state: State) -> Json:
    schema: Json
    match field.kind:
        case "text":
            schema = _text()
        case "boolean":
            schema = {"type": "boolean"}
        case "texts":
            schema = _array(_text())
        case "integer":
            schema = {"type": "integer", "format": "int32", "minimum": field.minimum, "maximum": INT32}
        case "version":
            number: Json = {"type": "integer", "format": "int32"}
            schema = number if state.strict else {"anyOf": [number, _text()]}
    schema["description"] = field.description
    if field.choices:
        schema["enum"] = list(field.choices)
    if field.default is not None:
        schema["default"] = field.default
    if field.write_only:
        schema["writeOnly"] = True
    if not field.required and not field.choices:
        schema["nullable"] = True
    return schema
