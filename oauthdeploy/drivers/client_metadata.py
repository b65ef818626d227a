"""Client metadata of RFC 7591 section 2 in the model's terms: type, grants with their response types, and scopes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from oauthdeploy.drivers.json_values import a_text, some_texts
from oauthdeploy.model.objects import ClientType, Grant

AUTH_METHOD: Final = "token_endpoint_auth_method"
PUBLIC: Final = "none"
BY_BASIC: Final = "client_secret_basic"
"""The default of RFC 7591 section 2."""

GRANT_TYPES: Final = "grant_types"
RESPONSE_TYPES: Final = "response_types"


def read_type(raw: Mapping[str, Any]) -> ClientType:
    """A client that does not authenticate at the token endpoint is public. Raises Garbled."""
    return ClientType.PUBLIC if a_text(raw, AUTH_METHOD, BY_BASIC) == PUBLIC else ClientType.CONFIDENTIAL


def put_type(body: dict[str, Any], value: ClientType) -> None:
    """Set the type; how a confidential client authenticates stays if it does already."""
    if value is ClientType.PUBLIC:
        body[AUTH_METHOD] = PUBLIC
    elif body.get(AUTH_METHOD, PUBLIC) == PUBLIC:
        body[AUTH_METHOD] = BY_BASIC


def put_grants(body: dict[str, Any], value: Collection[Grant], names: Mapping[Grant, str]) -> None:
    """Set the grants, by the server's `names` for them, and the response types without which the authorization endpoint refuses
    them (section 2.1). Grant types that the model does not know stay.
    """
    known = set(names.values())
    others = [one for one in body.get(GRANT_TYPES) or () if one not in known]
    body[GRANT_TYPES] = [names[grant] for grant in names if grant in value] + others
    kept = [one for one in body.get(RESPONSE_TYPES) or () if _needs(one) <= set(value)]
    kept += [one for one in response_types(value) if not any(one in other.split() for other in kept)]
    body[RESPONSE_TYPES] = kept


def response_types(grants: Collection[Grant]) -> tuple[str, ...]:
    """The response types that grants use at the authorization endpoint (section 2.1)."""
    usual = {Grant.AUTHORIZATION_CODE: "code", Grant.IMPLICIT: "token"}
    return tuple(response for grant, response in usual.items() if grant in grants)


def _needs(response_type: str) -> frozenset[Grant]:
    """The grants that a response type, such as `code id_token`, belongs to."""
    words = set(response_type.split())
    implicit = {Grant.IMPLICIT} if words & {"token", "id_token"} else set()
    return frozenset(implicit | ({Grant.AUTHORIZATION_CODE} if "code" in words else set()))


def grants_in(told: Iterable[str], names: Mapping[Grant, str]) -> tuple[Grant, ...]:
    """The grants that the server's names stand for."""
    known = set(told)
    return tuple(grant for grant, name in names.items() if name in known)


def scopes_in(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The scopes that a client may request, the words of `scope`. Raises Garbled."""
    return tuple(dict.fromkeys(a_text(raw, "scope").split()))


def grant_types_in(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The grant types of a client; a client without the member has the authorization code grant. Raises Garbled."""
    return some_texts(raw, GRANT_TYPES) if GRANT_TYPES in raw else (Grant.AUTHORIZATION_CODE.value,)
