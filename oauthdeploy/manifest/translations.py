"""What people write in other formats, and the equivalent YAML here.

The words are those of RFC 7591 (client metadata), of Keycloak's JSON, of Keycloak's Terraform providers, of other OAuth
servers' consoles, and guesses that other parts of the manifest suggest. Case, hyphens and _ make no difference: `redirectUris`,
`redirect-uris` and `redirect_uris` are one word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from oauthdeploy.core.diagnostics import Path, value_at
from oauthdeploy.manifest.yaml_hints import lines_of


class Meant(NamedTuple):
    """What was probably meant: the reason in one sentence, and the YAML for it as nested values; empty if there is none."""

    why: str
    write: Mapping[str, Any]

    @property
    def fix(self) -> str:
        """The sentence, followed by the YAML, indented so that it is never wrapped."""
        if not self.write:
            return self.why
        return "\n".join([f"{self.why} Write:", *(f"  {line}" for line in lines_of(self.write))])


class Word(NamedTuple):
    """A key in its context: `name` is the client, scope or server that it was written in, with everything that was `written`
    there.
    """

    key: str
    value: Any
    name: str
    written: Mapping[str, Any]


Translation = Callable[[Word], Meant | None]


def meant_by(path: Path, tree: Any) -> Meant | None:
    """What the unknown key, or the value of the wrong shape, at the path was meant for; None if unknown.

    `tree` is the manifest, after references were replaced.
    """
    section = str(path[0]) if path else ""
    value = value_at(tree, path)
    if len(path) == 1 and (reshape := _SHAPES.get(section)) is not None:
        return reshape(value)
    if len(path) == 2 and section == "associations":
        return _association(value)
    if len(path) == 3 and section in _KEYS and isinstance(path[1], str):
        key = str(path[2])
        translate = _KEYS[section].get(plain(key))
        around = value_at(tree, path[:2])
        if translate is not None and isinstance(around, Mapping):
            return translate(Word(key, value, path[1], around))
    if section == "settings" and len(path) == 2:
        translate = _SETTINGS.get(plain(str(path[1])))
        return translate(Word(str(path[1]), value, "", {})) if translate is not None else None
    if len(path) == 4 and path[0] == "clients" and path[2] == "secret":
        return _secret_source(str(path[1]), str(path[3]), value)
    return None


def plain(key: str) -> str:
    """A key in its normal form."""
    return re.sub(r"[_\-. ]", "", key).lower()


def _words(value: Any) -> list[Any]:
    """A list, or the words of a string: RFC 6749 section 3.3 and RFC 7591 separate scopes by spaces."""
    if isinstance(value, list | tuple):
        return list(value)
    if type(value) is str:
        return re.split(r"[\s,]+", value.strip())
    return [value]


def _is_true(value: Any) -> bool:
    return isinstance(value, str) and value.lower() in ("true", "yes", "on", "1")


# -- clients ------------------------------------------------------------------------------------------------------------

_GRANTS: Final = {
    "authorizationcode": "authorization_code",
    "code": "authorization_code",
    "implicit": "implicit",
    "token": "implicit",
    "password": "password",
    "resourceowner": "password",
    "clientcredentials": "client_credentials",
    "refreshtoken": "refresh_token",
    "urn:ietf:params:oauth:granttype:devicecode": "device_code",
    "devicecode": "device_code",
    "urn:ietf:params:oauth:granttype:tokenexchange": "token_exchange",
    "tokenexchange": "token_exchange",
    "urn:openid:params:granttype:ciba": "ciba",
}
"""Values of grant_types (RFC 7591, RFC 8628, RFC 8693, CIBA) and response_types."""
_GRANT_FLAGS: Final = {
    "standardflowenabled": ("authorization_code", "refresh_token"),
    "implicitflowenabled": ("implicit",),
    "directaccessgrantsenabled": ("password",),
    "serviceaccountsenabled": ("client_credentials",),
    "oauth2deviceauthorizationgrantenabled": ("device_code",),
}
"""Flags of Keycloak, and the grants that they mean."""
_GRANT_LISTS: Final = (
    "grants",
    "granttypes",
    "granttype",
    "grant",
    "allowedgranttypes",
    "responsetypes",
    "responsetype",
    "flows",
)
_SCOPES: Final = {
    "scope": None,
    "scopes": None,
    "allowedscopes": None,
    "allowedoauthscopes": None,
    "permissions": None,
    "defaultclientscopes": "default",
    "defaultscopes": "default",
    "optionalclientscopes": "optional",
    "optionalscopes": "optional",
}
_REDIRECTS: Final = (
    "redirecturi", "redirecturis", "redirecturl", "redirecturls", "validredirecturis", "callback", "callbacks", "callbackurl",
    "callbackurls", "replyurls", "loginredirecturis",
)  # fmt: skip
_TYPES: Final = (
    "publicclient",
    "public",
    "confidential",
    "accesstype",
    "clienttype",
    "tokenendpointauthmethod",
    "bearer",
)
_NAMES: Final = ("clientname", "displayname", "title", "label")
_NOT_MANAGED: Final = (
    "clienturi", "logouri", "tosuri", "policyuri", "jwks", "jwksuri", "softwareid", "softwareversion", "applicationtype",
    "sectoridentifieruri", "subjecttype", "postlogoutredirecturis", "rooturl", "baseurl", "adminurl", "protocol",
    "protocolmappers", "fullscopeallowed", "frontchannellogout", "consentrequired", "surrogateauthrequired",
)  # fmt: skip


def _client(key: str, /, **fields: Any) -> dict[str, Any]:
    return {"clients": {key: fields}}


def _grants(word: Word) -> Meant:
    """All grants that the client's foreign keys mean, so that several such keys lead to one list."""
    found: list[Any] = []
    for key, value in word.written.items():
        if plain(key) in _GRANT_LISTS:
            found += [_GRANTS.get(plain(each), each) if type(each) is str else each for each in _words(value)]
        elif plain(key) in _GRANT_FLAGS and _is_true(value):
            found += _GRANT_FLAGS[plain(key)]
    unique = list(dict.fromkeys(each for each in found if each != "none"))
    return Meant("The grants of a client are one list.", _client(word.name, grants=unique))


def _scopes(word: Word) -> Meant:
    association = {"client": word.name, "scopes": _words(word.value)}
    if assigned := _SCOPES[plain(word.key)]:
        association["as"] = assigned
    return Meant("Associations say which client may request which scope.", {"associations": [association]})


def _redirects(word: Word) -> Meant:
    uris = list(word.value) if isinstance(word.value, list | tuple) else [word.value]
    return Meant("Redirect URIs are a list.", _client(word.name, redirect_uris=uris))


def _type(word: Word) -> Meant:
    key, value = plain(word.key), plain(word.value) if type(word.value) is str else ""
    public = {"publicclient": _is_true(value), "public": _is_true(value), "confidential": not _is_true(value)}.get(
        key, value in ("none", "public")
    )
    if public:
        return Meant("A client that cannot keep a secret is public.", _client(word.name, type="public"))
    return Meant("A client that can keep a secret is confidential.", _client(word.name, type="confidential"))


def _name(word: Word) -> Meant:
    return Meant("The name that people see is 'name'.", _client(word.name, name=word.value))


def _client_id(word: Word) -> Meant | None:
    if not isinstance(word.value, str) or type(word.value) is not str:
        return None
    if word.value == word.name:
        return Meant("The key of the entry is the client's id already. Remove this line.", {})
    rest = {key: value for key, value in word.written.items() if key != word.key}
    return Meant("The key of the entry is the client's id.", {"clients": {word.value: rest}})


def _secret(word: Word) -> Meant:
    return Meant(
        "The secret is a mapping, and its value comes from outside the file.",
        _client(word.name, secret={"value": word.value}),
    )


def _per_server(word: Word) -> Meant | None:
    if not isinstance(word.value, Mapping):
        return None
    environments = {str(key): {"clients": {word.name: value}} for key, value in word.value.items()}
    return Meant(
        "A client is the same on all of its servers ('on'). What differs from environment to environment is written there, "
        f"and chosen with --env {next(iter(environments), 'NAME')}.",
        {"environments": environments},
    )


def _enabled(word: Word) -> Meant:
    value = word.value if plain(word.key) != "disabled" else ("false" if _is_true(word.value) else "true")
    return Meant("The field is 'enabled'.", _client(word.name, enabled=value))


def _lifetime(word: Word) -> Meant:
    return Meant(
        "Lifetimes of a client's tokens are in 'tokens'.", _client(word.name, tokens={"access_lifetime": word.value})
    )


def _on(word: Word) -> Meant:
    return Meant("The servers of a client are in 'on'.", _client(word.name, on=_words(word.value)))


def _contacts(word: Word) -> Meant:
    return Meant("Contacts are a list.", _client(word.name, contacts=_words(word.value)))


def _web_origins(word: Word) -> Meant:
    options = {"keycloak": {"web_origins": _words(word.value)}}
    return Meant("Only Keycloak has web origins.", _client(word.name, options=options))


def _not_managed(word: Word) -> Meant:
    return Meant(
        f"oauthdeploy does not manage '{word.key}'. Leave it out: what the manifest does not name stays as it is.", {}
    )


def _secret_source(client: str, key: str, value: Any) -> Meant | None:
    """`secret: {env: NAME}`: the source of a secret is in a reference."""
    sources = {
        "env": "env",
        "fromenv": "env",
        "environment": "env",
        "file": "file",
        "keyring": "keyring",
        "command": "command",
    }
    source = sources.get(plain(key))
    if source is None or type(value) is not str or not re.fullmatch(r"[A-Za-z0-9_./ -]{1,200}", value):
        return None
    from oauthdeploy.manifest.yaml_hints import Verbatim

    reference = Verbatim(f'"${{{source}:{value}}}"')
    return Meant("A reference names the source.", _client(client, secret={"value": reference}))


def _each(words: Iterable[str], translate: Translation) -> dict[str, Translation]:
    return dict.fromkeys(words, translate)


_CLIENTS: Final[Mapping[str, Translation]] = {
    **_each(_REDIRECTS, _redirects),
    **_each((*_GRANT_LISTS, *_GRANT_FLAGS), _grants),
    **_each(_SCOPES, _scopes),
    **_each(_TYPES, _type),
    **_each(_NAMES, _name),
    **_each(("clientid", "id"), _client_id),
    **_each(("secret", "clientsecret", "password"), _secret),
    **_each(("overrides", "environments", "perserver", "env"), _per_server),
    **_each(("disabled", "active", "isenabled"), _enabled),
    **_each(
        ("accesstokenlifespan", "accesstokenlifetime", "accesstokenvalidity", "accesstokenttl", "tokenlifetime"),
        _lifetime,
    ),
    **_each(("on", "server", "servers"), _on),
    **_each(("contact", "contacts", "email"), _contacts),
    **_each(("weborigins", "allowedorigins", "corsorigins"), _web_origins),
    **_each(_NOT_MANAGED, _not_managed),
}

# -- scopes, settings, servers ------------------------------------------------------------------------------------------


def _scope_clients(word: Word) -> Meant:
    association = {"scope": word.name, "clients": _words(word.value)}
    return Meant("Associations say which client may request which scope.", {"associations": [association]})


def _scope_resources(word: Word) -> Meant:
    return Meant("What a scope opens is in 'resources'.", {"scopes": {word.name: {"resources": _words(word.value)}}})


_SCOPE_KEYS: Final[Mapping[str, Translation]] = {
    **_each(("client", "clients"), _scope_clients),
    **_each(("resource", "resources", "services", "folders", "apis"), _scope_resources),
}


def _setting(name: str) -> Translation:
    return lambda word: Meant(f"The setting is '{name}'.", {"settings": {name: word.value}})


_SETTINGS: Final[Mapping[str, Translation]] = {
    **_each(
        ("accesstokenlifespan", "accesstokenttl", "accesstokenvalidity", "tokenlifetime"),
        _setting("access_token_lifetime"),
    ),
    **_each(("accesscodelifespan", "authcodelifetime", "codelifetime"), _setting("authorization_code_lifetime")),
    **_each(("requiressl", "sslrequired", "https"), _setting("require_https")),
    **_each(("pkce", "pkcerequired"), _setting("require_pkce")),
}


def _server(field: str, part: str = "") -> Translation:
    """A field of a server, or of a `part` such as its credentials, together with what that part has already."""

    def translate(word: Word) -> Meant:
        if not part:
            return Meant(f"The field is '{field}'.", {"servers": {word.name: {field: word.value}}})
        own = word.written.get(part)
        others = {
            key: value for key, value in word.written.items() if _SERVER_PARTS.get(plain(key), ("", ""))[0] == part
        }
        inner = {
            **(own if isinstance(own, Mapping) else {}),
            **{_SERVER_PARTS[plain(key)][1]: value for key, value in others.items()},
        }
        return Meant(f"This is a part of '{part}'.", {"servers": {word.name: {part: inner}}})

    return translate


_SERVER_PARTS: Final = {
    "username": ("credentials", "username"),
    "user": ("credentials", "username"),
    "password": ("credentials", "password"),
    "clientid": ("credentials", "client_id"),
    "clientsecret": ("credentials", "client_secret"),
    "token": ("credentials", "token"),
    "realm": ("options", "realm"),
    "realmname": ("options", "realm"),
    "path": ("options", "path"),
    "cafile": ("tls", "ca_file"),
    "cacert": ("tls", "ca_file"),
    "rootcacertificate": ("tls", "ca_file"),
    "verify": ("tls", "verify"),
    "verifyssl": ("tls", "verify"),
    "timeout": ("limits", "timeout"),
    "clienttimeout": ("limits", "timeout"),
    "retries": ("limits", "retries"),
}
"""Keys that people write directly in a server entry, the part that they belong to, and their name there."""

_SERVERS: Final[Mapping[str, Translation]] = {
    **_each(("type", "kind", "product", "provider"), _server("driver")),
    **_each(("baseurl", "address", "endpoint", "host", "uri", "serverurl"), _server("url")),
    **{key: _server(name, part) for key, (part, name) in _SERVER_PARTS.items()},
}

_KEYS: Final = {"clients": _CLIENTS, "scopes": _SCOPE_KEYS, "servers": _SERVERS}

# -- shapes -------------------------------------------------------------------------------------------------------------


def _mapping_by(section: str, *keys: str) -> Callable[[Any], Meant | None]:
    """A list of entries with their names inside, where a mapping by name is required."""

    def reshape(value: Any) -> Meant | None:
        if not isinstance(value, list):
            return None
        found: dict[str, Any] = {}
        for entry in value:
            if type(entry) is str:
                found[entry] = {}
            elif isinstance(entry, Mapping):
                own = next((key for key in entry if plain(key) in keys and type(entry[key]) is str), None)
                if own is None:
                    return None
                found[entry[own]] = {key: inner for key, inner in entry.items() if key != own}
        return (
            Meant(f"'{section}' is a mapping, with the name of each entry as its key.", {section: found})
            if found
            else None
        )

    return reshape


def _associations(value: Any) -> Meant | None:
    """`associations: {web-shop: [orders.read]}`."""
    if not isinstance(value, Mapping):
        return None
    entries = [{"client": client, "scopes": _words(scopes)} for client, scopes in value.items()]
    return Meant("Associations are a list.", {"associations": entries}) if entries else None


def _association(value: Any) -> Meant | None:
    """`{client: web-shop, scope: orders.read}`: one end has the list."""
    if not isinstance(value, Mapping):
        return None
    found = {plain(key): inner for key, inner in value.items()}
    client, scope = found.get("client", found.get("clientid")), found.get("scope")
    if ("clients" in found and "scopes" in found) or client is None or (scope is None and "scopes" not in found):
        return None
    scopes = _words(found.get("scopes", scope))
    more = {"as": value["as"]} if "as" in value else {}
    return Meant(
        "One end of an association is a list.", {"associations": [{"client": client, "scopes": scopes, **more}]}
    )


_SHAPES: Final[Mapping[str, Callable[[Any], Meant | None]]] = {
    "clients": _mapping_by("clients", "clientid", "name", "id", "key"),
    "scopes": _mapping_by("scopes", "name", "id", "scope"),
    "servers": _mapping_by("servers", "name", "id"),
    "associations": _associations,
}
