"""Settings, scopes and associations: created, changed, deleted, pruned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.capabilities import Capability as Can
from oauthdeploy.testing.harness import Bench, Breach, Parts
from oauthdeploy.testing.scenarios.base import (
    back_and_forth,
    can,
    hold,
    public,
    sample,
    scenario,
)

# -- first contact ----------------------------------------------------------------------------------------------------


@scenario("arrival/nothing to do")
def nothing(bench: Bench) -> None:
    """A manifest of no objects plans nothing, and the server says who it is"""
    planned = bench.plan({})
    if not planned.plan.is_empty:
        raise Breach(f"a manifest without objects plans {planned.actions}")
    report = bench.report()
    if not report.product:
        raise Breach("check does not return the product")
    bench.ears.said.append(("repr of the server's report", repr(report)))


# -- settings ---------------------------------------------------------------------------------------------------------


def _setting(bench: Bench, field: str, first: Any, second: Any) -> None:
    def parts(value: Any) -> Parts:
        # Settings belong to the authorization side; a resource server gets its own.
        written = {field: value}
        return {"settings": {"overrides": {bench.site.server: written}}}

    values = sample(bench, f"settings.{field}", first, second)
    back_and_forth(bench, field, "settings", f"{field}", parts, values)
    default = bench.info.facts.defaults.get(Kind.SETTINGS, {}).get(field)
    if default is not None:
        planned = bench.settle(f"{field} goes back to the server's default", parts(None))
        hold(bench, planned, "settings", {field: default})


@scenario("settings/together", Can.SETTINGS)
def settings(bench: Bench) -> None:
    """Several settings are changed in one step, and the others stay as they are"""
    known: dict[str, Any] = {
        "require_pkce": ("settings.require_pkce", True, False),
        "authorization_code_lifetime": ("settings.authorization_code_lifetime", "5m", "4m"),
        "access_token_lifetime": ("settings.access_token_lifetime", "20m", "30m"),
    }
    offered = {
        name: sample(bench, f"settings.{name}", a, b) for name, (able, a, b) in known.items() if can(bench, able)
    }

    def parts(place: int, names: Any) -> Parts:
        return {"settings": {"overrides": {bench.site.server: {name: offered[name][place] for name in names}}}}

    bench.settle("all settings get a first value", parts(0, offered))
    first, *rest = offered
    bench.step("one of them changes", parts(1, [first]), {"settings": "update"})
    planned = bench.plan(parts(0, rest or [first]))
    expected = {} if rest else {"settings": "update"}
    if planned.actions != expected:
        raise Breach(f"a change of {first} changed other settings too: {planned.actions}")


@scenario("settings/require_https", Can.SETTINGS, proves="settings.require_https")
def require_https(bench: Bench) -> None:
    """HTTPS is required, and no longer"""
    _setting(bench, "require_https", True, False)


@scenario("settings/require_pkce", Can.SETTINGS, proves="settings.require_pkce")
def require_pkce(bench: Bench) -> None:
    """PKCE is required, and no longer"""
    _setting(bench, "require_pkce", True, False)


@scenario("settings/code lifetime", Can.SETTINGS, proves="settings.authorization_code_lifetime")
def code_lifetime(bench: Bench) -> None:
    """Authorization codes live longer, and shorter again"""
    _setting(bench, "authorization_code_lifetime", "5m", "4m")


@scenario("settings/token lifetime", Can.SETTINGS, proves="settings.access_token_lifetime")
def token_lifetime(bench: Bench) -> None:
    """Access tokens live longer, and shorter again"""
    _setting(bench, "access_token_lifetime", "20m", "30m")


@scenario("settings/token endpoint", Can.SETTINGS, proves="settings.token_endpoint_auth")
def token_endpoint(bench: Bench) -> None:
    """The token endpoint asks for credentials, or takes a session"""
    _setting(bench, "token_endpoint_auth", "credentials", "session")


@scenario("settings/any", proves=Can.SETTINGS)
def any_setting(bench: Bench) -> None:
    """Settings can be managed at all"""
    _setting(bench, "access_token_lifetime", "20m", "30m")


# -- scopes -----------------------------------------------------------------------------------------------------------


def simple_scope(bench: Bench, **more: Any) -> dict[str, Any]:
    """A scope with as little as the server allows."""
    fields: dict[str, Any] = {}
    if can(bench, "scopes.resources"):
        fields["resources"] = [sample(bench, "scopes.resources", ["orders.v1"], [])[0][0]]
    return {**fields, **more}


@scenario("scopes/life", proves=Can.SCOPES)
def scopes(bench: Bench) -> None:
    """Scopes are created, one is left unchanged, one is deleted, and the others stay"""
    one, two = simple_scope(bench), simple_scope(bench)
    bench.step("a first scope", {"scopes": {"orders.read": one}}, {"scope/orders.read": "create"})
    both = {"scopes": {"orders.read": one, "orders.write": two}}
    bench.step("a second scope beside it", both, {"scope/orders.write": "create"})
    bench.rest({"scopes": {"orders.write": two}})
    absent = {"scopes": {"orders.read": {"state": "absent"}, "orders.write": two}}
    planned = bench.step("the first one goes", absent, {"scope/orders.read": "delete"}).after
    bench.live(planned, "scope/orders.write")


@scenario("scopes/description", Can.SCOPES, proves="scopes.description")
def scope_description(bench: Bench) -> None:
    """A scope's description changes, with characters of many scripts"""

    def parts(value: Any) -> Parts:
        return {"scopes": {"orders.read": simple_scope(bench, description=value)}}

    values = sample(bench, "scopes.description", "Read orders", 'Lire les "commandes" - 注文を読む')
    back_and_forth(bench, "the description", "scope/orders.read", "description", parts, values)


@scenario("scopes/resources", Can.SCOPES, proves="scopes.resources")
def scope_resources(bench: Bench) -> None:
    """A scope gets more resources, and fewer again, in any order"""

    def parts(value: Any) -> Parts:
        return {"scopes": {"orders.read": {"resources": value}}}

    first, second = sample(bench, "scopes.resources", ["orders.v1"], ["orders.v1:getOrder", "orders.v1", "orders.v2"])
    back_and_forth(bench, "the list of resources", "scope/orders.read", "resources", parts, (first, second))
    bench.step("more resources", parts(second), {"scope/orders.read": "update"})
    bench.rest(parts(list(reversed(second))))


@scenario("scopes/url templates", Can.SCOPES, proves="scopes.url_templates")
def scope_url_templates(bench: Bench) -> None:
    """A scope gets URL templates, then others"""

    def parts(value: Any) -> Parts:
        return {"scopes": {"orders.read": simple_scope(bench, url_templates=value)}}

    values = sample(
        bench, "scopes.url_templates", ["GET_orders.v1/orders"], ["GET_orders.v1/orders", "POST_orders.v1/orders"]
    )
    back_and_forth(bench, "the list of URL templates", "scope/orders.read", "url_templates", parts, values)


@scenario("scopes/external", Can.SCOPES)
def external_scope(bench: Bench) -> None:
    """A scope that another manifest owns can be referenced and stays as it is; if it is missing, that is an error"""
    theirs = {"scopes": {"orders.read": {"external": True}}}
    found = [item.rule for item in bench.plan(theirs).plan.diagnostics.errors]
    if found != ["external-missing"]:
        raise Breach(f"the scope is not there, and the plan's errors are {found}")
    bench.settle("its owner makes it", {"scopes": {"orders.read": {}}})
    planned = bench.plan(theirs).plan
    if not planned.is_empty or planned.diagnostics.errors:
        raise Breach("the scope is there, and the plan asks for more")
    if can(bench, Can.CLIENTS) and can(bench, Can.ASSOCIATIONS):
        parts = {
            **theirs,
            "clients": {"web-shop": public()},
            "associations": [{"client": "web-shop", "scopes": ["orders.read"]}],
        }
        actions = {"client/web-shop": "create", "association/web-shop:orders.read": "create"}
        bench.step("a client of ours may ask for it", parts, actions)


@scenario("scopes/prune", Can.SCOPES)
def scopes_pruned(bench: Bench) -> None:
    """Scopes that the manifest does not name are kept unless it prunes all"""
    kept = {"orders.read": simple_scope(bench)}
    both = {"scopes": {**kept, "stray": simple_scope(bench)}}
    bench.step("two scopes", both, {"scope/orders.read": "create", "scope/stray": "create"})
    bench.rest({"scopes": kept})
    planned = bench.plan({"scopes": kept, "policy": {"prune": {"scopes": "full"}}})
    if planned.actions.get("scope/stray") != "delete" or "scope/orders.read" in planned.actions:
        raise Breach(f"pruning plans {planned.actions}")


# -- associations -----------------------------------------------------------------------------------------------------


@scenario("associations/life", Can.CLIENTS, proves=Can.ASSOCIATIONS)
def associations(bench: Bench) -> None:
    """A client may request scopes: one more, one fewer, written from either side; then none"""

    def expected(actions: Mapping[str, str]) -> Mapping[str, str] | None:
        """Only these, unless the server replaces a client whose scopes change, with all of its associations."""
        return actions if can(bench, Can.CLIENT_UPDATE) else None

    things = {
        "clients": {"web-shop": public(), "mobile": public()},
        "scopes": {"orders.read": simple_scope(bench), "orders.write": simple_scope(bench)},
    }
    bench.step("clients and scopes", things)
    one = {**things, "associations": [{"client": "web-shop", "scopes": ["orders.read"]}]}
    planned = bench.step("one association", one, expected({"association/web-shop:orders.read": "create"})).after
    bench.live(planned, "association/web-shop:orders.read")
    two = {**things, "associations": [{"client": "web-shop", "scopes": ["orders.write", "orders.read"]}]}
    bench.step("one more", two, expected({"association/web-shop:orders.write": "create"}))
    other = {**things, "associations": [{"scope": "orders.write", "clients": ["mobile", "web-shop"]}]}
    bench.step("from the other end", other, expected({"association/mobile:orders.write": "create"}))
    bench.rest(two)
    none = {**things, "associations": [{"client": "web-shop", "scopes": []}]}
    removed = {"association/web-shop:orders.read": "delete", "association/web-shop:orders.write": "delete"}
    planned = bench.step("none for one of them", none, expected(removed)).after
    bench.rest({**things, "associations": [{"client": "mobile", "scopes": ["orders.write"]}]})


@scenario("associations/all at once", Can.CLIENTS, Can.ASSOCIATIONS)
def associations_at_once(bench: Bench) -> None:
    """Scopes, clients and associations are created in one apply, and deleted in one apply"""
    scope_names, client_names = ("a.read", "a.write", "b.read"), ("one", "two")
    parts: dict[str, Any] = {
        "scopes": {name: simple_scope(bench) for name in scope_names},
        "clients": {name: public() for name in client_names},
        "associations": [{"client": name, "scopes": list(scope_names)} for name in client_names],
    }
    bench.step("all of it", parts)
    removed = {
        "scopes": {name: {"state": "absent"} for name in scope_names},
        "clients": {name: {"state": "absent"} for name in client_names},
    }
    bench.step("none of it", removed)
