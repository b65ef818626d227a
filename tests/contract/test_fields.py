"""Every field of the model, over every driver: held with a scenario that shows it, or refused offline by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import get_args

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.rules.servers import field_without_use
from oauthdeploy.model.capabilities import Capability, DriverFacts, HeldField, every_field, left_out, no, yes
from oauthdeploy.model.fields import leaves
from oauthdeploy.model.held_fields import SECTIONS, Limit, Unit, declared, field_name, fields_of
from oauthdeploy.model.objects import KIND_OF, MODEL_OF, Client, Scope, Via
from oauthdeploy.model.servers import Introspection, Role
from oauthdeploy.planning.normalize import is_instruction
from oauthdeploy.testing import SCENARIOS, broken_promises, field_support
from oauthdeploy.testing.field_support import outcomes
from oauthdeploy.testing.scenarios.fields import edge_values, two_values
from tests.running.memory_driver import FACTS

DRIVERS = driver_facts()
WRITTEN = (Kind.SETTINGS, Kind.SCOPE, Kind.CLIENT, Kind.TRUST)


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_a_driver_holds_a_field_or_has_it_refused(name: str) -> None:
    """A field that falls between the two would be dropped, or would fail in the middle of an apply."""
    assert broken_promises(DRIVERS[name]) == []


@pytest.mark.parametrize("kind", WRITTEN)
def test_every_field_has_a_round_trip_in_the_contract_suite(kind: Kind) -> None:
    """Derived from the model where nobody wrote one."""
    proved = {told.proves for told in SCENARIOS.values()}
    assert {field_name(kind, path) for path in fields_of(kind)} <= proved


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_field_has_two_values_to_try(kind: Kind) -> None:
    """Both are values of the field, and they differ."""
    needed = {"authorization_server": "login", "via": "jwt"} if kind is Kind.TRUST else {}
    for path in fields_of(kind):
        if path == "via":
            continue  # Not written: it follows from the entries of two servers.
        first, second = two_values(kind, path)
        assert first != second, path
        head, _, inside = path.partition(".")
        for value in (first, second):
            MODEL_OF[kind].model_validate({**needed, head: {inside: value} if inside else value})


def test_every_kind_with_fields_is_declared_by_drivers() -> None:
    """A kind that isn't in the list would be held by nobody, and refused by nobody. Cut-offs are asked for by capabilities."""
    assert set(SECTIONS) | {Kind.ASSOCIATION, Kind.REVOCATION} == set(KIND_OF.values())


def test_a_field_that_a_driver_does_not_declare_is_not_held() -> None:
    """The default: so a new field is refused on every server until a driver says that it holds it."""
    known = {kind: dict(fields) for kind, fields in every_field(yes()).items()}
    del known[Kind.CLIENT]["contacts"]
    facts = replace(FACTS, fields=dict.fromkeys(Role, known))
    assert not facts.held_field(Role.AUTHORIZATION, Kind.CLIENT, "contacts").support
    assert broken_promises(facts) == []
    assert broken_promises(FACTS) == []


def test_what_is_not_declared_and_not_refused_is_told() -> None:
    """The walk itself finds what it is there for."""

    class Forgetful(DriverFacts, frozen=True):
        def held_field(self, role: Role, kind: Kind, path: str) -> HeldField:
            return HeldField(no("forgotten")) if path == "contacts" else super().held_field(role, kind, path)

    forgetful = Forgetful(**{name: getattr(FACTS, name) for name in FACTS.__struct_fields__})
    assert broken_promises(forgetful) == [
        f"{role}: clients.contacts is not held, and a manifest that writes it is not refused" for role in sorted(Role)
    ]


def test_the_walk_reaches_every_field_of_a_trust_that_a_manifest_can_write() -> None:
    """`via` follows from the other fields."""
    reached = {path for path in fields_of(Kind.TRUST) if list(outcomes(FACTS, Role.RESOURCE, Kind.TRUST, path))}
    assert set(fields_of(Kind.TRUST)) - reached == {"via"}


def test_a_field_of_a_trust_that_a_driver_does_not_declare_is_refused_by_name() -> None:
    """It would be dropped on the way to the driver, and nobody would hear of it."""
    known = {kind: dict(fields) for kind, fields in every_field(yes()).items()}
    del known[Kind.TRUST]["default_scope"]
    facts = replace(FACTS, fields=dict.fromkeys(Role, known))
    assert list(outcomes(facts, Role.RESOURCE, Kind.TRUST, "default_scope")) == [(True, False)] * 2
    assert broken_promises(facts) == []

    class Forgetful(DriverFacts, frozen=True):
        def held_field(self, role: Role, kind: Kind, path: str) -> HeldField:
            return HeldField(no("forgotten")) if path == "default_scope" else super().held_field(role, kind, path)

    forgetful = Forgetful(**{name: getattr(FACTS, name) for name in FACTS.__struct_fields__})
    assert set(broken_promises(forgetful)) == {
        f"{role}: trust.default_scope is not held, and a manifest that writes it is not refused"
        for role in (Role.RESOURCE, Role.BOTH)
    }


def test_the_walk_goes_over_every_way_of_checking_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field of a trust that a driver uses in some of them only is named where it is dropped; if not, the walk finds that."""
    known = {kind: dict(fields) for kind, fields in every_field(yes()).items()}
    for via in get_args(Via):
        known[Kind.TRUST]["username"] = HeldField(via=frozenset(get_args(Via)) - {via})
        facts = replace(FACTS, fields=dict.fromkeys(Role, known))
        assert broken_promises(facts) == []

    monkeypatch.setattr(field_support, "field_without_use", replace(field_without_use, check=None))
    found = broken_promises(DRIVERS["webmethods"])
    for field, via in (("user", "remote"), ("username", "external"), ("password", "external")):
        assert f"resource: trust.{field} has no use via {via}, and a manifest that writes it gets no finding" in found


@pytest.mark.parametrize(
    ("name", "via", "unused"),
    [
        ("webmethods", "remote", {"client_secret", "user", "default_scope", "truststore_alias"}),
        (
            "webmethods",
            "external",
            {
                *("username", "password", "execute_acl", "keep_alive_connections"),
                *("keep_alive_minutes", "retry_server"),
            },
        ),
        ("opa", "external", set()),
    ],
)
def test_a_driver_is_given_what_it_uses_to_check_tokens(name: str, via: Via, unused: set[str]) -> None:
    """The fields of introspection, by driver and way: the rest is dropped before the driver, with a finding."""
    fields = {path: DRIVERS[name].held_field(Role.RESOURCE, Kind.TRUST, path) for path in Introspection.model_fields}
    # A client makes the way external.
    possible = {path: held for path, held in fields.items() if not (via == "remote" and path == "client_id")}
    assert {path for path, held in possible.items() if not held.is_used_via(via)} == unused


def test_a_secret_has_one_value_and_instructions() -> None:
    """Drivers send it by steps of their own and answer for it by capabilities, so another field of it would fall between them."""
    inside = {path for path in leaves(Client) if path.startswith("secret.")}
    assert {path for path in inside if not is_instruction(path)} == {"secret.value"}


def test_a_group_answers_for_the_fields_inside() -> None:
    """A driver without lifetimes says so once; what is said of a field itself counts more."""
    fields = {Kind.CLIENT: {"tokens": HeldField(no("no lifetimes")), "tokens.refresh_count": HeldField()}}
    assert declared(fields, Kind.CLIENT, "tokens.access_lifetime").support.note == "no lifetimes"
    assert declared(fields, Kind.CLIENT, "tokens.refresh_count").support


def test_a_server_of_both_roles_holds_what_either_side_holds() -> None:
    """Where the driver declares nothing for both roles together."""
    opens = {Kind.SCOPE: {"resources": HeldField()}}
    sides = {
        Role.AUTHORIZATION: {Kind.SCOPE: {"resources": HeldField(left_out("elsewhere")), "description": HeldField()}},
        Role.RESOURCE: opens,
    }
    able = {role: {Capability.SCOPES: yes()} for role in sides}
    facts = replace(FACTS, capabilities=able, fields=MappingProxyType(sides))
    assert facts.held_field(Role.BOTH, Kind.SCOPE, "resources").support
    assert facts.tables[Role.BOTH]["scopes.description"]
    assert "clients.name" not in facts.tables[Role.BOTH]


@pytest.mark.parametrize(
    ("limit", "fits", "breaks"),
    [
        (Limit(max_length=3), ["", "abc", "\U0001f511" * 3], ["abcd"]),
        (Limit(max_length=3, unit=Unit.UTF16), ["abc", "\U0001f511a"], ["\U0001f511" * 2]),
        (Limit(max_length=3, unit=Unit.UTF8), ["abc", "é"], ["éé", "\U0001f511"]),
        (Limit("[a-z]+", words="small letters"), ["a"], ["", "A", "a1"]),
        (Limit(minimum=1, maximum=9), [1, 9, True, "never"], [0, 10]),
    ],
)
def test_limits(limit: Limit, fits: list[object], breaks: list[object]) -> None:
    """A text by length and characters, a number by range; words among numbers are none."""
    assert [value for value in fits if limit.breach(value)] == []
    assert [value for value in breaks if not limit.breach(value)] == []


@pytest.mark.parametrize("unit", list(Unit))
def test_the_suite_tries_the_limit_and_one_more(unit: Unit) -> None:
    """In each unit: the longest text that fits, and one that doesn't."""
    limit = Limit(max_length=20, unit=unit)
    tried = list(edge_values(limit, "https://a/"))
    assert len(tried) == (1 if unit is Unit.CHARACTERS else 2)
    for within, beyond in tried:
        assert limit.length(within) == 20
        assert not limit.breach(within)
        assert limit.breach(beyond)


def test_a_field_is_added_by_touching_its_model_and_the_drivers_that_hold_it() -> None:
    """`contacts` of RFC 7591: held by Hydra and by a driver of the tests, refused by name elsewhere; nothing else knows of it."""
    assert "contacts" in Client.model_fields
    assert "contacts" not in Scope.model_fields
    held = {
        name for name, facts in DRIVERS.items() for role in facts.roles if facts.tables[role].get("clients.contacts")
    }
    assert held == {"hydra", "rfc7591"}
    assert FACTS.tables[Role.AUTHORIZATION]["clients.contacts"]
