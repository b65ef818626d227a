"""Apply, then take back: for random small estates the servers hold what they held before, and nothing is written twice."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import JournalFailed, Rejected
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.fields import Unparsed
from oauthdeploy.model.objects import Association, Client, Grant, Object, Revocation, Scope, Settings, Side
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.model.state import DesiredState, LiveState, Policy, PolicyLimits, PrunePolicy
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.normalize import flatten
from oauthdeploy.planning.outcome import ApplyReport, Status
from oauthdeploy.planning.plan import Plan, build_plan, plan_document
from oauthdeploy.planning.rollback.inverse import CHANGED_SINCE, END_UNKNOWN, NOT_RESTORABLE, Inverse, inverse
from oauthdeploy.planning.rollback.steps import steps_of
from oauthdeploy.running.apply import apply_plan
from oauthdeploy.running.journal import Journal, plain, read_journal
from oauthdeploy.running.read import read_live, read_wanted, wanted_of
from tests.running.kit import FACTS_BY_DRIVER, Clock, at, desired_state
from tests.running.memory_driver import MemoryDriver, MemoryServer

EVERY_KIND = frozenset({Kind.SETTINGS, Kind.SCOPE, Kind.CLIENT, Kind.ASSOCIATION})
NO_LIMITS = PolicyLimits(max_deletes="100%", max_updates="100%")


class Pair:
    """An authorization server and a resource server that trusts it, in memory, with a folder for journals."""

    def __init__(self, folder: Path, login: Mapping[Address, Object], orders: Mapping[Address, Object]) -> None:
        self.folder = folder
        self.stores = {"login": MemoryServer(dict(login)), "orders": MemoryServer(dict(orders))}
        self.drivers = {
            "login": MemoryDriver("login", self.stores["login"], role=Role.AUTHORIZATION),
            "orders": MemoryDriver("orders", self.stores["orders"], role=Role.RESOURCE),
        }
        self.clock = Clock()
        self._number = 0

    @property
    def servers(self) -> dict[str, Server]:
        login, orders = (self.drivers[name].connection.server for name in ("login", "orders"))
        return {"login": login, "orders": orders.model_copy(update={"authorization_server": "login"})}

    def desired(self, objects: Mapping[Address, Object], *absent: Address) -> DesiredState:
        policy = Policy(limits=NO_LIMITS, prune=PrunePolicy())
        return DesiredState("shop", self.servers, dict(objects), absent=frozenset(absent), policy=policy)

    def plan(self, desired: DesiredState) -> Plan:
        return build_plan(desired, read_live(self.drivers, desired), FACTS_BY_DRIVER)

    def apply(self, desired: DesiredState) -> tuple[ApplyReport, Path]:
        self._number += 1
        with Journal.create(self.folder, "shop", now=self.clock, pid=self._number) as journal:
            report = apply_plan(
                self.plan(desired),
                self.drivers,
                desired=desired,
                facts=FACTS_BY_DRIVER,
                journal=journal,
                base=self.folder,
                allowed=("still-granted",),
            )
        return report, journal.path

    def look(self) -> LiveState:
        nothing = self.desired({})
        wanted = {name: replace(wanted_of(nothing, name), kinds=EVERY_KIND) for name in self.drivers}
        return read_wanted(self.drivers, wanted)

    def inverse(self, journal: Path, today: DesiredState, *, lifted: bool = False) -> Inverse:
        return inverse(steps_of(read_journal(journal).records), today, self.look(), lifted=lifted)

    def holdings(self) -> dict[str, dict[str, object]]:
        """What both servers hold, with nothing and empty taken for the same, as servers do."""
        return {
            str(address): {path: field for path, field in flatten(value).items() if field not in (None, "", ())}
            for store in self.stores.values()
            for address, value in store.objects.items()
        }


NAMES = ("a", "b", "c")
SCOPES = st.builds(
    Scope,
    description=st.sampled_from(["", "one", "two"]),
    resources=st.lists(st.sampled_from(["f", "g", "h:i"]), max_size=2, unique=True).map(tuple),
)
CLIENTS = st.builds(
    Client,
    name=st.sampled_from(NAMES),
    description=st.sampled_from(["", "one", "two"]),
    redirect_uris=st.lists(st.sampled_from(["https://a/cb", "https://b/cb"]), max_size=2, unique=True).map(tuple),
    grants=st.lists(st.sampled_from(Grant), max_size=3, unique=True).map(tuple),
    enabled=st.booleans(),
)
SETTINGS = st.builds(Settings, require_https=st.booleans(), access_token_lifetime=st.sampled_from([60, 600, "never"]))


@st.composite
def estates(draw: st.DrawFn) -> dict[Address, Object]:
    """What two servers hold: settings always, some scopes and clients, associations of what is there."""
    found: dict[Address, Object] = {}
    for server in ("login", "orders"):
        found[Address.singleton(Kind.SETTINGS, server)] = draw(SETTINGS)
        for name in NAMES:
            if draw(st.booleans()):
                found[Address(Kind.SCOPE, name, server)] = draw(SCOPES)
            if draw(st.booleans()):
                found[Address(Kind.CLIENT, name, server)] = draw(CLIENTS)
    for client in NAMES:
        for scope in NAMES:
            both = Address(Kind.CLIENT, client, "login") in found and Address(Kind.SCOPE, scope, "login") in found
            if both and draw(st.booleans()):
                found[Address.association(client, scope, "login")] = Association()
    return found


def on(estate: Mapping[Address, Object], server: str) -> dict[Address, Object]:
    return {address: value for address, value in estate.items() if address.server == server}


def wish(pair: Pair, before: Mapping[Address, Object], after: Mapping[Address, Object]) -> DesiredState:
    """A manifest that leads from one estate to the other."""
    return pair.desired(after, *(before.keys() - after.keys() - set(map(at, ("settings@login", "settings@orders")))))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(estates(), estates())
def test_apply_then_rollback_gives_the_prior_state(before: dict[Address, Object], after: dict[Address, Object]) -> None:
    """The inverse of any complete apply leads back to what stood there, and a second rollback has nothing to do."""
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(Path(folder), on(before, "login"), on(before, "orders"))
        prior = pair.holdings()
        desired = wish(pair, before, after)
        report, journal = pair.apply(desired)
        assert report.complete
        if report.plan.is_empty:
            return
        found = pair.inverse(journal, desired)
        assert not [item for item in found.findings if item.rule == CHANGED_SINCE]
        back, _path = pair.apply(found.desired)
        assert back.complete
        assert not back.verification
        assert pair.holdings() == prior
        assert pair.plan(pair.inverse(journal, desired).desired).is_empty


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(estates(), estates(), st.integers(0, 12))
def test_a_part_of_an_apply_is_taken_back_as_well(
    before: dict[Address, Object], after: dict[Address, Object], failing: int
) -> None:
    """Where a change failed, what was made before and beside it is taken back, and what was not made is left alone."""
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(Path(folder), on(before, "login"), on(before, "orders"))
        prior = pair.holdings()
        desired = wish(pair, before, after)
        plan = pair.plan(desired)
        if plan.is_empty:
            return
        broken = plan.changes[failing % len(plan.changes)].address

        def refuse(change: object) -> None:
            if getattr(change, "address", None) == broken:
                raise Rejected("no", server=broken.server, status=400)

        for store in pair.stores.values():
            store.before = refuse
        report, journal = pair.apply(desired)
        assert not report.complete
        for store in pair.stores.values():
            store.before = lambda _change: None
        back, _path = pair.apply(pair.inverse(journal, desired).desired)
        assert back.complete
        assert pair.holdings() == prior


SCOPE = at("scope/s@login")
CLIENT = at("client/c@login")
ASSOCIATION = at("association/c:s@login")


def test_what_somebody_changed_since_is_left_alone_and_named(tmp_path: Path) -> None:
    """An object that is not as the run left it is not touched; --allow changed-since takes it back all the same."""
    pair = Pair(tmp_path, {SCOPE: Scope(description="old")}, {})
    desired = pair.desired({SCOPE: Scope(description="new"), CLIENT: Client(name="c", description="made")})
    _report, journal = pair.apply(desired)
    pair.stores["login"].objects[SCOPE] = Scope(description="theirs")
    pair.stores["login"].objects[CLIENT] = Client(name="c", description="theirs")
    found = pair.inverse(journal, desired)
    assert {item.address for item in found.findings if item.rule == CHANGED_SINCE} == {str(SCOPE), str(CLIENT)}
    assert pair.plan(found.desired).is_empty
    lifted = pair.inverse(journal, desired, lifted=True)
    assert {str(c.address): c.action for c in pair.plan(lifted.desired).changes} == {
        str(SCOPE): Action.UPDATE,
        str(CLIENT): Action.DELETE,
    }


def test_the_journal_has_what_a_silent_server_kept_from_the_reading_that_ends_the_run(tmp_path: Path) -> None:
    """Where an answer does not contain the object, a field that the run did not write is still compared before it is undone."""
    pair = Pair(tmp_path, {}, {})
    pair.stores["login"].silent = True
    pair.stores["login"].keeps = lambda _address, value: (
        value.model_copy(update={"redirect_uris": ("https://given",)}) if isinstance(value, Client) else value
    )
    desired = pair.desired({CLIENT: Client(name="c", description="made"), SCOPE: Scope(description="made")})
    _report, journal = pair.apply(desired)
    assert not pair.inverse(journal, desired).findings
    pair.stores["login"].objects[CLIENT] = Client(name="c", description="made", redirect_uris=("https://theirs",))
    found = pair.inverse(journal, desired)
    assert [(item.address, item.rule) for item in found.findings] == [(str(CLIENT), CHANGED_SINCE)]


def test_a_scope_that_somebody_uses_by_now_is_left_alone(tmp_path: Path) -> None:
    """A created scope with an association that the run didn't make is in use: the rollback doesn't take it away."""
    pair = Pair(tmp_path, {CLIENT: Client(name="c")}, {})
    desired = pair.desired({SCOPE: Scope(description="new")})
    _report, journal = pair.apply(desired)
    pair.stores["login"].objects[ASSOCIATION] = Association()
    found = pair.inverse(journal, desired)
    assert [item.detail for item in found.findings] == [f"{ASSOCIATION} was added since."]
    assert pair.plan(found.desired).is_empty


def test_a_deleted_client_comes_back_with_its_associations(tmp_path: Path) -> None:
    """The plan lists a client alone, since its associations go with it; the journal knows them, and so they come back."""
    pair = Pair(tmp_path, {SCOPE: Scope(), CLIENT: Client(name="c"), ASSOCIATION: Association()}, {})
    store = pair.stores["login"]
    desired = pair.desired({}, CLIENT)
    _report, journal = pair.apply(desired)
    assert store.objects.keys() == {SCOPE}
    found = pair.inverse(journal, desired)
    assert [item.rule for item in found.findings] == [NOT_RESTORABLE]
    pair.apply(found.desired)
    assert store.objects.keys() == {SCOPE, CLIENT, ASSOCIATION}


def test_a_blocked_client_is_enabled_and_deleted_tokens_are_said_to_be_gone(tmp_path: Path) -> None:
    """disable -> enable; tokens can't come back."""
    cut_off = at("revocation/INC-1@login")
    pair = Pair(tmp_path, {CLIENT: Client(name="c", enabled=True)}, {})
    pair.stores["login"].tokens["c"] = 2
    desired = pair.desired({cut_off: Revocation(client="c", tokens="all", block=(Side.AUTHORIZATION,))})
    report, journal = pair.apply(desired)
    assert report.complete
    pair.stores["login"].objects[CLIENT] = Client(name="c", enabled=False)
    found = pair.inverse(journal, desired)
    assert [(item.rule, item.address) for item in found.findings] == [(NOT_RESTORABLE, str(cut_off))]
    changes = pair.plan(found.desired).changes
    assert [(change.address, change.fields[0].path, change.fields[0].after) for change in changes] == [
        (CLIENT, "enabled", True)
    ]


def test_a_change_whose_end_nobody_knows_is_named_and_not_taken_back(tmp_path: Path) -> None:
    """An intent without an outcome may or may not have been carried out."""
    pair = Pair(tmp_path, {}, {})
    desired = pair.desired({SCOPE: Scope(description="new")})
    _report, journal = pair.apply(desired)
    records = [record for record in read_journal(journal).records if record["type"] in ("run", "intent")]
    found = inverse(steps_of(records), desired, pair.look())
    assert [(item.rule, item.address) for item in found.findings] == [(END_UNKNOWN, str(SCOPE))]
    assert not found.desired.objects
    assert not found.desired.absent


def test_a_client_under_the_servers_own_name_is_found_by_its_id(tmp_path: Path) -> None:
    """A driver that isn't told of a client calls it as the server does; the id in the journal says that it is the one."""
    pair = Pair(tmp_path, {}, {})
    desired = pair.desired({CLIENT: Client(name="c")})
    _report, journal = pair.apply(desired)
    live = pair.look()
    state = live.servers["login"]
    other = at("client/Shown name@login")
    renamed = {other: state.objects[CLIENT]}
    moved = LiveState({**live.servers, "login": type(state)("login", renamed)})
    found = inverse(steps_of(read_journal(journal).records), desired, moved)
    assert found.desired.absent == {other}


def test_a_journal_of_a_server_that_is_gone_is_refused(tmp_path: Path) -> None:
    """Nothing is known of how to reach it."""
    pair = Pair(tmp_path, {}, {})
    desired = pair.desired({SCOPE: Scope(description="new")})
    _report, journal = pair.apply(desired)
    alone = DesiredState("shop", {"orders": pair.servers["orders"]}, {})
    with pytest.raises(JournalFailed, match="lacks a server of the journal"):
        inverse(steps_of(read_journal(journal).records), alone)


def test_a_record_with_values_that_are_not_known_is_told_and_not_followed() -> None:
    """A journal that this release can't understand ends in a message with the address."""
    record = {"type": "intent", "address": "scope/s@login", "action": "create", "changed": [], "fields": []}
    with pytest.raises(JournalFailed) as caught:
        steps_of([record | {"before": None, "after": {"of a later release": 1}}])
    assert "scope/s@login" in caught.value.detail


def test_what_failed_is_not_taken_back(tmp_path: Path) -> None:
    """Only what was made has an inverse; a change that failed for its secret's delivery alone was made."""
    base: dict[str, object] = {
        "address": "client/c@login",
        "action": "create",
        "before": None,
        "after": {},
        "changed": [],
    }
    sent = {"type": "intent", **base}
    failed = {"type": "outcome", **base, "status": "failed", "because": {"rule": "request-rejected"}}
    undelivered = {"type": "outcome", **base, "status": "failed", "because": {"rule": "secret-not-delivered"}}
    assert steps_of([sent, failed]) == ()
    assert [step.made for step in steps_of([sent, undelivered])] == [True]
    assert Status.FAILED.value == "failed"


def test_a_former_value_that_could_not_be_parsed_is_named_and_left(tmp_path: Path) -> None:
    """A manifest can't write it, so the present value stays; the other fields of the change go back."""
    changed = [
        {"path": "tokens.access_lifetime", "before": plain(Unparsed('"5m"')), "after": 300},
        {"path": "options.memory.idle", "before": plain(Unparsed("[1]")), "after": 1},
        {"path": "description", "before": "old", "after": "new"},
    ]
    base: dict[str, object] = {"address": "client/c@login", "action": "update"}
    sent = {"type": "intent", **base, "before": {"description": "old"}, "after": {}, "changed": changed}
    (step,) = steps_of([sent, {"type": "outcome", **base, "status": "done"}])
    assert step.unparsed == ("tokens.access_lifetime", "options.memory.idle")
    assert step.back == {"description": "old"}
    found = inverse([step], desired_state({at("client/c@login"): Client()}))
    (said,) = [item for item in found.findings if item.rule == "not-restorable"]
    assert "tokens.access_lifetime, options.memory.idle had a value that a manifest cannot express" in said.detail


def test_a_change_that_took_something_along_was_made() -> None:
    """Its own fields go back; what it lost is named by the change's error."""
    base: dict[str, object] = {
        "address": "client/c@login",
        "action": "update",
        "before": {},
        "after": {},
        "changed": [],
    }
    ended = {"type": "outcome", **base, "status": "failed", "because": {"rule": "fields-lost"}}
    assert [step.made for step in steps_of([{"type": "intent", **base}, ended])] == [True]


def test_secrets_among_options_are_named_as_lost_and_asked_for_as_secrets(tmp_path: Path) -> None:
    """The journal has none of them: a former one is told of, and where there was none before, none is asked for in secret,
    so that the plan of the way back doesn't show the one that goes.
    """
    shop = at("client/shop@login")

    def client(**attributes: object) -> Client:
        return Client(options={"memory": {"attributes": attributes}})

    before = client(**{"crm.note": Secret("canary-old", "server"), "theme": "dark", "new": None, "kept": "one"})
    after = client(
        **{
            "crm.note": Secret("canary-1", "${env:A}"),
            "theme": "light",
            "new": Secret("canary-2", "${env:B}"),
            "kept": Secret("canary-3", "${env:C}"),
        }
    )
    pair = Pair(tmp_path, {shop: before}, {})
    report, journal = pair.apply(pair.desired({shop: after}))
    assert report.complete
    assert "canary" not in journal.read_text()
    found = pair.inverse(journal, pair.desired({shop: after}))
    assert found.desired.objects[shop].options == {  # type: ignore[union-attr]
        "memory": {
            "attributes": {"theme": "dark", "new": Secret("", "journal"), "kept": Secret("one", "journal")},
        }
    }
    (said,) = found.findings
    assert said.rule == NOT_RESTORABLE
    assert "options.memory.attributes.crm.note" in said.detail
    plan = pair.plan(found.desired)
    assert {field.path.rpartition(".")[2] for change in plan.changes for field in change.fields} == {
        "theme",
        "new",
        "kept",
    }
    assert "canary" not in json.dumps(plan_document(plan))


def test_a_mapping_with_a_secret_that_was_not_there_is_left_alone_and_named(tmp_path: Path) -> None:
    """It can't be taken away without showing what is in it."""
    shop = at("client/shop@login")
    before = Client(options={"memory": {"mappers": {"crm": None, "other": "one"}}})
    crm = {"type": "crm", "config": {"key": Secret("canary", "${env:A}")}}
    after = Client(options={"memory": {"mappers": {"crm": crm, "other": "two"}}})
    pair = Pair(tmp_path, {shop: before}, {})
    _, journal = pair.apply(pair.desired({shop: after}))
    found = pair.inverse(journal, pair.desired({shop: after}))
    assert found.desired.objects[shop].options == {"memory": {"mappers": {"other": "one"}}}  # type: ignore[union-attr]
    assert [item.rule for item in found.findings] == [NOT_RESTORABLE]
    assert "options.memory.mappers.crm was not set before" in next(iter(found.findings)).detail
