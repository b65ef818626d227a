"""Namespaces are tenants: what a manifest may reach, and that one tenant does not slow another."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from oauthdeploy.core.errors import ManifestInvalid, Unreachable
from oauthdeploy.drivers.http import open_client
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.model.servers import Server
from oauthdeploy.operator.bounds import Bounds
from oauthdeploy.running.lease import SERVER
from oauthdeploy.workflow.shared_limits import SharedLimits
from tests.operator.conftest import (
    HOME,
    MANIFEST,
    PASSWORD,
    SECRET,
    Namespace,
    Site,
    StartReplica,
    condition,
    env,
    in_sync,
    new_namespace,
    spawn_replica,
)
from tests.servers.kubernetes import Kubernetes

pytestmark = pytest.mark.live


def estate(namespace: Namespace, name: str, site: Site, text: str = MANIFEST, **spec: Any) -> None:
    given = {"manifest": {"inline": text.replace("NAME", name)}, "env": env(site), "interval": "2s", "mode": "apply"}
    namespace.estate(name, **{**given, **spec})


def test_a_secret_of_another_namespace_is_not_read(
    make_namespace: Callable[[], Namespace], site: Site, start_replica: StartReplica
) -> None:
    """A name means a Secret of the estate's own namespace, although the operator may read those of both."""
    mine, other = make_namespace(), make_namespace()
    other.secret("login", password=PASSWORD, batch=SECRET)
    estate(mine, "shop", site)
    start_replica(mine, other)
    body = mine.wait("shop", lambda status: condition(status, "Stalled") == "True")
    assert "Secret login does not exist" in body["status"]["findings"][0]["message"]
    assert site.seen == []


@pytest.mark.parametrize(
    ("url", "servers", "allowed"),
    [
        ("http://169.254.169.254/latest", (), False),
        ("http://[fe80::1]/", (), False),
        ("http://[::ffff:169.254.169.254]/", (), False),
        ("http://127.0.0.1:8080", (), False),
        ("http://localhost:8080", (), False),
        ("http://0.0.0.0/", (), False),
        ("http://100.100.100.200/", (), False),
        ("http://2852039166/", (), False),
        ("https://192.0.2.7", (), True),
        ("https://192.0.2.7", ("https://192.0.2.*",), True),
        ("https://192.0.2.7:8443", ("https://192.0.2.7",), False),
        ("https://192.0.2.7:443", ("https://192.0.2.7",), True),
        ("http://169.254.169.254", ("http://*",), False),
        ("http://169.254.169.254", ("http://169.254.169.254",), True),
        ("http://127.0.0.1:8080", ("http://127.0.0.1:*",), True),
        ("http://[::1]:8080", ("http://[::1]:8080",), True),
        ("https://192.0.2.7", ("https://login.example.com",), False),
    ],
)
def test_addresses_of_the_operator_itself_and_of_metadata_are_refused(
    url: str, servers: tuple[str, ...], allowed: bool
) -> None:
    """Unless the very host is allowed; a wildcard does not mean them."""
    assert (Bounds(servers).refusal(url) == "") is allowed


@pytest.mark.parametrize(
    ("host", "address", "servers", "allowed"),
    [
        ("login.example.com", "169.254.169.254", (), False),
        ("login.example.com", "169.254.169.254", ("https://*.example.com",), False),
        ("login.example.com", "::ffff:169.254.169.254", (), False),
        ("login.example.com", "fe80::1%eth0", (), False),
        ("login.example.com", "127.0.0.1", (), False),
        ("login.example.com", "192.0.2.7", (), True),
        ("login.example.com", "10.0.0.7", ("https://*.example.com",), True),
        ("login.example.com", "127.0.0.1", ("https://login.example.com",), True),
        ("[::1]", "::1", ("https://[::1]",), True),
        ("[::1]", "::1", (), False),
    ],
)
def test_a_connection_is_judged_by_its_address(
    host: str, address: str, servers: tuple[str, ...], allowed: bool
) -> None:
    """Whatever the name stood for when the manifest was checked; the very host may be allowed."""
    assert (Bounds(servers).address_refusal("https", host, 443, address) == "") is allowed


def test_a_name_that_stands_for_another_address_later_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest was allowed for the first answer of the name server; the second one leads to a metadata service."""
    answers = iter(["192.0.2.7", "169.254.169.254"])
    asked = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, port, **more: asked(next(answers), port, **more))
    bounds, url = Bounds(), "http://login.example.com:8080"
    assert bounds.refusal(url) == ""
    limits = SharedLimits(refuses=bounds.address_refusal, withholds=lambda _: "")
    entry = Server.model_validate({"role": "both", "driver": "x", "url": url, "proxy": "direct"})
    client = open_client("login", entry, None, read_only=True, base=Path(), egress=limits)
    with pytest.raises(Unreachable, match="link-local, or that of a metadata service") as caught:
        client.get("/")
    client.close()
    assert client.requests == 0
    assert not caught.value.uncertain


def test_a_manifest_gets_no_further_than_its_own_folder_and_servers(
    namespace: Namespace, site: Site, start_replica: StartReplica
) -> None:
    """No file and no address of the operator, no program, no lock elsewhere: each is a finding, and no request is sent."""
    namespace.secret("login", password=PASSWORD, batch=SECRET)
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    delivered = "secret: {generate: true, deliver_to: {file: out/batch.env}}"
    program = delivered.replace("file: out/batch.env", 'command: ["/bin/sh", "-c", "id"]')
    written = 'secret: {value: "${env:BATCH_SECRET}"}'
    bad = {
        "file": (MANIFEST.replace("${env:PASSWORD}", f"${{file:{token}}}"), "file-not-allowed"),
        "tls": (MANIFEST.replace("    limits:", f"    tls: {{ca_file: {token}}}\n    limits:"), "file-not-allowed"),
        "command": (MANIFEST.replace("${env:PASSWORD}", "${command:id}"), "command-not-allowed"),
        "keyring": (MANIFEST.replace("${env:PASSWORD}", "${keyring:a/b}"), "file-not-allowed"),
        "server": (MANIFEST.replace("${env:URL}", "http://169.254.169.254"), "server-not-allowed"),
        "lock": (MANIFEST + "lock: {kubernetes: {namespace: kube-system}}\n", "lock-elsewhere"),
        "deliver": (MANIFEST.replace(written, delivered), "delivery-not-possible"),
        "program": (MANIFEST.replace(written, program), "command-not-allowed"),
    }
    for name, (text, _) in bad.items():
        estate(namespace, name, site, text)
    replica = start_replica(namespace)
    for name, (_, rule) in bad.items():
        status = namespace.wait(name, lambda status: condition(status, "Stalled") == "True")["status"]
        assert rule in [item["rule"] for item in status["findings"]], (name, status["findings"])
        assert status["lastRun"]["exitCode"] == 3
        assert "estate-" not in json.dumps(status["findings"]), "no name of the operator's private folder"
    assert site.seen == []
    assert replica.stop() == 0


REGISTERED = """\
version: 1
name: registered
servers:
  login:
    role: authorization
    driver: rfc7591
    url: https://login.example.com
    options: {registry: clients.registry}
    credentials: {registry_key: "${env:KEY}"}
"""


def test_a_registry_that_would_be_lost_with_the_run_is_refused(tmp_path: Path) -> None:
    """The next run would find none, and register every client again."""
    (tmp_path / "oauthdeploy.yaml").write_text(REGISTERED)
    request = ManifestRequest(
        files=(str(tmp_path / "oauthdeploy.yaml"),), environ={"KEY": Fernet.generate_key().decode()}
    )
    manifest, found = load_manifest(request, driver_facts())
    assert manifest is not None, found
    with pytest.raises(ManifestInvalid) as refused:
        Bounds().require(manifest, "shop")
    (finding,) = refused.value.diagnostics
    assert (finding.rule, finding.path) == ("file-not-allowed", ("servers", "login", "options", "registry"))


def test_a_slow_tenant_does_not_hold_up_another(
    make_namespace: Callable[[], Namespace], site: Site, start_replica: StartReplica
) -> None:
    """Estates whose server does not answer keep half of the workers busy, and no more."""
    slow, quick = make_namespace(), make_namespace()
    for each in (slow, quick):
        each.secret("login", password=PASSWORD, batch=SECRET)
    hanging = [{**item, "value": "http://127.0.0.1:9"} if item["name"] == "URL" else item for item in env(site)]
    for number in range(6):
        estate(slow, f"slow{number}", site, env=hanging)
    estate(quick, "quick", site)
    start_replica(slow, quick, flags=("--workers", "2", "--per-namespace", "1"))
    quick.wait("quick", in_sync, 15)
    site.remove_scope("spare")
    began = time.monotonic()
    quick.wait("quick", lambda _: "spare" in site.scopes(), 10)
    assert time.monotonic() - began < 8
    status = slow.wait("slow0", lambda status: status.get("failures", 0) >= 1)["status"]
    assert condition(status, "Degraded") == "True"
    assert status["nextRun"] > status["lastRun"]["time"]


def test_an_operator_for_the_whole_cluster_needs_no_more_than_its_cluster_role(
    own_cluster: Kubernetes, site: Site, tmp_path: Path
) -> None:
    """Estates of every namespace, each with the Secrets of its own; the Leases of servers are in the operator's namespace."""
    rich, poor = new_namespace(own_cluster), new_namespace(own_cluster)
    rich.secret("login", password=PASSWORD, batch=SECRET)
    estate(rich, "shop", site, MANIFEST.replace("spare:", "rich.spare:"))
    estate(poor, "shop", site, MANIFEST.replace("spare:", "poor.spare:").replace("NAME", "poor"))
    replica = spawn_replica(own_cluster, [], tmp_path / "replica")
    try:
        rich.wait("shop", in_sync)
        status = poor.wait("shop", lambda status: condition(status, "Stalled") == "True")["status"]
        assert "Secret login does not exist" in status["findings"][0]["message"]
        assert "rich.spare" in site.scopes()
        assert "poor.spare" not in site.scopes()
        # A Secret in a namespace that the operator was not told about is watched too.
        poor.secret("login", password=PASSWORD, batch=SECRET)
        poor.wait("shop", in_sync)
        assert "poor.spare" in site.scopes()
        leases = own_cluster.get(f"/apis/coordination.k8s.io/v1/namespaces/{HOME}/leases")["items"]
        assert [item["metadata"]["annotations"][SERVER] for item in leases] == [site.url]
        assert "forbidden" not in replica.words().lower()
    finally:
        assert replica.stop() == 0
