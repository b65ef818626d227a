"""What the driver's access to an Integration Server depends on."""

from __future__ import annotations

from typing import Any

import pytest

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.drivers.webmethods.lockout import find_lockouts
from oauthdeploy.model.objects import Client, ClientType, Side
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Stage

HTTP, HTTPS = "http://127.0.0.1:5555", "https://127.0.0.1:5543"
BOTH = frozenset(Side)
PUBLIC = FieldChange("type", ClientType.CONFIDENTIAL, ClientType.PUBLIC)


def change(kind: Kind, name: str, field: FieldChange, identity: str = "") -> Change:
    live = LiveObject(Client(), identity, client_id=identity)
    return Change(
        Address(kind, name, "login"),
        Action.UPDATE,
        Reason.DIFFERS,
        Stage.WIDEN_AUTHORIZATION,
        live=live,
        fields=(field,),
    )


def found(made: Change, account: str = "deployer", url: str = HTTPS, sides: frozenset[Side] = BOTH) -> list[str]:
    return [lockout.why for lockout in find_lockouts([made], account, url, sides)]


@pytest.mark.parametrize(
    ("name", "identity", "ends"), [("deployer", "0a1b", True), ("tool", "deployer", True), ("shop", "0a1b", False)]
)
def test_a_client_that_becomes_public_loses_its_account(name: str, identity: str, ends: bool) -> None:
    """The account of a confidential client is called as its client_id; it goes when the client needs no secret any more."""
    assert bool(found(change(Kind.CLIENT, name, PUBLIC, identity))) is ends
    renamed = FieldChange("description", "a", "b")
    assert found(change(Kind.CLIENT, name, renamed, identity)) == []


@pytest.mark.parametrize(
    ("url", "after", "sides", "ends"),
    [
        (HTTP, True, BOTH, True),
        (HTTP, False, BOTH, False),
        (HTTPS, True, BOTH, False),
        (HTTP, True, frozenset({Side.RESOURCE}), False),
    ],
)
def test_https_ends_introspection_over_http(url: str, after: Any, sides: frozenset[Side], ends: bool) -> None:
    """Resource servers would refuse every token; a resource server's own setting concerns nobody who asks there."""
    made = change(Kind.SETTINGS, "", FieldChange("require_https", not after, after))
    assert bool(found(made, url=url, sides=sides)) is ends


@pytest.mark.parametrize(
    ("before", "after", "ends"),
    [(("Administrators", "Callers"), ("Callers",), True), (("Administrators",), ("Administrators", "Callers"), False)],
)
def test_an_account_that_leaves_the_administrators_is_found(before: Any, after: Any, ends: bool) -> None:
    """Groups are a field of the client whose account oauthdeploy signs in with."""
    field = FieldChange("groups", before, after)
    assert bool(found(change(Kind.CLIENT, "tool", field, "deployer"))) is ends
    assert not found(change(Kind.CLIENT, "tool", field, "another"))
