"""secret.revision: sent again once where a server keeps marks, never where it keeps none."""

from __future__ import annotations

from pathlib import Path

import pytest

from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import Client, ClientSecret
from oauthdeploy.planning.changes import Reason
from oauthdeploy.planning.plan import Plan, build_plan
from oauthdeploy.running.apply import apply_plan
from oauthdeploy.running.read import read_live
from tests.running.kit import FACTS_BY_DRIVER, at, desired_state
from tests.running.memory_driver import MemoryDriver, MemoryServer

CLIENT = at("client/shop@login")


class Site:
    """One server, and a client whose secret has a revision."""

    def __init__(self, base: Path, store: MemoryServer) -> None:
        self.base = base
        self.store = store
        self.drivers = {"login": MemoryDriver("login", store)}

    def plan(self, text: str, revision: int) -> Plan:
        wish = desired_state(
            {CLIENT: Client(secret=ClientSecret(value=Secret(text, "env:X"), revision=revision))}, self.drivers
        )
        return build_plan(wish, read_live(self.drivers, wish), FACTS_BY_DRIVER)

    def apply(self, text: str, revision: int) -> Plan:
        plan = self.plan(text, revision)
        wanted = {change.address: change.desired for change in plan.changes if change.desired is not None}
        wish = desired_state(wanted, self.drivers)
        report = apply_plan(plan, self.drivers, desired=wish, facts=FACTS_BY_DRIVER, base=self.base)
        assert report.complete
        assert not report.verification
        return plan

    def secret(self) -> Secret | None:
        stored = self.store.objects[CLIENT]
        assert isinstance(stored, Client)
        return stored.secret.value if stored.secret else None


def test_a_raised_revision_sends_the_secret_once(tmp_path: Path) -> None:
    """With marks: create, then nothing, then a raised revision sends the new value, then nothing again."""
    site = Site(tmp_path, MemoryServer(marks={}))
    assert [change.reason for change in site.apply("one", 1).changes] == [Reason.MISSING]
    unchanged = site.plan("two", 1)
    assert unchanged.is_empty
    assert unchanged.incomparable == ((CLIENT, "secret.value"),)
    assert [change.reason for change in site.apply("two", 2).changes] == [Reason.SECRET_REVISION]
    assert site.secret() == Secret("two", "env:X")
    assert site.plan("two", 2).is_empty
    assert site.plan("two", 1).is_empty


@pytest.mark.parametrize("revision", [1, 99])
def test_without_a_mark_nothing_is_sent_again(revision: int, tmp_path: Path) -> None:
    """A client that carries no mark: whatever the revision says, its secret is counted as not comparable and left alone."""
    site = Site(tmp_path, MemoryServer({CLIENT: Client(name="shop")}, marks={}))
    plan = site.plan("new", revision)
    assert plan.is_empty
    assert plan.incomparable == ((CLIENT, "secret.value"),)
