"""How a realm responds where the driver relies on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from oauthdeploy.core.errors import ServerError
from oauthdeploy.drivers.examination import Examination, Judgement, Observation, Trial, Verdict, WriteProbe, look
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


# -- trying to write --------------------------------------------------------------------------------------------------

PREFIX: Final = "oauthdeploy-doctor-"
"""The prefix of the names of what a trial of writing creates."""


class _Trial(Trial):
    def __init__(self, admin: api.AdminApi, name: str) -> None:
        super().__init__(admin.http, name)
        self._admin = admin

    def steps(self) -> Iterator[None]:
        admin = self._admin
        scope = {"name": self.name, "protocol": "openid-connect", "description": "a trial of oauthdeploy"}
        made = self.attempt("POST scope", "POST", api.SCOPES, lambda: admin.create_scope(scope))
        self.say("POST of a scope", made is None, f"status {made}")
        again = self.attempt("POST scope again", "POST", api.SCOPES, lambda: admin.create_scope(scope))
        self.say("POST of a scope that exists", again == 409, f"status {again}")
        yield
        body = {
            "clientId": self.name, "enabled": False, "publicClient": False, "description": "first",
            "redirectUris": ["https://doctor.example.com/callback"], "standardFlowEnabled": True,
        }  # fmt: skip
        made = self.attempt("POST client", "POST", api.CLIENTS, lambda: admin.create_client(body))
        self.say("POST of a client", made is None, f"status {made}")
        again = self.attempt("POST client again", "POST", api.CLIENTS, lambda: admin.create_client(body))
        self.say("POST of a client that exists", again == 409, f"status {again}")
        before = admin.client_called(self.name)
        if before is None:
            return
        yield
        uuid, changed = str(before["id"]), {**before, "description": "second"}
        put = self.attempt("PUT client", "PUT", api.CLIENT, lambda: admin.put_client(uuid, changed, before))
        after = admin.client(uuid) or {}
        self.say("PUT of a client", put is None and after.get("description") == "second", f"status {put}")
        kept = ("redirectUris", "standardFlowEnabled", "publicClient", "enabled")
        lost = [key for key in kept if before.get(key) != after.get(key)]
        self.say("PUT keeps what it does not name", not lost, f"changes {', '.join(lost)}")
        yield
        secret = self.attempt("POST secret", "POST", api.CLIENT, lambda: admin.new_secret(uuid))
        self.say("a new secret", secret is None, f"status {secret}")

    def clean_up(self) -> None:
        admin = self._admin
        try:
            there = admin.client_called(self.name)
            if there is not None:
                admin.delete_client(str(there["id"]))
        except ServerError:
            self.left.append(f"client {self.name}")
        try:
            for scope in admin.scopes():
                if scope.get("name") == self.name:
                    admin.delete_scope(str(scope["id"]))
        except ServerError:
            self.left.append(f"client scope {self.name}")


def try_writing(admin: api.AdminApi, tag: str) -> WriteProbe:
    """Create a client scope and a disabled client, change and remove them."""
    return _Trial(admin, PREFIX + tag).carry_out()
