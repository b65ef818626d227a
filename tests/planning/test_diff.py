"""The comparison of single objects and of servers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.capabilities import Capability
from oauthdeploy.model.fields import KNOWN_AFTER_APPLY, Unparsed
from oauthdeploy.model.objects import (
    AS,
    AssignedAs,
    Association,
    Client,
    ClientSecret,
    ClientTokens,
    ClientType,
    DeliverTo,
    Grant,
    Object,
    Scope,
    Settings,
    Trust,
)
from oauthdeploy.planning.changes import Action, FieldChange, Reason
from oauthdeploy.planning.diff import compare, compare_object
from oauthdeploy.planning.normalize import flatten
from oauthdeploy.planning.ordering import order
from tests.planning.planned import planned_state

from .builders import (
    ASSOCIATION,
    FACTS,
    actions,
    association,
    by_address,
    client,
    desired,
    facts,
    live,
    scope,
    settings,
    there,
    trust,
)
from .strategies import address_of, client_objects, scope_objects, settings_objects, shuffled

ANY = st.one_of(settings_objects(), scope_objects(), client_objects())
BLANK: dict[type, Object] = {Settings: Settings(), Scope: Scope(), Client: Client()}
SAME_KIND = st.one_of(
    st.tuples(settings_objects(), settings_objects()),
    st.tuples(scope_objects(), scope_objects()),
    st.tuples(client_objects(secrets=False), client_objects(secrets=False)),
)


def fields_of(wanted: Object, seen: Object, **more: Any) -> tuple[FieldChange, ...]:
    return compare_object(wanted, there(seen, **more), FACTS["fake"]).fields


# -- properties -------------------------------------------------------------------------------------------------------


@given(ANY, st.randoms())
def test_an_object_does_not_differ_from_itself_in_any_order(value: Object, random: object) -> None:
    """compare(x, x) is empty, and the order of set-like lists and their repetitions mean nothing."""
    address = address_of(value)
    assert compare(desired({address: value}), live({address: value}), FACTS).changes == ()
    assert compare(desired({address: shuffled(value, random)}), live({address: value}), FACTS).changes == ()


@given(SAME_KIND)
def test_applying_the_planned_state_leaves_nothing_to_do(pair: tuple[Object, Object]) -> None:
    """What a plan says will stand there fulfils the manifest, and keeps every field that the manifest doesn't write."""
    wanted, seen = pair
    address = address_of(wanted)
    changes = compare(desired({address: wanted}), live({address: seen}), FACTS).changes
    for change in changes:
        after = planned_state(change)
        assert after is not None
        assert compare(desired({address: wanted}), live({address: after}), FACTS).changes == ()
        before, now, asked = flatten(seen), flatten(after), flatten(wanted)
        assert all(now[path] == before[path] for path in before.keys() - asked.keys())


@given(SAME_KIND)
def test_the_named_fields_are_exactly_those_that_differ(pair: tuple[Object, Object]) -> None:
    """No field is named that is equal, none is missing; the after-values are the manifest's."""
    wanted, seen = pair
    found = {change.path: change for change in fields_of(wanted, seen) if not change.path.startswith("options.")}
    asked, have = flatten(wanted), flatten(seen)
    for path, value in asked.items():
        empty_there = have.get(path) is None and value in ("", ())
        assert (path in found) == (value != have.get(path) and not empty_there)
        if path in found:
            assert found[path].after == value
    assert found.keys() <= asked.keys()


@given(ANY)
def test_an_unwritten_manifest_object_changes_nothing(seen: Object) -> None:
    """A field that was not written is never compared."""
    assert fields_of(BLANK[type(seen)], seen) == ()


# -- unset, null, empty -----------------------------------------------------------------------------------------------


def test_null_asks_for_the_default_of_the_driver() -> None:
    """null is compared as the server's default, on both sides."""
    known = facts(
        defaults={Kind.CLIENT: {"enabled": True, "grants": ["authorization_code"], "tokens.refresh_count": 0}}
    )
    wanted = Client(enabled=None, grants=None, tokens=None)
    same = there(Client(grants=(Grant.AUTHORIZATION_CODE,), tokens=ClientTokens(refresh_count=0)))
    assert compare_object(wanted, same, known["fake"]).fields == ()
    other = there(Client(enabled=False, grants=(), tokens=ClientTokens(refresh_count=3)))
    assert {(f.path, f.before, f.after) for f in compare_object(wanted, other, known["fake"]).fields} == {
        ("enabled", False, True),
        ("grants", (), ("authorization_code",)),
        ("tokens.refresh_count", 3, 0),
    }


def test_null_without_a_known_default_is_a_finding_and_no_change() -> None:
    """A default that nobody knows is not guessed."""
    found = compare(
        desired({client("x"): Client(description=None)}), live({client("x"): Client(description="d")}), FACTS
    )
    assert found.changes == ()
    assert [(item.rule, item.address) for item in found.diagnostics] == [("no-default-known", "client/x@as")]
    assert "description" in found.diagnostics.items[0].detail


def test_an_empty_list_empties() -> None:
    """An empty list is an empty list, not 'unset'."""
    (change,) = fields_of(Client(redirect_uris=()), Client(redirect_uris=("https://a.example",)))
    assert (change.before, change.after) == (("https://a.example",), ())
    assert change.removed == ("https://a.example",)


# -- secrets ----------------------------------------------------------------------------------------------------------


def test_a_readable_secret_is_compared_in_memory_and_stays_a_secret() -> None:
    """Equal texts are equal whatever their origin; a difference holds Secret objects."""
    wanted = Client(secret=ClientSecret(value=Secret("new", "env:X")))
    assert fields_of(wanted, Client(secret=ClientSecret(value=Secret("new", "as")))) == ()
    (change,) = fields_of(wanted, Client(secret=ClientSecret(value=Secret("old", "as"))))
    assert isinstance(change.before, Secret)
    assert isinstance(change.after, Secret)
    assert "old" not in repr(change)
    assert "new" not in repr(change)


@pytest.mark.parametrize("incomparable", [frozenset({"secret.value"}), frozenset({"secret"}), frozenset()])
def test_a_secret_that_the_server_does_not_tell_is_counted_and_no_change(incomparable: frozenset[str]) -> None:
    """A write-only secret is never drift, whether the driver marks it or just leaves it out."""
    wanted = Client(name="a", secret=ClientSecret(value=Secret("s", "env:X"), revision=3))
    found = compare(
        desired({client("x"): wanted}), live({client("x"): there(Client(name="a"), incomparable=incomparable)}), FACTS
    )
    assert found.changes == ()
    assert found.incomparable == ((client("x"), "secret.value"),)


def test_a_client_without_secret_gets_one() -> None:
    """A server that says there is no secret has answered."""
    wanted = Client(secret=ClientSecret(value=Secret("s", "env:X")))
    assert [change.path for change in fields_of(wanted, Client(secret=None))] == ["secret.value"]


def test_a_recorded_revision_decides_whether_a_blind_secret_is_sent() -> None:
    """A lower revision than the manifest's, recorded on the object, sends the secret again; the same, or none, doesn't."""
    wanted = Client(secret=ClientSecret(value=Secret("s", "env:X"), revision=3))
    older = there(Client(secret=ClientSecret(revision=2)), incomparable=frozenset({"secret.value"}))
    (change,) = compare(desired({client("x"): wanted}), live({client("x"): older}), FACTS).changes
    assert change.reason is Reason.SECRET_REVISION
    assert [field.path for field in change.fields] == ["secret.value", "secret.revision"]
    same = there(Client(secret=ClientSecret(revision=3)), incomparable=frozenset({"secret.value"}))
    assert compare(desired({client("x"): wanted}), live({client("x"): same}), FACTS).changes == ()


BLIND = frozenset({"secret.value"})


@pytest.mark.parametrize(("recorded", "sent"), [(None, False), (0, True), (2, True), (3, False), (4, False)])
def test_the_revision_of_a_mark_decides_too(recorded: int | None, sent: bool) -> None:
    """A driver with marks gives the revision beside the object; no mark or no lower revision sends nothing."""
    wanted = Client(secret=ClientSecret(value=Secret("s", "env:X"), revision=3))
    marked = there(Client(name="a"), incomparable=BLIND, revision=recorded)
    found = compare(desired({client("x"): wanted}), live({client("x"): marked}), FACTS)
    assert [change.reason for change in found.changes] == ([Reason.SECRET_REVISION] if sent else [])
    assert found.incomparable == ((client("x"), "secret.value"),)


def test_a_raised_revision_lets_the_server_make_a_new_secret() -> None:
    """With generate the new secret is the server's to make; where nothing is recorded it is left as it is."""
    made = ClientSecret(generate=True, deliver_to=DeliverTo(file="x.env"), revision=2)
    marked = there(Client(name="a"), incomparable=BLIND, revision=1)
    (change,) = compare(desired({client("x"): Client(secret=made)}), live({client("x"): marked}), FACTS).changes
    assert change.reason is Reason.SECRET_REVISION
    assert [(field.path, field.after) for field in change.fields] == [
        ("secret.value", KNOWN_AFTER_APPLY),
        ("secret.revision", 2),
    ]
    unmarked = there(Client(name="a"), incomparable=BLIND)
    assert compare(desired({client("x"): Client(secret=made)}), live({client("x"): unmarked}), FACTS).changes == ()


def test_instructions_are_not_compared() -> None:
    """generate, deliver_to and revision are no state."""
    wanted = Client(secret=ClientSecret(generate=True, deliver_to=DeliverTo(file="x.env"), revision=1))
    assert fields_of(wanted, Client(secret=ClientSecret(value=Secret("s", "as")))) == ()


def test_a_generated_secret_is_known_after_apply() -> None:
    """A create that lets the server make the secret says so."""
    wanted = Client(secret=ClientSecret(generate=True, deliver_to=DeliverTo(file="x.env")))
    (change,) = compare(desired({client("x"): wanted}), live(), FACTS).changes
    assert [(field.path, field.after) for field in change.fields] == [("secret.value", KNOWN_AFTER_APPLY)]


# -- what can't be parsed ---------------------------------------------------------------------------------------------


def test_a_value_that_can_not_be_parsed_differs_where_it_is_managed_and_nowhere_else() -> None:
    """It stands in the change as it is, even where the default is asked for; other fields are compared as ever."""
    odd = {"tokens.access_lifetime": Unparsed('"5m"'), "description": Unparsed("7"), "redirect_uris": Unparsed("7")}
    seen = there(Client(name="a", enabled=True), unparsed=odd)
    wanted = Client(name="a", tokens=ClientTokens(access_lifetime="inherit"), redirect_uris=(), enabled=True)
    assert compare_object(wanted, seen, FACTS["fake"]).fields == (
        FieldChange("redirect_uris", Unparsed("7"), ()),
        FieldChange("tokens.access_lifetime", Unparsed('"5m"'), "inherit"),
    )
    assert compare_object(Client(name="a"), seen, FACTS["fake"]).fields == ()


def test_a_group_that_can_not_be_parsed_spoils_each_of_its_fields() -> None:
    """`tokens: 5` says nothing of either lifetime or count."""
    seen = there(Client(), unparsed={"tokens": Unparsed("5")})
    (change,) = compare_object(Client(tokens=ClientTokens(refresh_count=0)), seen, FACTS["fake"]).fields
    assert change == FieldChange("tokens.refresh_count", Unparsed("5"), 0)


def test_an_option_that_can_not_be_parsed_differs_and_its_neighbours_do_not() -> None:
    """One odd option is one change; null, which asks for the default, puts it right too."""
    odd = {"options.fake.idle": Unparsed('"30m"')}
    seen = there(Client(options={"fake": {"other": 1}}), unparsed=odd)
    for asked in (1800, None):
        wanted = Client(options={"fake": {"idle": asked, "other": 1}})
        assert compare_object(wanted, seen, FACTS["fake"]).fields == (
            FieldChange("options.fake.idle", Unparsed('"30m"'), asked),
        )


# -- options of the driver --------------------------------------------------------------------------------------------


def options(value: Any) -> Client:
    return Client(options={"fake": value})


def test_options_are_compared_key_by_key_where_written() -> None:
    """Only written keys count, at every depth, and what differs is named as deep as it lies."""
    wanted = options({"attributes": {"a": "1", "b": "2"}, "list": [{"k": 1}, {"k": 2}], "new": [1]})
    seen = options(
        {"attributes": {"a": "1", "b": "x", "server": "own"}, "list": [{"k": 1, "id": 7}, {"k": 3}], "other": 1}
    )
    assert [(f.path, f.before, f.after) for f in fields_of(wanted, seen)] == [
        ("options.fake.attributes.b", "x", "2"),
        ("options.fake.list[1].k", 3, 2),
        ("options.fake.new", None, [1]),
    ]


def test_options_of_other_drivers_are_none_of_this_server() -> None:
    """A client's options for another driver are not compared here."""
    assert fields_of(Client(options={"other": {"a": 1}}), Client(options={"fake": {"a": 2}})) == ()


def test_a_list_in_options_that_lost_an_entry_differs() -> None:
    """Keys may be more on the server, entries of a list may not."""
    assert [f.path for f in fields_of(options({"list": [1]}), options({"list": [1, 2]}))] == ["options.fake.list[1]"]


def test_secrets_in_options_are_compared_and_never_looked_into() -> None:
    """deepdiff sees tokens; the change holds the secrets again, and nothing shows them."""
    old, new = Secret("canary-old", "as"), Secret("canary-new", "env:X")
    assert fields_of(options({"a": {"s": Secret("canary-new", "as")}}), options({"a": {"s": new}})) == ()
    (change,) = fields_of(options({"a": {"s": new}}), options({"a": {"s": old}}))
    assert (change.path, change.before, change.after) == ("options.fake.a.s", old, new)
    assert "canary" not in repr(change)


# -- servers ----------------------------------------------------------------------------------------------------------


def test_creates_hold_every_written_field() -> None:
    """A create shows what will be there; unknown defaults are left out."""
    wanted = Client(name="a", description=None, redirect_uris=("b", "a"), options={"fake": {"k": (1, 2)}})
    (change,) = compare(desired({client("x"): wanted}), live(), FACTS).changes
    assert (change.action, change.reason) == (Action.CREATE, Reason.MISSING)
    assert [(field.path, field.before, field.after) for field in change.fields] == [
        ("name", None, "a"),
        ("redirect_uris", None, ("a", "b")),
        ("options.fake.k", None, [1, 2]),
    ]


def test_trust_and_settings_are_compared_like_any_object() -> None:
    """What a server holds once is created when it is not there, updated when it differs."""
    wanted = {trust(): Trust(authorization_server="as", via="remote"), settings(): Settings(require_https=True)}
    assert actions(compare(desired(wanted), live(), FACTS).changes) == {"trust@rs": "create", "settings@as": "create"}
    seen: dict[Any, Any] = {
        trust(): Trust(authorization_server="other", via="remote"),
        settings(): Settings(require_https=False),
    }
    assert actions(compare(desired(wanted), live(seen), FACTS).changes) == {
        "trust@rs": "update",
        "settings@as": "update",
    }


def test_a_kind_that_was_not_read_makes_no_change_and_one_finding() -> None:
    """Forbidden is not absent: nothing is created, changed or deleted of the kind; its reason is told once."""
    wanted = desired([client("a"), client("b"), scope("s")], absent=frozenset({client("c")}))
    state = live([client("c")], unreadable=[("as", Kind.CLIENT)])
    found = compare(wanted, state, FACTS)
    assert actions(found.changes) == {"scope/s@as": "create"}
    assert [item.rule for item in found.diagnostics] == ["unreadable"]


def test_a_server_that_was_not_read_makes_no_change_and_one_finding() -> None:
    """Servers left out of a run are left alone."""
    found = compare(desired([client("a"), client("b")]), live(servers=["rs"]), FACTS)
    assert found.changes == ()
    assert [item.rule for item in found.diagnostics] == ["server-not-read"]


def test_a_type_that_can_not_be_changed_makes_the_client_anew_with_its_associations() -> None:
    """A replaced client loses its associations, so they are made again; nothing else of it is touched."""
    wanted = desired(
        {client("a"): Client(type=ClientType.PUBLIC), scope("s"): Scope(), association("a", "s"): ASSOCIATION}
    )
    seen = live(
        {client("a"): Client(type=ClientType.CONFIDENTIAL), scope("s"): Scope(), association("a", "s"): ASSOCIATION}
    )
    kept = compare(wanted, seen, FACTS).changes
    assert actions(kept) == {"client/a@as": "update"}
    replaced = compare(wanted, seen, facts(without=[Capability.CLIENT_TYPE_CHANGE])).changes
    assert actions(replaced) == {"client/a@as": "replace", "association/a:s@as": "create"}


def test_a_rename_keeps_the_client_and_carries_its_associations() -> None:
    """The former name is renamed, not deleted; associations under it count for the new name."""
    wanted = desired(
        {client("new"): Client(version="2"), scope("s"): Scope(), association("new", "s"): ASSOCIATION},
        moved={client("new"): "old"},
        listed_clients=frozenset({"new"}),
    )
    seen = live(
        {
            client("old"): Client(version="1"),
            scope("s"): Scope(),
            association("old", "s"): ASSOCIATION,
            association("old", "t"): ASSOCIATION,
        }
    )
    found = by_address(compare(wanted, seen, FACTS).changes)
    assert actions(found.values()) == {"client/new@as": "update", "association/new:t@as": "delete"}
    rename = found["client/new@as"]
    assert (rename.reason, rename.live_address) == (Reason.RENAMED, client("old"))
    assert [field.path for field in rename.fields] == ["version"]
    assert found["association/new:t@as"].live_address == association("old", "t")


def test_an_association_changes_in_the_run_that_renames_its_client() -> None:
    """It is found at the former name, and written after the client has the new one."""
    default, optional = (Association.made(way) for way in AssignedAs)
    wanted = desired(
        {client("new"): Client(), scope("s"): Scope(), association("new", "s"): optional}, moved={client("new"): "old"}
    )
    seen = live({client("old"): Client(), scope("s"): Scope(), association("old", "s"): default})
    (rename, change) = sorted(
        compare(wanted, seen, FACTS).changes, key=lambda one: one.address.kind is Kind.ASSOCIATION
    )
    assert (rename.address, rename.former) == (client("new"), client("old"))
    assert (change.address, change.former, change.action) == (
        association("new", "s"),
        association("old", "s"),
        Action.UPDATE,
    )
    assert [(field.path, field.before, field.after) for field in change.fields] == [
        (AS, AssignedAs.DEFAULT, AssignedAs.OPTIONAL)
    ]
    made = {one.address: one for one in order([rename, change], wanted, seen)}
    assert client("new") in made[association("new", "s")].depends_on


def test_a_rename_that_is_done_is_not_done_again() -> None:
    """`moved_from` may stay in the manifest."""
    wanted = desired([client("new")], moved={client("new"): "old"})
    assert compare(wanted, live([client("new")]), FACTS).changes == ()
    assert actions(compare(wanted, live(), FACTS).changes) == {"client/new@as": "create"}


def test_where_a_server_can_not_rename_the_new_is_made_and_the_old_goes_and_it_is_said() -> None:
    """Two changes, so that both sides know the new client before either loses the old one."""
    wanted = desired([client("new"), scope("s"), association("new", "s")], moved={client("new"): "old"})
    seen = live([client("old"), scope("s"), association("old", "s")])
    found = compare(wanted, seen, facts(without=[Capability.CLIENT_RENAME]))
    assert actions(found.changes) == {
        "client/new@as": "create",
        "client/old@as": "delete",
        "association/new:s@as": "create",
    }
    assert [item.rule for item in found.diagnostics] == ["rename-ends-tokens"]
