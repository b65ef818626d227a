"""What a copy leaves out because its target does not accept it: never more access than on the source, and nothing unnamed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.capabilities import Capability, DriverFacts, HeldField, Limit, no, table_for
from oauthdeploy.model.objects import Client, ClientType, Grant
from oauthdeploy.planning.export.builder import export
from oauthdeploy.planning.export.values import EntryEdit, Export, ExportOptions
from oauthdeploy.planning.inventory import Inventory
from tests.planning.builders import authorization_server, client, desired, facts, live

SERVERS = {"old": authorization_server(), "new": authorization_server().model_copy(update={"driver": "narrow"})}
COPY = ExportOptions(source="old", target="new")
WEB = Client(type=ClientType.CONFIDENTIAL, grants=(Grant.AUTHORIZATION_CODE,), redirect_uris=("https://a.example/",))


def narrow() -> DriverFacts:
    """A driver without the password grant and disabled clients, for names of small letters and redirect URIs without a *."""
    made = facts(without=[Capability.GRANT_PASSWORD], defaults={Kind.CLIENT: {"grants": (Grant.AUTHORIZATION_CODE,)}})
    base = made["fake"]
    own = {
        role: {
            **kinds,
            Kind.CLIENT: {
                **kinds[Kind.CLIENT],
                "enabled": HeldField(no("always on")),
                "redirect_uris": HeldField(limit=Limit(r"[^*]+", None, "a URI without *")),
            },
        }
        for role, kinds in base.fields.items()
    }
    return replace(base, name="narrow", fields=own, names={Kind.CLIENT: Limit("[a-z]+", None, "small letters")})


def copied(clients: Mapping[str, Client], written: Mapping[Address, Any] | None = None) -> Export:
    known = {**facts(), "narrow": narrow()}
    tables = {name: table_for(known[entry.driver], entry.role) for name, entry in SERVERS.items()}
    there = live({client(name, "old"): value for name, value in clients.items()}, servers=SERVERS)
    return export(Inventory(desired(written or {}, servers=SERVERS), there, known, tables), COPY)


def entry(made: Export) -> EntryEdit:
    (found,) = made.clients
    return found


def omitted(made: Export) -> set[tuple[str, str]]:
    return {(one.address, one.field) for one in made.omissions}


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("web-2", WEB, "does not accept its name"),
        ("web", WEB.model_copy(update={"enabled": False}), "it is disabled, and new would have it enabled: always on"),
        ("web", WEB.model_copy(update={"grants": (Grant.PASSWORD,)}), "offers none of its grants: password"),
        ("web", WEB.model_copy(update={"grants": (Grant.PASSWORD, Grant.REFRESH_TOKEN)}), "none of its grants"),
    ],
    ids=["name", "disabled", "no grant", "a refresh token alone"],
)
def test_a_client_that_the_target_cannot_have_is_left_out_by_name(name: str, value: Client, why: str) -> None:
    """The whole client: without the field, the target's default would allow more."""
    made = copied({name: value})
    assert made.clients == ()
    assert omitted(made) == {(f"client/{name}", "")}
    assert why in made.omissions[0].why


def test_entries_that_the_target_does_not_accept_are_taken_out_of_their_list() -> None:
    """The entry is for the target alone, since the source keeps its list; each entry that is taken out is named."""
    uris = ("https://a.example/", "https://b.example/*")
    value = WEB.model_copy(update={"grants": (Grant.CLIENT_CREDENTIALS, Grant.PASSWORD), "redirect_uris": uris})
    made = copied({"web": value})
    assert entry(made).values["grants"] == (Grant.CLIENT_CREDENTIALS,)
    assert entry(made).values["redirect_uris"] == ("https://a.example/",)
    assert entry(made).on == ("new",)
    assert omitted(made) == {("client/web", "grants"), ("client/web", "redirect_uris")}


def test_a_value_that_is_the_default_of_the_source_alone_is_written() -> None:
    """The target would choose another one."""
    made = copied({"web": WEB.model_copy(update={"grants": (Grant.CLIENT_CREDENTIALS,)})})
    assert entry(made).values["grants"] == (Grant.CLIENT_CREDENTIALS,)
    assert entry(made).on is None
    assert omitted(made) == set()


def test_a_client_of_the_manifest_is_not_split() -> None:
    """Its entry says already on which servers it is: what the target does not accept is an error there."""
    value = WEB.model_copy(update={"grants": (Grant.CLIENT_CREDENTIALS, Grant.PASSWORD)})
    made = copied({"web": value}, {client("web", "old"): Client(type=ClientType.CONFIDENTIAL)})
    assert Grant.PASSWORD in entry(made).values["grants"]
