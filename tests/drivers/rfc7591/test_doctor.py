"""`doctor` on real servers of dynamic registration: what it tells of them, what a trial leaves, and a signal in its middle."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.schemas import shape_problem
from oauthdeploy.drivers.rfc7591.examination import PREFIX
from oauthdeploy.testing.proxy import Fault, Proxy, Seen
from tests.contract.rfc7591 import REGISTRY_KEY
from tests.drivers.rfc7591.test_live import without_management
from tests.live.conftest import run_command
from tests.live.doctoring import Tried, manifest
from tests.servers.oidc_provider import OidcProvider

pytestmark = pytest.mark.live

TRIAL = ("doctor", "--write-probe", "--yes", "-v", "-o", "json")


def entry(server: OidcProvider, url: str = "") -> dict[str, Any]:
    return {
        "role": "authorization",
        "driver": "rfc7591",
        "url": url or server.url,
        "issuer": server.url,
        "credentials": {"registry_key": "${env:KEY}", "initial_access_token": "${env:INITIAL}"},
        "options": {"registry": "clients.registry"},
    }


def environment(server: OidcProvider) -> dict[str, str]:
    return {"KEY": REGISTRY_KEY, "INITIAL": server.initial}


def left_in(server: OidcProvider) -> list[str]:
    names = [str(client.get("client_name", "")) for client in server.clients().values()]
    return [name for name in names if name.startswith(PREFIX)]


def test_the_metadata_are_examined(rotating: OidcProvider, tmp_path: Path) -> None:
    """Which endpoints they name, and what they list; nothing is written, and no registry is needed."""
    folder = manifest(tmp_path, entry(rotating))
    ran = run_command(folder, "doctor", "-o", "json", env=environment(rotating))
    assert ran.code == 0, ran.err
    assert shape_problem("record", ran.json) == ""
    assert {one["subject"]: one["verdict"] for one in ran.json["judgements"]} == {
        "metadata": "as expected",
        "registration_endpoint": "as expected",
        "introspection_endpoint": "as expected",
        "revocation_endpoint": "as expected",
    }
    assert ran.json["facts"]["metadata list scopes"] is True
    assert not (folder / "clients.registry").exists()


def test_a_server_without_metadata_differs(rotating: OidcProvider, tmp_path: Path) -> None:
    """The first thing that the driver needs."""
    proxy = Proxy(rotating.url)
    proxy.spoil(lambda _seen: Fault("no metadata", 404))
    ran = run_command(manifest(tmp_path, entry(rotating, proxy.url)), "doctor", "-o", "json", env=environment(rotating))
    proxy.close()
    assert [(one["subject"], one["verdict"]) for one in ran.json["judgements"]] == [("metadata", "differs")]


@pytest.mark.parametrize("name", ["rotating", "restless", "keeping"])
def test_a_trial_of_writing_tells_what_is_offered(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Whether tokens change with reads and updates, and whether a registration needs one; no secret is told, nothing is left."""
    server: OidcProvider = request.getfixturevalue(name)
    ran = run_command(manifest(tmp_path, entry(server)), *TRIAL, env=environment(server))
    assert ran.code == 0, ran.err
    assert shape_problem("record", ran.json) == ""
    assert {one["verdict"] for one in ran.json["judgements"]} == {"as expected"}, ran.out
    assert ran.json["facts"] == {
        **{f"metadata list {what}": True for what in ("scopes", "grant types", "response types")},
        "GET changes the registration access token": name == "restless",
        "PUT changes the registration access token": name != "keeping",
        "registration needs an initial access token": True,
    }
    assert server.initial not in ran.out + ran.err
    assert left_in(server) == []


def test_a_server_without_updates_or_management_is_told_as_that(rotating: OidcProvider, tmp_path: Path) -> None:
    """What is not offered differs; a client that cannot be deleted is named as left."""
    proxy = Proxy(rotating.url)
    folder = manifest(tmp_path, entry(rotating, proxy.url))

    def no_put(seen: Seen) -> Fault | None:
        return Fault("no such method", 405) if seen.method == "PUT" else None

    proxy.spoil(no_put)
    ran = run_command(folder, *TRIAL, env=environment(rotating))
    assert ran.code == 0, ran.err
    assert [one["subject"] for one in ran.json["judgements"] if one["verdict"] == "differs"] == ["PUT of a client"]
    assert left_in(rotating) == []
    proxy.spoil(None)
    proxy.alter(without_management)
    ran = run_command(folder, *TRIAL, env=environment(rotating))
    proxy.close()
    assert ran.code == 4, ran.err
    assert "Delete by hand: client " in ran.err
    differs = [one["subject"] for one in ran.json["judgements"] if one["verdict"] == "differs"]
    assert differs == ["management of clients (RFC 7592)"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_a_signal_ends_a_trial_in_order(
    rotating: OidcProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Whichever write it meets: the client is gone."""
    tried = Tried(manifest(tmp_path, entry(rotating)), lambda: left_in(rotating), environment(rotating))
    tried.prove_interruptions(monkeypatch, number)
