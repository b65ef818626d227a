"""Replicas of the operator as processes with the rights of its own manifests, on a real API server and embedded servers."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flask
import pytest
import requests
import yaml
from filelock import FileLock

from oauthdeploy.operator.crd import definition
from oauthdeploy.operator.resource import GROUP, KIND, PLURAL, VERSION
from oauthdeploy.server import RunningServer, SeedUser, ServerConfig, start
from tests.servers import kubernetes as kubernetes_server
from tests.servers.kubernetes import Kubernetes
from tests.servers.plugin import RUN

PASSWORD = "dep-loyer-pass-word"
SECRET = "nightly-secret-canary-8c1f"
SHIPPED = Path(__file__).parents[2] / "examples/kubernetes"
API = f"/apis/{GROUP}/{VERSION}"
WITHIN = 60.0
HOME = "oauthdeploy"
"""The namespace of the shipped manifests."""

MANIFEST = """\
version: 1
name: NAME
servers:
  main:
    role: both
    driver: webmethods
    url: ${env:URL}
    credentials: {username: deployer, password: "${env:PASSWORD}"}
    authorization_server: main
    limits: {retries: 0, connect_timeout: 2s, timeout: 5s}
scopes:
  orders.read: {description: Read orders}
  spare: {description: No client has it}
clients:
  batch:
    name: NAME-batch
    version: "1"
    type: confidential
    grants: [client_credentials]
    secret: {value: "${env:BATCH_SECRET}"}
associations:
  - {client: batch, scopes: [orders.read]}
"""


def own_manifest(name: str) -> str:
    """MANIFEST with objects that no other manifest has, for several that share a server."""
    text = MANIFEST.replace("NAME", name).replace("orders.read", f"{name}.read").replace("spare:", f"{name}.spare:")
    return text.replace("  batch:\n", f"  {name}:\n").replace("client: batch,", f"client: {name},")


@dataclass
class Namespace:
    """A namespace of a test, with estates in it."""

    cluster: Kubernetes
    name: str

    def path(self, kind: str) -> str:
        return f"/api/v1/namespaces/{self.name}/{kind}"

    @property
    def estates(self) -> str:
        return f"{API}/namespaces/{self.name}/{PLURAL}"

    def secret(self, name: str, **data: str) -> None:
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
        self.cluster.apply(self.path("secrets"), body)

    def config_map(self, name: str, data: dict[str, str]) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        self.cluster.apply(self.path("configmaps"), body)

    def estate(self, name: str, **spec: Any) -> dict[str, Any]:
        body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "metadata": {"name": name}, "spec": spec}
        return dict(self.cluster.apply(self.estates, body))

    def read(self, name: str) -> dict[str, Any]:
        return dict(self.cluster.get(f"{self.estates}/{name}"))

    def annotate(self, name: str, **values: str) -> None:
        patch = {"metadata": {"annotations": {f"{GROUP}/{key}": value for key, value in values.items()}}}
        answer = self.cluster.call(
            "PATCH", f"{self.estates}/{name}", patch, headers={"Content-Type": "application/merge-patch+json"}
        )
        assert answer.ok, answer.text

    def wait(self, name: str, holds: Callable[[dict[str, Any]], Any], within: float = WITHIN) -> dict[str, Any]:
        """The estate as soon as something holds of its status; fails the test with the status otherwise."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            body = self.read(name)
            if holds(body.get("status") or {}):
                return body
            time.sleep(0.1)
        pytest.fail(f"{name} did not get there within {within} s: {yaml.safe_dump(body.get('status'))}")

    def events(self, name: str) -> list[tuple[str, str]]:
        """The reasons and messages of the Events of an estate."""
        found = self.cluster.get(self.path("events"))["items"]
        return [(item["reason"], item["message"]) for item in found if item["involvedObject"]["name"] == name]


@dataclass
class Site:
    """An embedded server of both roles, and the requests that it received."""

    server: RunningServer
    seen: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.url

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(
            method, f"{self.url}/admin/oauth/{path}", json=body, auth=("deployer", PASSWORD), timeout=10
        )
        assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def scopes(self) -> set[str]:
        return {item["name"] for item in self.admin("GET", "scope?expand=true")["scopes"]}

    def remove_scope(self, name: str) -> None:
        """A change by hand."""
        self.admin("DELETE", f"scope/{name}")

    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path in self.seen if method not in ("GET", "HEAD", "OPTIONS")]


@dataclass
class Replica:
    """A process of the operator."""

    process: subprocess.Popen[bytes]
    log: Path

    def words(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(25)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


def install(cluster: Kubernetes) -> None:
    """Install the custom resource."""
    cluster.apply("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition())
    end = time.monotonic() + 20
    while not cluster.call("GET", f"{API}/{PLURAL}").ok:
        assert time.monotonic() < end, "the API server does not serve the custom resource"
        time.sleep(0.1)


def new_namespace(cluster: Kubernetes) -> Namespace:
    """A namespace of a new name."""
    name = f"test-{secrets.token_hex(4)}"
    cluster.apply("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return Namespace(cluster, name)


@pytest.fixture(scope="session")
def cluster(_kubernetes: Kubernetes, pytestconfig: pytest.Config) -> Kubernetes:
    """The API server with the custom resource."""
    with FileLock(pytestconfig.stash[RUN].folder / "crd.lock"):
        install(_kubernetes)
    return _kubernetes


@pytest.fixture
def own_cluster(tmp_path: Path, kubernetes: Kubernetes, pytestconfig: pytest.Config) -> Iterator[Kubernetes]:
    """An API server of the test's own; the shared one is asked for so that the test is skipped where that one is."""
    assert kubernetes.url
    made = kubernetes_server.launch(tmp_path / "kubernetes", pytestconfig.stash[RUN].owner)
    try:
        install(made)
        yield made
    finally:
        made.stop()


@pytest.fixture
def make_namespace(cluster: Kubernetes) -> Iterator[Callable[[], Namespace]]:
    """Makes namespaces of a test's own; their estates end with the test."""
    made: list[Namespace] = []

    def make() -> Namespace:
        made.append(new_namespace(cluster))
        return made[-1]

    yield make
    for namespace in made:
        with suppress(requests.RequestException):
            cluster.call("DELETE", namespace.estates)


@pytest.fixture
def namespace(make_namespace: Callable[[], Namespace]) -> Namespace:
    """One namespace."""
    return make_namespace()


def account(cluster: Kubernetes, namespaces: list[Namespace]) -> str:
    """The token of the operator's service account, with what its manifests grant in these namespaces and nothing else."""
    home = namespaces[0].name
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "oauthdeploy-operator"}}
    cluster.apply(f"/api/v1/namespaces/{home}/serviceaccounts", body)
    for namespace in namespaces:
        for document in yaml.safe_load_all((SHIPPED / "namespaced/rbac.yaml").read_text()):
            if document["kind"] == "RoleBinding":
                for subject in document["subjects"]:
                    subject["namespace"] = home
            document["metadata"].pop("namespace", None)
            plural = f"{document['kind'].lower()}s"
            cluster.apply(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace.name}/{plural}", document)
    return _token(cluster, home)


def cluster_account(cluster: Kubernetes) -> str:
    """The same with what the manifests grant for the whole cluster, in the namespace of the manifests."""
    home = yaml.safe_load((SHIPPED / "base/namespace.yaml").read_text())
    cluster.apply("/api/v1/namespaces", home)
    for file in ("base/deployment.yaml", "base/lease-rbac.yaml", "cluster/rbac.yaml"):
        for document in yaml.safe_load_all((SHIPPED / file).read_text()):
            kind = document["kind"]
            space = f"/namespaces/{HOME}" if "namespace" in document["metadata"] else ""
            group = "/api/v1" if kind == "ServiceAccount" else "/apis/rbac.authorization.k8s.io/v1"
            if kind != "Deployment":
                cluster.apply(f"{group}{space}/{kind.lower()}s", document)
    return _token(cluster, HOME)


def _token(cluster: Kubernetes, home: str) -> str:
    answer = cluster.call(
        "POST",
        f"/api/v1/namespaces/{home}/serviceaccounts/oauthdeploy-operator/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}},
    )
    assert answer.ok, answer.text
    return str(answer.json()["status"]["token"])


def spawn_replica(
    cluster: Kubernetes,
    namespaces: list[Namespace],
    folder: Path,
    flags: tuple[str, ...] = (),
    allow: str = "http://127.0.0.1:*",
) -> Replica:
    """Start a replica of the operator for some namespaces, or without any for the cluster; its files are in `folder`."""
    folder.mkdir()
    token = account(cluster, namespaces) if namespaces else cluster_account(cluster)
    config = cluster.kubeconfig(folder / "kubeconfig", token, namespaces[0].name if namespaces else HOME)
    names = [word for namespace in namespaces for word in ("--namespace", namespace.name)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("OAUTHDEPLOY_")}
    log = folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "oauthdeploy", "operator", *names, "--allow-server", allow, *flags],
            env={**env, "KUBECONFIG": str(config), "TMPDIR": str(folder), "NO_PROXY": "127.0.0.1"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return Replica(process, log)


StartReplica = Callable[..., Replica]


@pytest.fixture
def start_replica(cluster: Kubernetes, tmp_path: Path) -> Iterator[StartReplica]:
    """Starts replicas of the operator for some namespaces; they stop after the test."""
    running: list[Replica] = []

    def make(*namespaces: Namespace, **options: Any) -> Replica:
        running.append(spawn_replica(cluster, list(namespaces), tmp_path / f"replica{len(running)}", **options))
        return running[-1]

    yield make
    for replica in running:
        if replica.process.poll() is None:
            replica.stop()
        sys.stderr.write(replica.words()[-4000:])  # pytest shows it where a test fails


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[[], Site]]:
    """Starts embedded servers; they stop after the test."""
    with ExitStack() as stack:

        def make() -> Site:
            folder = tmp_path / f"site{secrets.token_hex(3)}"
            server = start(
                ServerConfig(
                    role="both",
                    data_dir=folder,
                    accept_client_id=True,
                    users=(SeedUser("deployer", PASSWORD, ("Administrators",)), SeedUser("nightly", PASSWORD)),
                )
            )
            stack.callback(server.stop)
            site = Site(server)
            _record(server.app, site.seen)
            return site

        yield make


@pytest.fixture
def site(make_site: Callable[[], Site]) -> Site:
    """One embedded server."""
    return make_site()


def _record(app: flask.Flask, seen: list[tuple[str, str]]) -> None:
    def note(sender: flask.Flask, **_: Any) -> None:
        seen.append((flask.request.method, flask.request.path))

    flask.request_started.connect(note, app, weak=False)


def env(site: Site, *, secret: str = "login") -> list[dict[str, Any]]:
    """The part of a spec that says where the values of MANIFEST come from."""
    keys = {"PASSWORD": "password", "BATCH_SECRET": "batch"}
    from_secret = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}} for name, key in keys.items()
    ]
    return [{"name": "URL", "value": site.url}, *from_secret]


def condition(status: dict[str, Any], kind: str) -> str:
    """The status of a condition; "" if there is none."""
    return next((item["status"] for item in status.get("conditions", []) if item["type"] == kind), "")


def in_sync(status: dict[str, Any]) -> bool:
    return condition(status, "InSync") == "True"
