"""Server parameters: what they say about disabling a client, and those that are options of settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.webmethods.findings import DISABLE_TOKENS
from oauthdeploy.drivers.webmethods.options import PARAMETERS, WebMethodsSettingsOptions
from oauthdeploy.drivers.webmethods.server_parameters import parameter_value, with_value
from oauthdeploy.model.objects import Client, Object, Revocation, Settings
from oauthdeploy.server import Profile
from tests.drivers.webmethods.site import KINDS, Site, at, converge, desired_state, findings_of, plan_of, start_site


@pytest.mark.parametrize(
    "body",
    [
        {"name": DISABLE_TOKENS, "value": "false"},
        {"settingName": DISABLE_TOKENS, "settingValue": False},
        {DISABLE_TOKENS: "false"},
        {"settings": [{"name": "watt.x", "value": "true"}, {"name": DISABLE_TOKENS, "value": "false"}]},
        {"setting": {DISABLE_TOKENS: False}},
    ],
)
def test_a_parameter_is_found_in_every_form(body: Any) -> None:
    """No guide describes the body."""
    assert parameter_value(body, DISABLE_TOKENS) == "false"
    changed = with_value(body, DISABLE_TOKENS, "true")
    assert parameter_value(changed, DISABLE_TOKENS) == "true"
    assert "watt.x" not in str(changed), "nothing but the parameter is sent"


@pytest.mark.parametrize("body", [None, "false", [], {}, {"name": "watt.x", "value": "false"}, {"value": "false"}])
def test_what_does_not_name_the_parameter_is_unknown(body: Any) -> None:
    """A value that may be another parameter's is no answer."""
    assert parameter_value(body, DISABLE_TOKENS) is None
    assert with_value(body, DISABLE_TOKENS, "true") is None


BLOCK = ["authorization"]


def found(site: Site, value: Object) -> list[str]:
    address = at(Kind.REVOCATION, "INC-1") if isinstance(value, Revocation) else at(Kind.CLIENT, "batch")
    with site.driver(read_only=True) as driver:
        report = driver.check()
        wanted = Wanted({address: value}, KINDS)
        driver.read(wanted)
        return [
            str(item.severity)
            for item in driver.unsupported(wanted, report)
            if item.rule == "disabled-client-keeps-tokens"
        ]


@pytest.mark.live
def test_a_block_that_leaves_tokens_is_found_before_it_is_promised(tmp_path: Path) -> None:
    """With the parameter at false only deleting all tokens ends them."""
    site = start_site(tmp_path, strict=True, takes_ids=True, role="both", profile=Profile(disable_tokens=False))
    try:
        assert found(site, Revocation.model_validate({"client": "batch", "block": BLOCK})) == ["warning"]
        assert found(site, Client(enabled=False)) == ["warning"]
        assert found(site, Client(enabled=True)) == []
        whole = {"client": "batch", "block": BLOCK, "tokens": "all"}
        assert found(site, Revocation.model_validate(whole)) == []
        assert found(site, Revocation.model_validate({**whole, "owner": "alice"})) == ["warning"]
    finally:
        site.stop()


@pytest.mark.live
def test_a_block_is_trusted_where_the_parameter_is_true(tmp_path: Path) -> None:
    """The default."""
    site = start_site(tmp_path, strict=True, takes_ids=True, role="both")
    try:
        assert found(site, Revocation.model_validate({"client": "batch", "block": BLOCK})) == []
    finally:
        site.stop()


# -- options of settings ----------------------------------------------------------------------------------------------

OPTIONS: dict[str, Any] = {
    "require_post": False,
    "disable_tokens": False,
    "internal_require_secret": True,
    "short_tokens": True,
    "errors_in_header": True,
    "log_errors": True,
    "approval_title": "Freigabe",
    "approval_header": "Zugriff auf Aufträge",
    "approval_logo": "https://shop.example.com/logo.png",
    "approval_footer": "Example GmbH",
}


def settings(**options: Any) -> dict[Any, Object]:
    return {at(Kind.SETTINGS): Settings.model_validate({"require_pkce": True, "options": {"webmethods": options}})}


def test_every_option_has_a_parameter() -> None:
    """An option without one would be read and written nowhere."""
    assert PARAMETERS.keys() == OPTIONS.keys() == WebMethodsSettingsOptions.model_fields.keys()


@pytest.mark.live
@pytest.mark.parametrize("form", ["named", "pairs"])
def test_options_of_settings_are_written_read_and_reset(tmp_path: Path, form: str) -> None:
    """No guide describes the body of a parameter, so the driver sends what the server shows; null is the documented default."""
    profile = Profile.model_validate({"release": "10.15", "parameters": form})
    site = start_site(tmp_path, strict=True, takes_ids=True, role="both", profile=profile)
    try:
        road = converge(site, settings(**OPTIONS))
        assert {field.path for change in road.plan.changes for field in change.fields} >= {
            f"options.webmethods.{name}" for name in OPTIONS
        }
        told = road.after.objects[at(Kind.SETTINGS)].value
        assert isinstance(told, Settings)
        assert told.options == {"webmethods": OPTIONS}
        with site.driver(read_only=True) as driver:
            whole = driver.read(Wanted({}, frozenset({Kind.SETTINGS}), whole=True)).objects[at(Kind.SETTINGS)]
        assert whole.options == OPTIONS, "an export has what differs from the defaults"
        site.raw(
            "PATCH", f"/server/setting/{PARAMETERS['log_errors'].name}", wire(form, "log_errors", "maybe"), status=200
        )
        with site.driver(read_only=True) as driver:
            plan, _state = plan_of(driver, desired_state(site, settings(**OPTIONS)))
        assert [field.path for change in plan.changes for field in change.fields] == ["options.webmethods.log_errors"]
        converge(site, settings(**dict.fromkeys(OPTIONS)))
        with site.driver(read_only=True) as driver:
            whole = driver.read(Wanted({}, frozenset({Kind.SETTINGS}), whole=True)).objects[at(Kind.SETTINGS)]
        assert whole.options == {}
    finally:
        site.stop()


def wire(form: str, option: str, text: str) -> dict[str, str]:
    name = PARAMETERS[option].name
    return {name: text} if form == "pairs" else {"name": name, "value": text}


@pytest.mark.live
def test_a_parameter_of_a_later_release_stops_the_plan(one_site: Site) -> None:
    """10.11 has no token.short: writing it would be green and change nothing."""
    with one_site.driver(read_only=True) as driver:
        found = findings_of(driver, desired_state(one_site, settings(short_tokens=True, require_post=True)))
    assert [(item.rule, str(item.severity)) for item in found] == [("server-lacks-parameter", "error")]
    assert "It came with 10.15." in found[0].detail


# -- PKCE of a client -------------------------------------------------------------------------------------------------


def public(required: Any) -> dict[Any, Object]:
    fields = {"type": "public", "grants": ["authorization_code"], "redirect_uris": ["https://app.example.com/cb"]}
    return {
        at(Kind.CLIENT, "app"): Client.model_validate({**fields, "options": {"webmethods": {"require_pkce": required}}})
    }


@pytest.mark.live
@pytest.mark.parametrize("kind", ["integer", "text", "boolean"])
def test_pkce_of_a_client_is_written_in_the_type_of_the_document(tmp_path: Path, kind: str) -> None:
    """10.15 has the field on its page; its type in the document is not public. An update of something else keeps it."""
    profile = Profile.model_validate({"client_pkce": kind, "patch": "clears"})
    site = start_site(tmp_path, strict=True, takes_ids=True, role="both", profile=profile)
    try:
        for required in (True, False, *(["inherit", None] if kind != "boolean" else [])):
            road = converge(site, public(required))
            value = road.after.objects[at(Kind.CLIENT, "app")].value
            assert isinstance(value, Client)
            assert value.options == {"webmethods": {"require_pkce": required}}
        converge(site, public(True))
        converge(site, {at(Kind.CLIENT, "app"): Client(description="changed")})
        assert site.raw_client("app")["requirePKCE"] in (1, "1", True)
        with site.driver(read_only=True) as driver:
            found = findings_of(driver, desired_state(site, public("inherit")))
        assert [item.rule for item in found] == (["server-lacks-client-pkce"] if kind == "boolean" else [])
    finally:
        site.stop()


@pytest.mark.live
@pytest.mark.parametrize(
    ("objects", "rules"),
    [
        (public(True), ["server-lacks-client-pkce"]),
        ({at(Kind.CLIENT, "app"): Client()}, []),
    ],
)
def test_pkce_of_a_client_needs_a_field_in_the_document(one_site: Site, objects: Any, rules: list[str]) -> None:
    """10.11 has none, and a field that nobody knows must not be sent."""
    with one_site.driver(read_only=True) as driver:
        assert [item.rule for item in findings_of(driver, desired_state(one_site, objects))] == rules
