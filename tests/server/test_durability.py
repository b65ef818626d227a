"""What is on disk: everything that must survive, and nothing that must not be there."""

from __future__ import annotations

import logging
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from oauthdeploy.server import ConfigError, SeedUser, ServerConfig, start

from .kit import ADMIN, ALICE, CALLBACK, RESOURCE, Browser, Kit, code_for, sent

Launch = Callable[..., Kit]


def test_a_restart_loses_nothing(launch: Launch) -> None:
    """Settings, clients, scopes, servers, codes and tokens are there after a restart on the same directory."""
    kit = launch(tls=True, https_required=True)
    kit.settings(accessTokenLifetimeSeconds=1234)
    scope = kit.scope("orders", description="d")
    client = kit.machine(
        scope, authorizationCodeGrant=True, redirect_uris=[CALLBACK], tokenRefreshCount=5, registrationAccessToken="rat"
    )
    kit.admin("POST", "/remoteserver/", {"alias": "r", "host": "h", "port": 1, "user": "u", "password": "p"})
    external = {"name": "e", "introspectionEndpoint": "http://x/", "clientId": "c", "clientSecret": "s", "user": "u"}
    kit.admin("POST", "/oauth/externalserver/", external)
    token = kit.token(client)
    pair = kit.token(client, grant_type="authorization_code", code=code_for(kit, client))
    code = code_for(kit, client)
    paths = [
        "/oauth/globalsetting",
        "/oauth/client?expand=true",
        "/oauth/scope?expand=true",
        "/oauth/token?expand=true",
        "/oauth/externalserver?expand=true",
        "/remoteserver/?expand=true",
        "/user/?expand=true",
    ]
    before = [kit.admin("GET", path).json() for path in paths]
    assert before[1]["clients"][0]["registrationAccessToken"] == "rat"
    authority = (kit.config.data_dir / "ca.pem").read_bytes()
    kit.stop()

    kit = launch(tls=True, https_required=True)
    assert [kit.admin("GET", path).json() for path in paths] == before
    assert (kit.config.data_dir / "ca.pem").read_bytes() == authority
    assert kit.active(token["access_token"])
    assert kit.call("orders:x", pair["access_token"]).status_code == 200
    assert kit.token(client, grant_type="refresh_token", refresh_token=pair["refresh_token"])
    assert kit.token(client, grant_type="authorization_code", code=code)
    assert kit.token(client)["expires_in"] == 1234


def test_a_killed_process_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    """After SIGKILL everything that was answered with success is there."""
    process, url = run_process(tmp_path)
    names = []
    try:
        for number in range(20):
            body = {"name": f"c{number}", "version": 1, "type": "Confidential"}
            assert requests.post(f"{url}/admin/oauth/client", json=body, auth=ADMIN, timeout=10).status_code == 201
            names.append(body["name"])
    finally:
        process.kill()
        process.communicate()
    with Kit(tmp_path / "data") as kit:
        assert {one["name"] for one in kit.admin("GET", "/oauth/client").json()["clients"]} == set(names)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_runs_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    """`serve` answers when it calls back, and returns after SIGTERM or SIGINT."""
    process, url = run_process(tmp_path)
    assert requests.get(f"{url}/", timeout=10).status_code == 200
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert output.strip() == "returned"
    assert process.returncode == 0


def run_process(tmp_path: Path) -> tuple[subprocess.Popen[str], str]:
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from oauthdeploy.server import SeedUser, ServerConfig, serve
        users = (SeedUser(sys.argv[2], sys.argv[3], ("Administrators",)),)
        config = ServerConfig(role="both", data_dir=Path(sys.argv[1]), users=users)
        serve(config, lambda running: print(running.url, flush=True))
        print("returned")
        """
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / "data"), *ADMIN]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_no_secret_is_on_disk_or_in_the_log(launch: Launch, caplog: pytest.LogCaptureFixture) -> None:
    """Passwords, secrets, codes and tokens are in no file of the data directory and in no log line."""
    caplog.set_level(logging.DEBUG)
    kit = launch(accept_client_id=True)
    scope = kit.scope("a")
    planted = [
        *(user.password for user in kit.config.users),
        "PlantedClientSecret1",
        "PlantedRotatedSecret2",
        "PlantedExternalSecret3",
        "PlantedRemotePassword4",
        "PlantedRegistrationToken5",
        "PlantedWrongPassword6",
    ]
    browsing = {"authorizationCodeGrant": True, "implicitGrant": True, "redirect_uris": [CALLBACK]}
    given = kit.machine(scope, client_secret=planted[-6], registrationAccessToken=planted[-2], **browsing)
    kit.admin("PATCH", f"/oauth/client/{given['client_id']}", {"client_secret": planted[-5]})
    made = kit.machine(scope, resourceOwnerCredentialsGrant=True, tokenRefreshCount=-1, **browsing)
    external = {"name": "e", "introspectionEndpoint": "http://127.0.0.1:1/", "clientId": "c", "user": "u"}
    kit.admin("POST", "/oauth/externalserver/", {**external, "clientSecret": planted[-4]})
    remote = {"alias": "r", "host": "h", "port": 1, "user": "u", "password": planted[-3]}
    kit.admin("POST", "/remoteserver/", remote)
    kit.admin("GET", "/oauth/client", user=("Administrator", planted[-1]))

    verifier = "planted-verifier-" + "v" * 43
    code = code_for(kit, made, code_challenge=verifier)
    answers = [
        kit.token({**given, "client_secret": planted[-5]}),
        kit.token(made, grant_type="password", username=ALICE[0], password=ALICE[1]),
        kit.token(made, grant_type="authorization_code", code=code, code_verifier=verifier),
    ]
    answers.append(kit.token(made, grant_type="refresh_token", refresh_token=answers[1]["refresh_token"]))
    with Browser(kit) as browser:
        answers.append(sent(browser.approve({"response_type": "token", "client_id": made["client_id"]})))
    kit.call("a:b", answers[0]["access_token"])
    kit.service_as(made, "revokeToken", token=answers[2]["access_token"])
    kit.settings(authServerAlias="e")
    kit.call("a:b", answers[0]["access_token"])

    unused = code_for(kit, made)
    secrets = [*planted, code, unused, made["client_secret"]]
    secrets += [answer[kind] for answer in answers for kind in ("access_token", "refresh_token") if kind in answer]
    assert len(secrets) >= 19
    for file in kit.config.data_dir.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert not [secret for secret in secrets if secret.encode() in content], file
    kit.stop()
    for file in kit.config.data_dir.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert not [secret for secret in secrets if secret.encode() in content], file
    logged = "\n".join(
        line for line in caplog.text.splitlines() if "urllib3" not in line and "requests_oauthlib" not in line
    )
    assert "POST /invoke/pub.oauth/getToken 200" in logged
    assert not [secret for secret in secrets if secret in logged]


def test_private_files_are_private(launch: Launch) -> None:
    """Keys, database and password file can be read by their owner only."""
    kit = launch(tls=True, users=(), https_required=True)
    for name in ("vault.key", "server.db", "administrator.password", "tls/ca.key", "tls/server.key"):
        assert stat.S_IMODE((kit.config.data_dir / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(kit.config.data_dir.stat().st_mode) & 0o077 == 0 or kit.config.data_dir.parent.exists()


def test_a_first_administrator_is_made(launch: Launch) -> None:
    """Without a seeded administrator there is one with a generated password, the same after a restart."""
    for _ in range(2):
        kit = launch(users=(SeedUser(*ALICE),), https_required=True)
        file = kit.running.administrator_password_file
        assert file is not None
        password = file.read_text().strip()
        assert len(password) >= 20
        assert kit.admin("GET", "/oauth/client", user=("Administrator", password)).status_code == 200
        kit.stop()


def test_seeding_is_idempotent(launch: Launch) -> None:
    """A user keeps groups; the password follows the seed; a user who isn't seeded any more stays."""
    kit = launch(users=(SeedUser(*ADMIN, ("Administrators",)), SeedUser(*ALICE, ("Guests",))))
    assert kit.running.administrator_password_file is None
    kit.stop()
    kit = launch(users=(SeedUser("Administrator", "another-password", ()),), https_required=True)
    assert kit.admin("GET", "/oauth/client").status_code == 401
    user = ("Administrator", "another-password")
    assert kit.admin("GET", "/oauth/client", user=user).status_code == 200
    users = kit.admin("GET", "/user/?expand=true", user=user).json()["users"]
    assert {one["name"]: one["groups"] for one in users} == {
        "Administrator": ["Administrators"],
        "alice": ["Guests"],
    }


def test_a_seeded_administrator_password_replaces_the_generated_one(launch: Launch) -> None:
    """The file with the generated password goes when the seed names another."""
    kit = launch(users=(), https_required=True)
    assert kit.running.administrator_password_file is not None
    kit.stop()
    kit = launch(users=(SeedUser(*ADMIN),))
    assert kit.running.administrator_password_file is None
    assert not (kit.config.data_dir / "administrator.password").exists()


def test_nobody_can_be_locked_out_by_the_seed(tmp_path: Path) -> None:
    """A seeded user Administrator outside of the group, and no other administrator, is an error."""
    with pytest.raises(ConfigError, match="Administrators"):
        start(ServerConfig(role="both", data_dir=tmp_path, users=(SeedUser(*ADMIN),)))


def test_the_certificate_covers_the_loopback_names(launch: Launch) -> None:
    """The address, and localhost, are verified with ca.pem; plain HTTP isn't answered."""
    kit = launch(tls=True, https_required=True)
    assert kit.running.ca_file == kit.config.data_dir / "ca.pem"
    for host in ("127.0.0.1", "localhost"):
        url = kit.url.replace("127.0.0.1", host)
        assert kit.http.get(f"{url}/admin/oauth/client", auth=ADMIN).status_code == 200


def test_stopping_lets_requests_finish(launch: Launch) -> None:
    """A stopped server refuses connections, can be stopped again, and its directory opened anew."""
    kit = launch(https_required=True)
    kit.stop()
    kit.running.stop()
    with pytest.raises(requests.ConnectionError):
        kit.admin("GET", "/oauth/client")
    started = time.monotonic()
    with start(kit.config) as running:
        assert running.url
        assert running.config is kit.config
    assert time.monotonic() - started < 10


def test_resource_servers_can_introspect_after_a_restart(launch: Launch) -> None:
    """Users of the group ResourceServers are there from the seed."""
    kit = launch()
    assert kit.service_as(RESOURCE, "introspectToken", token="x").json() == {"active": False}


def test_what_stops_a_start(tmp_path: Path) -> None:
    """A taken port and an unusable certificate file are errors of the start, and leave nothing open."""
    with Kit(tmp_path / "first") as kit:
        port = int(kit.url.rpartition(":")[2])
        with pytest.raises(OSError, match=str(port)):
            start(ServerConfig(role="both", data_dir=tmp_path / "second", users=kit.config.users, port=port))
    for content in (None, "no certificate"):
        file = tmp_path / "ca.pem"
        if content is not None:
            file.write_text(content)
        with pytest.raises(ConfigError, match="certificates"):
            start(ServerConfig(role="both", data_dir=tmp_path / "third", ca_file=file))


def test_log_lines_can_not_be_forged(launch: Launch, caplog: pytest.LogCaptureFixture) -> None:
    """A path with line breaks is logged in its escaped form."""
    caplog.set_level(logging.INFO)
    kit = launch()
    kit.admin("GET", "/x%0AINFO%20forged")
    assert "/admin/x%0AINFO%20forged 404" in caplog.text
    assert "\nINFO forged" not in caplog.text
