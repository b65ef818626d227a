"""An export says everything that isn't the default of a new object, and names what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.capabilities import DriverFacts, HeldField, Limit, no, table_for
from oauthdeploy.model.objects import AS, AssignedAs, Association, Client, ClientType, Scope
from oauthdeploy.model.state import LiveObject, LiveState, ServerState, Unheld
from oauthdeploy.planning.changes import Risk
from oauthdeploy.planning.drift.comparison import compare_servers
from oauthdeploy.planning.export.builder import export
from oauthdeploy.planning.export.values import Export, ExportOptions
from oauthdeploy.planning.inventory import Inventory
from oauthdeploy.planning.omissions import Omission, counted_omissions, findings_of
from tests.planning.builders import association, authorization_server, client, desired, facts, live, scope

DEFAULTS: Mapping[Kind, Mapping[str, Any]] = {
    Kind.CLIENT: {
        "name": "",
        "description": "",
        "grants": ("authorization_code",),
        "redirect_uris": (),
        "contacts": ("ops@example.com",),
        "enabled": True,
    }
}
FAKE = replace(facts(defaults=DEFAULTS)["fake"], protecting=frozenset({"strict"}))
CONFIDENTIAL = replace(
    FAKE,
    fields=facts(defaults={**DEFAULTS, Kind.CLIENT: {**DEFAULTS[Kind.CLIENT], "type": ClientType.CONFIDENTIAL}})[
        "fake"
    ].fields,
)
"""The same, with a default for the type of clients."""
SERVERS = {"as": authorization_server()}


def inventory(
    there: Mapping[Address, Any], driver: DriverFacts = FAKE, others: Mapping[Address, Any] | None = None
) -> Inventory:
    """One server `as` with those objects, and nothing in the manifest but `others`."""
    return Inventory(
        desired(others or {}, servers=SERVERS),
        live(there, servers=SERVERS),
        {"fake": driver},
        {"as": table_for(driver, SERVERS["as"].role)},
    )


def exported(there: Mapping[Address, Any], driver: DriverFacts = FAKE) -> Export:
    return export(inventory(there, driver), ExportOptions())


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ({"grants": []}, {"grants": ()}),
        ({"contacts": []}, {"contacts": ()}),
        ({"redirect_uris": []}, {}),
        ({"grants": ["authorization_code"], "contacts": ["ops@example.com"]}, {}),
        ({"description": ""}, {}),
        ({"name": "shop"}, {"name": "shop"}),
        ({"name": ""}, {}),
        ({"enabled": True}, {}),
    ],
)
def test_what_is_empty_is_written_where_a_new_object_is_not(
    fields: Mapping[str, Any], written: Mapping[str, Any]
) -> None:
    """Empty is a value like any other: only the driver's default says whether it goes without saying."""
    (entry,) = exported({client("shop"): Client.model_validate(fields)}).clients
    assert entry.values == written


@pytest.mark.parametrize(
    ("fields", "secrets", "written"),
    [
        ({"grants": ["client_credentials"]}, False, True),
        ({"redirect_uris": ["https://shop.example.com/cb"]}, False, True),
        ({"description": "x"}, True, True),
        ({"description": "x"}, False, False),
    ],
)
def test_an_entry_that_registers_a_client_says_its_type(
    fields: Mapping[str, Any], secrets: bool, written: bool
) -> None:
    """Also where it is the default: the rule client-type-missing warns of grants, redirect URIs or a secret without a type."""
    value = Client.model_validate({"type": "confidential", **fields})
    (entry,) = export(inventory({client("shop"): value}, CONFIDENTIAL), ExportOptions(secrets=secrets)).clients
    assert entry.values.get("type") == (ClientType.CONFIDENTIAL if written else None)
    assert entry.secret is secrets


def test_the_type_of_a_client_that_has_an_entry_is_not_added() -> None:
    """What the manifest left open stays so, unless the entry comes to say what the type is needed for."""
    value = Client.model_validate({"type": "confidential", "grants": ["client_credentials"], "description": "new"})
    described = {client("shop"): Client.model_validate({"description": "old"})}
    plain = export(inventory({client("shop"): value}, CONFIDENTIAL, described), ExportOptions(secrets=False)).clients
    assert [("type" in entry.values, "grants" in entry.values) for entry in plain] == [(True, True)]
    granted = {client("shop"): Client.model_validate({"grants": ["client_credentials"], "description": "old"})}
    kept = export(inventory({client("shop"): value}, CONFIDENTIAL, granted), ExportOptions(secrets=False)).clients
    assert [dict(entry.values) for entry in kept] == [{"description": "new"}]


def test_a_name_equal_to_the_key_goes_without_saying_where_the_key_stands_in() -> None:
    """Such a driver sends the key in its place; any other leaves the name empty."""
    held = {one: dict(some) for one, some in FAKE.fields[SERVERS["as"].role].items()}
    held[Kind.CLIENT]["name"] = HeldField(key_stands_in=True)
    driver = replace(FAKE, fields=dict.fromkeys(FAKE.fields, held))
    (entry,) = exported({client("shop"): Client(name="shop")}, driver).clients
    assert entry.values == {}


def test_options_that_are_no_defaults_are_written() -> None:
    """Those of a new entry, and those that a written entry doesn't write, as high as they can be named."""
    told = LiveObject(Client(), options={"strict": True, "more": {"a": "1", "b": "2"}})
    (entry,) = exported({client("shop"): told}).clients
    assert {edit.keys: dict(edit.values) for edit in entry.options} == {
        ("fake", "strict"): {"as": True},
        ("fake", "more"): {"as": {"a": "1", "b": "2"}},
    }
    asked = Client(options={"fake": {"more": {"a": "1"}}})
    partly = replace(told, value=asked)
    (again,) = export(inventory({client("shop"): partly}, others={client("shop"): asked}), ExportOptions()).clients
    assert {edit.keys: dict(edit.values) for edit in again.options} == {
        ("fake", "strict"): {"as": True},
        ("fake", "more", "b"): {"as": "2"},
    }


def usual(*clients: str, **lacks: str) -> dict[Address, Any]:
    """Clients that have the server's own scopes `email` and `phone`, but for those that they lack."""
    found: dict[Address, Any] = {scope(name): LiveObject(Scope(), built_in=True) for name in ("email", "phone")}
    for name in clients:
        gone = lacks.get(name, "")
        found[client(name)] = LiveObject(Client(), lacks=frozenset({gone} - {""}))
        for one in {"email", "phone"} - {gone}:
            way = AssignedAs.DEFAULT if one == "email" else AssignedAs.OPTIONAL
            found[association(name, one)] = LiveObject(Association.made(way), built_in=True)
    return found


def test_what_every_new_client_gets_goes_without_saying() -> None:
    """Neither the server's own scopes nor their associations are written."""
    made = exported(usual("shop", "till"))
    assert (made.scopes, made.associations, made.omissions) == ((), {}, ())
    assert [(entry.values, entry.options) for entry in made.clients] == [({}, ()), ({}, ())]


def test_a_client_that_lost_a_scope_of_every_new_client_has_its_list_written() -> None:
    """The scope becomes an external one, and every client gets the list of what it has of it, even an empty one."""
    made = exported(usual("shop", "till", till="email"))
    assert [(entry.name, dict(entry.values)) for entry in made.scopes] == [("email", {"external": True})]
    assert made.associations == {"shop": {"email": AssignedAs.DEFAULT}, "till": {}}


WAYS = {
    "nothing written": (None, {"shop": {"extra": AssignedAs.DEFAULT}}),
    "the same": (Association.made(AssignedAs.DEFAULT), {}),
    "the other": (Association.made(AssignedAs.OPTIONAL), {"shop": {"extra": AssignedAs.DEFAULT}}),
    "a list that says nothing of it": (Association(), {"shop": {"extra": AssignedAs.DEFAULT}}),
}


@pytest.mark.parametrize("name", WAYS)
def test_how_a_client_has_a_scope_is_written_where_the_manifest_says_another(
    name: str,
) -> None:
    """A list without a word of it means the default, here optional; one that says what the server holds stays as it is."""
    written, edits = WAYS[name]
    held = {one: dict(some) for one, some in FAKE.fields[SERVERS["as"].role].items()}
    held[Kind.ASSOCIATION] = {AS: HeldField(default=AssignedAs.OPTIONAL)}
    driver = replace(FAKE, fields=dict.fromkeys(FAKE.fields, held))
    there = {
        client("shop"): Client(),
        scope("extra"): Scope(),
        association("shop", "extra"): Association.made(AssignedAs.DEFAULT),
    }
    others = {client("shop"): Client(), scope("extra"): Scope(), association("shop", "extra"): written}
    known = {address: value for address, value in others.items() if value is not None}
    assert export(inventory(there, driver, known), ExportOptions()).associations == edits


def test_a_kind_of_association_that_a_server_cannot_hold_is_named() -> None:
    """The list is written without it, and the export says what it leaves out."""
    held = {one: dict(some) for one, some in FAKE.fields[SERVERS["as"].role].items()}
    held[Kind.ASSOCIATION] = {AS: HeldField(no("one kind only"))}
    driver = replace(FAKE, fields=dict.fromkeys(FAKE.fields, held))
    there = {
        client("shop"): Client(),
        scope("extra"): Scope(),
        association("shop", "extra"): Association.made(AssignedAs.DEFAULT),
    }
    made = exported(there, driver)
    assert made.associations == {"shop": {"extra": None}}
    assert [(one.address, one.field) for one in made.omissions] == [("association/shop:extra", "as")]


def test_an_association_that_no_new_client_gets_is_written_with_its_scope() -> None:
    """Also of a scope of the server's own, which is named as an external one."""
    there = usual("shop")
    there[scope("extra")] = LiveObject(Scope(), built_in=True)
    there[association("shop", "extra")] = LiveObject(Association())
    made = exported(there)
    assert [(entry.name, dict(entry.values)) for entry in made.scopes] == [("extra", {"external": True})]
    assert made.associations == {"shop": {"extra": None}}


def test_what_no_manifest_can_hold_is_named_by_object_and_field() -> None:
    """Objects of other protocols, fields without a place, and names that can't be written."""
    there = {client("shop"): LiveObject(Client(), unheld={"nodes": Unheld("no field")}), scope("\ud800"): Scope()}
    found = inventory(there)
    state = found.live.servers["as"]
    foreign = ServerState("as", state.objects, foreign={client("sp"): Unheld("it is an object of SAML")})
    made = export(replace(found, live=LiveState({"as": foreign})), ExportOptions())
    assert {(one.address, one.field) for one in made.omissions} == {
        ("client/shop", "nodes"),
        ("scope/%ED%A0%80", ""),
        ("client/sp", ""),
    }
    assert counted_omissions(made.omissions) == "2 objects and 1 field"


def other_driver(**protects: Any) -> Inventory:
    """A server `as` with a client, and a server `bs` of another driver, which has no place for contacts."""
    held = {one: dict(some) for one, some in FAKE.fields[SERVERS["as"].role].items()}
    del held[Kind.CLIENT]["contacts"]
    bare = replace(FAKE, name="bare", fields=dict.fromkeys(FAKE.fields, held))
    servers = {"as": authorization_server(), "bs": authorization_server().model_copy(update={"driver": "bare"})}
    there = LiveObject(Client(contacts=("a@example.com",), description="d"), options=protects, client_id="shop")
    return Inventory(
        desired({}, servers=servers),
        live(
            {client("shop"): there, client("shop", "bs"): LiveObject(Client(description="d"), client_id="shop")},
            servers=servers,
        ),
        {"fake": FAKE, "bare": bare},
        {name: table_for(one, servers[name].role) for name, one in (("as", FAKE), ("bs", bare))},
    )


def test_a_copy_names_what_its_target_has_no_place_for() -> None:
    """By field; and what protects the source is a warning with risk high."""
    options = ExportOptions(source="as", target="bs")
    made = export(other_driver(strict=True, theme="x"), options)
    lost = {one.field: one.risk for one in made.omissions if one.address == "client/shop"}
    assert lost["options.fake.strict"] is Risk.HIGH
    assert lost["options.fake.theme"] is Risk.LOW
    assert "contacts" in lost
    (entry,) = made.clients
    assert "contacts" not in entry.values
    rules = {item.rule for item in findings_of(made.omissions)}
    assert rules == {"export-weakens", "export-left-out"}


def test_a_comparison_names_what_it_did_not_compare() -> None:
    """Fields that only one of the drivers has: the sides are equal in the rest alone."""
    found = compare_servers(other_driver(strict=True), "as", "bs")
    assert not found.different
    assert {(one.address, one.field) for one in found.omissions} == {
        ("client/shop@as", "contacts"),
        ("client/shop@as", "options.fake.strict"),
    }
    assert found.beyond == "secrets"


def test_servers_of_one_driver_are_compared_in_their_options_too() -> None:
    """Key by key: a default stands against a value."""
    servers = {"as": authorization_server(), "bs": authorization_server()}
    there = {
        client("shop"): LiveObject(Client(), options={"strict": True, "more": {"a": "1"}}, client_id="shop"),
        client("shop", "bs"): LiveObject(Client(), options={"more": {"a": "2"}}, client_id="shop"),
    }
    found = Inventory(
        desired({}, servers=servers),
        live(there, servers=servers),
        {"fake": FAKE},
        {name: table_for(FAKE, entry.role) for name, entry in servers.items()},
    )
    (item,) = compare_servers(found, "as", "bs").items
    assert {(field.path, field.before, field.after) for field in item.fields} == {
        ("options.fake.strict", True, None),
        ("options.fake.more.a", "1", "2"),
    }


def test_omissions_are_told_once_for_each_object_and_reason() -> None:
    """With the names of all fields that it is about."""
    some = [Omission("client/a", name, "no field for it") for name in ("x", "y")]
    (found,) = findings_of(some)
    assert found.detail == "x, y: no field for it."


def two_servers(left: Mapping[str, Unheld], right: Mapping[str, Unheld], **states: Any) -> Inventory:
    """Two servers of one driver with a client each, of which no manifest holds those fields; `states` are more of a state."""
    servers = {"as": authorization_server(), "bs": authorization_server()}
    there = {
        client("shop", server): LiveObject(Client(), client_id="shop", unheld=unheld)
        for server, unheld in (("as", left), ("bs", right))
    }
    found = live(there, servers=servers)
    made = {name: replace(state, **states.get(name, {})) for name, state in found.servers.items()}
    tables = {name: table_for(FAKE, entry.role) for name, entry in servers.items()}
    return Inventory(desired({}, servers=servers), LiveState(made), {"fake": FAKE}, tables)


def test_a_comparison_tells_what_no_manifest_holds_only_where_it_differs_or_is_unknown() -> None:
    """Equal values are neither a difference nor left out; where one side has none, the usual value counts; a sealed one is
    unknown, whatever it is.
    """
    why = "no field"
    equal = {"nodes": Unheld(why, 3)}
    made = compare_servers(two_servers(equal, equal), "as", "bs")
    assert (made.items, made.omissions) == ((), ())
    other = {"nodes": Unheld(why, 4), "events": Unheld(why, True, False), "key": Unheld(why)}
    made = compare_servers(two_servers({**equal, "key": Unheld(why)}, other), "as", "bs")
    (item,) = made.items
    assert {(one.path, one.before, one.after) for one in item.fields} == {("nodes", 3, 4), ("events", False, True)}
    assert {(one.address, one.field) for one in made.omissions} == {
        ("client/shop@as", "key"),
        ("client/shop@bs", "key"),
    }
    assert made.different


def test_a_comparison_of_objects_of_other_protocols_and_of_the_servers_own() -> None:
    """An object that one side lacks is a difference, equal ones are nothing, others are not compared; what of the server's own
    objects isn't as it makes them is a difference where the other side has it otherwise.
    """

    def side(server: str, mark: str, **changed: Unheld) -> Mapping[str, Any]:
        foreign = {client(name, server): Unheld("SAML", text) for name, text in (("equal", "1"), ("other", mark))}
        only = {client("only", server): Unheld("SAML", "1")} if server == "as" else {}
        return {"foreign": {**foreign, **only}, "changed_stock": {scope("email", server): changed}}

    sides = {
        "as": side("as", "2", same=Unheld("own", 1, 0), way=Unheld("own", "none", "default")),
        "bs": side("bs", "3", same=Unheld("own", 1, 0), salt=Unheld("own")),
    }
    made = compare_servers(two_servers({}, {}, **sides), "as", "bs")
    assert {
        (str(one.address), tuple((field.path, field.before, field.after) for field in one.fields)) for one in made.items
    } == {
        ("client/only@as", ()),
        ("scope/email@bs", (("way", "none", "default"),)),
    }
    assert {(one.address, one.field) for one in made.omissions} == {
        ("client/other@as", ""),
        ("client/other@bs", ""),
        ("scope/email@bs", "salt"),
    }


def test_a_name_that_the_server_gives_to_no_new_object_is_left_out() -> None:
    """The others are exported; the list of scopes of a client names those that it can."""
    names = {Kind.SCOPE: Limit(r"[a-z]+", words="small letters")}
    there = {
        **{scope(name): Scope() for name in ("read", "Odd name")},
        client("shop"): LiveObject(Client()),
        **{association("shop", name): LiveObject(Association()) for name in ("read", "Odd name")},
    }
    made = exported(there, replace(FAKE, names=names))
    assert [entry.name for entry in made.scopes] == ["read"]
    assert made.associations == {"shop": {"read": None}}
    assert {(one.address, one.field) for one in made.omissions} == {
        ("scope/Odd name", ""),
        ("association/shop:Odd name", ""),
    }
