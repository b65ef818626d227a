"""Failing servers: each request refused, garbled, cut off or lost between driver and server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from oauthdeploy.core.errors import OAuthDeployError, ServerError
from oauthdeploy.model.capabilities import Capability as Can
from oauthdeploy.planning.outcome import ApplyReport, Status
from oauthdeploy.testing.harness import Bench, Breach, Parts, Planned
from oauthdeploy.testing.proxy import Fault, from_then_on, once
from oauthdeploy.testing.scenarios.base import NoHook, public, scenario
from oauthdeploy.testing.scenarios.behaviour import estate

_GARBAGE: Final = b'{"\xff\x00 [[[ garbage'
_PAGE: Final = b"<!doctype html><title>Sign in</title><p>Please sign in.</p>"
_AT_MOST: Final = 12
"""How many requests of one plan are spoilt, each in its own plan."""


def _places(count: int, most: int) -> Sequence[int]:
    """Numbers from 1 to `count`, at most `most`, evenly spread."""
    if count <= most:
        return range(1, count + 1)
    return sorted({1 + round(step * (count - 1) / (most - 1)) for step in range(most)})


# -- reading ----------------------------------------------------------------------------------------------------------


def _read_through(bench: Bench, fault: Fault, *allowed: str) -> None:
    """Spoil each request of a plan in turn, permanently: the plan ends in an error of `core.errors`, or plans nothing rash."""
    parts = estate(bench)
    undisturbed = bench.settle("a state to read", parts)
    for place in _places(len(undisturbed.requests), _AT_MOST):
        bench.proxy.spoil(from_then_on(fault, place, writes=False))
        try:
            planned = bench.plan(parts)
        except ServerError:
            continue
        except OAuthDeployError as error:
            raise Breach(
                f"{fault.name} at request {place} is reported as {type(error).__name__}: {error.summary}"
            ) from None
        finally:
            bench.proxy.spoil(None)
        rash = {address: action for address, action in planned.actions.items() if action not in allowed}
        if rash:
            raise Breach(f"{fault.name} at request {place} ({undisturbed.requests[place - 1]}) plans {rash}")
    bench.rest(parts)


@scenario("reading/401")
def read_401(bench: Bench) -> None:
    """401 while reading is an error, never absence"""
    _read_through(bench, Fault("401", 401))


@scenario("reading/403")
def read_403(bench: Bench) -> None:
    """403 while reading is an error or an unreadable kind, never absence"""
    _read_through(bench, Fault("403", 403))


@scenario("reading/404")
def read_404(bench: Bench) -> None:
    """404 while reading deletes nothing"""
    _read_through(bench, Fault("404", 404), "create", "update", "revoke")


@scenario("reading/500")
def read_500(bench: Bench) -> None:
    """500 while reading is an error or an unreadable kind, never absence"""
    _read_through(bench, Fault("500", 500))


@scenario("reading/garbage")
def read_garbage(bench: Bench) -> None:
    """Garbage in a successful response is an error or an unreadable kind, never absence"""
    _read_through(bench, Fault("garbage", 200, _GARBAGE, after=True))


@scenario("reading/a page")
def read_page(bench: Bench) -> None:
    """A sign-in page in place of a response is an error or an unreadable kind, never absence"""
    _read_through(bench, Fault("a page", 200, _PAGE, {"Content-Type": "text/html"}))


@scenario("reading/other shapes")
def read_shapes(bench: Bench) -> None:
    """Valid JSON of another shape than the API's is an error or an unreadable kind, never absence"""
    for body in (b'"text"', b"7", b"[[]]", b'[{"unexpected": true}]', b'{"unexpected": true}'):
        _read_through(bench, Fault(f"the body {body.decode()}", 200, body))


@scenario("reading/429")
def read_429(bench: Bench) -> None:
    """One 429 while reading is waited out and retried, at every request"""
    parts = estate(bench)
    undisturbed = bench.settle("a state to read", parts)
    fault = Fault("429", 429, headers={"Retry-After": "0", "Content-Type": "application/json"})
    for place in _places(len(undisturbed.requests), _AT_MOST):
        bench.proxy.spoil(once(fault, place, writes=False))
        try:
            planned = bench.plan(parts)
        except OAuthDeployError as error:
            raise Breach(f"429 at request {place} ends the plan: {error.summary}") from None
        finally:
            bench.proxy.spoil(None)
        if not planned.plan.is_empty or len(planned.requests) != len(undisturbed.requests) + 1:
            raise Breach(
                f"after 429 at request {place} there were {len(planned.requests)} requests and {planned.actions}"
            )


# -- writing ----------------------------------------------------------------------------------------------------------


def _two_states(bench: Bench) -> tuple[Parts, Parts]:
    """Two states of one server; going from the first to the second creates, changes and deletes something."""
    first = estate(bench)
    second: dict[str, Any] = {**first}
    if "scopes" in first:
        more = dict(first["scopes"])
        more["scope-9"] = next(iter(more.values()))
        second["scopes"] = more
        first["scopes"] = {**first["scopes"], "scope-9": {"state": "absent"}}
    if "clients" in first:
        changed = {**first["clients"], "client-0": public(redirect_uris=["https://new.example.com/cb"])}
        second["clients"] = {**changed, "client-1": {"state": "absent"}, "client-9": public()}
        first["clients"] = {**first["clients"], "client-9": {"state": "absent"}}
        if "associations" in first:
            second["associations"] = [{"client": "client-0", "scopes": ["scope-1"]}]
    return first, second


def _write_through(bench: Bench, *faults: Fault, lasting: bool = True) -> None:
    """Spoil writes between two states, there and back: the report is true, and one more apply corrects everything."""
    states = _two_states(bench)
    if not states[0]:
        raise NoHook("scopes or clients")
    wholes = []
    for title, state in zip(("one state", "another", "the first again"), (*states, states[0]), strict=True):
        first = len(bench.proxy.seen())
        wholes.append(_population(bench.settle(title, state)))
        writes = sum(seen.writes for seen in bench.proxy.seen(first))
    goal = 1
    for fault in faults:
        for place in _places(writes, 3):
            choose = (from_then_on if lasting else once)(fault, place, writes=True)
            _disturb(bench, fault, choose, states[goal])
            made_good = bench.settle(f"one more apply after {fault.name} at write {place}", states[goal])
            if _population(made_good) != wholes[goal]:
                raise Breach(
                    f"after {fault.name} at write {place} the server holds something twice, or lacks something"
                )
            goal = 1 - goal


def _population(planned: Planned) -> list[str]:
    """What the server has, by kind, including what the manifest does not name, so that duplicates are noticed."""
    return sorted(address.kind.value for state in planned.live.servers.values() for address in state.objects)


def _disturb(bench: Bench, fault: Fault, choose: Any, parts: Parts) -> None:
    planned = bench.plan(parts)
    bench.proxy.spoil(choose)
    try:
        report = bench.apply(planned).report
    except OAuthDeployError:
        # A read before the first write failed: nothing was written.
        return
    finally:
        bench.proxy.spoil(None)
    for words in _untrue(report, bench.plan(parts)):
        raise Breach(f"{fault.name}: {words}")


def _untrue(report: ApplyReport, after: Planned) -> Iterator[str]:
    """What is wrong in a report, according to a plan that was made afterwards."""
    left = {change.address for change in after.plan.changes}
    looked = {item.address for item in report.verification}
    for outcome in report.outcomes:
        address = outcome.change.address
        rule = outcome.because.rule if outcome.because else ""
        if rule == "internal-error":
            yield f"{address}: {outcome.because.detail if outcome.because else ''}"
        if outcome.status is Status.DONE and address in left and str(address) not in looked:
            yield f"{address} is reported as done, and is not"
        if outcome.status in (Status.FAILED, Status.UNKNOWN) and not rule:
            yield f"{address} {outcome.status.value}, without a reason"


@scenario("writing/refused")
def write_refused(bench: Bench) -> None:
    """401, 403, 404 and 409 to a write: reported as failed, and corrected by the next apply"""
    _write_through(bench, Fault("401", 401), Fault("403", 403), Fault("404", 404), Fault("409", 409))


@scenario("writing/failing")
def write_failing(bench: Bench) -> None:
    """500 to a write, before or after the server has acted: reported correctly, and corrected by the next apply"""
    _write_through(bench, Fault("500 before", 500), Fault("500 after", 500, after=True), lasting=False)


@scenario("writing/garbled")
def write_garbled(bench: Bench) -> None:
    """Garbage or a page in response to a write that was carried out: reported correctly, and corrected by the next apply"""
    page = Fault("a page", 200, _PAGE, {"Content-Type": "text/html"}, after=True)
    _write_through(bench, Fault("garbage", 200, _GARBAGE, after=True), page, lasting=False)


@scenario("writing/broken off")
def write_broken(bench: Bench) -> None:
    """A connection that breaks before or after a write was carried out: reported correctly, and corrected by the next apply"""
    _write_through(bench, Fault("break before", drop=True), Fault("break after", drop=True, after=True), lasting=False)


@scenario("writing/429")
def write_429(bench: Bench) -> None:
    """One 429 to a write is waited out and retried: the apply succeeds"""
    first, second = _two_states(bench)
    if not first:
        raise NoHook("scopes or clients")
    bench.settle("a first state", first)
    fault = Fault("429", 429, headers={"Retry-After": "0", "Content-Type": "application/json"})
    for place in range(1, 7):
        bench.proxy.spoil(once(fault, place, writes=True))
        try:
            bench.settle(f"429 at write {place}", second if place % 2 else first)
        finally:
            bench.proxy.spoil(None)


# -- deleted in the meantime ------------------------------------------------------------------------------------------


def _vanish(bench: Bench, before: Parts, absent: Parts, after: Parts) -> None:
    """Plan a change, delete its object without the driver, and let the driver carry the change out."""
    bench.settle("an object", before)
    planned = bench.plan(after)
    with bench.drivers(planned.manifest, read_only=False) as drivers:
        driver = drivers[bench.site.server]
        driver.check()
        (change,) = planned.plan.changes
        wanted = planned.manifest.desired
        # The driver must not rely forever on what it learned while reading.
        from oauthdeploy.running.read import read_live

        read_live(drivers, wanted)
        bench.settle("somebody takes it away", absent)
        try:
            (applied,) = driver.apply([change])
        except ServerError:
            applied = None
        except Exception as error:  # noqa: BLE001 - whatever a driver of others may raise is the finding
            raise Breach(f"a vanished object is reported as {type(error).__name__}") from None
    if applied is not None and applied.value is not None:
        bench.rest(after)
    bench.settle("one more apply", after)


@scenario("vanished/client", Can.CLIENTS)
def vanished_client(bench: Bench) -> None:
    """A client that has disappeared before it is changed or deleted: an error or done, never a crash"""
    before = {"clients": {"web-shop": public()}}
    absent = {"clients": {"web-shop": {"state": "absent"}}}
    _vanish(bench, before, absent, {"clients": {"web-shop": public(redirect_uris=["https://new.example.com/cb"])}})
    _vanish(bench, before, absent, absent)


@scenario("vanished/scope", Can.SCOPES, "scopes.description")
def vanished_scope(bench: Bench) -> None:
    """A scope that has disappeared before it is changed or deleted: an error or done, never a crash"""
    before = {"scopes": {"orders.read": {"description": "before"}}}
    absent = {"scopes": {"orders.read": {"state": "absent"}}}
    _vanish(bench, before, absent, {"scopes": {"orders.read": {"description": "after"}}})
    _vanish(bench, before, absent, absent)
