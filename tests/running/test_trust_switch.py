"""A resource server switches to another authorization server only once that answers as it needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.errors import NotFound, Unreachable
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import Scope, Trust
from oauthdeploy.planning.changes import Stage
from tests.running.kit import at, delete, plan_of, update
from tests.running.test_apply import Estate, because, statuses

TRUST, OLD = at("trust@orders"), at("scope/read@login")


class Prover:
    """Answers the one question that a kind of trust is tried with."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def has_keys(self, trust: Trust) -> None:
        self.asked.append(f"keys of {trust.authorization_server}")
        self.answer()

    def introspects(self, trust: Trust) -> bool | None:
        self.asked.append(f"account at {trust.authorization_server}")
        found: bool | None = self.answer()
        return found

    def is_active(self, server: str, _token: Secret) -> bool | None:
        self.asked.append(f"introspection at {server}")
        found: bool | None = self.answer()
        return found

    def is_taken(self, url: str, token: Secret) -> bool:
        raise AssertionError(url, token)


def gone() -> None:
    raise NotFound("No such address", server="next", status=404)


def elsewhere() -> None:
    raise Unreachable("No route", server="next")


@pytest.mark.parametrize(
    ("via", "answer", "asked", "switches"),
    [
        ("jwt", lambda: None, "keys of next", True),
        ("jwt", gone, "keys of next", False),
        ("jwt", elsewhere, "keys of next", True),
        ("external", lambda: True, "account at next", True),
        ("external", lambda: False, "account at next", False),
        ("external", lambda: None, "account at next", True),
        ("remote", lambda: False, "introspection at next", True),
        ("remote", lambda: None, "introspection at next", True),
        ("remote", gone, "introspection at next", False),
    ],
)
def test_it_stays_with_the_old_one_until_the_new_one_answers(
    tmp_path: Path, via: str, answer: Callable[[], Any], asked: str, switches: bool
) -> None:
    """Then nothing is taken from the old one either. What cannot be reached from here may be reached from there."""
    estate, prover = Estate(tmp_path), Prover(answer)
    before = Trust.model_validate({"authorization_server": "login", "via": via})
    after = before.model_copy(update={"authorization_server": "next"})
    estate.orders.objects[TRUST] = before
    estate.login.objects[OLD] = Scope()
    switch = update(TRUST, before, after, "authorization_server", stage=Stage.SWITCH_TRUST)
    narrowing = delete(OLD, Scope(), stage=Stage.NARROW_AUTHORIZATION, needs=[TRUST])
    report = estate.apply(plan_of(switch, narrowing), prover=prover, verify=False)
    assert prover.asked == [asked]
    assert statuses(report) == {
        str(TRUST): "done" if switches else "failed",
        str(OLD): "done" if switches else "skipped",
    }
    assert estate.orders.objects[TRUST] == (after if switches else before)
    if not switches:
        assert because(report, str(TRUST)).summary
