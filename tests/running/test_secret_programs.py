"""Secrets to a program and into a keyring: what they get, what is never shown, and what is found out before a write."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from oauthdeploy.core import environment
from oauthdeploy.core.delivery_bounds import DeliveryBounds
from oauthdeploy.core.environment import without_plugins
from oauthdeploy.core.errors import DeliveryFailed
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import Client, ClientSecret, DeliverTo
from oauthdeploy.planning.outcome import Status
from oauthdeploy.running.apply import apply_plan
from oauthdeploy.running.deliveries import Deliveries
from oauthdeploy.running.secret_sinks import LocalSinks, run_command
from tests.running.kit import FACTS_BY_DRIVER, at, create, desired_state, plan_of
from tests.running.memory_driver import MemoryDriver, MemoryServer

CANARY = "canary-71f0aa"
SECRET = Secret(CANARY, "server")
CLIENT = at("client/shop@login")


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_command_gets_the_secret_as_json_on_its_standard_input(tmp_path: Path) -> None:
    """It runs in the manifest's folder; the secret is in none of its arguments."""
    code = "import sys; open('got.json', 'w').write(sys.stdin.read() + '\\n' + repr(sys.argv))"
    place = LocalSinks(DeliveryBounds(tmp_path)).deliver(
        SECRET, DeliverTo(command=(*python(code), "a b", "$HOME")), CLIENT, client_id="shop"
    )
    got, arguments = (tmp_path / "got.json").read_text().split("\n")
    assert json.loads(got) == {"client_id": "shop", "client_secret": CANARY}
    assert "'a b', '$HOME'" in arguments
    assert CANARY not in arguments
    assert place == f"command {sys.executable}"


def test_a_command_that_fails_is_a_failed_delivery_and_its_words_stay_unseen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Another exit code than 0 fails; what the program said could hold the secret and is not shown."""
    code = "import sys; text = sys.stdin.read(); print(text); print(text, file=sys.stderr); sys.exit(3)"
    with pytest.raises(DeliveryFailed) as caught:
        run_command(SECRET, python(code), base=tmp_path, client_id="shop")
    assert "exited with 3" in caught.value.detail
    seen = capfd.readouterr()
    assert CANARY not in caught.value.detail + caught.value.fix + seen.out + seen.err


def test_a_command_gets_the_environment_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what oauthdeploy adds to its own."""
    monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "")
    monkeypatch.delenv("PYDANTIC_DISABLE_PLUGINS")
    monkeypatch.setattr(environment, "_added", set())
    without_plugins()
    code = "import os; open('names', 'w').write(' '.join(os.environ))"
    run_command(SECRET, python(code), base=tmp_path, client_id="shop")
    names = (tmp_path / "names").read_text().split()
    assert "PATH" in names
    assert "PYDANTIC_DISABLE_PLUGINS" not in names


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    """There is a time limit."""
    with pytest.raises(DeliveryFailed, match="delivered") as caught:
        run_command(SECRET, python("import time; time.sleep(60)"), base=tmp_path, client_id="x", seconds=0.3)
    assert "did not end in 0.3 s" in caught.value.detail


def test_a_program_that_is_not_there_is_found_out_before(tmp_path: Path) -> None:
    """By name on PATH, or by path from the manifest's folder; a file that can't be run is none."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "store"
    script.write_text("#!/bin/sh\nexit 0\n")
    for program in ("no-such-program-here", "bin/store", "./nothing"):
        with pytest.raises(DeliveryFailed, match="delivered"):
            LocalSinks(DeliveryBounds(tmp_path)).check(DeliverTo(command=(program,)), CLIENT)
    script.chmod(0o700)
    LocalSinks(DeliveryBounds(tmp_path)).check(DeliverTo(command=("bin/store",)), CLIENT)
    assert (
        LocalSinks(DeliveryBounds(tmp_path)).deliver(SECRET, DeliverTo(command=("bin/store",)), CLIENT, client_id="x")
        == "command bin/store"
    )


class Backend:
    def __init__(self, priority: float) -> None:
        self.priority = priority


def fake_keyring(monkeypatch: pytest.MonkeyPatch, *, priority: float = 5, error: Exception | None = None) -> Any:
    stored: dict[tuple[str, str], str] = {}

    def store(service: str, name: str, text: str) -> None:
        if error:
            raise error
        stored[service, name] = text

    def read(service: str, name: str) -> str | None:
        return stored.get((service, name))

    library = types.SimpleNamespace(get_keyring=lambda: Backend(priority), set_password=store, get_password=read)
    monkeypatch.setitem(sys.modules, "keyring", library)
    return stored


def test_a_keyring_entry_gets_the_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """service/name, where the service may have slashes of its own."""
    stored = fake_keyring(monkeypatch)
    target = DeliverTo(keyring="team/oauth/shop")
    LocalSinks(DeliveryBounds(tmp_path)).check(target, CLIENT)
    assert (
        LocalSinks(DeliveryBounds(tmp_path)).deliver(SECRET, target, CLIENT, client_id="x") == "keyring team/oauth/shop"
    )
    assert stored == {("team/oauth", "shop"): CANARY}


def test_a_keyring_entry_of_somebody_else_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a record says is ours, or what the operator allows; ours is read back, and missed once it is gone."""
    stored = fake_keyring(monkeypatch)
    stored["team", "shop"] = "of another program"
    target = DeliverTo(keyring="team/shop")
    sinks = LocalSinks(DeliveryBounds(tmp_path), Deliveries(tmp_path / "records", "shop"))
    with pytest.raises(DeliveryFailed) as caught:
        sinks.deliver(SECRET, target, CLIENT, client_id="x")
    assert "--overwrite" in caught.value.fix
    assert "of another program" not in caught.value.detail
    assert stored["team", "shop"] == "of another program"
    replace(sinks, overwrite=True).deliver(SECRET, target, CLIENT, client_id="x")
    sinks.deliver(Secret("the second", "server"), target, CLIENT, client_id="x")
    assert sinks.delivered(target) == Secret("the second", "server")
    stored.clear()
    with pytest.raises(DeliveryFailed, match="delivered"):
        sinks.delivered(target)


def test_a_keyring_that_can_not_store_is_found_out_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No backend, or no library; the latter names the extra to install."""
    fake_keyring(monkeypatch, priority=0)
    with pytest.raises(DeliveryFailed) as none:
        LocalSinks(DeliveryBounds(tmp_path)).check(DeliverTo(keyring="s/n"), CLIENT)
    assert "no keyring that can store" in none.value.detail
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(DeliveryFailed) as missing:
        LocalSinks(DeliveryBounds(tmp_path)).check(DeliverTo(keyring="s/n"), CLIENT)
    assert "[keyring]" in missing.value.fix


def test_a_keyring_that_refuses_tells_nothing_of_the_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend's own words could hold anything."""
    fake_keyring(monkeypatch, error=RuntimeError(f"can't store {CANARY}"))
    with pytest.raises(DeliveryFailed) as caught:
        LocalSinks(DeliveryBounds(tmp_path)).deliver(SECRET, DeliverTo(keyring="s/n"), CLIENT, client_id="x")
    assert "RuntimeError" in caught.value.detail
    assert CANARY not in caught.value.detail + caught.value.fix


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"file": "a", "command": ["b"]},
        {"file": "a", "keyring": "s/n"},
        {"command": []},
        {"keyring": "noslash"},
        {"command": ["x"], "format": "json"},
    ],
)
def test_there_is_exactly_one_place(written: dict[str, object]) -> None:
    """A file, a command or a keyring, and a format for a file alone."""
    with pytest.raises(ValidationError):
        DeliverTo.model_validate(written)


@pytest.mark.parametrize("code", ["import sys; sys.exit(3)", "pass"])
def test_a_failed_delivery_is_a_failed_change_with_a_way_back(code: str, tmp_path: Path) -> None:
    """The client stands, its secret is lost: the message says how to get another. A delivered one is in the report."""
    store = MemoryServer(secrets={"shop": CANARY})
    drivers = {"login": MemoryDriver("login", store)}
    wish = Client(secret=ClientSecret(generate=True, deliver_to=DeliverTo(command=python(code))))
    report = apply_plan(
        plan_of(create(CLIENT, wish)),
        drivers,
        desired=desired_state({CLIENT: wish}, drivers),
        facts=FACTS_BY_DRIVER,
        base=tmp_path,
        verify=False,
    )
    outcome = report.outcomes[0]
    if "exit(3)" in code:
        assert outcome.status is Status.FAILED
        assert outcome.because is not None
        assert "delete the client and apply again" in outcome.because.fix
        assert CANARY not in str(outcome)
    else:
        assert outcome.status is Status.DONE
        assert report.delivered == {str(CLIENT): f"command {sys.executable}"}
