"""What an Integration Server supports according to its live OpenAPI document, read for the OAuth part of the Administrator API.

The published document of 10.11 has some paths with a trailing slash and wraps the body of a new scope; whether a server insists
on either is unknown, so the driver follows the document of the actual server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.drivers.webmethods.accounts import MEMBERS

DOCUMENT: Final = "/admin/swagger/integrationServer"

SETTINGS: Final = "/admin/oauth/globalsetting"
CLIENTS: Final = "/admin/oauth/client"
CLIENT: Final = "/admin/oauth/client/{}"
CLIENT_BY_NAME: Final = "/admin/oauth/client/{}/version/{}"
SCOPES: Final = "/admin/oauth/scope"
SCOPE: Final = "/admin/oauth/scope/{}"
EXTERNALS: Final = "/admin/oauth/externalserver"
EXTERNAL: Final = "/admin/oauth/externalserver/{}"
TOKENS: Final = "/admin/oauth/token"
ACCESS_TOKEN: Final = "/admin/oauth/token/accesstoken/{}"
REFRESH_TOKEN: Final = "/admin/oauth/token/refreshtoken/{}"
USERS: Final = "/admin/user"
USER: Final = "/admin/user/{}"
GROUPS: Final = "/admin/group"
GROUP: Final = "/admin/group/{}"
SERVER_SETTING: Final = "/admin/server/setting/{}"
REMOTES: Final = "/admin/remoteserver"
REMOTE: Final = "/admin/remoteserver/{}"

OAUTH_PREFIX: Final = "/admin/oauth/"
CORE: Final = (
    ("GET", SETTINGS),
    ("PATCH", SETTINGS),
    ("GET", CLIENTS),
    ("POST", CLIENTS),
    ("PATCH", CLIENT),
    ("DELETE", CLIENT),
    ("GET", SCOPES),
    ("POST", SCOPES),
    ("PATCH", SCOPE),
    ("DELETE", SCOPE),
)
"""What the driver cannot do without."""

PKCE_KEYS: Final = ("requirePKCE", "require_pkce", "requirePkce")
"""The names that a client's own requirement of PKCE may have; the administration pages of 10.15 call it require_pkce."""

PATCHED: Final = (SETTINGS, CLIENT, SCOPE, EXTERNAL, REMOTE, GROUP)
"""What the driver updates."""

WRAPPER: Final = "scopeInputData"

_PARAMETER = re.compile(r"\{[^{}/]*\}")
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})
_DEEPEST: Final = 12


class Api(Struct, frozen=True):
    """The OAuth part of a server's Administrator API.

    `paths` returns the literal path for a method and a path of this module, parameters as `{}`. `settings` and `client` are the
    fields that the server accepts for settings and for a new client; empty if its document does not say. `patches` are those
    that it accepts in a PATCH, with their JSON types, by path.
    """

    title: str
    version: str
    paths: Mapping[tuple[str, str], str]
    settings: frozenset[str]
    client: frozenset[str]
    patches: Mapping[str, Mapping[str, str]]
    wraps_scopes: bool
    text_versions: bool

    def offers(self, method: str, path: str) -> bool:
        """Whether the server has this method on this path."""
        return (method, path) in self.paths

    @property
    def missing(self) -> tuple[str, ...]:
        """What the driver needs and the server lacks, as `METHOD path`."""
        return tuple(f"{method} {path}" for method, path in CORE if not self.offers(method, path))

    @property
    def has_oauth(self) -> bool:
        """Whether there is an OAuth part at all."""
        return any(path.startswith(OAUTH_PREFIX) for _method, path in self.paths)

    @property
    def takes_client_id(self) -> bool:
        """Whether the creator of a client may choose its id."""
        return "client_id" in self.client

    @property
    def group_members(self) -> str:
        """The field of a group that its users can be written to; "" where the document lists none."""
        fields = self.patches.get(GROUP, {})
        return next((key for key in MEMBERS if fields.get(key) == "array"), "")

    @property
    def client_pkce(self) -> str:
        """The field of a client with its own requirement of PKCE; "" where the document lists none."""
        return next((key for key in PKCE_KEYS if key in self.patches.get(CLIENT, {})), "")

    @property
    def client_pkce_type(self) -> str:
        """The JSON type of that field; "" if the document names none."""
        return self.patches.get(CLIENT, {}).get(self.client_pkce, "")

    @property
    def takes_client_secret(self) -> bool:
        """Whether the creator of a client may choose its secret."""
        return "client_secret" in self.client


def read_document(document: Any) -> Api | None:
    """Parse an OpenAPI 3 document; None if it is not one."""
    if not isinstance(document, Mapping) or not isinstance(document.get("paths"), Mapping):
        return None
    info = document.get("info")
    info = info if isinstance(info, Mapping) else {}
    paths: dict[tuple[str, str], str] = {}
    operations: dict[tuple[str, str], Any] = {}
    for written, item in document["paths"].items():
        if not isinstance(item, Mapping):
            continue
        literal = written if written.startswith("/admin/") else "/admin" + written
        plain = _PARAMETER.sub("{}", literal)
        for method in _METHODS & item.keys():
            key = (method.upper(), plain.rstrip("/"))
            paths[key] = plain
            operations[key] = item[method]
    client = _properties(document, _body(document, operations.get(("POST", CLIENTS))))
    scope = list(_shapes(document, _body(document, operations.get(("POST", SCOPES)))))
    return Api(
        title=_text(info.get("title")),
        version=_text(info.get("version")),
        paths=MappingProxyType(paths),
        settings=frozenset(_properties(document, _body(document, operations.get(("PATCH", SETTINGS))))),
        client=frozenset(client),
        patches=MappingProxyType(
            {
                path: {key: _type_of(document, schema) for key, schema in _properties(document, body).items()}
                for path in PATCHED
                if (body := _body(document, operations.get(("PATCH", path)))) is not None
            }
        ),
        wraps_scopes=any(WRAPPER in shape for shape in scope) and not any("name" in shape for shape in scope),
        text_versions=_takes_text(document, client.get("version")),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _body(document: Mapping[str, Any], operation: Any) -> Any:
    """The schema of a request body."""
    body = _resolved(document, operation.get("requestBody") if isinstance(operation, Mapping) else None)
    content = body.get("content") if isinstance(body, Mapping) else None
    if not isinstance(content, Mapping):
        return None
    media = content.get("application/json") or next(iter(content.values()), None)
    return media.get("schema") if isinstance(media, Mapping) else None


def _resolved(document: Mapping[str, Any], value: Any) -> Any:
    """Resolve `$ref` inside the document; None if it leads nowhere."""
    for _step in range(_DEEPEST):
        if not isinstance(value, Mapping) or not isinstance(value.get("$ref"), str):
            return value
        target: Any = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, Mapping) else None
        value = target
    return None


def _shapes(document: Mapping[str, Any], schema: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The properties of each object that a schema allows: its own, and those of its alternatives."""
    schema = _resolved(document, schema)
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return
    if isinstance(schema.get("properties"), Mapping):
        yield schema["properties"]
    for word in ("allOf", "anyOf", "oneOf"):
        inner = schema.get(word)
        if isinstance(inner, Sequence) and not isinstance(inner, str):
            for choice in inner:
                yield from _shapes(document, choice, depth + 1)


def _properties(document: Mapping[str, Any], schema: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for shape in _shapes(document, schema):
        found.update(shape)
    return found


def _type_of(document: Mapping[str, Any], schema: Any) -> str:
    """The JSON type that a schema names; "" if it names none, or several."""
    kind = (_resolved(document, schema) or {}).get("type") if isinstance(schema, Mapping) else None
    return kind if isinstance(kind, str) else ""


def _takes_text(document: Mapping[str, Any], schema: Any, depth: int = 0) -> bool:
    """Whether a schema accepts a string; without a description, yes."""
    schema = _resolved(document, schema)
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return True
    for word in ("anyOf", "oneOf"):
        inner = schema.get(word)
        if isinstance(inner, Sequence) and not isinstance(inner, str):
            return any(_takes_text(document, choice, depth + 1) for choice in inner)
    kind = schema.get("type")
    return kind is None or kind == "string" or (isinstance(kind, Sequence) and "string" in kind)
