"""How the real servers are got, shared and let go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
import requests

from tests.servers import keycloak, opa
from tests.servers.golang import GO, Program
from tests.servers.obtain import Unobtainable, cache, check_sha256, once
from tests.servers.plugin import RUN, Run, pytest_unconfigure, shared_keycloak, usable
from tests.servers.process import NotStarted, spawn

TOOLS = ("java", "mvn", "go")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts shell scripts in the place of every program on PATH; gives the folder they are in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    def add(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return add


def test_a_cached_server_needs_no_network(
    empty_cache: Path, programs: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """Maven and Go are the only ways to the network, and neither is called when the cache holds the servers."""
    programs("java", "echo 'openjdk version \"21.0.4\"' >&2")
    for name in ("mvn", "go"):
        programs(name, f"echo called >> {tmp_path / 'calls'}; exit 1")
    for obtain in (keycloak.obtain, opa.obtain):
        with pytest.raises(Unobtainable):
            obtain()
    assert (tmp_path / "calls").read_text().count("called") == 2
    wanted = [empty_cache / path.name.removesuffix(".lock") for path in empty_cache.glob("*.lock")]
    for path in wanted:
        path.touch()
    assert sorted(wanted) == sorted([keycloak.obtain(), opa.obtain()])
    assert (tmp_path / "calls").read_text().count("called") == 2


@pytest.mark.parametrize("there", [(), ("java",), ("java", "mvn")])
def test_a_missing_tool_is_named_with_its_version_and_how_to_install_it(
    there: tuple[str, ...], empty_cache: Path, programs: Callable[[str, str], Path]
) -> None:
    """What is missing, which version, how to get it; Java first, which an unbuilt and a built Keycloak need."""
    for name in there:
        programs(name, 'echo "version 21.0.4"; exit 0' if name == "java" else "exit 1")
    missing = TOOLS[len(there)]
    obtain = opa.obtain if missing == "go" else keycloak.obtain
    with pytest.raises(Unobtainable) as told:
        obtain()
    words = str(told.value)
    tool = {"java": keycloak.JAVA, "mvn": keycloak.MAVEN, "go": GO}[missing]
    assert f"{missing} is missing" in words
    assert tool.version in words
    assert f"apt-get install {tool.debian}" in words
    assert "bash .ci/servers" in words


def test_a_java_that_is_too_old_is_told_with_its_version(
    empty_cache: Path, programs: Callable[[str, str], Path]
) -> None:
    """Keycloak 26 does not start on Java 11, and the message says so before a download."""
    programs("java", "echo 'openjdk version \"11.0.20\" 2023-07-18' >&2")
    with pytest.raises(Unobtainable, match=r"java is too old \(11\.0\.20\)\. Keycloak needs java 17 or newer"):
        keycloak.obtain()


def test_java_home_goes_before_the_path(
    empty_cache: Path, programs: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Keycloak's own script does it."""
    programs("java", 'echo "version 11.0.1"')
    java = tmp_path / "jdk/bin/java"
    java.parent.mkdir(parents=True)
    java.write_text('#!/bin/sh\necho "version 21.0.1"\n')
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert keycloak.JAVA.release("-version")[0] == 21


def test_a_test_skips_on_a_laptop_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contributor without Java runs the rest of the suite; CI must not pass without the real servers."""

    def absent() -> None:
        raise Unobtainable("java is missing.")

    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="java is missing"):
        usable(absent)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="java is missing"):
        usable(absent)


def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    """The sum of what was found and of what is expected are both told."""
    file = tmp_path / "server.tar.gz"
    file.write_bytes(b"not it")
    with pytest.raises(Unobtainable, match=keycloak.SHA256):
        check_sha256(file, keycloak.SHA256)


def test_a_program_of_another_module_sum_is_refused(
    empty_cache: Path, programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Go built tells the sum of its module; another than the pinned one is not taken, and both are told."""
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/bin:/bin")
    programs(
        "go",
        """case "$1 $2" in
        "version -m") printf '\\tmod\\texample.org/tool\\tv1.0.0\\th1:other=\\n' ;;
        "version ") echo "go version go1.26.8 linux/amd64" ;;
        install*) touch "$GOBIN/tool" ;;
        esac""",
    )
    with pytest.raises(Unobtainable, match=r"tool is not the pinned module.*h1:other=.*h1:pinned="):
        Program("tool", "example.org/tool", "v1.0.0", "h1:pinned=").obtain()
    right = Program("tool", "example.org/tool", "v1.0.0", "h1:other=").obtain()
    assert right == empty_cache / "tool-v1.0.0"
    assert right.exists()


def test_an_entry_that_was_half_made_is_not_in_the_cache(empty_cache: Path) -> None:
    """A download or build that fails leaves nothing that a later run would take for the server."""

    def half(target: Path) -> None:
        target.mkdir()
        (target / "some").touch()
        raise Unobtainable("the line is cut")

    with pytest.raises(Unobtainable):
        once("server", half)
    assert [path.name for path in empty_cache.iterdir()] == ["server.lock"]


def test_a_server_ends_with_the_process_that_owns_the_run(tmp_path: Path) -> None:
    """After kill -9 of a test run no server stays."""
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    running = spawn("server", [sys.executable, "-c", "import time; time.sleep(600)"], tmp_path, owner.pid, {})
    assert running.alive()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    end = time.monotonic() + 30
    while running.alive() and time.monotonic() < end:
        time.sleep(0.05)
    assert not running.alive()


def test_a_server_that_does_not_start_is_told_with_its_log(tmp_path: Path, start_opa: Callable[..., opa.Opa]) -> None:
    """The last lines of the log and where all of it is."""
    start_opa()  # so that it is there, or the test skips
    with pytest.raises(NotStarted) as told:
        opa.launch(tmp_path / "opa", files={"broken.rego": "package broken\n\nallow if {"})
    assert "ended while starting" in str(told.value)
    assert str(tmp_path / "opa" / "opa.log") in str(told.value)
    assert "rego_parse_error" in str(told.value)


def test_opa_starts_with_the_access_that_a_test_wants(start_opa: Callable[..., opa.Opa]) -> None:
    """Bearer token with a policy, TLS, client certificates: let in with them, kept out without."""
    bearer = start_opa(bearer=True)
    assert bearer.data() is not None
    assert requests.get(f"{bearer.url}/v1/data", timeout=10).status_code == 401
    reader = {"Authorization": f"Bearer {bearer.token}-reader"}
    assert bearer.call("GET", "/v1/data/some", headers=reader).status_code == 200
    assert bearer.call("PUT", "/v1/data/some", {"a": 1}, headers=reader).status_code == 401
    mutual = start_opa(mtls=True)
    assert mutual.url.startswith("https://")
    assert mutual.data() == {}
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"{mutual.url}/v1/data", verify=str(mutual.ca_file), timeout=10)


def test_one_keycloak_serves_every_worker_of_a_run(
    keycloak: keycloak.Keycloak,
) -> None:
    """It answers by HTTP and by HTTPS, and tells its health on a port of its own."""
    assert keycloak.process.alive()
    assert requests.get(f"{keycloak.https_url}/realms/master", verify=str(keycloak.ca_file), timeout=60).ok
    assert requests.get(f"{keycloak.management_url}/health/ready", timeout=60).json()["status"] == "UP"


@pytest.mark.parametrize("failed", [False, True])
def test_after_a_run_the_server_is_gone_and_its_log_stays_where_a_test_failed(failed: bool, tmp_path: Path) -> None:
    """The process that controls the run stops what any worker started."""
    run = Run(tmp_path / "run", os.getpid(), keep=failed)
    process = spawn("keycloak", [sys.executable, "-c", "import time; time.sleep(600)"], run.folder, run.owner, {})
    server = keycloak.Keycloak("", "", "", run.folder / "ca.pem", "admin", "", process)
    (run.folder / "keycloak.json").write_text(json.dumps(server.to_state()))
    config = SimpleNamespace(stash=pytest.Stash())
    config.stash[RUN] = run
    pytest_unconfigure(config)  # type: ignore[arg-type]
    assert not process.alive()
    assert process.log.exists() is failed


def test_what_the_first_worker_met_the_others_meet_too(tmp_path: Path) -> None:
    """A server that doesn't start is a failure, one that can't be had may be skipped; neither is tried again."""
    for kind in (Unobtainable, NotStarted):
        run = Run(tmp_path / kind.__name__, os.getpid())
        run.folder.mkdir()
        with (
            patch.object(keycloak, "standing", return_value=None),
            patch.object(keycloak, "launch", side_effect=kind("as it happened")) as launch,
        ):
            for _ in range(2):
                with pytest.raises(kind, match="as it happened"):
                    shared_keycloak(run)
        assert launch.call_count == 1
