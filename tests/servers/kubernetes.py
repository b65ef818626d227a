"""Kubernetes: its API server and etcd, built once from the Go module proxy; ready in seconds, with RBAC and without nodes."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import requests
import trustme
import yaml

from tests.servers import golang
from tests.servers.obtain import once
from tests.servers.process import Running, answers, free_port, spawn, start

VERSION: Final = "v1.36.3"
SOURCE: Final = Path(__file__).parent / "kubernetes_program"
START_WITHIN: Final = 90
PROGRAMS: Final = ("apiserver", "etcd")

# Without them the API server says v0.0.0, which clients take for a very old one.
_FLAGS: Final = (
    "-ldflags=-s -w"
    f" -X k8s.io/component-base/version.gitVersion={VERSION}"
    " -X k8s.io/component-base/version.gitMajor=1"
    " -X k8s.io/component-base/version.gitMinor=36",
)


def obtain() -> Path:
    """The folder with the programs. Raises Unobtainable."""
    sources = [SOURCE / "go.mod", SOURCE / "go.sum", *(SOURCE / name / "main.go" for name in PROGRAMS)]
    pinned = hashlib.sha256(b"".join(source.read_bytes() for source in sources) + "".join(_FLAGS).encode()).hexdigest()
    return once(f"kubernetes-{VERSION}-{pinned[:8]}", _build)


def _build(target: Path) -> None:
    target.mkdir()
    for name in PROGRAMS:
        golang.build(SOURCE, target / name, *_FLAGS, package=f"./{name}")


@dataclass
class Kubernetes:
    """A running API server: its address, the token of its administrator, and where its files are."""

    url: str
    token: str
    ca_file: str
    folder: str
    etcd: Running
    process: Running

    def to_state(self) -> dict[str, Any]:
        """What another process needs to use it."""
        state = asdict(self)
        for name in ("etcd", "process"):
            state[name] = {key: str(value) for key, value in state[name].items()}
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Kubernetes:
        """The same from what `to_state` gave."""
        runs = {
            name: Running(state[name]["name"], Path(state[name]["log"]), Path(state[name]["mark"]))
            for name in ("etcd", "process")
        }
        return cls(**{**state, **runs})

    def call(self, method: str, path: str, body: Any = None, token: str = "", **options: Any) -> requests.Response:
        """A request to the API; gives the answer, whatever its status."""
        headers = {"Authorization": f"Bearer {token or self.token}", **options.pop("headers", {})}
        return requests.request(
            method, self.url + path, json=body, headers=headers, verify=self.ca_file, **{"timeout": 20, **options}
        )

    def apply(self, path: str, body: Any) -> Any:
        """Create an object, or give it this content; gives what the API server made of it, and fails the test on a refusal."""
        name = body["metadata"]["name"]
        answer = self.call(
            "PATCH",
            f"{path}/{name}?fieldManager=tests&force=true",
            body,
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        assert answer.ok, f"{path}/{name}: {answer.status_code} {answer.text}"
        return answer.json()

    def get(self, path: str) -> Any:
        """What the API answers to a GET; fails the test where that is an error."""
        answer = self.call("GET", path)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def kubeconfig(self, file: Path, token: str = "", namespace: str = "default") -> Path:
        """Write a kubeconfig for a token; default: the administrator's."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": self.ca_file}}],
            "users": [{"name": "test", "user": {"token": token or self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
            "current-context": "test",
        }
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        return file

    def stop(self) -> None:
        """End both processes."""
        self.process.stop()
        self.etcd.stop()


def launch(folder: Path, owner: int | None = None) -> Kubernetes:
    """Start etcd and an API server on free ports; their files are in `folder`. Raises Unobtainable and NotStarted."""
    programs = obtain()
    folder.mkdir(parents=True, exist_ok=True)
    owner = owner or os.getpid()
    etcd, url = _launch_etcd(programs, folder, owner)
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "tls.key"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
    token = secrets.token_urlsafe(24)
    with (folder / "tokens.csv").open("w", newline="") as file:
        csv.writer(file).writerow([token, "admin", "admin", "system:masters"])
    made = Kubernetes("", token, str(folder / "ca.pem"), str(folder), etcd, etcd)

    def attempt() -> tuple[Running, Callable[[], bool]]:
        port = free_port()
        made.url = f"https://127.0.0.1:{port}"
        made.process = spawn("apiserver", _command(programs, folder, url, port), folder, owner, {})
        return made.process, lambda: answers(
            f"{made.url}/readyz", verify=made.ca_file, headers={"Authorization": f"Bearer {token}"}
        )

    try:
        start(attempt, START_WITHIN)
    except BaseException:
        etcd.stop()
        raise
    return made


def restart(cluster: Kubernetes, owner: int | None = None) -> None:
    """Start the API server of a cluster again, at the address that it had."""
    programs, folder = obtain(), Path(cluster.folder)
    command = json.loads((folder / "apiserver.json").read_text())
    spawn("apiserver", [programs / "apiserver", *command], folder, owner or os.getpid(), {})

    def attempt() -> tuple[Running, Callable[[], bool]]:
        return cluster.process, lambda: answers(
            f"{cluster.url}/readyz", verify=cluster.ca_file, headers={"Authorization": f"Bearer {cluster.token}"}
        )

    start(attempt, START_WITHIN)


def _launch_etcd(programs: Path, folder: Path, owner: int) -> tuple[Running, str]:
    place = {"url": ""}

    def attempt() -> tuple[Running, Callable[[], bool]]:
        client, peer = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
        place["url"] = client
        command: list[str | Path] = [
            programs / "etcd",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]
        return spawn("etcd", command, folder, owner, {}), lambda: answers(f"{client}/health")

    return start(attempt, START_WITHIN), place["url"]


def _command(programs: Path, folder: Path, etcd: str, port: int) -> list[str | Path]:
    options = [
        f"--etcd-servers={etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={folder / 'tls.crt'}",
        f"--tls-private-key-file={folder / 'tls.key'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={folder / 'tls.key'}",
        f"--service-account-key-file={folder / 'tls.key'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--profiling=false",
        "--v=1",
    ]
    (folder / "apiserver.json").write_text(json.dumps(options))
    return [programs / "apiserver", *options]
