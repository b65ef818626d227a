"""The driver against a real OPA: everything that it can hold, and what stays as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.core.errors import Conflict, Forbidden, Unauthorized, WriteRefused
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.opa.mapping import SECTIONS
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.model.objects import Object, Trust
from oauthdeploy.model.state import Ownership
from oauthdeploy.planning.changes import Action, Change, Reason, Risk, Stage
from oauthdeploy.planning.two_writes import write_steps
from oauthdeploy.running.verify import verify_changes
from tests.drivers.opa.site import (
    KINDS,
    LINK,
    NAME,
    OWNER,
    Site,
    at,
    carry_out,
    client,
    converge,
    cut,
    link,
    plan_of,
    read,
    scope,
    trust,
)
from tests.servers.opa import Opa

JWT = trust(issuer="https://login", jwks_uri="https://login/keys", audience="orders")
WEB_SHOP = client(
    name="Web Shop",
    version="1",
    description="ä/~\"'",
    type="confidential",
    redirect_uris=["https://shop.example/cb"],
    grants=["client_credentials", "refresh_token"],
    tokens={"access_lifetime": "30m", "refresh_count": "unlimited"},
    enabled=True,
)
ESTATE: dict[Address, Object] = {
    at(Kind.TRUST): JWT,
    at(Kind.SCOPE, "orders.read"): scope(
        description="Read", resources=["orders.v1"], url_templates=["GET_orders.v1/orders"]
    ),
    at(Kind.SCOPE, "a/b~c"): scope(),
    at(Kind.CLIENT, "web-shop"): WEB_SHOP,
    at(Kind.CLIENT, "~/ x%2F"): client(type="public"),
    link("web-shop", "orders.read"): LINK,
    link("web-shop", "a/b~c"): LINK,
    link("~/ x%2F", "orders.read"): LINK,
}


@pytest.fixture
def site(opa: Opa) -> Site:
    return Site(opa)


def test_everything_that_is_asked_for_is_there_afterwards(site: Site) -> None:
    """All kinds, odd names among them, in one write for the stage; the second plan is empty."""
    plan = converge(site, ESTATE)
    assert {change.stage for change in plan.changes} == {Stage.WIDEN_RESOURCE}
    assert plan.servers[0].writes == 3
    document = site.document()
    assert document.keys() == {*SECTIONS, "revision"}
    assert document["associations"] == {
        "web-shop": {"orders.read": True, "a/b~c": True},
        "~/ x%2F": {"orders.read": True},
    }
    assert document["clients"]["web-shop"]["tokens"] == {"access_lifetime": 1800, "refresh_count": "unlimited"}
    assert document["clients"]["web-shop"]["owner"] == OWNER
    assert document["trust"]["jwks_uri"] == "https://login/keys"
    assert document["revision"] == {"1": OWNER}


def test_an_update_changes_the_fields_that_differ_and_no_others(site: Site) -> None:
    """Whatever somebody put beside them stays, at every depth; so do objects and members that nobody wrote here."""
    converge(site, ESTATE)
    document = site.document()
    document["notes"] = ["mine"]
    document["clients"]["web-shop"] |= {"x-team": {"a": 1}}
    document["clients"]["web-shop"]["tokens"]["x-more"] = 2
    document["clients"]["stranger"] = {"type": "public", "x": None}
    document["scopes"]["orders.read"]["x-level"] = 3
    document["blocked"]["stranger"] = {"by": "hand"}
    document["trust"]["x-leeway"] = 5
    site.put(document)
    wanted = dict(ESTATE)
    wanted[at(Kind.CLIENT, "web-shop")] = WEB_SHOP.model_copy(update={"description": "Shop", "grants": ()})
    wanted[at(Kind.SCOPE, "orders.read")] = scope(resources=["orders.v2"])
    wanted[at(Kind.TRUST)] = trust(issuer="https://idp", jwks_uri="https://login/keys", audience=None)
    converge(site, wanted)
    expected = document
    expected["clients"]["web-shop"] |= {"description": "Shop", "grants": []}
    expected["scopes"]["orders.read"]["resources"] = ["orders.v2"]
    expected["trust"]["issuer"] = "https://idp"
    del expected["trust"]["audience"]
    expected["revision"] = {"3": OWNER}
    found = site.document()
    assert found == expected | {"revision": found["revision"]}


NEXT = trust(authorization_server="next", issuer="https://next", jwks_uri="https://next/keys", audience="orders")
REALM = trust(issuer="https://login/new", jwks_uri="https://login/new/keys", audience="orders")


@pytest.mark.parametrize("after", [NEXT, REALM])
def test_a_switch_trusts_both_and_then_one(site: Site, after: Trust) -> None:
    """The new trust is the main one at once; the former stands beside it until the second write."""
    converge(site, ESTATE)
    former = site.document()["trust"]
    wanted = site.desired({**ESTATE, at(Kind.TRUST): after})
    with site.driver() as driver:
        first, second = write_steps(plan_of(driver, wanted).changes)
        (made,) = carry_out(driver, [first])
        assert isinstance(made.value, Trust)
        assert made.value.also_trusted == ("login",)
        both = site.document()
        assert both["also_trusted"] == {"login": former}
        assert both["trust"]["issuer"] == after.issuer
        # What a run that ends here leaves.
        (left,) = plan_of(driver, wanted).changes
        assert [(field.path, field.before, field.after) for field in left.fields] == [("also_trusted", ("login",), ())]
        assert (left.stage, left.risk) == (Stage.NARROW_RESOURCE, Risk.LOW)
        carry_out(driver, [second])
        assert "also_trusted" not in site.document()
        assert site.document()["trust"] == both["trust"]
        assert not plan_of(driver, wanted).changes


def test_by_introspection_one_is_trusted_after_the_other(site: Site) -> None:
    """OPA's environment has one secret, and the former authorization server must not get that of the new one."""
    asked = {"via": "external", "client_id": "rs"}
    for one, other in (
        (trust(**asked, endpoint="https://login/in"), trust(**asked, endpoint="https://next/in")),
        (JWT, trust(**asked, endpoint="https://next/in")),
    ):
        converge(site, {**ESTATE, at(Kind.TRUST): one})
        plan = converge(site, {**ESTATE, at(Kind.TRUST): other})
        assert [change.interim for change in plan.changes] == [None]
        assert "also_trusted" not in site.document()


@pytest.mark.parametrize("odd", [{"x": None}, {"a/b": {}, "~": 1}, [], ["login"], True, "login", 0])
def test_whatever_else_is_also_trusted_is_found_and_taken_away(site: Site, odd: object) -> None:
    """Nobody writes it into a manifest, so it is always a difference; an empty object trusts nobody."""
    converge(site, ESTATE)
    site.put({**site.document(), "also_trusted": odd})
    assert [change.address for change in converge(site, ESTATE).changes] == [at(Kind.TRUST)]
    assert "also_trusted" not in site.document()


def test_null_asks_for_the_default_and_stays_away(site: Site) -> None:
    """null takes a field out of the document; the next plan sees the default there."""
    address = at(Kind.CLIENT, "web-shop")
    converge(site, {address: WEB_SHOP})
    converge(site, {address: client(description=None, grants=None, tokens=None, version=None, enabled=None)})
    assert site.document()["clients"]["web-shop"].keys() == {"owner", "name", "type", "redirect_uris"}


def test_what_goes_takes_along_what_hangs_on_it(site: Site) -> None:
    """A client goes with its associations and its block; a scope after its associations."""
    converge(site, ESTATE)
    rest = {address: value for address, value in ESTATE.items() if "a/b~c" not in str(address)}
    del rest[at(Kind.CLIENT, "~/ x%2F")], rest[link("~/ x%2F", "orders.read")]
    gone = [at(Kind.SCOPE, "a/b~c"), at(Kind.CLIENT, "~/ x%2F")]
    plan = converge(site, rest, absent=gone, listed=["web-shop"])
    assert {str(change.address) for change in plan.changes if change.action is Action.DELETE} == {
        "association/web-shop:a/b~c@orders",
        "scope/a/b~c@orders",
        str(at(Kind.CLIENT, "~/ x%2F")),
    }
    document = site.document()
    assert document["associations"] == {"web-shop": {"orders.read": True}}
    assert document["clients"].keys() == {"web-shop"}
    assert document["scopes"].keys() == {"orders.read"}


def test_trust_by_introspection_leaves_the_secret_out(site: Site) -> None:
    """The secret is in no request, the plan can't compare it, and the finding says where OPA gets it from."""
    secret = Secret("canary-of-introspection", "env:S")
    asking = trust(via="external", endpoint="https://login/introspect", client_id="rs", client_secret=secret)
    converge(site, {at(Kind.TRUST): JWT})
    converge(site, {at(Kind.TRUST): asking})
    assert site.document()["trust"] == {
        "authorization_server": "login",
        "via": "external",
        "endpoint": "https://login/introspect",
        "client_id": "rs",
    }
    desired = site.desired({at(Kind.TRUST): asking})
    with site.driver(read_only=True) as driver:
        assert [path for _, path in plan_of(driver, desired).incomparable] == ["client_secret"]
        (finding,) = driver.unsupported(Wanted(desired.objects, KINDS), driver.check())
        assert not driver.unsupported(Wanted({at(Kind.TRUST): JWT}, KINDS), driver.check())
    assert (finding.rule, "opa.runtime().env" in finding.fix) == ("opa-secret-not-stored", True)


def test_an_account_that_introspects_is_policy_data(site: Site) -> None:
    """A policy without a client to introspect as needs the account; its password stays out."""
    secret = Secret("canary-of-introspection", "env:S")
    asking = trust(via="external", endpoint="https://login/introspect", username="rs", password=secret)
    converge(site, {at(Kind.TRUST): asking})
    assert site.document()["trust"]["username"] == "rs"
    assert "canary" not in str(site.document())


def test_a_trust_without_a_name_to_introspect_with_is_a_warning(site: Site) -> None:
    """Every token would be refused, and the document alone looks right."""
    nameless = trust(via="external", endpoint="https://login/introspect")
    with site.driver(read_only=True) as driver:
        (finding,) = driver.unsupported(Wanted({at(Kind.TRUST): nameless}, KINDS), driver.check())
    assert (finding.rule, finding.severity) == ("opa-introspects-unnamed", Severity.WARNING)
    assert finding.path == ("servers", "login", "introspection")


def test_a_block_and_its_end(site: Site) -> None:
    """A blocked client stands in blocked, with the reason; enabled: true takes it out again."""
    address, revocation = at(Kind.CLIENT, "web-shop"), at(Kind.REVOCATION, "INC-1")
    converge(site, {address: WEB_SHOP})
    plan = converge(
        site, {address: client(enabled=False), revocation: cut("web-shop", block=["resource"], reason="key found")}
    )
    assert [(change.action, change.stage) for change in plan.changes] == [(Action.DISABLE, Stage.CUT_OFF_RESOURCE)]
    assert site.document()["blocked"] == {"web-shop": {"revocation": "INC-1", "reason": "key found"}}
    converge(site, {address: client(enabled=True)})
    assert site.document()["blocked"] == {}
    converge(site, {address: client(enabled=False)})
    assert site.document()["blocked"].keys() == {"web-shop"}


@pytest.mark.parametrize(
    ("tokens", "before"),
    [
        ({"issued_before": "2026-11-20T08:00:00Z"}, 1795161600),
        ({"issued_before": "2026-11-20T08:00:00.25Z"}, 1795161601),
    ],
)
def test_tokens_from_before_a_moment_are_refused(site: Site, tokens: object, before: int) -> None:
    """The moment is written once, rounded up to the seconds of iat, with owner and scope; a second plan is empty."""
    revocation = at(Kind.REVOCATION, "INC-2")
    plan = converge(site, {revocation: cut("batch", tokens=tokens, owner="alice", scope="orders.read")})
    (change,) = plan.changes
    assert (change.action, [field.path for field in change.fields]) == (Action.REVOKE, ["tokens.refused"])
    entry = {"before": before, "owner": "alice", "scope": "orders.read"}
    assert site.document()["issued_before"] == {"batch": {"INC-2": entry}}
    wider = {revocation: cut("batch", tokens=tokens)}
    assert converge(site, wider).changes
    assert site.document()["issued_before"] == {"batch": {"INC-2": {"before": before}}}
    assert not converge(site, {at(Kind.REVOCATION, "INC-3"): cut("batch", tokens=tokens, owner="bob")}).changes


def test_all_tokens_are_those_up_to_the_first_apply(site: Site) -> None:
    """By OPA's clock, the running second included; another incident has a moment of its own."""
    begun = datetime.now(UTC).timestamp()
    converge(site, {at(Kind.REVOCATION, "INC-4"): cut("batch", tokens="all")})
    entry = site.document()["issued_before"]["batch"]["INC-4"]
    assert int(begun) < entry["before"] <= datetime.now(UTC).timestamp() + 1
    assert entry["all"] is True
    assert converge(site, {at(Kind.REVOCATION, "INC-5"): cut("batch", tokens="all")}).changes


def test_a_cut_off_outlives_its_client(site: Site) -> None:
    """Old tokens must not work again when a client of that id is made anew."""
    address = at(Kind.CLIENT, "batch")
    converge(site, {address: client()})
    converge(site, {at(Kind.REVOCATION, "I"): cut("batch", tokens="all", block=["resource"])})
    converge(site, {}, absent=[address])
    document = site.document()
    assert (document["clients"], document["blocked"]) == ({}, {})
    assert document["issued_before"]["batch"].keys() == {"I"}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("issued_before", "Tokens from before the cut-off are still accepted."),
        ("blocked", "The client is still enabled."),
    ],
)
def test_a_cut_off_that_somebody_takes_back_is_found(site: Site, section: str, said: str) -> None:
    """The look after an apply, and drift, see what a policy will go by."""
    address, revocation = at(Kind.CLIENT, "batch"), at(Kind.REVOCATION, "I")
    converge(site, {address: client()})
    desired = site.desired({revocation: cut("batch", tokens="all", block=["resource"])})
    with site.driver() as driver:
        plan = plan_of(driver, desired)
        carry_out(driver, plan.changes)
        assert not verify_changes(plan.changes, {NAME: driver}, desired, driver_facts())
        document = site.document()
        site.put(document | {section: {}})
        (found,) = verify_changes(plan.changes, {NAME: driver}, desired, driver_facts())
    assert (found.rule, found.detail) == ("cut-off-incomplete", said)


# -- who owns what --------------------------------------------------------------------------------------------------


def test_marks_tell_ours_from_others(site: Site) -> None:
    """What we make is ours; what carries another mark is foreign; adopting marks one object and nothing else."""
    converge(site, {at(Kind.CLIENT, "ours"): client()})
    document = site.document()
    document["clients"] |= {"free": {"x": 1}, "theirs": {"owner": "billing"}}
    site.put(document)
    desired = site.desired({})
    with site.driver() as driver:
        live = read(driver, desired).objects
        assert {a.name: one.ownership for a, one in live.items()} == {
            "ours": Ownership.OURS,
            "free": Ownership.UNMARKED,
            "theirs": Ownership.FOREIGN,
        }
        free = at(Kind.CLIENT, "free")
        assert driver.mark(free, live[free], OWNER).requests == 2
        assert driver.mark(free, live[free], OWNER).requests == 1
        assert read(driver, desired).objects[free].ownership is Ownership.OURS
        with pytest.raises(Conflict):
            driver.mark(at(Kind.CLIENT, "gone"), live[free], OWNER)
    assert site.document()["clients"] == document["clients"] | {"free": {"x": 1, "owner": OWNER}}
    plan = converge(site, {}, prune={"clients": "managed"})
    assert {str(change.address) for change in plan.changes} == {"client/free@orders", "client/ours@orders"}


# -- others at the same time ----------------------------------------------------------------------------------------


def test_a_writer_who_was_faster_is_noticed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The revision that we read is gone: other objects are kept and the write is repeated; the same ones stop it."""
    address = at(Kind.CLIENT, "web-shop")
    converge(site, {address: client(description="one")})
    for theirs, clash in ((at(Kind.CLIENT, "other"), False), (address, True)):
        desired = site.desired({address: client(description="two")})
        with site.driver() as driver:
            changes = plan_of(driver, desired).changes
            _before_the_write(monkeypatch, driver, partial(converge, site, {theirs: client(description="theirs")}))
            if clash:
                with pytest.raises(Conflict, match="has changed since the plan"):
                    driver.apply(changes)
            else:
                driver.apply(changes)
        clients = site.document()["clients"]
        assert clients["other"]["description"] == "theirs"
        assert clients["web-shop"]["description"] == ("theirs" if clash else "two")
        converge(site, {address: client(description="one")})


def test_two_who_make_the_document_make_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """PUT with If-None-Match: who comes second changes what the first made."""
    with site.driver() as driver:
        changes = plan_of(driver, site.desired({at(Kind.CLIENT, "a"): client()})).changes
        _before_the_write(monkeypatch, driver, lambda: converge(site, {at(Kind.CLIENT, "b"): client()}))
        driver.apply(changes)
    assert site.document()["clients"].keys() == {"a", "b"}
    assert site.document()["revision"] == {"2": OWNER}


def test_what_is_there_or_gone_against_the_plan_is_a_conflict(site: Site) -> None:
    """A create never overwrites, and an update makes nothing anew."""
    address = at(Kind.CLIENT, "a")
    with site.driver() as driver:
        create = plan_of(driver, site.desired({address: client()})).changes
        converge(site, {address: client(description="theirs")})
        with pytest.raises(Conflict, match="has changed since the plan"):
            driver.apply(create)
        update = plan_of(driver, site.desired({address: client(description="ours")})).changes
        converge(site, {}, absent=[address])
        with pytest.raises(Conflict):
            driver.apply(update)
    assert site.document()["clients"] == {}


def _before_the_write(monkeypatch: pytest.MonkeyPatch, driver: object, act: Callable[[], object]) -> None:
    """Let somebody else act between our look and our write, once."""
    api = driver._api  # type: ignore[attr-defined]
    waiting = [act]
    for name in ("create", "patch"):
        write = getattr(api, name)

        def first(body: object, write: Callable[[object], None] = write) -> None:
            if waiting:
                waiting.pop()()
            write(body)

        monkeypatch.setattr(api, name, first)


# -- who is let in --------------------------------------------------------------------------------------------------


def test_bearer_token(start_opa: Callable[..., Opa]) -> None:
    """The token opens; a wrong one is refused with 401; a reader's plans, and is told which right it lacks to write."""
    opa = start_opa(bearer=True)
    converge(Site(opa), ESTATE)
    with Site(opa, token="wrong").driver() as driver, pytest.raises(Unauthorized):
        driver.check()
    reader = Site(opa, token=f"{opa.token}-reader")
    with reader.driver() as driver:
        assert driver.check().product == "Open Policy Agent"
        desired = reader.desired({at(Kind.CLIENT, "new"): client()})
        changes = plan_of(driver, desired).changes
        with pytest.raises(Forbidden, match="does not allow writing") as caught:
            driver.apply(changes)
        assert "system.authz" in caught.value.fix
        assert opa.token not in repr(caught.value.__dict__)


def test_client_certificate(start_opa: Callable[..., Opa]) -> None:
    """Over mutual TLS, by the certificate of the server entry."""
    opa = start_opa(mtls=True)
    tls = {"ca_file": str(opa.ca_file), "client_cert": str(opa.client_cert)}
    converge(Site(opa, tls=tls), {at(Kind.CLIENT, "a"): client()})


def test_planning_writes_nothing(site: Site) -> None:
    """A read-only driver refuses before anything is sent."""
    desired = site.desired({at(Kind.CLIENT, "a"): client()})
    with site.driver(read_only=True) as driver:
        changes = plan_of(driver, desired).changes
        with pytest.raises(WriteRefused):
            carry_out(driver, changes)
    assert site.opa.call("GET", f"/v1/data/{site.path}").json() == {}


# -- what OPA says of itself ----------------------------------------------------------------------------------------


def test_ping_names_the_version_and_that_data_is_in_memory(site: Site) -> None:
    """What a restart would lose is said before it happens."""
    with site.driver(read_only=True) as driver:
        report = driver.check()
    assert (report.product, report.version.startswith("1.")) == ("Open Policy Agent", True)
    assert [item.rule for item in report.diagnostics] == ["opa-data-in-memory"]
    assert NAME in next(iter(report.diagnostics)).detail


def test_data_on_disk_is_not_called_in_memory(start_opa: Callable[..., Opa], tmp_path: Path) -> None:
    """OPA can keep its data on disk, and says so in its configuration."""
    config = f"storage: {{disk: {{directory: {tmp_path}/data, auto_create: true}}}}"
    opa = start_opa(config=config)
    site = Site(opa)
    converge(site, ESTATE)
    with site.driver(read_only=True) as driver:
        assert not driver.check().diagnostics


def test_reading_takes_one_request_and_writing_three(site: Site) -> None:
    """Whatever the number of objects."""
    many: dict[Address, Object] = {at(Kind.CLIENT, f"c{number}"): client() for number in range(500)}
    many |= {link(f"c{number}", "s"): LINK for number in range(500)} | {at(Kind.SCOPE, "s"): scope()}
    desired = site.desired(many)
    with site.driver() as driver:
        plan = plan_of(driver, desired)
        assert driver.connection.http.requests == 1
        carry_out(driver, plan.changes)
        assert driver.connection.http.requests == 4
        assert not plan_of(driver, desired).changes


# -- bundles --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("roots", [["oauth/orders"], ["oauth"], ["oauth/orders/clients"], [""]])
def test_a_path_of_a_bundle_is_read_and_never_written(
    start_opa: Callable[..., Opa], tmp_path: Path, roots: list[str]
) -> None:
    """ping says whose it is; a plan with changes is refused by a finding, and what is written all the same by OPA."""
    folder = tmp_path / "bundle"
    (folder / "oauth/orders").mkdir(parents=True)
    (folder / ".manifest").write_text(json.dumps({"roots": roots}))
    data = {"clients": {"a": {"owner": OWNER}}}
    where = folder / "oauth/orders/data.json"
    if roots == ["oauth/orders/clients"]:
        where = folder / "oauth/orders/clients/data.json"
        where.parent.mkdir()
        where.write_text(json.dumps(data["clients"]))
    else:
        where.write_text(json.dumps(data))
    site = Site(start_opa(bundle=folder))
    with site.driver() as driver:
        assert [item.rule for item in driver.check().diagnostics] == ["opa-path-in-bundle"]
        as_it_is = site.desired({at(Kind.CLIENT, "a"): client()})
        assert not plan_of(driver, as_it_is).changes
        assert not driver.refusals(())
        changes = plan_of(driver, site.desired({at(Kind.CLIENT, "b"): client()})).changes
        (finding,) = driver.refusals(changes)
        assert (finding.rule, finding.severity.value) == ("opa-path-in-bundle", "error")
        with pytest.raises(Forbidden, match="takes the policy data from a bundle"):
            driver.apply(changes)


def test_a_bundle_beside_our_path_is_no_hindrance(start_opa: Callable[..., Opa], tmp_path: Path) -> None:
    """Roots that only look alike own nothing of ours."""
    folder = tmp_path / "bundle"
    (folder / "oauth/orders2").mkdir(parents=True)
    (folder / ".manifest").write_text('{"roots": ["oauth/orders2", "other"]}')
    (folder / "oauth/orders2/data.json").write_text("{}")
    site = Site(start_opa(bundle=folder))
    converge(site, ESTATE)
    with site.driver(read_only=True) as driver:
        assert [item.rule for item in driver.check().diagnostics] == ["opa-data-in-memory"]


RULES = {
    "at the path": "package oauth.orders\n\nallow := true\n",
    "below it": 'package oauth.orders.clients\n\nweb := {"owner": "payments"}\n',
    "by a rule of a package above": 'package oauth\n\norders.clients.web := {"owner": "payments"}\n',
    "by a rule with a computed end": 'package oauth\n\norders.clients[name] := {} if some name in ["a", "b"]\n',
}


@pytest.mark.parametrize("policy", RULES.values(), ids=list(RULES))
def test_rules_at_our_path_are_found_by_a_plan_and_never_deleted(start_opa: Callable[..., Opa], policy: str) -> None:
    """OPA tells the values of rules as if they were data; nothing is read of them, and a plan with changes is refused."""
    site = Site(start_opa(files={"rules.rego": policy}))
    with site.driver(read_only=True) as driver:
        driver.check()
        state = read(driver, site.desired({}, prune={"clients": "full"}))
        assert not state.objects
        assert {found.rule for found in state.unreadable.values()} == {"opa-rules-at-path"}
        assert state.unreadable.keys() == KINDS
        (finding,) = driver.refusals([_create(site)])
    assert (finding.rule, finding.severity) == ("opa-rules-at-path", Severity.ERROR)


def _create(site: Site) -> Change:
    return Change(at(Kind.CLIENT, "a"), Action.CREATE, Reason.MISSING, Stage.WIDEN_RESOURCE, desired=client())


def test_rules_elsewhere_are_no_hindrance(start_opa: Callable[..., Opa]) -> None:
    """A package beside the path, and one above it with rules of other names."""
    beside = {"a.rego": "package oauth.orders2\n\nallow := true\n", "b.rego": "package oauth\n\nallow := true\n"}
    site = Site(start_opa(files=beside))
    with site.driver() as driver:
        driver.check()
    converge(site, ESTATE)


@pytest.mark.parametrize("value", ["text", 7, ["list"], True])
def test_a_value_above_our_path_is_found_by_a_plan(opa: Opa, value: Any) -> None:
    """Below a text no document can stand: the plan says so, and not only the write."""
    site = Site(opa)
    assert opa.call("PUT", "/v1/data/oauth", value).status_code == 204
    with site.driver(read_only=True) as driver:
        driver.check()
        assert not driver.refusals(())
        (finding,) = driver.refusals([_create(site)])
    assert finding.rule == "opa-value-above-path"
    assert "oauth on 'orders'" in finding.detail


def test_a_policy_whose_rules_may_not_be_listed_is_named_as_the_likely_cause(start_opa: Callable[..., Opa]) -> None:
    """Where the list of policies can't be had, the refused write is what tells."""
    authz = """package system.authz

import rego.v1

default allow := false

allow if not lists_policies

lists_policies if input.path[1] == "policies"
"""
    rules = "package oauth.orders\n\nallow := true\n"
    site = Site(start_opa(files={"rules.rego": rules, "authz.rego": authz}, authorize=True))
    with site.driver() as driver:
        driver.check()
        with pytest.raises(Conflict) as caught:
            driver.apply([_create(site)])
    assert "no policy has its package at options.path" in caught.value.fix


def test_a_client_is_found_by_its_label(site: Site) -> None:
    """A cut-off and a removal mean the client that the document calls so, though it stands there by its key."""
    objects: dict[Address, Object] = {at(Kind.CLIENT, "web-shop"): WEB_SHOP}
    converge(site, objects)
    label = at(Kind.CLIENT, "Web Shop (1)")
    cut_off = {at(Kind.REVOCATION, "INC-1"): cut(client="Web Shop (1)", block=["resource"])}
    plan = converge(site, cut_off)
    assert [change.address for change in plan.changes] == [at(Kind.REVOCATION, "INC-1")]
    assert site.document()["blocked"].keys() == {"web-shop"}
    plan = converge(site, {}, absent=[label])
    assert [(change.action, change.address) for change in plan.changes] == [(Action.DELETE, label)]
    assert not site.document()["clients"]
