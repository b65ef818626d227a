"""What changes open and break."""

from __future__ import annotations

from typing import Any

import pytest

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.fields import leaves
from oauthdeploy.model.held_fields import SECTIONS
from oauthdeploy.model.objects import MODEL_OF, Grant
from oauthdeploy.planning.changes import Action, FieldChange, Risk
from oauthdeploy.planning.risk import UNCLASSED, Direction, class_of, direction_of, effect_of, risk_of

CASES: list[tuple[Kind, str, Any, Any, str, Risk]] = [
    (Kind.CLIENT, "redirect_uris", (), ("https://a.example",), "widens", Risk.MEDIUM),
    (Kind.CLIENT, "redirect_uris", (), ("http://a.example",), "widens", Risk.HIGH),
    (Kind.CLIENT, "redirect_uris", (), ("https://*.example",), "widens", Risk.HIGH),
    (Kind.CLIENT, "redirect_uris", (), ("http://127.0.0.1:8400/cb",), "widens", Risk.MEDIUM),
    (Kind.CLIENT, "redirect_uris", ("https://a.example",), (), "narrows", Risk.LOW),
    (Kind.CLIENT, "redirect_uris", ("https://a.example",), ("https://b.example",), "both", Risk.MEDIUM),
    (Kind.CLIENT, "grants", (), (Grant.AUTHORIZATION_CODE,), "widens", Risk.MEDIUM),
    (Kind.CLIENT, "grants", (), (Grant.IMPLICIT,), "widens", Risk.HIGH),
    (Kind.CLIENT, "grants", (), (Grant.PASSWORD,), "widens", Risk.HIGH),
    (Kind.CLIENT, "grants", (Grant.PASSWORD,), (), "narrows", Risk.LOW),
    (Kind.CLIENT, "type", "confidential", "public", "widens", Risk.HIGH),
    (Kind.CLIENT, "type", "public", "confidential", "narrows", Risk.LOW),
    (Kind.CLIENT, "enabled", False, True, "widens", Risk.MEDIUM),
    (Kind.CLIENT, "enabled", True, False, "narrows", Risk.LOW),
    (Kind.CLIENT, "tokens.access_lifetime", 60, 600, "widens", Risk.MEDIUM),
    (Kind.CLIENT, "tokens.access_lifetime", 600, 60, "narrows", Risk.LOW),
    (Kind.CLIENT, "tokens.access_lifetime", 60, "never", "widens", Risk.HIGH),
    (Kind.CLIENT, "tokens.access_lifetime", "never", 60, "narrows", Risk.LOW),
    (Kind.CLIENT, "tokens.access_lifetime", "inherit", 60, "widens", Risk.MEDIUM),
    (Kind.CLIENT, "tokens.refresh_count", 1, "unlimited", "widens", Risk.HIGH),
    (Kind.CLIENT, "tokens.refresh_count", 2, 1, "narrows", Risk.LOW),
    (Kind.CLIENT, "description", "a", "b", "sideways", Risk.NONE),
    (Kind.CLIENT, "name", "a", "b", "sideways", Risk.LOW),
    (Kind.CLIENT, "secret.value", None, "x", "sideways", Risk.MEDIUM),
    (Kind.CLIENT, "options.keycloak.x", 1, 2, "widens", Risk.MEDIUM),
    (Kind.SCOPE, "resources", ("a",), ("a", "b"), "widens", Risk.MEDIUM),
    (Kind.SCOPE, "url_templates", ("a",), (), "narrows", Risk.LOW),
    (Kind.SETTINGS, "require_https", True, False, "widens", Risk.HIGH),
    (Kind.SETTINGS, "require_https", False, True, "narrows", Risk.LOW),
    (Kind.SETTINGS, "require_pkce", True, False, "widens", Risk.HIGH),
    (Kind.SETTINGS, "access_token_lifetime", 60, "never", "widens", Risk.HIGH),
    (Kind.SETTINGS, "authorization_code_lifetime", 60, 61, "widens", Risk.MEDIUM),
    (Kind.SETTINGS, "token_endpoint_auth", "credentials", "session", "widens", Risk.MEDIUM),
    (Kind.TRUST, "authorization_server", "a", "b", "widens", Risk.HIGH),
    (Kind.TRUST, "password", None, "x", "sideways", Risk.MEDIUM),
]
NAMES = {
    "widens": Direction.WIDENS,
    "narrows": Direction.NARROWS,
    "both": Direction.WIDENS | Direction.NARROWS,
    "sideways": Direction.SIDEWAYS,
}


@pytest.mark.parametrize(("kind", "path", "before", "after", "direction", "risk"), CASES)
def test_what_a_field_change_does(kind: Kind, path: str, before: Any, after: Any, direction: str, risk: Risk) -> None:
    """More scopes, redirects, grants, longer lives and weaker clients widen; the opposite narrows."""
    effect = effect_of(kind, FieldChange(path, before, after))
    assert (effect.direction, effect.risk) == (NAMES[direction], risk)


@pytest.mark.parametrize("kind", SECTIONS)
def test_every_field_of_the_model_is_classed_or_deliberately_not(kind: Kind) -> None:
    """By a mark in the model, beside the field. Of a trust everything is high, like what nobody has classed, except its secrets
    and whom it trusts for a while.
    """
    fields = {
        path for path in leaves(MODEL_OF[kind]) if not path.startswith("secret.deliver_to.") and path != "options"
    }
    unclassed = {path for path in fields if class_of(kind, path) is None}
    if kind is Kind.TRUST:
        assert fields - unclassed == {"client_secret", "password", "also_trusted"}
        assert {effect_of(kind, FieldChange(path, "a", "b")) for path in unclassed} == {UNCLASSED}
    else:
        assert unclassed == set()


def test_a_field_that_nobody_classed_is_high() -> None:
    """Until somebody has thought about it, a change of it is looked at and comes as late as what opens."""
    effect = effect_of(Kind.CLIENT, FieldChange("not_classed_yet", None, "x"))
    assert (effect.direction, effect.risk) == (Direction.WIDENS, Risk.HIGH)


ACTIONS = [
    (Kind.CLIENT, Action.CREATE, Risk.LOW),
    (Kind.CLIENT, Action.DELETE, Risk.MEDIUM),
    (Kind.CLIENT, Action.REPLACE, Risk.HIGH),
    (Kind.SCOPE, Action.CREATE, Risk.LOW),
    (Kind.SCOPE, Action.DELETE, Risk.MEDIUM),
    (Kind.ASSOCIATION, Action.CREATE, Risk.MEDIUM),
    (Kind.ASSOCIATION, Action.DELETE, Risk.LOW),
    (Kind.TRUST, Action.CREATE, Risk.HIGH),
    (Kind.REVOCATION, Action.REVOKE, Risk.LOW),
    (Kind.REVOCATION, Action.DISABLE, Risk.LOW),
]


@pytest.mark.parametrize(("kind", "action", "risk"), ACTIONS)
def test_the_risk_of_whole_objects(kind: Kind, action: Action, risk: Risk) -> None:
    """Creates and deletes are weighed as a whole, whatever their fields."""
    assert risk_of(kind, action, [FieldChange("grants", (), (Grant.IMPLICIT,))]) is risk


def test_an_update_is_as_risky_as_its_worst_field_and_widens_if_any_does() -> None:
    """One widening field is enough."""
    fields = [
        FieldChange("description", "a", "b"),
        FieldChange("enabled", True, False),
        FieldChange("type", "x", "public"),
    ]
    assert risk_of(Kind.CLIENT, Action.UPDATE, fields) is Risk.HIGH
    assert direction_of(Kind.CLIENT, fields) == Direction.WIDENS | Direction.NARROWS
