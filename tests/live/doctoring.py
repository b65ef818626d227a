"""`doctor --write-probe` on a real server, disturbed by a signal at any of its writes."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.drivers.http import AdminClient
from oauthdeploy.drivers.transport import SAFE_METHODS
from tests.live.conftest import Result, run_command


def manifest(folder: Path, entry: Mapping[str, Any]) -> Path:
    """A folder with a manifest for one server, `it`."""
    document = {"version": 1, "name": "looked-at", "servers": {"it": dict(entry)}}
    (folder / "oauthdeploy.yaml").write_text(json.dumps(document))
    return folder


@dataclass
class Tried:
    """A server to try: the folder with its manifest, the environment, and the names of what a trial could have left there."""

    folder: Path
    left: Callable[[], Sequence[str]]
    env: Mapping[str, str] = field(default_factory=dict)

    def writes(self, monkeypatch: pytest.MonkeyPatch, strike: int = 0, number: int = 0) -> tuple[Result, int]:
        """Run a trial of writing, with a signal at the given write (from 1); gives its result and the number of its writes."""
        request, count = AdminClient.request, 0

        def counted(client: Any, method: str, path: Any, *given: Any, **more: Any) -> Any:
            nonlocal count
            # A sign-in is a POST too.
            if method not in SAFE_METHODS and not str(path).endswith("/token"):
                count += 1
                if count == strike:
                    signal.raise_signal(number)
            return request(client, method, path, *given, **more)

        with monkeypatch.context() as patched:
            patched.setattr(AdminClient, "request", counted)
            arguments = ("doctor", "--write-probe", "--yes", "-o", "json")
            ran = run_command(self.folder, *arguments, env=dict(self.env))
        return ran, count

    def prove_interruptions(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        """At each of its writes a signal ends the trial in order, and what it made is removed."""
        ran, writes = self.writes(monkeypatch)
        assert (ran.code, self.left()) == (0, []), ran.err
        assert writes >= 5
        for place in range(1, writes + 1):
            ran, made = self.writes(monkeypatch, place, number)
            assert ran.code == 130, f"at write {place}: {ran.err}"
            assert "Everything that was created has been deleted." in ran.err
            assert ran.err.count("Interrupted") == 1
            assert self.left() == [], f"at write {place}"
            assert made <= writes
