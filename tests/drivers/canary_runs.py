"""Secrets from every kind of source in a manifest for one authorization server, and the commands that must show none of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from oauthdeploy.cli.reporting import FORMS
from oauthdeploy.testing.proxy import Proxy, Seen
from tests.live.canaries import MemoryKeyring, found_in
from tests.live.conftest import run_command

PLANTED: Final = {
    "PLANTED_ENV": "canary-env-7f3a91",
    "file": "canary-file-7f3a92",
    "command": "canary-command-7f3a94",
    "keyring": "canary-keyring-7f3aa1",
    "OAUTHDEPLOY_VAR_token": "canary-variable-7f3a93",
    "MARKUP": "ca<b>&\"'%0a[.*]{}|nary",
    "literal": "canary-literal-7f3a95",
}
"""Secrets by their names; those in upper case are environment variables."""
SOURCES: Final = {"oauthdeploy.yaml", "secret.txt", "made.txt"}
REFERENCES: Final = {
    "from-env": "${env:PLANTED_ENV}",
    "from-file": "${file:secret.txt}",
    "from-command": "${command:cat made.txt}",
    "from-keyring": "${keyring:team/crm/a}",
    "from-variable": "${var:token}",
    "from-markup": "${env:MARKUP}",
    "from-literal": PLANTED["literal"],
}
_TOLD: Final = frozenset({"client_secret", "registration_access_token", "access_token"})


def keyring() -> MemoryKeyring:
    """What stands for the account's keyring."""
    return MemoryKeyring({("team/crm", "a"): PLANTED["keyring"]})


class CanaryFolder:
    """A folder with planted secrets and a manifest, for a server behind a proxy that notes every secret of its answers."""

    def __init__(self, folder: Path, url: str, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.proxy = Proxy(url)
        self.env = {
            **{name: text for name, text in PLANTED.items() if name.upper() == name or name.startswith("OAUTHDEPLOY_")},
            **env,
            "OAUTHDEPLOY_DEBUG": "1",
            "OAUTHDEPLOY_ALLOW_COMMANDS": "1",
        }
        self.told: dict[str, str] = {}
        """The secrets of the server's answers, by what they are."""
        self.printed = ""
        self.proxy.alter(self._note)
        (folder / "secret.txt").write_text(PLANTED["file"])
        (folder / "made.txt").write_text(PLANTED["command"])

    def _note(self, seen: Seen, body: Any) -> Any:
        if isinstance(body, dict):
            for name in _TOLD & body.keys():
                self.told[f"{name} {len(self.told)} of {seen.method} {seen.bare}"] = str(body[name])
        return body

    def write(self, server: Mapping[str, Any], **sections: Any) -> None:
        text = {"version": 1, "name": "canaries", "variables": {"token": {"sensitive": True}}}
        (self.folder / "oauthdeploy.yaml").write_text(json.dumps({**text, "servers": {"login": server}, **sections}))

    def run(self, *arguments: str, codes: Sequence[int] = (0,)) -> str:
        """Run a command, which must end with one of the codes; gives what it printed."""
        ran = run_command(self.folder, *arguments, env=self.env)
        assert ran.code in codes, (arguments, ran.code, ran.out, ran.err)
        self.printed += ran.out + ran.err
        return ran.out + ran.err

    def run_all(self, *allow: str, adopts: bool = True) -> None:
        """Run every command that reads or writes a server, verbose, with its requests, in every format."""
        allowed = [word for rule in allow for word in ("--allow", rule)]
        reports = [f"--output={form}={{}}.{form}" for form in FORMS]
        self.run("validate", "-v", "--online")
        self.run("graph")
        self.run("plan", "-v", "--trace", "--out", "saved.json", *allowed)
        self.run("show", "saved.json", "-v")
        self.run("apply", "--yes", "-v", "--trace", *allowed, *(one.format("applied") for one in reports))
        self.run("plan", "-v", "--trace", *(one.format("plan") for one in reports))
        self.run("drift", "-v", "--trace", *(one.format("drift") for one in reports))
        self.run("ping", "-v", "--trace")
        self.run("doctor", "login", "-v", codes=(0, 1, 2, 64))
        self.run("export", "--write")
        self.run("explain", "client/from-env@login", codes=(0, 64))
        self.run("explain", "client/made@login", "-o", "json")
        self.run("journal", "--last")
        if adopts:
            self.run("adopt", "--yes", "-v")

    def search(self, secrets: Mapping[str, str], but: Sequence[str] = ()) -> None:
        """No secret is in what was printed, or in a file but for the sources and `but`."""
        found = found_in(self.folder, self.printed, {**secrets, **self.told}, {*SOURCES, *but})
        assert list(found) == []
