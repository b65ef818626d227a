"""The configuration variables template of a Microservices Runtime, from the manifest alone. Pure.

Source: "Configuration Variables Template Assets" of the Microservices Runtime guide (10.11, 10.15). A template is a Java
properties file that is applied at every start. It has keys for server parameters and remote server aliases, and none for
clients, scopes, associations, external authorization servers and tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.base import BundleRequest
from oauthdeploy.drivers.webmethods.fields import NEVER, SETTINGS, place_of
from oauthdeploy.drivers.webmethods.options import PARAMETERS as PARAMETERS_OF_OPTIONS
from oauthdeploy.drivers.webmethods.options import options_in, settings_options
from oauthdeploy.drivers.webmethods.trust import alias_of
from oauthdeploy.model.fields import managed
from oauthdeploy.model.objects import Settings, Trust

PARAMETERS: Final = {
    "require_https": "watt.server.oauth.requireHTTPS",
    "require_pkce": "watt.server.oauth.requirePKCE",
    "authorization_code_lifetime": "watt.server.oauth.authCode.expirySeconds",
    "access_token_lifetime": "watt.server.oauth.token.defaultExpirySeconds",
    "token_endpoint_auth": "watt.server.oauth.token.endpoint.auth",
}
"""The server parameter behind each setting (guide, "watt.server." parameters)."""

ALIAS: Final = "watt.server.oauth.authServer.alias"

_WITHOUT_KEY: Final = ("keystore_alias", "key_alias", "execute_acl", "keep_alive_connections", "keep_alive_minutes")
"""The fields of a remote alias that a template cannot hold."""

_LEFT_OUT: Final = {
    Kind.SCOPE: "scopes",
    Kind.CLIENT: "clients",
    Kind.ASSOCIATION: "associations",
    Kind.REVOCATION: "revocations",
}


def make_template(request: BundleRequest) -> bytes:
    """The properties of a server, and as comments what a template cannot hold. Equal manifests give equal bytes."""
    objects = request.desired.on(request.name)
    lines: list[str] = []
    notes: list[str] = []
    for _address, value in sorted(objects.items()):
        if isinstance(value, Settings):
            lines += _settings(value)
        elif isinstance(value, Trust):
            properties, left = _trust(value)
            lines += properties
            notes += left
    for kind, words in _LEFT_OUT.items():
        if count := sum(address.kind is kind for address in objects):
            notes.append(f"{count} {words if count != 1 else words[:-1]}: a template has no key for them; use apply.")
    head = [
        f"# Configuration variables of {request.name}, made from the manifest by oauthdeploy.",
        "# Applied at every start, so it undoes other changes of these values. Not included:",
        *(f"# - {note}" for note in notes or ["nothing"]),
    ]
    return "".join(f"{line}\n" for line in [*head, *sorted(lines)]).encode("ascii")


def _settings(value: Settings) -> Iterator[str]:
    options = settings_options(value)
    for name in sorted(options_in(value)):
        parameter = PARAMETERS_OF_OPTIONS[name]
        yield _property(f"settings.{parameter.name}", parameter.write(getattr(options, name)))
    for path, written in managed(value):
        if path in PARAMETERS:
            yield _property(f"settings.{PARAMETERS[path]}", SETTINGS[path].default if written is None else written)


def _trust(value: Trust) -> tuple[list[str], list[str]]:
    """The properties of the trust, and what is left out."""
    alias = alias_of(value)
    if value.via not in ("local", "remote"):
        return [], [f"the external authorization server {alias}: a template has no key for it; use apply."]
    lines = [_property(f"settings.{ALIAS}", alias)]
    place = place_of(value.endpoint or "")
    if value.via == "local" or place is None:
        return lines, []
    entries = {"host": place.host, "port": place.port, "user": value.username, "retryServer": value.retry_server}
    lines += [_property(f"remoteserver.{alias}.{key}", one) for key, one in entries.items() if one is not None]
    left = [f"remoteserver.{alias}.password: add it where secrets are kept, as a template of its own."]
    if place.tls:
        left.append(f"Use SSL of the alias {alias}: set it on the page, or use apply.")
    others = [path for path in _WITHOUT_KEY if getattr(value, path) is not None]
    if others:
        left.append(f"{', '.join(others)} of the alias {alias}: set them on the page, or use apply.")
    return lines, left


def _property(key: str, value: Any) -> str:
    if value == "never":
        value = NEVER
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{_escaped(key)}={_escaped(text)}"


def _escaped(text: str) -> str:
    """A key or a value of a Java properties file, in ASCII."""
    found = ""
    for character in text:
        if character in "\\:=#! ":
            found += f"\\{character}"
        elif " " < character <= "~":
            found += character
        else:
            units = character.encode("utf-16-be")
            found += "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
    return found
