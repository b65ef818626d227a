"""The server parameters that decide what disabling a client means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.webmethods.server_parameters import DISABLE_TOKENS, parameter_value
from oauthdeploy.model.objects import Client, Object, Revocation
from oauthdeploy.server import Profile
from tests.drivers.webmethods.site import KINDS, Site, at, start_site


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


@pytest.mark.parametrize("body", [None, "false", [], {}, {"name": "watt.x", "value": "false"}, {"value": "false"}])
def test_what_does_not_name_the_parameter_is_unknown(body: Any) -> None:
    """A value that may be another parameter's is no answer."""
    assert parameter_value(body, DISABLE_TOKENS) is None


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
