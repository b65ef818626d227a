"""Clients and their secrets: created, changed, renamed, replaced, disabled, pruned; set, generated, rotated."""

from __future__ import annotations

from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.capabilities import Capability as Can
from oauthdeploy.model.objects import Client
from oauthdeploy.planning.normalize import flatten
from oauthdeploy.testing.harness import Bench, Breach, Parts
from oauthdeploy.testing.scenarios.base import (
    CALLBACK,
    NoHook,
    back_and_forth,
    can,
    changed_by,
    confidential,
    credentials,
    hold,
    public,
    require_written,
    sample,
    scenario,
)

# -- clients ----------------------------------------------------------------------------------------------------------


@scenario("clients/life", proves=Can.CLIENTS)
def clients(bench: Bench) -> None:
    """Clients are created, one is changed, one is deleted, and the others stay"""
    one, two = public(), public(redirect_uris=["https://app.example.com/a", "https://app.example.com/b"])
    bench.step("a first client", {"clients": {"web-shop": one}}, {"client/web-shop": "create"})
    both = {"clients": {"web-shop": one, "mobile": two}}
    planned = bench.step("a second client beside it", both, {"client/mobile": "create"}).after
    require_written(bench, planned, "client/mobile", "redirect_uris")
    require_written(bench, planned, "client/mobile", "grants")
    changed = {
        "clients": {"web-shop": public(redirect_uris=[CALLBACK, "https://shop.example.com/other"]), "mobile": two}
    }
    planned = bench.step("more redirect URIs", changed, {"client/web-shop": changed_by(bench)}).after
    require_written(bench, planned, "client/web-shop", "redirect_uris")
    absent = {"clients": {"web-shop": {"state": "absent"}, "mobile": two}}
    planned = bench.step("the first one goes", absent, {"client/web-shop": "delete"}).after
    require_written(bench, planned, "client/mobile", "redirect_uris")


@scenario("clients/absent by any name", Can.CLIENTS)
def absent_by_any_name(bench: Bench) -> None:
    """A client is deleted by its key, with the name and version that it has on the server, and by the server's own id"""
    natural = {"name": "Web Shop"} if can(bench, "clients.name") else {}
    natural |= {"version": "1"} if can(bench, "clients.version") else {}
    parts = {"clients": {"web-shop": public(**natural), "mobile": public()}}
    bench.settle("two clients", parts)
    absent = {"clients": {"web-shop": {**natural, "state": "absent"}, "mobile": public()}}
    bench.step("one goes by its key", absent, {"client/web-shop": "delete"})
    identity = bench.live(bench.settle("it is back", parts), "client/web-shop").identity
    absent = {"clients": {identity: {"state": "absent"}, "mobile": public()}}
    bench.step("it goes by its id", absent, {f"client/{identity}": "delete"})


def _client_field(bench: Bench, field: str, first: Any, second: Any, path: str = "") -> None:
    def parts(value: Any) -> Parts:
        return {"clients": {"web-shop": public(**{field: value})}}

    values = sample(bench, f"clients.{field}", first, second)
    back_and_forth(bench, field, "client/web-shop", path or field, parts, values)


def _natural_key(bench: Bench, field: str, first: Any, second: Any) -> None:
    """A field by which a server that generates ids identifies its clients: there, another value means another client."""
    if can(bench, Can.CLIENT_ID_CHOICE) or field not in bench.info.facts.unique.get(Kind.CLIENT, ()):
        _client_field(bench, field, first, second)
        return
    for value in sample(bench, f"clients.{field}", first, second):
        parts = {"clients": {"web-shop": public(**{field: value})}}
        ran = bench.step(f"a client whose {field} is {value}", parts, {"client/web-shop": "create"})
        require_written(bench, ran.after, "client/web-shop", field)


@scenario("clients/name", Can.CLIENTS, proves="clients.name")
def client_name(bench: Bench) -> None:
    """A client has a display name; if the key is the client_id, the name can change and the client stays the same"""
    _natural_key(bench, "name", "Web Shop", "Boutique no 1")


@scenario("clients/version", Can.CLIENTS, proves="clients.version")
def client_version(bench: Bench) -> None:
    """A client has a version; if the key is the client_id, the version can change and the client stays the same"""
    _natural_key(bench, "version", "1", "2")


@scenario("clients/description", Can.CLIENTS, proves="clients.description")
def client_description(bench: Bench) -> None:
    """A client's description changes, with characters of many scripts"""
    _client_field(bench, "description", "The shop's front end", 'La "vitrine" - 店')


@scenario("clients/tokens", Can.CLIENTS, proves="clients.tokens.access_lifetime")
def client_tokens(bench: Bench) -> None:
    """The client's tokens get a longer lifetime, and a shorter one again"""
    _client_field(bench, "tokens", {"access_lifetime": "10m"}, {"access_lifetime": "15m"}, "tokens.access_lifetime")


@scenario("clients/refresh count", Can.CLIENTS, proves="clients.tokens.refresh_count")
def client_refresh_count(bench: Bench) -> None:
    """The client's tokens can be refreshed more often, and less often again"""

    def parts(value: Any) -> Parts:
        fields = public(grants=["authorization_code", "refresh_token"], tokens={"refresh_count": value})
        return {"clients": {"web-shop": fields}}

    values = sample(bench, "clients.tokens.refresh_count", 3, 5)
    back_and_forth(bench, "the refresh count", "client/web-shop", "tokens.refresh_count", parts, values)


@scenario("clients/types", Can.CLIENTS, proves="clients.type")
def client_types(bench: Bench) -> None:
    """A client is confidential or public, as the manifest says"""
    parts = {"clients": {"web-shop": public(), "batch": confidential(bench, "batch")}}
    planned = bench.step("one of each type", parts, {"client/web-shop": "create", "client/batch": "create"}).after
    require_written(bench, planned, "client/web-shop", "type")
    require_written(bench, planned, "client/batch", "type")


@scenario("clients/groups", Can.CLIENTS, proves="clients.groups")
def client_groups(bench: Bench) -> None:
    """The account of a client is put into a group, and taken out again"""
    group = bench.site.group()
    if group is None and can(bench, "clients.groups"):
        raise NoHook("group")
    groups = [group or "OrderServices"]

    def parts(value: Any) -> Parts:
        return {"clients": {"batch": confidential(bench, "batch", groups=value)}}

    back_and_forth(bench, "the list of groups", "client/batch", "groups", parts, (groups, []))


@scenario("clients/enabled", Can.CLIENTS, proves="clients.enabled")
def client_enabled(bench: Bench) -> None:
    """A client is disabled and enabled again"""
    _client_field(bench, "enabled", True, False)


@scenario("clients/grants", Can.CLIENTS, proves="clients.grants")
def client_grants(bench: Bench) -> None:
    """A client may use another grant, then no longer; the order of grants does not matter"""

    def parts(*grants: str) -> Parts:
        return {"clients": {"web-shop": confidential(bench, "web-shop", grants=grants, redirect_uris=[CALLBACK])}}

    bench.settle("one grant", parts("client_credentials"))
    more = parts("client_credentials", "authorization_code")
    bench.step("two grants", more, {"client/web-shop": changed_by(bench)})
    bench.rest(parts("authorization_code", "client_credentials"))
    fewer = parts("authorization_code")
    planned = bench.step("the other grant alone", fewer, {"client/web-shop": changed_by(bench)}).after
    require_written(bench, planned, "client/web-shop", "grants")


def _grant(bench: Bench, grant: str) -> None:
    fields = confidential(bench, "web-shop", redirect_uris=[CALLBACK])

    def parts(value: Any) -> Parts:
        return {"clients": {"web-shop": {**fields, "grants": value}}}

    values = (["authorization_code"], ["authorization_code", grant])
    back_and_forth(bench, "the list of grants", "client/web-shop", "grants", parts, values)


@scenario("clients/implicit grant", Can.CLIENTS, proves=Can.GRANT_IMPLICIT)
def grant_implicit(bench: Bench) -> None:
    """A client may use the implicit grant, then no longer"""
    _grant(bench, "implicit")


@scenario("clients/password grant", Can.CLIENTS, proves=Can.GRANT_PASSWORD)
def grant_password(bench: Bench) -> None:
    """A client may use the password grant, then no longer"""
    _grant(bench, "password")


@scenario("clients/device grant", Can.CLIENTS, proves=Can.GRANT_DEVICE_CODE)
def grant_device_code(bench: Bench) -> None:
    """A client may use the device grant of RFC 8628, then no longer"""
    _grant(bench, "device_code")


@scenario("clients/CIBA grant", Can.CLIENTS, proves=Can.GRANT_CIBA)
def grant_ciba(bench: Bench) -> None:
    """A client may use the grant of OpenID Connect CIBA, then no longer"""
    _grant(bench, "ciba")


@scenario("clients/token exchange", Can.CLIENTS, proves=Can.GRANT_TOKEN_EXCHANGE)
def grant_token_exchange(bench: Bench) -> None:
    """A client may exchange tokens (RFC 8693), then no longer"""
    _grant(bench, "token_exchange")


@scenario("clients/id", Can.CLIENTS, proves=Can.CLIENT_ID_CHOICE)
def client_id(bench: Bench) -> None:
    """The key of a client is its client_id"""
    parts = {"clients": {"web-shop-7": public()}}
    planned = bench.step("a client", parts, {"client/web-shop-7": "create"}).after
    live = bench.live(planned, "client/web-shop-7")
    if "web-shop-7" not in (live.client_id, live.identity):
        raise Breach(f"its id is {live.client_id or live.identity}")


@scenario("clients/rename", Can.CLIENTS, proves=Can.CLIENT_RENAME)
def client_rename(bench: Bench) -> None:
    """A client is renamed in place, not created again; everything else is kept"""
    before = {"clients": {"web-shop": public(redirect_uris=[CALLBACK, "https://shop.example.com/other"])}}
    planned = bench.step("a client", before, {"client/web-shop": "create"}).after
    former = planned.manifest.desired.objects[bench.address("client/web-shop")]
    after = {"clients": {"boutique": {"moved_from": "web-shop"}}}
    planned = bench.step("another name", after, {"client/boutique": "update"}).after
    hold(
        bench, planned, "client/boutique", {"redirect_uris": former.redirect_uris if isinstance(former, Client) else ()}
    )
    everything = bench.plan({"clients": {"boutique": {}}, "policy": {"prune": {"clients": "full"}}})
    if "client/web-shop" in everything.actions:
        raise Breach("the former name is still there")


@scenario("clients/type", Can.CLIENTS, proves=Can.CLIENT_TYPE_CHANGE)
def client_type(bench: Bench) -> None:
    """A public client becomes confidential, in place"""
    before = {"clients": {"web-shop": public()}}
    bench.step("a public client", before, {"client/web-shop": "create"})
    after = {"clients": {"web-shop": confidential(bench, "web-shop", redirect_uris=[CALLBACK])}}
    planned = bench.step("it can keep a secret now", after, {"client/web-shop": "update"}).after
    require_written(bench, planned, "client/web-shop", "type")


@scenario("clients/update", Can.CLIENTS, proves=Can.CLIENT_UPDATE)
def client_update(bench: Bench) -> None:
    """A client is changed in place: the server still knows it by the same id"""
    parts = {"clients": {"web-shop": public()}}
    before = bench.live(bench.step("a client", parts, {"client/web-shop": "create"}).after, "client/web-shop")
    changed = {"clients": {"web-shop": public(redirect_uris=[CALLBACK, "https://shop.example.com/other"])}}
    planned = bench.step("more redirect URIs", changed, {"client/web-shop": "update"}).after
    if bench.live(planned, "client/web-shop").identity != before.identity:
        raise Breach("it has another id afterwards")


@scenario("clients/replace", Can.CLIENTS)
def client_replace(bench: Bench) -> None:
    """A change of type converges, whether the server changes the client in place or it must be created again"""
    before = {"clients": {"web-shop": public()}}
    bench.step("a public client", before, {"client/web-shop": "create"})
    after = {"clients": {"web-shop": confidential(bench, "web-shop", redirect_uris=[CALLBACK])}}
    action = "update" if can(bench, Can.CLIENT_TYPE_CHANGE) else "replace"
    planned = bench.step("it can keep a secret now", after, {"client/web-shop": action}).after
    require_written(bench, planned, "client/web-shop", "redirect_uris")


@scenario("clients/prune", Can.CLIENTS)
def clients_pruned(bench: Bench) -> None:
    """Clients that the manifest does not name are kept unless it prunes all"""
    kept = {"web-shop": public()}
    both = {"clients": {**kept, "stray": public()}}
    bench.step("two clients", both, {"client/web-shop": "create", "client/stray": "create"})
    bench.rest({"clients": kept})
    planned = bench.plan({"clients": kept, "policy": {"prune": {"clients": "full"}}})
    if "client/web-shop" in planned.actions or "delete" not in planned.actions.values():
        raise Breach(f"pruning plans {planned.actions}")


# -- secrets ----------------------------------------------------------------------------------------------------------


def _signs_in(bench: Bench, client: str, secret: str, *, wanted: bool = True) -> None:
    found = bench.site.signs_in(client, secret)
    if found is None:
        raise NoHook("signs_in")
    if found is not wanted:
        raise Breach("the secret does not work" if wanted else "a secret that should work no longer still does")


@scenario("secrets/generated", Can.CLIENTS, proves=Can.CLIENT_SECRET_GENERATE)
def secret_generated(bench: Bench) -> None:
    """The server generates a secret: it is delivered once, it works, and no output shows it"""
    secret = {"generate": True, "deliver_to": {"file": "batch.json", "format": "json"}}
    parts = {"clients": {"batch": {**confidential(bench, "batch"), "secret": secret}}}
    bench.step("a client with a secret of the server's", parts, {"client/batch": "create"})
    if "batch.json" not in bench.secrets.caught:
        raise Breach("no secret was delivered")
    _signs_in(bench, *bench.secrets.caught["batch.json"])


@scenario("secrets/given", Can.CLIENTS, proves=Can.CLIENT_SECRET_CHOICE)
def secret_given(bench: Bench) -> None:
    """The manifest gives a secret by reference: it works, and no output shows it"""
    given = "given-in-the-manifest-41f7aa"
    fields = {**confidential(bench, "batch"), "secret": {"value": bench.secret("GIVEN", given)}}
    parts = {"clients": {"batch": fields}}
    planned = bench.step("a client with a given secret", parts, {"client/batch": "create"}).after
    live = bench.live(planned, "client/batch")
    _signs_in(bench, live.client_id or live.identity or "batch", given)


@scenario("secrets/read", Can.CLIENTS, Can.CLIENT_SECRET_CHOICE, proves=Can.CLIENT_SECRET_READ)
def secret_read(bench: Bench) -> None:
    """The server returns a secret, so it is compared: another secret is a difference, the same one is not"""
    secret = {"value": bench.secret("GIVEN", "first-secret-9d2e41")}
    parts = {"clients": {"batch": {**confidential(bench, "batch"), "secret": secret}}}
    planned = bench.step("a client with a given secret", parts, {"client/batch": "create"}).after
    returned = flatten(bench.live(planned, "client/batch").value).get("secret.value")
    if not isinstance(returned, Secret):
        raise Breach("the server does not return the secret")
    bench.secret("GIVEN", "other-secret-7c3b55")
    again = bench.plan(parts)
    if again.actions != {"client/batch": "update"}:
        raise Breach(f"another secret in the manifest plans {again.actions}")


@scenario("secrets/rotated", Can.CLIENTS, Can.CLIENT_SECRET_CHOICE, proves=Can.CLIENT_SECRET_ROTATE)
def secret_rotated(bench: Bench) -> None:
    """A higher revision sends a new secret: the new one works"""
    first, second = "first-secret-b1f0d7", "second-secret-e84a63"
    fields = confidential(bench, "batch")

    def parts(revision: int) -> Parts:
        secret = {"value": "${env:GIVEN}", "revision": revision}
        return {"clients": {"batch": {**fields, "secret": secret}}}

    bench.secret("GIVEN", first)
    planned = bench.step("a client with a first secret", parts(1), {"client/batch": "create"}).after
    live = bench.live(planned, "client/batch")
    bench.secret("GIVEN", second)
    bench.step("a second secret", parts(2), {"client/batch": "update"})
    _signs_in(bench, live.client_id or live.identity or "batch", second)


@scenario("secrets/kept", Can.CLIENTS, Can.CLIENT_UPDATE)
def secret_kept(bench: Bench) -> None:
    """A client's secret still works after its other fields have changed"""
    fields = confidential(bench, "batch")
    parts = {"clients": {"batch": fields}}
    planned = bench.step("a client with a secret", parts, {"client/batch": "create"}).after
    if "secret" not in fields:
        raise NoHook("a way to a secret")
    client, secret = credentials(bench, "batch", planned)
    changed = {"clients": {"batch": {**fields, "redirect_uris": ["https://batch.example.com/cb"]}}}
    bench.step("another redirect URI", changed, {"client/batch": "update"})
    _signs_in(bench, client, secret)
