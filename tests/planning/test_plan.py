"""The plan as a value and as a document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret, SourcedText
from oauthdeploy.model.capabilities import Capability
from oauthdeploy.model.fields import KNOWN_AFTER_APPLY, Unparsed
from oauthdeploy.model.objects import (
    Client,
    ClientSecret,
    DeliverTo,
    Grant,
    IssuedBefore,
    Revocation,
    Scope,
    Settings,
    Side,
)
from oauthdeploy.planning.changes import Action, Change, Reason, Risk, Stage
from oauthdeploy.planning.json_documents import json_value
from oauthdeploy.planning.plan import Plan, plan_document

from .builders import (
    ASSOCIATION,
    FULL,
    actions,
    association,
    authorization_server,
    by_address,
    client,
    desired,
    empty,
    facts,
    live,
    plan_of,
    revocation,
    scope,
    settings,
    there,
    tokens,
)
from .strategies import address_of, client_objects

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "plan.v2.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
CANARY = "canary-7f3a"


def rich_plan() -> Plan:
    """Every action, findings, stops, secrets, fields that cannot be compared, kept objects."""
    secret = ClientSecret(value=Secret(CANARY, "${env:S}"))
    cut = Revocation(client="x", tokens="all", block=(Side.RESOURCE,))
    wanted = desired(
        {
            settings(): Settings(access_token_lifetime="never"),
            client("x"): Client(secret=secret, description=None),
            client("y"): Client(secret=ClientSecret(generate=True, deliver_to=DeliverTo(file="out.env"))),
            client("z"): Client(secret=secret),
            scope("s"): Scope(resources=("a", "b")),
            association("x", "s"): empty(association("x", "s")),
            revocation("R"): cut,
            revocation("R", "rs"): cut,
        },
        absent=frozenset({client("old"), client("x", "rs")}),
        places={client("x"): ("clients", "x"), association("x", "s"): ("associations", 0, "scopes", 1)},
    )
    seen = {
        settings(): Settings(access_token_lifetime=60),
        client("x"): there(
            Client(secret=ClientSecret(value=Secret("old-" + CANARY, "as")), description="d"), identity="id-x"
        ),
        client("z"): there(Client(), incomparable=frozenset({"secret.value"})),
        client("old"): there(Client(name="o"), tokens=tokens(2)),
        client("x", "rs"): Client(),
        client("other"): Client(),
        scope("s"): Scope(resources=("b", "c")),
        revocation("R"): there(cut, tokens=tokens(1)),
        revocation("R", "rs"): there(cut, blocked=False),
    }
    state = live(seen, unreadable=[("rs", Kind.SCOPE)])
    return plan_of(wanted, state, digest="d1", products={"as": "Fake 1"}, accounts={"as": "old"})


def test_the_document_follows_the_published_schema() -> None:
    """Each part of it, for a plan that has everything."""
    Draft202012Validator.check_schema(SCHEMA)
    document = plan_document(rich_plan())
    assert list(VALIDATOR.iter_errors(document)) == []
    empty_document = plan_document(plan_of(desired(), live()))
    assert list(VALIDATOR.iter_errors(empty_document)) == []
    assert list(VALIDATOR.iter_errors({**empty_document, "format_version": "3.0"})) != []


@pytest.mark.parametrize(
    ("property_of", "values"),
    [("action", Action), ("reason", Reason), ("stage", [s.name.lower().replace("_", "-") for s in Stage])],
)
def test_the_schema_names_every_value(property_of: str, values: Any) -> None:
    """A new action, reason or stage must be published."""
    assert SCHEMA["$defs"]["change"]["properties"][property_of]["enum"] == list(values)


def test_the_document_says_what_the_plan_says() -> None:
    """Summary, change, findings, stops, what cannot be compared, kept and fingerprints."""
    plan = rich_plan()
    document = plan_document(plan)
    assert document["summary"]["actions"] == {
        "create": 2, "update": 3, "replace": 0, "delete": 2, "disable": 1, "revoke": 1
    }  # fmt: skip
    assert document["summary"]["risk"] == "high"
    assert document["summary"]["reads"] == 4
    assert document["summary"]["writes"] == len(plan.changes)
    changes = {change["address"]: change for change in document["changes"]}
    assert changes["client/x@as"] == {
        "address": "client/x@as",
        "kind": "client",
        "name": "x",
        "server": "as",
        "action": "update",
        "reason": "differs-from-manifest",
        "stage": "widen-authorization",
        "risk": "medium",
        "fields": [{"path": "secret.value", "before": {"secret": "as"}, "after": {"secret": "${env:S}"}}],
        "depends_on": ["revocation/R@as"],
        "batch": "client/x@as",
        "place": ["clients", "x"],
        "note": "",
        "live_address": "client/x@as",
        "identity": "id-x",
    }
    assert changes["client/y@as"]["fields"][0]["after"] == {"known_after_apply": True}
    assert {"address": "client/z@as", "path": "secret.value"} in document["incomparable"]
    (kept,) = document["kept"]
    assert (kept["server"], kept["kind"], kept["count"]) == ("as", "client", 1)
    assert [(item["address"], item["unexpected"]) for item in kept["objects"]] == [("client/other@as", True)]
    assert {item["rule"] for item in document["diagnostics"]} == {
        "client-on-one-side",
        "no-default-known",
        "unreadable",
    }
    assert {item["rule"] for item in document["stops"]} == {"self-lockout", "still-granted", "unreadable-guard"}
    assert document["fingerprints"]["client/y@as"] == ""
    assert document["fingerprints"]["client/old@as"].startswith("f-")


def test_no_secret_is_in_the_document_or_in_any_text_of_the_plan() -> None:
    """Nor anything made from one."""
    plan = rich_plan()
    assert CANARY not in json.dumps(plan_document(plan))
    assert CANARY not in repr(plan)


def test_equal_input_gives_equal_bytes() -> None:
    """Made twice, the same."""
    assert json.dumps(plan_document(rich_plan())) == json.dumps(plan_document(rich_plan()))


@given(client_objects(), client_objects())
def test_every_plan_of_random_clients_follows_the_schema(wanted: Any, seen: Any) -> None:
    """Whatever the values, the document is JSON and valid."""
    address = address_of(wanted)
    document = plan_document(plan_of(desired({address: wanted}), live({address: seen})))
    assert list(VALIDATOR.iter_errors(json.loads(json.dumps(document, allow_nan=False)))) == []


def test_values_have_one_json_form() -> None:
    """Types of the model become plain JSON; what has no form is an error, not a guess."""
    assert json_value((Grant.PASSWORD, 1, True, None)) == ["password", 1, True, None]
    assert json_value(Unparsed('"5m"')) == {"unparsed": '"5m"'}
    assert json_value(KNOWN_AFTER_APPLY) == {"known_after_apply": True}
    assert json_value(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00Z"
    assert json_value(date(2026, 1, 2)) == "2026-01-02"
    assert json_value({"b": 1, "a": Secret("x", "env:X")}) == {"a": {"secret": "env:X"}, "b": 1}
    assert json_value(SourcedText("plain", "${var:X}")) == "plain"
    assert json_value(SourcedText("x", "${env:X}", sensitive=True)) == {"secret": "${env:X}"}
    assert json_value(IssuedBefore(issued_before=datetime(2026, 1, 2, tzinfo=UTC))) == {
        "issued_before": "2026-01-02T00:00:00Z"
    }
    with pytest.raises(TypeError):
        json_value(object())


# -- requests, fingerprints, urls -------------------------------------------------------------------------------------


def test_requests_are_counted_by_batch() -> None:
    """Changes that the server takes together cost what the driver says for all of them."""
    asked: list[tuple[str, int]] = []

    def writes(server: str, changes: Sequence[Change]) -> int:
        asked.append((server, len(changes)))
        return 2

    wanted = desired([client("x"), scope("s"), scope("t"), association("x", "s"), association("x", "t")])
    plan = plan_of(wanted, live(), batch_key=lambda _s, c: f"{c.address.kind} {c.address.name[:1]}", writes=writes)
    assert sorted(asked) == [("as", 1), ("as", 1), ("as", 1), ("as", 2)]
    assert {server.name: server.writes for server in plan.servers} == {"as": 8, "rs": 0}
    assert by_address(plan.changes)["association/x:s@as"].batch == "association x"


def test_a_rename_is_bound_to_both_names() -> None:
    """The former object must be as it was, and the new name must be free."""
    wanted = desired([client("new")], moved={client("new"): "old"})
    plan = plan_of(wanted, live([client("old")]))
    assert plan.fingerprints["client/new@as"] == ""
    assert plan.fingerprints["client/old@as"].startswith("f-")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@is.example:5543/x", "https://is.example:5543/x"),
        ("https://is.example/a@b", "https://is.example/a@b"),
        ("https://[bad@x", ""),
        (None, ""),
    ],
)
def test_a_password_in_a_url_is_not_shown(url: str | None, shown: str) -> None:
    """Somebody will put one there."""
    servers = {"as": authorization_server(url=url)}
    (server,) = plan_of(desired(servers=servers), live(servers=servers)).servers
    assert server.url == shown


# -- tokens that survive ----------------------------------------------------------------------------------------------

ENDS = [client("x"), scope("s")]


def note_of(wanted: Any, seen: Any, address: str) -> str:
    return by_address(plan_of(wanted, live(seen)).changes)[address].note


def test_a_removed_association_says_which_tokens_stay() -> None:
    """How many, until when, and what would end them."""
    seen = {
        client("x"): there(Client(), tokens=tokens(3)),
        scope("s"): Scope(),
        association("x", "s"): empty(association("x", "s")),
    }
    wanted = desired(ENDS, listed_clients=frozenset({"x"}))
    assert note_of(wanted, seen, "association/x:s@as") == (
        "3 tokens of the client stay valid until 2027-01-31T12:00:00Z. To end them, paste under revocations: "
        "- {id: end-x-s, client: x, scope: s, tokens: all}"
    )
    cut = desired(
        {**wanted.objects, revocation("R"): Revocation(client="x", tokens="all")}, listed_clients=frozenset({"x"})
    )
    assert note_of(cut, seen, "association/x:s@as") == ""


def test_deleted_and_narrowed_clients_say_which_tokens_stay() -> None:
    """An endless token is said to be one; an update that leaves tokens alone says nothing."""
    seen = {client("x"): there(Client(grants=(Grant.PASSWORD,), name="a"), tokens=tokens(1, endless=True))}
    assert note_of(desired({client("x"): Client(grants=())}), seen, "client/x@as") == (
        "1 token of the client stays valid without end. To end it, paste under revocations: "
        "- {id: end-x, client: x, tokens: all}"
    )
    assert note_of(desired({client("x"): Client(name="b")}), seen, "client/x@as") == ""
    assert "1 token" in note_of(desired(absent=frozenset({client("x")})), seen, "client/x@as")
    none = {client("x"): there(Client(), tokens=tokens(0))}
    assert note_of(desired(absent=frozenset({client("x")})), none, "client/x@as") == ""


def test_an_empty_plan_says_so() -> None:
    """Nothing to do: no change, no risk, no request."""
    plan = plan_of(desired([client("x")]), live([client("x")]))
    assert plan.is_empty
    assert plan.risk is Risk.NONE
    assert sum(server.writes for server in plan.servers) == 0
    assert plan == replace(plan)
    assert actions(plan_of(desired(prune=FULL), live([client("x")])).changes) == {"client/x@as": "delete"}


def test_a_server_that_lists_no_tokens_may_have_some_left() -> None:
    """A narrowed association or lifetime says so, with the revocation that ends them; not where the resource server refuses."""
    wanted = desired([client("a"), scope("s")], listed_clients=frozenset({"a"}))
    wanted = replace(wanted, objects={**wanted.objects, settings(): Settings(access_token_lifetime=60)})
    seen = live(
        {
            client("a"): Client(),
            scope("s"): Scope(),
            association("a", "s"): ASSOCIATION,
            settings(): Settings(access_token_lifetime=600),
        }
    )
    unlisted = facts(without=[Capability.TOKENS_LIST, Capability.TOKENS_BY_SCOPE])
    notes = {str(one.address): one.note for one in plan_of(wanted, seen, facts=unlisted).changes}
    assert "paste under revocations: - {id: end-a, client: a, tokens: all}" in notes["association/a:s@as"]
    assert "stay valid until they expire" in notes["settings@as"]
    assert all("stay valid" not in one.note for one in plan_of(wanted, seen).changes)
    checking = replace(wanted, associating=frozenset({"rs"}))
    notes = {str(one.address): one.note for one in plan_of(checking, seen, facts=unlisted).changes}
    assert "stay valid" not in notes["association/a:s@as"]
