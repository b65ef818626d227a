"""The kill switch on servers that others wrote: Keycloak as authorization server, Open Policy Agent as resource server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.examples.estate import estate, shell_environment

pytestmark = pytest.mark.live
CLIENT = "nightly-batch"


def test_a_client_is_cut_off_on_keycloak_and_opa(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Both sides are cut off, no new token is to be had, the manifest holds it, and the next plan is empty. What policies make of
    OPA's document nobody has shown, so that side is not called verified.
    """
    with estate("opa", tmp_path, request) as made:
        env = shell_environment(os.environ, made.environment, Path(sys.executable).parent)

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            command = ["oauthdeploy", *words]
            return subprocess.run(
                command, cwd=made.folder, env=env, capture_output=True, text=True, timeout=100, check=False
            )

        def token() -> int:
            return requests.post(
                f"{made.environment['LOGIN_URL']}/realms/payments/protocol/openid-connect/token",
                data={"grant_type": "client_credentials"},
                auth=(CLIENT, made.environment["NIGHTLY_BATCH_SECRET"]),
                timeout=20,
            ).status_code

        applied = run("apply", "--yes")
        assert applied.returncode == 0, applied.stdout + applied.stderr
        assert token() == 200
        listed = run("tokens", "list", "-o", "json")
        assert listed.returncode == 0, listed.stderr
        cut = run("revoke", CLIENT, "--yes", "--write", "--ticket", "INC-9", "-o", "json")
        assert cut.returncode == 4, cut.stdout + cut.stderr
        record = json.loads(cut.stdout)
        assert {item["server"]: item["state"] for item in record["servers"]} == {
            "login": "cut-off",
            "orders": "cut-off",
        }
        assert {item["server"]: item["verified"] for item in record["servers"]} == {"login": True, "orders": False}
        (unproved,) = [item for item in record["servers"] if item["problems"]]
        assert [problem["rule"] for problem in unproved["problems"]] == ["cut-off-unproved"]
        assert token() in (400, 401)
        planned = run("plan", "--detailed-exitcode")
        assert planned.returncode == 0, planned.stdout + planned.stderr
