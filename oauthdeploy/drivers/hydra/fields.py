"""The model's fields in the JSON of Hydra's clients, each once: what a client holds of it, its limit, its default, and the
conversion in both directions.

Source: Ory Hydra 2.3.0, client/client.go and client/validator.go; each line was tried on a real 2.3.0. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.client_metadata import (
    AUTH_METHOD,
    BY_BASIC,
    GRANT_TYPES,
    RESPONSE_TYPES,
    grants_in,
    put_grants,
    put_type,
    read_type,
)
from oauthdeploy.drivers.field_table import Table, WireField, at, once_each
from oauthdeploy.drivers.json_values import Garbled, a_text, some_texts
from oauthdeploy.model.capabilities import HeldField, HeldFields, Limit, no, yes
from oauthdeploy.model.held_fields import fields_of
from oauthdeploy.model.objects import ClientType, Grant

GRANTS: Final[Mapping[Grant, str]] = {
    Grant.AUTHORIZATION_CODE: "authorization_code",
    Grant.IMPLICIT: "implicit",
    Grant.CLIENT_CREDENTIALS: "client_credentials",
    Grant.REFRESH_TOKEN: "refresh_token",
}
"""The grants that Hydra has; any other text is kept and grants nothing that the model knows."""

LIFESPANS: Final = (
    "authorization_code_grant_access_token_lifespan",
    "client_credentials_grant_access_token_lifespan",
    "implicit_grant_access_token_lifespan",
    "jwt_bearer_grant_access_token_lifespan",
    "refresh_token_grant_access_token_lifespan",
)
"""The lifetimes of access tokens, one for each grant by which they are issued."""

OTHER_LIFESPANS: Final = (
    "authorization_code_grant_id_token_lifespan",
    "authorization_code_grant_refresh_token_lifespan",
    "implicit_grant_id_token_lifespan",
    "refresh_token_grant_id_token_lifespan",
    "refresh_token_grant_refresh_token_lifespan",
)
"""The lifetimes of other tokens, which the request that sets lifetimes must repeat."""

_REDIRECT: Final = Limit(r"([A-Za-z][A-Za-z0-9+.-]*:|/)[^#\s]*", None, "an absolute URI without a fragment")
_SECRET: Final = Limit(r"[\s\S]{6,}", None, "at least 6 characters long")


def live_grants(raw: Mapping[str, Any]) -> tuple[Grant, ...]:
    """The grants of a client. Without any, Hydra allows the authorization code grant (RFC 7591 section 2). Raises Garbled."""
    told = some_texts(raw, GRANT_TYPES) or (GRANTS[Grant.AUTHORIZATION_CODE],)
    return grants_in(told, GRANTS)


def _put_grants(body: dict[str, Any], value: tuple[Grant, ...]) -> None:
    put_grants(body, value, GRANTS)


_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def _lifetime(raw: Mapping[str, Any]) -> Any:
    told = {key: raw[key] for key in LIFESPANS if raw.get(key) is not None}
    if not told:
        return "inherit"
    if len(set(map(str, told.values()))) > 1 or len(told) < len(LIFESPANS):
        raise Garbled("access tokens live for different times, depending on their grant", told)
    text = str(next(iter(told.values())))
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        raise Garbled("a lifespan is not a whole number of seconds", text)
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def _put_lifetime(body: dict[str, Any], value: Any) -> None:
    body.update(dict.fromkeys(LIFESPANS, None if value in (None, "inherit") else f"{value}s"))


CLIENT: Final[Table] = {
    "name": at("client_name", a_text, default=""),
    "version": HeldField(no("a client has no version")),
    "description": HeldField(no("a client has a name and no description")),
    "type": WireField(
        support=yes("public is token_endpoint_auth_method: none"),
        keys=(AUTH_METHOD,),
        read=read_type,
        write=put_type,
        default=ClientType.CONFIDENTIAL,
    ),
    "redirect_uris": at("redirect_uris", some_texts, once_each, limit=_REDIRECT, default=()),
    "contacts": at("contacts", some_texts, once_each, default=()),
    "groups": HeldField(no("a client has no account")),
    "grants": WireField(
        keys=(GRANT_TYPES, RESPONSE_TYPES),
        read=live_grants,
        write=_put_grants,
        default=(Grant.AUTHORIZATION_CODE,),
    ),
    "tokens.access_lifetime": WireField(
        support=yes("the same for every grant"),
        keys=LIFESPANS,
        limit=Limit(minimum=1),
        read=_lifetime,
        write=_put_lifetime,
        default="inherit",
    ),
    "tokens.refresh_count": HeldField(no("refreshes are not counted")),
    "enabled": HeldField(no("a client cannot be disabled, only deleted")),
    "secret.value": HeldField(limit=_SECRET),
}

FIELDS: Final[HeldFields] = {
    Kind.SETTINGS: dict.fromkeys(
        fields_of(Kind.SETTINGS), HeldField(no("settings are in Hydra's own configuration, which no request changes"))
    ),
    Kind.SCOPE: dict.fromkeys(
        fields_of(Kind.SCOPE), HeldField(no("a scope is a word in the scope of its clients, without fields of its own"))
    ),
    Kind.CLIENT: CLIENT,
    Kind.ASSOCIATION: dict.fromkeys(
        fields_of(Kind.ASSOCIATION), HeldField(no("a token has the scopes that are requested; none is a default one"))
    ),
}
"""What Hydra holds of the model."""

OPTIONS: Final[Table] = {
    "audience": at("audience", some_texts, once_each, default=()),
    "post_logout_redirect_uris": at("post_logout_redirect_uris", some_texts, once_each, default=()),
    "allowed_cors_origins": at("allowed_cors_origins", some_texts, once_each, default=()),
    "client_uri": at("client_uri", a_text, default=""),
    "logo_uri": at("logo_uri", a_text, default=""),
    "policy_uri": at("policy_uri", a_text, default=""),
    "tos_uri": at("tos_uri", a_text, default=""),
    "token_endpoint_auth_method": at(AUTH_METHOD, lambda raw, key: a_text(raw, key, BY_BASIC), default=BY_BASIC),
    "jwks_uri": at("jwks_uri", a_text, default=""),
    "access_token_strategy": at("access_token_strategy", a_text, default=""),
    "subject_type": at("subject_type", lambda raw, key: a_text(raw, key, "public"), default="public"),
    "skip_consent": at("skip_consent", lambda raw, key: raw.get(key) is True, default=False),
}
"""The driver's own options of a client, in the same JSON."""
