"""Open Policy Agent: built once from the Go module proxy, started in milliseconds with the access that a test wants."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import trustme

from tests.servers.golang import Program
from tests.servers.obtain import run
from tests.servers.process import Running, answers, free_port, spawn, start

PROGRAM = Program(
    "opa",
    "github.com/open-policy-agent/opa",
    "v1.22.2",
    "h1:WzqReKk2VjcvBN/NQTlcIxKqFPKpzIdb6KYMHzPEbe0=",
)
obtain = PROGRAM.obtain
START_WITHIN = 60


@dataclass
class Opa:
    """A running OPA, and its REST API by hand."""

    url: str
    process: Running
    token: str = field(default="", repr=False)
    """The bearer token that may do everything, where access needs one."""
    ca_file: Path | None = None
    client_cert: Path | None = None
    """Certificate and key of a client that is let in, in one file, where access needs one."""

    @property
    def access(self) -> dict[str, Any]:
        """The TLS options of requests; given with each request, because the environment goes before a session's."""
        return {
            "verify": str(self.ca_file) if self.ca_file else True,
            "cert": str(self.client_cert) if self.client_cert else None,
        }

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """A request to the REST API with this server's own access; gives the answer, whatever its status."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers.update(options.pop("headers", {}))
        return requests.request(
            method, self.url + path, json=body, headers=headers, **{"timeout": 10, **self.access, **options}
        )

    def data(self, path: str = "") -> Any:
        """The document at `path`; fails the test where there is none."""
        answer = self.call("GET", f"/v1/data/{path}")
        assert answer.ok, answer.text
        return answer.json()["result"]


AUTHORIZE = """package system.authz

import rego.v1

default allow := false

allow if input.identity == "{writer}"

allow if {{
    input.identity == "{reader}"
    input.method == "GET"
}}

allow if {{
    input.path == ["health"]
    input.method == "GET"
}}
"""
"""The policy for bearer tokens: one may do everything, one may read, anybody may ask for health."""


def launch(
    folder: Path,
    owner: int | None = None,
    *,
    files: Mapping[str, str] | None = None,
    bundle: Path | None = None,
    bearer: bool = False,
    authorize: bool = False,
    tls: bool = False,
    mtls: bool = False,
    config: str = "",
) -> Opa:
    """Start an OPA on a free port; its log and other files are in `folder`.

    `files` (name to content) are loaded as policies and data; `bundle` is a folder or archive that is loaded as one;
    `bearer` lets in only who has a token (the reader's is the writer's with `-reader` at its end);
    `authorize` lets a policy `system.authz` among the files decide; `tls` serves https,
    `mtls` lets in only clients with a certificate; `config` is its configuration in YAML. Raises
    Unobtainable and NotStarted.
    """
    program = obtain()
    folder.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [program, "run", "--server", "--skip-version-check", "--log-level=info"]
    made = Opa("", Running("opa", folder / "opa.log", folder / "opa.running"))
    loaded = dict(files or {})
    if bearer:
        made.token = secrets.token_urlsafe(16)
        loaded["authz.rego"] = AUTHORIZE.format(writer=made.token, reader=f"{made.token}-reader")
        command += ["--authentication=token"]
    if bearer or authorize:
        command += ["--authorization=basic"]
    if tls or mtls:
        command += _certificates(folder, made, mtls)
    if bundle:
        command += ["--bundle", bundle]
    if config:
        (folder / "config.yaml").write_text(config, encoding="utf-8")
        command += ["--config-file", folder / "config.yaml"]
    for name, content in loaded.items():
        path = folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        command.append(path)

    def attempt() -> tuple[Running, Callable[[], bool]]:
        port = free_port()
        made.url = f"{'https' if made.ca_file else 'http'}://127.0.0.1:{port}"
        made.process = spawn("opa", [*command, "--addr", f"127.0.0.1:{port}"], folder, owner or os.getpid(), {})
        return made.process, lambda: answers(f"{made.url}/health", **made.access)

    start(attempt, START_WITHIN)
    return made


def _certificates(folder: Path, made: Opa, mtls: bool) -> list[str | Path]:
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    made.ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(made.ca_file))
    leaf.private_key_pem.write_to_path(str(folder / "server.key"))
    for pem in leaf.cert_chain_pems:
        pem.write_to_path(str(folder / "server.pem"), append=True)
    options: list[str | Path] = ["--tls-cert-file", folder / "server.pem"]
    options += ["--tls-private-key-file", folder / "server.key"]
    if mtls:
        made.client_cert = folder / "client.pem"
        authority.issue_cert("deployer@oauthdeploy.test").private_key_and_cert_chain_pem.write_to_path(
            str(made.client_cert)
        )
        options += ["--authentication=tls", "--tls-ca-cert-file", made.ca_file]
    return options


def tool(*arguments: str | Path) -> str:
    """Run another command of the program, such as `test` or `build`; gives its output."""
    return run([obtain(), *arguments])
