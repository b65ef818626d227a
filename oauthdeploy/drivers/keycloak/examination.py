"""How a realm responds where the driver relies on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from oauthdeploy.drivers.examination import Examination, Judgement, Observation, Verdict, look
from oauthdeploy.drivers.json_wire import Route
from oauthdeploy.drivers.keycloak import client as api

NOBODY: Final = "oauthdeploy-doctor-nobody"
OPEN: Final = frozenset({"attributes", "config", "access", "authenticationFlowBindingOverrides", "registeredNodes"})
"""Objects with user-chosen keys."""

NEEDED: Final[Mapping[str, frozenset[str]]] = {
    "realm": frozenset({"realm", "enabled", "accessTokenLifespan", "accessCodeLifespan", "attributes"}),
    "clients": frozenset({"id", "clientId", "enabled", "publicClient", "redirectUris", "attributes"}),
    "scopes": frozenset({"id", "name", "protocol"}),
}
"""The fields that the driver cannot do without, by the response that must have them."""


def examine(admin: api.AdminApi, product: str) -> Examination:
    """Look at the realm, its clients and scopes, and at names that do not exist. Reads only."""
    seen: list[Observation] = []
    bodies: dict[str, Any] = {}
    asked = (
        ("realm", api.REALM, (), None),
        ("clients", api.CLIENTS, (), {"first": "0", "max": "50"}),
        ("missing client by client_id", api.CLIENTS, (), {"clientId": NOBODY}),
        ("missing client", api.CLIENT, (NOBODY,), None),
        ("scopes", api.SCOPES, (), None),
        ("missing scope", api.SCOPE, (NOBODY,), None),
        ("client profiles", api.PROFILES, (), None),
        ("client policies", api.POLICIES, (), None),
    )
    for name, template, segments, params in asked:
        made, body = look(admin.http, name, template, Route.to(template, admin.realm_name, *segments), params, OPEN)
        seen.append(made)
        bodies[name] = body
    judgements = [_fields(name, fields, bodies[name]) for name, fields in NEEDED.items()]
    for name in ("missing client", "missing scope"):
        status = next(one.status for one in seen if one.name == name)
        verdict: Verdict = "as expected" if status == 404 else "differs"
        judgements.append(Judgement(name, verdict, "" if status == 404 else f"status {status}"))
    empty = bodies["missing client by client_id"] == []
    judgements.append(
        Judgement("search by client_id", "as expected" if empty else "differs", "" if empty else "not an empty list")
    )
    return Examination({"product": product}, "", tuple(seen), {}, tuple(judgements))


def _fields(name: str, needed: frozenset[str], body: Any) -> Judgement:
    one = body[0] if isinstance(body, list) and body else body
    subject = f"fields of the {name}"
    if not isinstance(one, Mapping):
        return Judgement(subject, "unknown", "the account may not read it, or there is none")
    lacking = sorted(needed - one.keys())
    return Judgement(subject, "differs" if lacking else "as expected", f"lacks {', '.join(lacking)}" if lacking else "")
