"""The servers that an example's manifests name, and the environment that leads to them."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

from oauthdeploy.server import RunningServer, SeedUser, ServerConfig, start

EXAMPLES = Path(__file__).parents[2] / "examples"
PASSWORD = "dep-loyer-pass-word"
_URL = re.compile(r"\$\{env:([A-Z0-9_]+)_URL\b")
_VARIABLE = re.compile(r"\$\{env:([A-Z0-9_]+)([:}])")


@dataclass
class Estate:
    """Servers that run, by the prefix of their variables, and what a shell needs to reach them."""

    folder: Path
    environment: dict[str, str]
    servers: dict[str, RunningServer] = field(default_factory=dict)


def manifests(folder: Path) -> list[Path]:
    """The manifests of an example."""
    return sorted(folder.glob("*.yaml"))


Role = Literal["authorization", "resource", "both"]


def entries(folder: Path) -> Iterator[tuple[str, Role, str]]:
    """Each server that has a variable for its address: prefix of the variable, role and driver; overlays included."""
    for path in manifests(folder):
        tree: Any = YAML(typ="safe", pure=True).load(io.StringIO(path.read_text(encoding="utf-8")))
        base = tree.get("servers") or {}
        overlays = [overlay.get("servers") or {} for overlay in (tree.get("environments") or {}).values()]
        for servers in (base, *overlays):
            for name, entry in servers.items():
                found = _URL.match(entry.get("url", ""))
                if found:
                    whole = {**base.get(name, {}), **entry}
                    yield found[1], whole["role"], whole["driver"]


def secrets_of(folder: Path) -> Iterator[str]:
    """The variables without a default that the manifests read."""
    for path in manifests(folder):
        for name, end in _VARIABLE.findall(path.read_text(encoding="utf-8")):
            if end == "}":
                yield name


def owners(folder: Path) -> Iterator[str]:
    """Accounts that the manifests ask for, the services that introspect among them."""
    for path in manifests(folder):
        text = path.read_text(encoding="utf-8")
        tree: Any = YAML(typ="safe", pure=True).load(io.StringIO(text))
        yield from tree.get("resource_owners") or ()
        yield from re.findall(r"introspection: \{username: ([\w-]+)", text)


@contextmanager
def estate(example: str, tmp_path: Path) -> Iterator[Estate]:
    """A copy of the example's folder, with its servers running. A driver that nothing here can start fails the test."""
    folder = tmp_path / example
    shutil.copytree(EXAMPLES / example, folder)
    names = set(owners(folder))
    users = (
        SeedUser("deployer", PASSWORD, ("Administrators",)),
        *(SeedUser(name, PASSWORD, ("ResourceServers",)) for name in sorted(names)),
    )
    made = Estate(folder, {name: f"{name.lower()}-canary-5a1c" for name in secrets_of(folder)})
    with ExitStack() as stack:
        for prefix, role, driver in entries(folder):
            assert driver == "webmethods", f"tests/examples/estate.py can't start a server for the driver '{driver}'"
            config = ServerConfig(
                role=role, data_dir=tmp_path / f"data-{prefix}", tls=True, users=users, accept_client_id=True
            )
            server = stack.enter_context(start(config))
            made.servers[prefix] = server
            made.environment[f"{prefix}_URL"] = server.url
            made.environment[f"{prefix}_CA"] = str(server.ca_file)
        made.environment |= {name: PASSWORD for name in made.environment if name.endswith("_PASSWORD")}
        yield made


def shell_environment(inherited: Mapping[str, str], own: Mapping[str, str], bin_folder: Path) -> dict[str, str]:
    """The environment of a shell in which `oauthdeploy` is the one under test and nothing else of ours is set."""
    kept = {name: value for name, value in inherited.items() if not name.startswith(("OAUTHDEPLOY_", "CI_", "GITHUB_"))}
    return {**kept, **own, "PATH": f"{bin_folder}:{inherited['PATH']}", "NO_COLOR": "1", "OAUTHDEPLOY_NO_INPUT": "true"}
