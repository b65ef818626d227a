"""The model's fields in the client metadata of RFC 7591 section 2, each once: what a client holds of it, its limit, its default,
and the conversion in both directions. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.client_metadata import (
    AUTH_METHOD,
    BY_BASIC,
    GRANT_TYPES,
    RESPONSE_TYPES,
    grant_types_in,
    grants_in,
    put_grants,
    put_type,
    read_type,
)
from oauthdeploy.drivers.field_table import Table, WireField, at, once_each
from oauthdeploy.drivers.json_values import a_text, some_texts
from oauthdeploy.model.capabilities import HeldField, HeldFields, Limit, no, yes
from oauthdeploy.model.held_fields import fields_of
from oauthdeploy.model.objects import ClientType, Grant

GRANTS: Final[Mapping[Grant, str]] = {
    Grant.AUTHORIZATION_CODE: "authorization_code",
    Grant.IMPLICIT: "implicit",
    Grant.CLIENT_CREDENTIALS: "client_credentials",
    Grant.PASSWORD: "password",
    Grant.REFRESH_TOKEN: "refresh_token",
    Grant.DEVICE_CODE: "urn:ietf:params:oauth:grant-type:device_code",
    Grant.CIBA: "urn:openid:params:grant-type:ciba",
    Grant.TOKEN_EXCHANGE: "urn:ietf:params:oauth:grant-type:token-exchange",
}
"""The grant types of RFC 7591 section 2, RFC 8628, CIBA Core 1.0 and RFC 8693."""

_REDIRECT: Final = Limit(r"[A-Za-z][A-Za-z0-9+.-]*:[^#\s]+", None, "an absolute URI without a fragment")


def live_grants(raw: Mapping[str, Any]) -> tuple[Grant, ...]:
    """The grants of a client that the model knows. Raises Garbled."""
    return grants_in(grant_types_in(raw), GRANTS)


def _put_grants(body: dict[str, Any], value: tuple[Grant, ...]) -> None:
    put_grants(body, value, GRANTS)


def _optional(key: str, read: Callable[[Mapping[str, Any], str], Any], **declared: Any) -> WireField:
    """A value whose absence is the default: an empty one is left out, because servers refuse an empty text for a URL or name."""

    def write(body: dict[str, Any], value: Any) -> None:
        if value in ("", ()):
            body.pop(key, None)
        else:
            body[key] = list(value) if isinstance(value, tuple) else value

    return WireField(keys=(key,), read=lambda raw: read(raw, key), write=write, **declared)


CLIENT: Final[Table] = {
    "name": _optional("client_name", a_text, default="", key_stands_in=True),
    "version": HeldField(no("a client has no version; software_version is an option")),
    "description": HeldField(no("RFC 7591 has a name for a client and no description")),
    "type": WireField(
        support=yes("public is token_endpoint_auth_method: none"),
        keys=(AUTH_METHOD,),
        read=read_type,
        write=put_type,
        default=ClientType.CONFIDENTIAL,
    ),
    "redirect_uris": at("redirect_uris", some_texts, once_each, limit=_REDIRECT, default=()),
    "contacts": _optional("contacts", some_texts, default=()),
    "groups": HeldField(no("RFC 7591 knows no account of a client")),
    "grants": WireField(
        keys=(GRANT_TYPES, RESPONSE_TYPES),
        read=live_grants,
        write=_put_grants,
        default=(Grant.AUTHORIZATION_CODE,),
    ),
    "tokens.access_lifetime": HeldField(no("RFC 7591 has no metadata for lifetimes")),
    "tokens.refresh_count": HeldField(no("RFC 7591 has no metadata for refreshes")),
    "enabled": HeldField(no("a client cannot be disabled, only deleted (RFC 7592 section 2.3)")),
}

FIELDS: Final[HeldFields] = {
    Kind.SETTINGS: dict.fromkeys(
        fields_of(Kind.SETTINGS), HeldField(no("RFC 7591 is about clients; no request changes the server's settings"))
    ),
    Kind.SCOPE: dict.fromkeys(
        fields_of(Kind.SCOPE), HeldField(no("a scope is a word in the scope of its clients, without fields of its own"))
    ),
    Kind.CLIENT: CLIENT,
    Kind.ASSOCIATION: dict.fromkeys(
        fields_of(Kind.ASSOCIATION), HeldField(no("RFC 7591 does not say which scopes a token has without a request"))
    ),
}
"""What a client's metadata holds of the model."""

OPTIONS: Final[Table] = {
    **{
        name: _optional(name, a_text, default="")
        for name in (
            "client_uri",
            "logo_uri",
            "tos_uri",
            "policy_uri",
            "jwks_uri",
            "software_id",
            "software_version",
            "software_statement",
            "application_type",
            "subject_type",
        )
    },
    "post_logout_redirect_uris": _optional("post_logout_redirect_uris", some_texts, default=()),
    AUTH_METHOD: at(AUTH_METHOD, lambda raw, key: a_text(raw, key, BY_BASIC), default=BY_BASIC),
}
"""The driver's own options of a client, in the same JSON."""
