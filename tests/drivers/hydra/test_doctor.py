"""`doctor` on a real Hydra: what it shows of the server, what a trial of writing leaves, and a signal in the middle of it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.schemas import shape_problem
from oauthdeploy.drivers.hydra.examination import PREFIX
from tests.live.conftest import run_command
from tests.live.doctoring import Tried, manifest
from tests.servers.hydra import Hydra

pytestmark = pytest.mark.live


def entry(hydra: Hydra) -> dict[str, Any]:
    return {
        "role": "authorization",
        "driver": "hydra",
        "url": hydra.url,
        "options": {"public_url": hydra.public_url},
    }


def left_in(hydra: Hydra) -> list[str]:
    found = [str(client["client_id"]) for client in hydra.get("/admin/clients?page_size=1000")]
    return [client_id for client_id in found if client_id.startswith(PREFIX)]


def test_hydra_is_examined(hydra: Hydra, tmp_path: Path) -> None:
    """Types and keys, without the names that somebody chose; pages and a missing client answer as the driver expects."""
    folder = manifest(tmp_path, entry(hydra))
    empty = run_command(folder, "doctor", "-o", "json", env={})
    assert {one["subject"]: one["verdict"] for one in empty.json["judgements"]} == {
        "fields of the clients": "unknown",
        "pages of clients": "unknown",
        "missing client": "as expected",
    }
    for client_id in ("canary-shop", "canary-batch"):
        body = {"client_id": client_id, "client_secret": "canary-secret-1", "metadata": {"canary.key": "canary-value"}}
        assert hydra.call("POST", "/admin/clients", body).status_code == 201
    ran = run_command(folder, "doctor", "-o", "json", env={})
    assert ran.code == 0, ran.err
    assert shape_problem("record", ran.json) == ""
    assert "canary" not in ran.out
    assert {one["verdict"] for one in ran.json["judgements"]} == {"as expected"}
    assert "Hydra v2" in ran.json["product"]["product"]


def test_a_trial_of_writing_shows_what_the_driver_relies_on(hydra: Hydra, tmp_path: Path) -> None:
    """Every step ends as expected, the secret of the trial is in no output, and nothing is left."""
    ran = run_command(manifest(tmp_path, entry(hydra)), "doctor", "--write-probe", "--yes", "-v", "-o", "json", env={})
    assert ran.code == 0, ran.err
    assert shape_problem("record", ran.json) == ""
    assert {one["verdict"] for one in ran.json["judgements"]} <= {"as expected", "unknown"}
    assert {"POST of a client", "PATCH of a client", "lifetimes are removed"} <= {
        one["subject"] for one in ran.json["judgements"]
    }
    assert left_in(hydra) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_a_signal_ends_a_trial_in_order(
    hydra: Hydra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Whichever write it meets: the client is gone."""
    Tried(manifest(tmp_path, entry(hydra)), lambda: left_in(hydra)).prove_interruptions(monkeypatch, number)
