"""The facts of the driver: what it takes, and that the table answers every question."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.opa.facts import FACTS, NAMES, OpaCredentials, OpaOptions
from oauthdeploy.model.capabilities import QUESTIONS, Answer, supports
from oauthdeploy.model.objects import MODEL_OF
from oauthdeploy.model.servers import Role


@pytest.mark.parametrize("path", ["oauth", "oauth/orders", "a/b-c/d_1", "systems/x", "_x"])
def test_good_paths(path: str) -> None:
    """Steps that a Rego reference can spell."""
    assert OpaOptions(path=path).path == path


@pytest.mark.parametrize(
    "path", ["", "/", "/oauth", "oauth/", "a//b", "a.b", "../x", "1a", "a b", "system", "system/x", "ä"]
)
def test_bad_paths(path: str) -> None:
    """No empty steps, nothing of OPA's own, nothing that leads elsewhere."""
    with pytest.raises(ValidationError):
        OpaOptions(path=path)


def test_the_token_is_a_secret() -> None:
    """From the first line read."""
    made = OpaCredentials.model_validate({"token": "hush"})
    assert "hush" not in repr(made)
    assert OpaCredentials.model_validate({}).token is None


def test_every_question_has_an_answer_with_a_reason_for_a_no() -> None:
    """What isn't in the table would be a no without a reason."""
    for capability in QUESTIONS:
        answer = supports(FACTS.tables[Role.RESOURCE], capability)
        assert "does not support it" not in answer.note or capability.startswith("settings."), capability
        assert answer.note or answer.answer is Answer.YES


def test_defaults_are_fields_of_the_models() -> None:
    """A misspelled path would never be used."""
    for kind, defaults in FACTS.defaults.items():
        assert all(path.partition(".")[0] in MODEL_OF[kind].model_fields for path in defaults)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Kind.SCOPE, ["orders.read", "a:b/c~%", "!"], ["", "a b", 'a"b', "a\\b", "ä"]),
        (Kind.CLIENT, ["web-shop", "a b", '"\\'], ["", "ä", "a\nb"]),
    ],
)
def test_names(kind: Kind, good: list[str], bad: list[str]) -> None:
    """The grammar of RFC 6749, appendix A."""
    assert all(re.fullmatch(NAMES[kind].pattern, name) for name in good)
    assert not any(re.fullmatch(NAMES[kind].pattern, name) for name in bad)
