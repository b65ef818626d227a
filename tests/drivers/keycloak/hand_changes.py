"""Changes that somebody makes by hand in a realm, by Keycloak's own API, of what a manifest manages there: each of another kind,
with the objects and fields of which drift must speak.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.objects import AssignedAs, Association, Object
from oauthdeploy.planning.normalize import flatten
from tests.servers.keycloak import Realm

Found = tuple[str, str]
"""An object as its address is written, without its server, and a dotted path; "" for an object that is missing."""


@dataclass(frozen=True)
class HandChange:
    """One change: its kind, what it touches and no other change may touch too, how it is made, and what drift must tell of it."""

    kind: str
    touches: frozenset[str]
    make: Callable[[Realm], None]
    told: frozenset[Found]


def hand_changes(objects: Mapping[Address, Object], seed: str, count: int) -> list[HandChange]:
    """`count` changes of different kinds, the same for the same seed."""
    chance = random.Random(seed)
    possible = sorted(_possible(objects), key=lambda change: (change.kind, sorted(change.touches)))
    chance.shuffle(possible)
    chosen: list[HandChange] = []
    for change in possible:
        kinds, touched = {one.kind for one in chosen}, {name for one in chosen for name in one.touches}
        clash = any(a == b or a.startswith(f"{b} ") or b.startswith(f"{a} ") for a in touched for b in change.touches)
        if len(chosen) < count and change.kind not in kinds and not clash:
            chosen.append(change)
    return chosen


_LIFETIMES = {"access_token_lifetime": "accessTokenLifespan", "authorization_code_lifetime": "accessCodeLifespan"}


def _possible(objects: Mapping[Address, Object]) -> Iterator[HandChange]:
    pairs = [address for address in objects if address.kind is Kind.ASSOCIATION]
    for address, value in objects.items():
        written = flatten(value)
        match address.kind:
            case Kind.CLIENT:
                yield from _of_client(address, written, value)
                yield _gone(address, [pair for pair in pairs if pair.client == address.name], _client_path)
            case Kind.SCOPE:
                if "description" in written:
                    yield _field(address, "description", _scope_path, lambda raw: raw.update(description="by hand"))
                yield _gone(address, [pair for pair in pairs if pair.scope == address.name], _scope_path)
            case Kind.SETTINGS:
                for path in _LIFETIMES.keys() & written.keys():
                    yield _field(address, path, _realm_path, partial(_longer, key=_LIFETIMES[path]))
            case Kind.ASSOCIATION:
                assert isinstance(value, Association)
                yield from _of_association(address, value)


def _longer(raw: dict[str, Any], key: str) -> None:
    raw[key] += 7


def _of_client(address: Address, written: Mapping[str, Any], value: Object) -> Iterator[HandChange]:
    hands: dict[str, Callable[[dict[str, Any]], object]] = {
        "name": lambda raw: raw.update(name="By hand"),
        "description": lambda raw: raw.update(description="by hand"),
        "redirect_uris": lambda raw: raw["redirectUris"].append("https://hand.example.com/cb"),
        "enabled": lambda raw: raw.update(enabled=not raw["enabled"]),
        "tokens.access_lifetime": lambda raw: raw["attributes"].update({"access.token.lifespan": "77"}),
    }
    if written.get("grants"):
        hands["grants"] = lambda raw: raw.update(directAccessGrantsEnabled=not raw["directAccessGrantsEnabled"])
    options = (getattr(value, "options", None) or {}).get("keycloak", {})
    if "consent_required" in options:
        hands["options.keycloak.consent_required"] = lambda raw: raw.update(consentRequired=not raw["consentRequired"])
    if "full_scope_allowed" in options:
        hands["options.keycloak.full_scope_allowed"] = lambda raw: raw.update(
            fullScopeAllowed=not raw["fullScopeAllowed"]
        )
    if "pkce_method" in options:
        other = "plain" if options["pkce_method"] == "S256" else "S256"
        hands["options.keycloak.pkce_method"] = lambda raw: raw["attributes"].update(
            {"pkce.code.challenge.method": other}
        )
    for name in options.get("attributes", {}):
        if name.startswith("login_"):
            hands[f"options.keycloak.attributes.{name}"] = partial(_set_attribute, name=name)
    for path, change in hands.items():
        if path in written or path.startswith("options."):
            yield _field(address, path, _client_path, change)


def _set_attribute(raw: dict[str, Any], name: str) -> None:
    raw["attributes"][name] = "by hand"


def _of_association(address: Address, value: Association) -> Iterator[HandChange]:
    """Taken away, or moved to the other list."""

    def lists(realm: Realm) -> tuple[str, str]:
        return _client_path(realm, address.client), _scope_path(realm, address.scope).rpartition("/")[2]

    def take(realm: Realm) -> None:
        client, scope = lists(realm)
        assert realm.call("DELETE", f"{client}/optional-client-scopes/{scope}").ok

    def move(realm: Realm) -> None:
        client, scope = lists(realm)
        take(realm)
        other = "optional" if value.assigned_as is AssignedAs.DEFAULT else "default"
        assert realm.call("PUT", f"{client}/{other}-client-scopes/{scope}").ok

    touches = frozenset(
        {
            address.without_server,
            *(f"{end} {address.name}" for end in (f"client/{address.client}", f"scope/{address.scope}")),
        }
    )
    yield HandChange("association gone", touches, take, frozenset({(address.without_server, "")}))
    if value.assigned_as is not None:
        yield HandChange(
            f"association no longer {value.assigned_as}", touches, move, frozenset({(address.without_server, "as")})
        )


Where = Callable[[Realm, str], str]
"""The path of an object by its name."""


def _field(address: Address, path: str, where: Where, change: Callable[[dict[str, Any]], object]) -> HandChange:
    name = address.without_server

    def make(realm: Realm) -> None:
        _put(realm, where(realm, address.name), change)

    return HandChange(f"{address.kind} {path}", frozenset({f"{name} {path}"}), make, frozenset({(name, path)}))


def _gone(address: Address, pairs: list[Address], where: Where) -> HandChange:
    name = address.without_server

    def make(realm: Realm) -> None:
        assert realm.call("DELETE", where(realm, address.name)).ok

    told = frozenset({(name, ""), *((pair.without_server, "") for pair in pairs)})
    return HandChange(f"{address.kind} gone", frozenset({name}), make, told)


def _put(realm: Realm, path: str, change: Callable[[dict[str, Any]], object]) -> None:
    raw = realm.get(path)
    change(raw)
    assert realm.call("PUT", path, raw).ok


def _realm_path(_realm: Realm, _name: str) -> str:
    return ""


def _client_path(realm: Realm, client_id: str) -> str:
    return f"/clients/{realm.client(client_id)['id']}"


def _scope_path(realm: Realm, name: str) -> str:
    return "/client-scopes/" + next(str(one["id"]) for one in realm.get("/client-scopes") if one["name"] == name)
