"""A field that a driver declares is read and written by its declaration, and by nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.field_table import (
    Table,
    WireField,
    at,
    if_present,
    keys_of,
    not_returned,
    read_fields,
    write_fields,
)
from oauthdeploy.drivers.json_values import a_text
from oauthdeploy.drivers.registry import BUILT_IN, get_driver
from oauthdeploy.model.capabilities import HeldField, no
from oauthdeploy.model.held_fields import SECTIONS, fields_of
from oauthdeploy.model.objects import Client
from oauthdeploy.model.servers import Role

TABLE: Table = {
    "name": at("label", a_text, str.upper, default="x"),
    "description": at("note", if_present(a_text)),
    "secret.value": WireField(write=lambda body, value: body.update(pin=value)),
    "type": WireField(read=lambda _raw: "public"),
    "version": HeldField(no("there is none")),
}


def test_every_entry_is_read_and_one_odd_value_spoils_its_own_field() -> None:
    """What the server leaves out is not told, and what can't be parsed is named."""
    fields = read_fields(TABLE, {"label": "shop"})
    assert (fields.values, fields.unparsed) == ({"name": "shop", "type": "public"}, {})
    assert fields.build(Client) == Client.model_validate({"name": "shop", "type": "public"})
    odd = read_fields(TABLE, {"label": 5, "note": "n"})
    assert odd.values == {"description": "n", "type": "public"}
    assert {path: str(shown) for path, shown in odd.unparsed.items()} == {"name": "5"}


def test_values_are_written_where_they_stand() -> None:
    """In the server's words; what nothing that is sent holds by itself is left out."""
    body: dict[str, Any] = {}
    write_fields(TABLE, {"name": "shop", "secret.value": "1234", "type": "public"}, body)
    assert body == {"label": "SHOP", "pin": "1234"}


@pytest.mark.parametrize("path", ["version", "contacts"])
def test_a_field_that_is_not_held_is_never_dropped_in_silence(path: str) -> None:
    """It is refused long before; that it comes this far is a bug."""
    with pytest.raises(ValueError, match=f"{path}; this is a bug"):
        write_fields(TABLE, {path: "1"}, {})


def test_what_no_answer_tells_is_known() -> None:
    """Such a field can't be compared; one of another table that is held all the same neither."""
    assert not_returned(TABLE) == {"secret.value"}
    assert not_returned(TABLE, {"user": HeldField(), "audience": HeldField(no("none"))}) == {"secret.value", "user"}
    assert (keys_of(TABLE, "name"), keys_of(TABLE, "version")) == (("label",), ())


@pytest.mark.parametrize(
    ("driver", "role"),
    [(name, role) for name in sorted(BUILT_IN) for role in Role if role in get_driver(name).facts.fields],
)
def test_our_drivers_hold_nothing_that_they_neither_read_nor_write(driver: str, role: Role) -> None:
    """Whatever is declared as held stands in the table with its way, but for what OPA gets from its environment, and for the
    groups of a client, which Integration Server keeps at the group.
    """
    facts = get_driver(driver).facts
    for kind in SECTIONS:
        for path in fields_of(kind):
            held = facts.held_field(role, kind, path)
            if not held.support:
                continue
            assert isinstance(held, WireField), path
            if (driver, kind, path) == ("webmethods", Kind.CLIENT, "groups"):
                continue
            from_environment = driver == "opa" and path in ("client_secret", "password")
            assert bool(held.read or held.write) is not from_environment, path
            if kind is not Kind.TRUST:
                assert held.read is not None, path
                assert held.write is not None, path
