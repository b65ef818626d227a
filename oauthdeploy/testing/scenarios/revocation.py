"""Trust between servers, tokens and cut-offs, marks of ownership, accounts."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from oauthdeploy.core.addresses import Address
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.model.capabilities import Capability as Can
from oauthdeploy.model.objects import Trust
from oauthdeploy.model.state import Ownership
from oauthdeploy.testing.harness import Bench, Breach, Parts, Planned
from oauthdeploy.testing.scenarios.base import (
    NoHook,
    active,
    can,
    confidential,
    credentials,
    hold,
    public,
    scenario,
    token,
)
from oauthdeploy.testing.scenarios.kinds import simple_scope

# -- trust ------------------------------------------------------------------------------------------------------------


def _trust(bench: Bench, via: str) -> None:
    target = bench.site.trusted(via)
    if target is None:
        raise NoHook(f"trusted({via!r})")
    parts = {"server": {"authorization_server": target}}
    planned = bench.settle(f"{target} is trusted", parts)
    live = bench.live(planned, "trust").value
    if not isinstance(live, Trust) or live.via != via:
        raise Breach(f"the trust is {live!r}")


@scenario("trust/any", proves=Can.TRUST)
def trust(bench: Bench) -> None:
    """A resource server trusts one authorization server, then another, then the first again"""
    ways = {"local": Can.TRUST, "remote": Can.TRUST_REMOTE, "external": Can.TRUST_EXTERNAL, "jwt": Can.TRUST_JWT}
    known = {way: bench.site.trusted(way) for way, able in ways.items() if can(bench, able)}
    targets = list(dict.fromkeys(target for target in known.values() if target is not None))
    if not targets:
        raise NoHook("trusted")
    bench.settle(f"{targets[0]} is trusted", {"server": {"authorization_server": targets[0]}})
    for target in [*targets[1:], *targets[:1]] if len(targets) > 1 else []:
        parts = {"server": {"authorization_server": target}}
        bench.step(f"now it is {target}", parts, {"trust": "update"})


@scenario("trust/remote", Can.TRUST, proves=Can.TRUST_REMOTE)
def trust_remote(bench: Bench) -> None:
    """Another server of the same kind is trusted"""
    _trust(bench, "remote")


@scenario("trust/external", Can.TRUST, proves=Can.TRUST_EXTERNAL)
def trust_external(bench: Bench) -> None:
    """A server is trusted by introspection (RFC 7662)"""
    _trust(bench, "external")


@scenario("trust/jwt", Can.TRUST, proves=Can.TRUST_JWT)
def trust_jwt(bench: Bench) -> None:
    """A server is trusted by verifying its tokens with its keys (RFC 9068)"""
    _trust(bench, "jwt")


# -- tokens and cut-offs ----------------------------------------------------------------------------------------------

_BATCH = "batch"


def _with_tokens(
    bench: Bench, *scopes: str, grants: tuple[str, ...] = ("client_credentials",)
) -> tuple[Parts, Planned]:
    """A client that gets tokens, and another one that must not be affected."""
    parts: dict[str, Any] = {
        "clients": {
            _BATCH: confidential(bench, _BATCH, grants=list(grants)),
            "other": confidential(bench, "other", grants=list(grants)),
        }
    }
    if not scopes and can(bench, Can.SCOPES) and can(bench, Can.ASSOCIATIONS):
        # Many servers issue no token to a client that may request no scope.
        scopes = ("orders.read",)
    if scopes:
        parts["scopes"] = {name: simple_scope(bench) for name in scopes}
        parts["associations"] = [{"client": name, "scopes": list(scopes)} for name in (_BATCH, "other")]
    return parts, bench.step("two clients", parts).after


def _cut(bench: Bench, parts: Parts, **what: Any) -> Planned:
    cut = {**parts, "revocations": [{"id": "INC-1", "client": _BATCH, "reason": "a key was found", **what}]}
    return bench.step("a cut-off", cut, {"revocation/INC-1": "revoke"}).after


def _require_tokens(bench: Bench, alive: dict[str, str], dead: dict[str, str]) -> None:
    for words, token_value in dead.items():
        if active(bench, token_value):
            raise Breach(f"{words} still works")
    for words, token_value in alive.items():
        if not active(bench, token_value):
            raise Breach(f"{words} works no longer")


@scenario("tokens/list", Can.CLIENTS, proves=Can.TOKENS_LIST)
def tokens_list(bench: Bench) -> None:
    """The server lists working tokens by client"""
    _parts, planned = _with_tokens(bench)
    token(bench, _BATCH, planned)
    if not _handles(bench, planned):
        raise Breach("a token that works is not in the list")


def _handles(bench: Bench, planned: Planned) -> frozenset[str]:
    """The handles of the client's tokens in the server's list."""
    with bench.drivers(planned.manifest, read_only=True) as drivers:
        driver = drivers[bench.site.server]
        driver.check()
        found = driver.read_tokens()
    if found is None:
        raise Breach("the driver lists no tokens")
    bench.ears.said.append(("repr of the tokens", repr(found)))
    client, _secret = credentials(bench, _BATCH, planned)
    names = (client, bench.live(planned, f"client/{_BATCH}").identity)
    return frozenset(item.handle for item in found[0] if item.client in names)


@scenario("tokens/delete", Can.CLIENTS, proves=Can.TOKENS_DELETE)
def tokens_delete(bench: Bench) -> None:
    """All tokens of a client are deleted; those of another client stay valid; new ones are issued"""
    parts, planned = _with_tokens(bench)
    selected, other = token(bench, _BATCH, planned), token(bench, "other", planned)
    _require_tokens(bench, {"a fresh token": selected, "another fresh token": other}, {})
    _cut(bench, parts, tokens="all")
    _require_tokens(bench, {"the token of another client": other}, {"a token of the client that was cut off": selected})


@scenario("tokens/by time", Can.CLIENTS, Can.TOKENS_DELETE, proves=Can.TOKENS_BY_TIME)
def tokens_by_time(bench: Bench) -> None:
    """Tokens that were issued before a moment are deleted, and later ones are not"""
    parts, planned = _with_tokens(bench)
    early = token(bench, _BATCH, planned)
    time.sleep(1.2)
    moment = datetime.now(UTC).replace(microsecond=0)
    time.sleep(2.0)
    late = token(bench, _BATCH, planned)
    _cut(bench, parts, tokens={"issued_before": moment.isoformat()})
    _require_tokens(bench, {"a later token": late}, {"an earlier token": early})


@scenario("tokens/by scope", Can.CLIENTS, Can.SCOPES, Can.ASSOCIATIONS, Can.TOKENS_DELETE, proves=Can.TOKENS_BY_SCOPE)
def tokens_by_scope(bench: Bench) -> None:
    """Tokens with one scope are deleted, and those with another are not"""
    parts, planned = _with_tokens(bench, "orders.read", "orders.write")
    read = token(bench, _BATCH, planned, scope="orders.read")
    write = token(bench, _BATCH, planned, scope="orders.write")
    _cut(bench, parts, tokens="all", scope="orders.read")
    _require_tokens(bench, {"a token with another scope": write}, {"a token with the scope": read})


@scenario("tokens/by handle", Can.CLIENTS, Can.TOKENS_LIST, Can.TOKENS_DELETE, proves=Can.TOKENS_BY_HANDLE)
def tokens_by_handle(bench: Bench) -> None:
    """One token is deleted by the handle that the list shows, and others of the client are not"""
    parts, planned = _with_tokens(bench)
    first = token(bench, _BATCH, planned)
    handles = _handles(bench, planned)
    second = token(bench, _BATCH, planned)
    _cut(bench, parts, tokens="all", handles=sorted(handles))
    _require_tokens(bench, {"a token with another handle": second}, {"a token with the handle": first})


@scenario("tokens/by owner", Can.CLIENTS, Can.GRANT_PASSWORD, Can.TOKENS_DELETE, proves=Can.TOKENS_BY_OWNER)
def tokens_by_owner(bench: Bench) -> None:
    """Tokens of one resource owner are deleted, and the client's own are not"""
    owner = bench.site.account()
    if owner is None:
        raise NoHook("account")
    parts, planned = _with_tokens(bench, grants=("client_credentials", "password"))
    owned, own = token(bench, _BATCH, planned, owner=owner), token(bench, _BATCH, planned)
    _cut(bench, parts, tokens="all", owner=owner)
    _require_tokens(bench, {"a token of the client itself": own}, {"a token of the owner": owned})


def _require_refused(bench: Bench, client: str, *, wanted: bool, issued: datetime, **which: str) -> None:
    found = bench.site.refuses(client, issued, **which)
    if found is None:
        raise NoHook("refuses")
    if found is not wanted:
        raise Breach(f"a token ({client}, {issued:%H:%M:%S}, {which}) is {'refused' if found else 'accepted'}")


@scenario("tokens/refuse", Can.CLIENTS, proves=Can.TOKENS_REFUSE)
def tokens_refuse(bench: Bench) -> None:
    """A resource server without a token list refuses the tokens that a client has now, and none of another client's"""
    early, late = datetime.now(UTC) - timedelta(minutes=5), datetime.now(UTC) + timedelta(hours=1)
    parts, _planned = _with_tokens(bench)
    _require_refused(bench, _BATCH, wanted=False, issued=early)
    _cut(bench, parts, tokens="all")
    _require_refused(bench, _BATCH, wanted=True, issued=early)
    _require_refused(bench, _BATCH, wanted=False, issued=late)
    _require_refused(bench, "other", wanted=False, issued=early)


@scenario("tokens/refuse by owner", Can.CLIENTS, Can.TOKENS_REFUSE, proves=Can.TOKENS_BY_OWNER)
def tokens_refuse_owner(bench: Bench) -> None:
    """Tokens of one resource owner are refused, and those of another are not"""
    early = datetime.now(UTC) - timedelta(minutes=5)
    parts, _planned = _with_tokens(bench)
    _cut(bench, parts, tokens="all", owner="alice")
    _require_refused(bench, _BATCH, wanted=True, issued=early, owner="alice")
    _require_refused(bench, _BATCH, wanted=False, issued=early, owner="bob")


@scenario("tokens/refuse by scope", Can.CLIENTS, Can.SCOPES, Can.TOKENS_REFUSE, proves=Can.TOKENS_BY_SCOPE)
def tokens_refuse_scope(bench: Bench) -> None:
    """Tokens with one scope are refused, and those with another are not"""
    early = datetime.now(UTC) - timedelta(minutes=5)
    parts, _planned = _with_tokens(bench, "orders.read", "orders.write")
    _cut(bench, parts, tokens="all", scope="orders.read")
    _require_refused(bench, _BATCH, wanted=True, issued=early, scope="orders.read")
    _require_refused(bench, _BATCH, wanted=False, issued=early, scope="orders.write")


@scenario("block/any", Can.CLIENTS, proves=Can.BLOCK_CLIENT)
def block(bench: Bench) -> None:
    """A client is blocked, stays blocked while the entry exists, and is enabled once it is removed"""
    side = sorted(bench.site.role.sides)[0].value
    parts = {"clients": {_BATCH: confidential(bench, _BATCH, enabled=True)}}
    planned = bench.step("a client", parts, {f"client/{_BATCH}": "create"}).after
    blocked = {**parts, "revocations": [{"id": "INC-2", "client": _BATCH, "block": [side]}]}
    bench.step("it is blocked", blocked)
    again = bench.rest(blocked)
    hold(bench, again, f"client/{_BATCH}", {"enabled": False})
    if "secret" in parts["clients"][_BATCH]:
        client, secret = credentials(bench, _BATCH, planned)
        if bench.site.signs_in(client, secret) is True:
            raise Breach("a client that is blocked still signs in")
    hold(bench, bench.step("the entry is gone", parts).after, f"client/{_BATCH}", {"enabled": True})


# -- marks and accounts -----------------------------------------------------------------------------------------------


@scenario("marks/ownership", Can.CLIENTS, proves=Can.MARKS)
def marks(bench: Bench) -> None:
    """Objects carry the manifest's mark: another manifest sees the owner, and only the owner prunes them"""
    parts = {"clients": {"web-shop": public()}}
    planned = bench.step("a client", parts, {"client/web-shop": "create"}).after
    live = bench.live(planned, "client/web-shop")
    if live.ownership is not Ownership.OURS:
        raise Breach(f"to its own manifest the client is {live.ownership.value}")
    theirs = bench.live(bench.plan(parts, name="another"), "client/web-shop")
    if theirs.ownership is not Ownership.FOREIGN or theirs.owner != planned.manifest.desired.name:
        raise Breach(f"to another manifest the client is {theirs.ownership.value}, owned by {theirs.owner!r}")
    address: Address = bench.address("client/web-shop")
    pruning: Parts = {"policy": {"prune": {"clients": "managed"}}}
    if bench.plan(pruning, name="another").actions.get("client/web-shop") == "delete":
        raise Breach("another manifest would prune a client that is not its own")
    other = bench.manifest(parts, name="another")
    with bench.drivers(other, read_only=False) as drivers:
        driver = drivers[bench.site.server]
        driver.check()
        driver.read(Wanted(other.desired.objects, frozenset({address.kind}), owner="another"))
        applied = driver.mark(address, theirs, "another")
    bench.ears.said.append(("repr of a mark", repr(applied)))
    marked = bench.live(bench.plan(parts, name="another"), "client/web-shop")
    if marked.ownership is not Ownership.OURS:
        raise Breach(f"a mark was written, and to its manifest the client is {marked.ownership.value}")
    if marked.value != theirs.value:
        raise Breach("the mark changed the object")
    bench.step("the owner prunes it", pruning, None, name="another")


@scenario("accounts/list", proves=Can.USERS_LIST)
def accounts(bench: Bench) -> None:
    """The server lists its accounts"""
    known = bench.site.account()
    if known is None:
        raise NoHook("account")
    with bench.drivers(bench.manifest({}), read_only=True) as drivers:
        driver = drivers[bench.site.server]
        driver.check()
        state = driver.read(Wanted({}, frozenset(), accounts=frozenset({known, "nobody-of-this-name"})))
    if state.accounts is None:
        raise Breach("no accounts were read")
    if state.accounts.get(known) is not True or "nobody-of-this-name" in state.accounts:
        raise Breach("the accounts are not those of the server")
