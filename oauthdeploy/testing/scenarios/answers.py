"""Incomplete and unexpected responses: what a driver makes of them, and what it never may."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from oauthdeploy.core.errors import Forbidden, OAuthDeployError, ServerError, Unauthorized
from oauthdeploy.model.capabilities import Answer
from oauthdeploy.model.capabilities import Capability as Can
from oauthdeploy.model.fields import Unparsed
from oauthdeploy.planning.outcome import Status
from oauthdeploy.testing.harness import Bench, Breach, Parts, Planned, Ran
from oauthdeploy.testing.proxy import Seen
from oauthdeploy.testing.scenarios.base import NoHook, confidential, public, scenario
from oauthdeploy.testing.scenarios.behaviour import estate

_MARK: Final = "a text that only this scenario writes"
_ODD: Final = [{"odd": 17}]
_MASKED: Final = "********"


def _everywhere(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """The same JSON with `change` applied to each of its objects, innermost first."""
    if isinstance(value, dict):
        return change({key: _everywhere(inner, change) for key, inner in value.items()})
    if isinstance(value, list):
        return [_everywhere(inner, change) for inner in value]
    return value


def _described(description: str | None, address: str) -> dict[str, Any]:
    """A manifest of one client, with or without a description, and with another redirect URI each time."""
    more = {} if description is None else {"description": description}
    return {"clients": {"web-shop": public(redirect_uris=[address], **more), "other": public(description="sound")}}


def _unread(planned: Planned) -> list[str]:
    states = planned.live.servers.values()
    return [str(kind) for state in states for kind in (*state.unreadable, *state.hidden)]


@scenario("answers/own access")
def own_access(bench: Bench) -> None:
    """A change that ends the driver's own access to the server is a safety stop, or the driver says why there can be none"""
    lockouts = bench.site.info.facts.lockouts
    if lockouts.answer is Answer.UNTESTED or not lockouts.note:
        raise Breach("the facts do not answer whether a manifest can end the driver's own access (lockouts)")
    if lockouts.answer is Answer.NO:
        return
    states = bench.site.lockout()
    if states is None:
        raise NoHook("lockout")
    before, after = states
    bench.settle("a state in which the driver has access", before)
    planned = bench.plan(after)
    if planned.plan.is_empty:
        raise Breach("nothing is planned that could end the driver's access")
    stops = {stop.rule for stop in planned.plan.stops}
    if not stops:
        raise Breach(f"no safety stop for a plan after which the driver has no access: {planned.actions}")


@scenario("answers/filtered list")
def filtered_list(bench: Bench) -> None:
    """With an account that may not see everything, nothing is created or deleted, and nothing is reported as done"""
    absence = bench.site.info.facts.absence
    if absence.answer is Answer.UNTESTED or not absence.note:
        raise Breach("the facts do not answer whether an empty or partial answer is proof of absence (absence)")
    narrow = bench.site.narrow_credentials()
    if narrow is None:
        if absence.answer is Answer.YES:
            return
        raise NoHook("narrow_credentials")
    parts = estate(bench)
    bench.settle("a state to look at", parts)
    all_absent: dict[str, Any] = {
        kind: {name: {"state": "absent"} for name in parts[kind]} for kind in ("clients", "scopes") if kind in parts
    }
    cut_off = [{"id": "INC-1", "client": "client-0", "block": ["authorization"]}] if "clients" in parts else []
    states: tuple[tuple[str, Parts], ...] = (
        ("the same", parts),
        ("all of it gone", all_absent),
        ("a client cut off", {**parts, "revocations": cut_off}),
    )
    for title, parts_now in states:
        try:
            planned = bench.plan(parts_now, credentials=narrow)
        except (Unauthorized, Forbidden):
            continue
        if planned.plan.changes:
            raise Breach(f"{title}: what the account may not see is planned as {planned.actions}")
        if not _unread(planned):
            raise Breach(f"{title}: nothing reports that the account may not see everything")
    bench.rest(parts)


@scenario("answers/odd value", Can.CLIENTS, "clients.description")
def odd_value(bench: Bench) -> None:
    """A value that cannot be parsed is a difference of its field if that is managed, gets corrected, and hides nothing else"""
    managed = _described(_MARK, "https://shop.example.com/cb")
    bench.settle("a description", managed)

    first = len(bench.proxy.seen())

    def odd(_seen: Seen, body: Any) -> Any:
        """Stops everything once something is written."""
        if any(seen.writes for seen in bench.proxy.seen(first)):
            return body
        return _everywhere(body, lambda one: {**one, "description": _ODD} if one.get("description") == _MARK else one)

    bench.proxy.alter(odd)
    try:
        left_alone = bench.plan(_described(None, "https://shop.example.com/cb"))
        planned = bench.plan(managed)
        _require_odd(left_alone, planned)
        ran = bench.apply(planned)
    finally:
        bench.proxy.alter(None)
    if any(outcome.status is not Status.DONE for outcome in ran.report.outcomes):
        raise Breach("an odd value cannot be put right")
    bench.rest(managed)


def _require_odd(left_alone: Planned, planned: Planned) -> None:
    """An unexpected description is left alone if it is not managed, and is the only difference if it is."""
    if left_alone.actions or _unread(left_alone):
        raise Breach(f"an odd value that is not managed plans {left_alone.actions} and hides {_unread(left_alone)}")
    if _unread(planned) or planned.actions != {"client/web-shop": "update"}:
        raise Breach(f"an odd value plans {planned.actions} and hides {_unread(planned)}")
    (field,) = planned.plan.changes[0].fields
    if field.path != "description" or not isinstance(field.before, Unparsed) or "17" not in field.before.text:
        raise Breach(f"an odd value is reported as {field.path}: {field.before}")


@scenario("answers/link-only items")
def link_only_items(bench: Bench) -> None:
    """A list of links is followed, or its kind is refused; never objects with empty fields, never absence"""
    parts = estate(bench)
    bench.settle("a state to read", parts)

    def links(seen: Seen, body: Any) -> Any:
        if isinstance(body, list):
            return [_link(bench, seen, item) for item in body]
        if isinstance(body, dict) and [*map(type, body.values())] == [list]:
            return {key: [_link(bench, seen, item) for item in items] for key, items in body.items()}
        return body

    bench.proxy.alter(links)
    try:
        planned = bench.plan(parts)
    except ServerError:
        return
    finally:
        bench.proxy.alter(None)
    if planned.actions:
        raise Breach(f"links are read as objects, or as nothing: {planned.actions}")
    bench.rest(parts)


def _link(bench: Bench, seen: Seen, item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    name = item.get("client_id") or item.get("clientId") or item.get("name") or item.get("id")
    return {"name": item.get("name") or name, "url": f"{bench.proxy.url}{seen.bare.rstrip('/')}/{name}/"}


@scenario("answers/lossy write", Can.CLIENTS, "clients.description")
def lossy_write(bench: Bench) -> None:
    """A write that also changes something else is an error of that change"""
    bench.settle("a description", _described(_MARK, "https://shop.example.com/cb"))
    planned = bench.plan(_described(None, "https://shop.example.com/other"))
    first = len(bench.proxy.seen())

    def lossy(_seen: Seen, body: Any) -> Any:
        if not any(seen.writes for seen in bench.proxy.seen(first)):
            return body
        return _everywhere(body, lambda one: {k: v for k, v in one.items() if (k, v) != ("description", _MARK)})

    bench.proxy.alter(lossy)
    try:
        ran = bench.apply(planned)
    finally:
        bench.proxy.alter(None)
    (outcome,) = ran.report.outcomes
    # A driver whose server answers a write without content notices it in the reading that ends the run.
    late = [found for found in ran.report.verification if found.address == str(outcome.change.address)]
    found = next((one for one in (outcome.because, *late) if one is not None and one.rule == "fields-lost"), None)
    if found is None or (found is outcome.because and outcome.status is not Status.FAILED):
        rules = ", ".join(one.rule for one in (outcome.because, *late) if one is not None) or "nothing"
        raise Breach(
            f"a description that vanished with a change of redirect URIs is reported as {outcome.status} ({rules})"
        )
    if "description" not in found.detail:
        raise Breach("what was lost is not named")


@scenario("answers/echoed secret", Can.CLIENTS, Can.CLIENT_SECRET_GENERATE, "clients.description")
def echoed_secret(bench: Bench) -> None:
    """A secret is delivered with a create and never with an update; a mask in its place fails the create"""
    clients = {"batch": confidential(bench, "batch", description="first")}
    if "secret" not in clients["batch"]:
        raise NoHook("a server on which clients sign in")
    bench.settle("a client", {"clients": clients})
    delivered = dict(bench.secrets.caught)
    described = {"clients": {"batch": {**clients["batch"], "description": "second"}}}
    ran = _apply_masked(bench, described)
    if any(outcome.status is not Status.DONE for outcome in ran.report.outcomes):
        raise Breach("a secret that an update shows fails the update")
    if bench.secrets.caught != delivered or ran.report.delivered:
        raise Breach("an update delivered what a server shows in the place of a secret")
    again = _apply_masked(bench, {"clients": {**described["clients"], "new": confidential(bench, "new")}})
    rules = {outcome.status: outcome.because.rule if outcome.because else "" for outcome in again.report.outcomes}
    if rules != {Status.FAILED: "secret-not-delivered"} or "new.json" in bench.secrets.caught:
        raise Breach(f"a mask in the place of a new secret is reported as {rules}")


def _apply_masked(bench: Bench, parts: Mapping[str, Any]) -> Ran:
    """Plan, and apply while every response shows a mask as the secret of each client."""

    def masked(_seen: Seen, body: Any) -> Any:
        def change(one: dict[str, Any]) -> dict[str, Any]:
            if "client_id" in one:
                return {**one, "client_secret": _MASKED}
            return {**one, "secret": _MASKED} if "clientId" in one else one

        return _everywhere(body, change)

    planned = bench.plan(parts)
    bench.proxy.alter(masked)
    try:
        return bench.apply(planned)
    except OAuthDeployError as error:
        raise Breach(f"a masked secret is reported as {type(error).__name__}: {error.summary}") from None
    finally:
        bench.proxy.alter(None)
