"""How a driver behaves: what it leaves alone, what and how much it sends, and what it does when refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.errors import Forbidden, OAuthDeployError, ServerError, Unauthorized, WriteRefused
from oauthdeploy.model.capabilities import Capability as Can
from oauthdeploy.planning.outcome import Status
from oauthdeploy.testing.harness import Bench, Breach, Parts
from oauthdeploy.testing.scenarios.base import NoHook, can, public, scenario
from oauthdeploy.testing.scenarios.kinds import simple_scope


def estate(bench: Bench, clients: int = 2, scopes: int = 2, **more: Any) -> dict[str, Any]:
    """Some objects of every kind that the server holds."""
    parts: dict[str, Any] = {}
    if can(bench, Can.SCOPES) or can(bench, Can.ASSOCIATIONS):
        parts["scopes"] = {f"scope-{number}": simple_scope(bench) for number in range(scopes)}
    if can(bench, Can.CLIENTS):
        parts["clients"] = {f"client-{number}": public() for number in range(clients)}
    if "scopes" in parts and "clients" in parts and can(bench, Can.ASSOCIATIONS):
        parts["associations"] = [{"client": name, "scopes": ["scope-0"]} for name in parts["clients"]]
    return {**parts, **more}


# -- unmanaged values -------------------------------------------------------------------------------------------------


def _require_unmanaged(bench: Bench, kind: Kind, name: str, before: Parts, after: Parts, address: str) -> None:
    """Set everything by hand, change one field by the manifest, and check that nothing else has changed."""
    planned = bench.settle("a first state", before)
    identity = bench.live(planned, address).identity
    if not bench.site.scribble(kind, identity, name):
        raise NoHook(f"scribble({kind.value})")
    drawn = bench.site.photograph(kind, identity, name)
    if drawn is None:
        raise NoHook(f"photograph({kind.value})")
    planned = bench.plan(before)
    if not planned.plan.is_empty:
        raise Breach(f"fields that the manifest does not manage are planned to change: {planned.actions}")
    bench.step("one field changes", after, {address: "update"})
    found = bench.site.photograph(kind, bench.live(bench.plan(after), address).identity, name) or {}
    changed = _differences(drawn, found) - bench.site.native_fields(kind)
    if changed:
        raise Breach(f"an update of one field changed {', '.join(sorted(changed))} too")


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


@scenario("unmanaged/client", Can.CLIENTS, "clients.description")
def unmanaged_client(bench: Bench) -> None:
    """What was set on a client by hand survives a change of its description"""
    before = {"clients": {"web-shop": {"description": "before"}}}
    bench.settle("a client", {"clients": {"web-shop": public(description="before")}})
    after = {"clients": {"web-shop": {"description": "after"}}}
    _require_unmanaged(bench, Kind.CLIENT, "web-shop", before, after, "client/web-shop")


@scenario("unmanaged/scope", Can.SCOPES, "scopes.description")
def unmanaged_scope(bench: Bench) -> None:
    """What was set on a scope by hand survives a change of its description"""
    bench.settle("a scope", {"scopes": {"orders.read": simple_scope(bench, description="before")}})
    before = {"scopes": {"orders.read": {"description": "before"}}}
    after = {"scopes": {"orders.read": {"description": "after"}}}
    _require_unmanaged(bench, Kind.SCOPE, "orders.read", before, after, "scope/orders.read")


@scenario("unmanaged/settings", Can.SETTINGS, "settings.access_token_lifetime")
def unmanaged_settings(bench: Bench) -> None:
    """What was set in the settings by hand survives a change of the token lifetime"""

    def parts(value: str) -> Parts:
        return {"settings": {"overrides": {bench.site.server: {"access_token_lifetime": value}}}}

    _require_unmanaged(bench, Kind.SETTINGS, "", parts("20m"), parts("30m"), "settings")


# -- requests ---------------------------------------------------------------------------------------------------------


@scenario("requests/promised")
def requests_promised(bench: Bench) -> None:
    """The plan announces as many requests as are sent, and the report counts as many as the server received"""
    parts = estate(bench)
    if not parts:
        raise NoHook("scopes or clients")
    changed = {**parts}
    if "clients" in parts:
        changed["clients"] = {**parts["clients"], "client-1": public(redirect_uris=["https://new.example.com/cb"])}
    absent: Parts = {
        str(kind): {name: {"state": "absent"} for name in parts[kind]}
        for kind in ("scopes", "clients")
        if kind in parts
    }
    states: list[tuple[str, Parts]] = [("all is made", parts), ("something changes", changed), ("all goes", absent)]
    for title, wanted in states:
        planned = bench.plan(wanted)
        promised = sum(server.reads for server in planned.plan.servers if server.name == bench.site.server)
        if planned.plan.is_empty:
            continue
        ran = bench.step(title, wanted, planned.actions)
        for batch in ran.batches:
            first = batch.changes[0].address
            reported = sum(one.requests for one in batch.applied)
            if reported != batch.requests:
                raise Breach(f"{first}: the driver reports {reported} requests, and the server saw {batch.requests}")
            if batch.promised != batch.requests:
                raise Breach(
                    f"{first}: the plan announces {batch.promised} requests, and the server saw {batch.requests}"
                )
        if promised > len(planned.requests):
            raise Breach(
                f"the plan reports {promised} requests for reading, and the server saw {len(planned.requests)}"
            )


@scenario("requests/pages", Can.CLIENTS, proves=Can.CLIENTS_LIST)
def requests_pages(bench: Bench) -> None:
    """Reading thirty clients takes no more requests for each of them than reading three"""
    small_estate = estate(bench, clients=3, scopes=1)
    bench.settle("three clients", small_estate)
    small = len(bench.plan(small_estate).requests)
    many = estate(bench, clients=30, scopes=1)
    bench.settle("thirty clients", many)
    large = len(bench.plan(many).requests)
    if large - small > 9:
        raise Breach(f"three clients take {small} requests, thirty take {large}")


# -- refusals ---------------------------------------------------------------------------------------------------------


@scenario("refused/credentials")
def wrong_credentials(bench: Bench) -> None:
    """Wrong credentials are refused before anything is planned, and no output shows them"""
    wrong = bench.site.wrong_credentials()
    if wrong is None:
        raise NoHook("wrong_credentials")
    try:
        bench.plan(estate(bench), credentials=wrong)
    except (Unauthorized, Forbidden):
        return
    except OAuthDeployError as error:
        raise Breach(f"wrong credentials are told as {type(error).__name__}: {error.summary}") from None
    raise Breach("wrong credentials are accepted")


@scenario("refused/reader")
def reader(bench: Bench) -> None:
    """An account that may only read can plan; its writes fail as forbidden, and nothing is changed"""
    may_read = bench.site.reader_credentials()
    if may_read is None:
        raise NoHook("reader_credentials")
    parts = estate(bench)
    planned = bench.plan(parts, credentials=may_read)
    if planned.plan.is_empty:
        raise Breach("an empty server, and nothing to do")
    ran = bench.apply(planned)
    for outcome in ran.report.outcomes:
        if outcome.status is Status.DONE:
            raise Breach(f"{outcome.change.address} was created by an account that may only read")
        rule = outcome.because.rule if outcome.because else "nothing"
        if rule not in ("permission-denied", "dependency-failed", "server-gave-up"):
            raise Breach(f"a write that is forbidden is reported as {rule}")
    if bench.plan(parts).actions != planned.actions:
        raise Breach("something was changed by an account that may only read")


@scenario("refused/planning driver")
def planning_driver(bench: Bench) -> None:
    """A driver opened for planning cannot write: its attempts are stopped before they are sent"""
    parts = estate(bench)
    planned = bench.plan(parts)
    first = len(bench.proxy.seen())
    with bench.drivers(planned.manifest, read_only=True) as drivers:
        driver = drivers[bench.site.server]
        driver.check()
        change = planned.plan.changes[0]
        try:
            driver.apply([change])
        except WriteRefused:
            pass
        except ServerError as error:
            raise Breach(f"the refusal to write is reported as {type(error).__name__}") from None
        else:
            raise Breach("a driver that was opened for planning reports that it wrote")
    if wrote := [str(seen) for seen in bench.proxy.seen(first) if seen.writes]:
        raise Breach(f"a driver that was opened for planning sent {wrote[0]}")
