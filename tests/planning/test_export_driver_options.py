"""The options of drivers in an export: what is written of them becomes what the servers hold, in its own form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.capabilities import table_for
from oauthdeploy.model.fields import Unparsed
from oauthdeploy.model.objects import Client, Settings
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.export.builder import export
from oauthdeploy.planning.export.driver_options import option_edits
from oauthdeploy.planning.export.values import ExportOptions, OptionEdit
from oauthdeploy.planning.inventory import Inventory
from tests.planning.builders import FACTS, authorization_server, client, desired, live, settings

SERVERS = {"as": authorization_server(), "as2": authorization_server()}


def estate(asked: Mapping[str, Any], have: Mapping[str, Mapping[str, Any]]) -> Inventory:
    """A client `shop` with the asked options of the driver on every server, which has those of `have` there."""
    return Inventory(
        desired({client("shop", name): Client(options={"fake": asked}) for name in have}, servers=SERVERS),
        live({client("shop", name): Client(options={"fake": some}) for name, some in have.items()}, servers=SERVERS),
        FACTS,
        {name: table_for(FACTS["fake"], entry.role) for name, entry in SERVERS.items()},
    )


def edits(
    asked: Mapping[str, Any], *have: Mapping[str, Any], left: tuple[tuple[str, str, str], ...] = ()
) -> tuple[OptionEdit, ...]:
    found = estate(asked, dict(zip(SERVERS, have, strict=False)))
    sides = {address.server: there for address, there in found.live.objects.items()}
    return option_edits(found, Kind.CLIENT, "shop", sides, left)


def one(*keys: str, **values: Any) -> OptionEdit:
    return OptionEdit(("fake", *keys), values)


@pytest.mark.parametrize(
    ("asked", "have", "expected"),
    [
        ({"theme": "shop"}, {"theme": "shop"}, ()),
        ({"theme": "shop"}, {"theme": "other"}, (one("theme", **{"as": "other"}),)),
        ({"theme": "shop"}, {"theme": None}, (one("theme", **{"as": None}),)),
        ({"flag": "true"}, {"flag": False}, (one("flag", **{"as": False}),)),
        ({"idle": "30m"}, {"idle": 3600}, (one("idle", **{"as": "1h"}),)),
        ({"idle": "1800"}, {"idle": 3600}, (one("idle", **{"as": 3600}),)),
        ({"order": "a"}, {"order": 3}, (one("order", **{"as": 3}),)),
        ({"uris": ["a", "b"]}, {"uris": ["a"]}, (one("uris", **{"as": ["a"]}),)),
        ({"uris": ["a", "b"]}, {"uris": []}, (one("uris", **{"as": []}),)),
        ({"a": {"b.c": "1", "d": "2"}}, {"a": {"b.c": "3", "d": "2"}}, (one("a", "b.c", **{"as": "3"}),)),
        ({"a": {"b": "1"}}, {"a": {}}, (OptionEdit(("fake", "a", "b"), {"as": None}, gone=True),)),
        ({"a": {"b": "1"}}, {"a": None}, (one("a", **{"as": None}),)),
        ({"theme": "shop"}, {"theme": "shop", "more": "unmanaged"}, ()),
        ({"a": {"b": "1"}}, {"a": {"b": "1", "c": "unmanaged"}}, ()),
    ],
)
def test_a_written_option_becomes_what_the_server_holds(
    asked: Mapping[str, Any], have: Mapping[str, Any], expected: tuple[OptionEdit, ...]
) -> None:
    """As deep as it can be named; a duration keeps its unit; null where the server has nothing; what isn't written stays out."""
    assert edits(asked, have) == expected


def test_servers_that_hold_different_values_are_not_alike() -> None:
    """One differs and the other doesn't, or each has a value of its own."""
    assert [edit.alike for edit in edits({"t": "a"}, {"t": "b"}, {"t": "b"})] == [True]
    assert [edit.alike for edit in edits({"t": "a"}, {"t": "b"}, {"t": "a"})] == [False]
    assert [edit.alike for edit in edits({"t": "a"}, {"t": "b"}, {"t": "c"})] == [False]


@pytest.mark.parametrize(
    "path", ["options.fake.a.b", "options.fake.a", "options.fake.a.b.c", "options.fake.a.b[0]", "options"]
)
def test_what_turned_out_not_to_be_sayable_goes(path: str) -> None:
    """It, what it is in, or something in it."""
    (edit,) = edits({"a": {"b": "1"}}, {"a": {"b": "2"}}, left=(("client", "shop", path),))
    assert edit.gone


@pytest.mark.parametrize(
    "left", [("client", "other", "options.fake.a.b"), ("client", "shop", "options.fake.a.bc"), ("client", "shop", "")]
)
def test_what_is_said_of_something_else_changes_nothing(left: tuple[str, str, str]) -> None:
    """Another client, a path that only begins alike, the client as a whole."""
    (edit,) = edits({"a": {"b": "1"}}, {"a": {"b": "2"}}, left=(left,))
    assert not edit.gone


def test_what_stands_where_a_secret_is_wanted_is_never_written() -> None:
    """It may be one; so it goes."""
    (edit,) = edits({"key": Secret("s3cret", "${env:KEY}")}, {"key": "other-s3cret"})
    assert edit.gone
    assert "s3cret" not in repr(edit)


def test_the_options_of_settings_are_told_server_by_server() -> None:
    """Settings can have overrides, so each server keeps its value."""
    found = Inventory(
        desired({settings(name): Settings(options={"fake": {"t": "a"}}) for name in SERVERS}, servers=SERVERS),
        live(
            {settings(name): Settings(options={"fake": {"t": text}}) for name, text in (("as", "b"), ("as2", "a"))},
            servers=SERVERS,
        ),
        FACTS,
        {name: table_for(FACTS["fake"], entry.role) for name, entry in SERVERS.items()},
    )
    sides = {address.server: there for address, there in found.live.objects.items()}
    (edit,) = option_edits(found, Kind.SETTINGS, "", sides, ())
    assert (edit.values, edit.alike) == ({"as": "b"}, False)


def test_what_can_not_be_parsed_is_left_out_by_name() -> None:
    """Of clients, settings and options alike: the manifest can't say it, and says everything else."""
    address, realm = client("shop", "as"), settings("as")
    odd = {"tokens.access_lifetime": Unparsed('"5m"'), "options.fake.idle": Unparsed('"30m"')}
    servers = {"as": authorization_server()}
    found = Inventory(
        desired({address: Client(options={"fake": {"idle": 1800}})}, servers=servers),
        live(
            {
                address: LiveObject(Client(description="d"), unparsed=odd),
                realm: LiveObject(Settings(), unparsed={"access_token_lifetime": Unparsed("-1")}),
            },
            servers=servers,
        ),
        FACTS,
        {"as": table_for(FACTS["fake"], servers["as"].role)},
    )
    made = export(found, ExportOptions())
    (entry,) = made.clients
    assert entry.values == {"description": "d"}
    assert [edit.gone for edit in entry.options] == [True]
    said = {(one.address, one.field): one.why for one in made.omissions}
    assert said.keys() == {
        ("client/shop", "tokens.access_lifetime"),
        ("client/shop", "options.fake.idle"),
        ("settings@as", "access_token_lifetime"),
    }
    assert 'as holds "5m"' in said["client/shop", "tokens.access_lifetime"]
