"""The facts of the driver: name rules, defaults and models that hold what the sources say."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.webmethods.facts import FACTS, NAMES, WebMethodsCredentials, WebMethodsOptions
from oauthdeploy.model.held_fields import Limit
from oauthdeploy.model.objects import MODEL_OF
from oauthdeploy.model.servers import Role
from oauthdeploy.planning.normalize import flatten

CLIENT_NAME = FACTS.held_field(Role.BOTH, Kind.CLIENT, "name").limit or Limit()


@pytest.mark.parametrize("name", ["orders.read", "orders:read", "a/b", "~", "!", "a" * 100, "...", "a&b", "<x>"])
def test_good_scope_names(name: str) -> None:
    """10.5 and later: ASCII 33 to 126 without backslash, comma and quotation mark."""
    assert re.fullmatch(NAMES[Kind.SCOPE].pattern, name)


@pytest.mark.parametrize("name", ["", "a b", "a,b", 'a"b', "a\\b", "ä", "a\n", ".", "..", "\x7f"])
def test_bad_scope_names(name: str) -> None:
    """And nothing that a URL path can't carry."""
    assert not re.fullmatch(NAMES[Kind.SCOPE].pattern, name)


@pytest.mark.parametrize("name", ["Web Shop", "1.0", "straße", "a.b-c_d@e", "x" * 255])
def test_good_client_names(name: str) -> None:
    """Spaces and letters of all scripts pass."""
    assert re.fullmatch(CLIENT_NAME.pattern, name)


@pytest.mark.parametrize("name", ["", *"&()\\;,/\":'<>", "a\nb", ".", ".."])
def test_bad_client_names(name: str) -> None:
    """The characters that the registration page forbids."""
    assert not re.fullmatch(CLIENT_NAME.pattern, name)


@pytest.mark.parametrize("kind", list(FACTS.defaults))
def test_every_default_is_a_field_of_the_model(kind: Kind) -> None:
    """A misspelled path would never be used."""
    model = MODEL_OF[kind]
    for path in FACTS.defaults[kind]:
        head, _, rest = path.partition(".")
        assert head in model.model_fields
        assert not rest or head == "tokens"


def test_defaults_are_values_that_the_model_takes() -> None:
    """null must lead to something that can be sent."""
    for kind in (Kind.SETTINGS, Kind.SCOPE):
        made = MODEL_OF[kind].model_validate(dict(FACTS.defaults[kind]))
        assert flatten(made) == FACTS.defaults[kind]


def test_the_password_is_a_secret() -> None:
    """From the first line read; and a name with a colon can't be sent by HTTP Basic."""
    assert "hush" not in repr(WebMethodsCredentials.model_validate({"username": "u", "password": "hush"}))
    with pytest.raises(ValidationError):
        WebMethodsCredentials.model_validate({"username": "u:v", "password": "hush"})


def test_the_time_zone_is_checked_offline() -> None:
    """Before a revocation depends on it."""
    assert WebMethodsOptions.model_validate({"timezone": "Europe/Berlin"}).timezone == "Europe/Berlin"
    for wrong in ("CEST", "Mars", "../etc/passwd", "/etc/localtime"):
        with pytest.raises(ValidationError):
            WebMethodsOptions.model_validate({"timezone": wrong})
