"""Ordinary troubles of a machine name themselves, in every command: nobody is told that they are a bug of ours."""

from __future__ import annotations

import builtins
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest

from tests.live.conftest import Pair

COMMANDS: Final[tuple[tuple[str, ...], ...]] = (
    ("validate",),
    ("validate", "-o", "json=out.json"),
    ("plan",),
    ("plan", "--out", "plan.json"),
    ("plan", "-o", "html=plan.html", "-o", "junit=plan.xml"),
    ("drift", "-o", "sarif=drift.sarif"),
    ("drift", "--metrics", "drift.prom"),
    ("apply", "--yes"),
    ("apply", "--yes", "-o", "ndjson=events.ndjson"),
    ("export", "--write"),
    ("adopt", "--yes"),
    ("compare", "login", "orders"),
    ("revoke", "nightly-batch", "--yes", "--no-write"),
    ("revoke", "nightly-batch", "--dry-run"),
    ("tokens", "list"),
    ("journal",),
    ("graph", "-o", "estate.svg"),
    ("fmt",),
    ("init", "new.yaml", "--authorization-url", "https://a.example.com"),
    ("force-unlock", "--yes"),
    ("ping",),
    ("explain", "client/nightly-batch"),
)
BUG: Final = "This is a bug"


@contextmanager
def refusing(folder: Path, number: int) -> Iterator[None]:
    """Let every attempt to create or change something below a folder fail as the system would."""
    opened, made, moved, plain = os.open, os.mkdir, os.replace, builtins.open

    def inside(path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and Path(os.path.abspath(path)).is_relative_to(folder)

    def fail(path: Any) -> OSError:
        return OSError(number, os.strerror(number), os.fspath(path))

    def open_(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if inside(path) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise fail(path)
        return opened(path, flags, *more, **named)

    def mkdir(path: Any, *more: Any, **named: Any) -> None:
        if inside(path):
            raise fail(path)
        made(path, *more, **named)

    def replace(source: Any, target: Any, **named: Any) -> None:
        if inside(target):
            raise fail(target)
        moved(source, target, **named)

    def builtin(file: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
        if inside(file) and set(mode) & set("wax+"):
            raise fail(file)
        return plain(file, mode, *more, **named)

    with ExitStack() as stack:
        for name, new in (("open", open_), ("mkdir", mkdir), ("replace", replace)):
            stack.enter_context(patch.object(os, name, new))
        stack.enter_context(patch.object(builtins, "open", builtin))
        stack.enter_context(patch("io.open", builtin))
        yield


def test_a_folder_that_takes_nothing_is_named_by_every_command(pair: Pair) -> None:
    """Read-only, forbidden, full, over the quota, broken, no descriptor left: the reason is the system's own."""
    for number in (errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE):
        for command in COMMANDS:
            with refusing(pair.folder, number):
                found = pair.run(*command)
            assert BUG not in found.err + found.out, (os.strerror(number), command, found.err)
            if "=" in command[-1] or command[0] in ("init", "apply") or "--out" in command:
                assert found.code not in (0, 2), (os.strerror(number), command)
                assert os.strerror(number) in found.err + found.out, (command, found.err)


def test_a_state_folder_that_is_a_file_is_named(pair: Pair) -> None:
    """Where the folder of journals should be, there is a file; only what needs the folder fails."""
    (pair.folder / ".oauthdeploy").write_text("")
    for command in COMMANDS:
        found = pair.run(*command)
        assert BUG not in found.err + found.out, (command, found.err)
        if command[0] == "apply":
            assert found.code == 1
            assert ".oauthdeploy" in found.err


def test_a_process_that_gets_no_threads_says_so(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading servers and holding a lock take threads."""

    real = threading.Thread.start

    def start(self: threading.Thread) -> None:
        if self.name.startswith(("Thread-", "process_request")) or "werkzeug" in self.name:
            real(self)
        else:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    for command in (("plan",), ("apply", "--yes"), ("drift",), ("ping",)):
        found = pair.run(*command)
        assert BUG not in found.err + found.out, (command, found.err)
        if found.code not in (0, 2):
            assert "thread" in found.err


def test_a_process_that_gets_no_memory_says_so(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it happens: while reading the manifest, planning, or writing the report."""
    for place in ("oauthdeploy.workflow.planner.build_plan", "oauthdeploy.workflow.connections.open_driver"):
        with monkeypatch.context() as patched:
            patched.setattr(place, _no_memory)
            found = pair.run("plan")
        assert (found.code, BUG in found.err) == (1, False), found.err
        assert "not enough memory" in found.err


def _no_memory(*_arguments: Any, **_named: Any) -> Any:
    raise MemoryError


def run_limited(folder: Path, prelude: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a process of its own that first does `prelude`."""
    program = f"{prelude}\nimport sys\nfrom oauthdeploy.cli.entrypoint import run\nsys.exit(run({list(arguments)!r}))"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OAUTHDEPLOY_")}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        timeout=100,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize(
    ("prelude", "environment"),
    [
        ("import resource as r; r.setrlimit(r.RLIMIT_AS, (90 << 20,) * 2)", {}),
        ("import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (9, 9))", {}),
        (
            "import resource as r, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); r.setrlimit(r.RLIMIT_FSIZE, (0, 0))",
            {},
        ),
        ("", {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}),
        ("import os; os.environ.pop('HOME', None); os.getuid = lambda: 987654", {}),
        ("import os; os.close(1)", {}),
        ("import os; os.close(0); os.close(2)", {}),
    ],
)
def test_a_process_with_little_of_something(pair: Pair, prelude: str, environment: dict[str, str]) -> None:
    """Memory, descriptors, disk, locale, home, streams: it works, or it says what is missing."""
    for arguments in (("validate",), ("plan", "-o", "json=plan.json"), ("apply", "--yes")):
        found = run_limited(pair.folder, prelude, *arguments, **pair.environment, **environment)
        assert BUG.encode() not in found.stderr, (arguments, found.stderr)
        assert b"Traceback" not in found.stderr, (arguments, found.stderr)
        assert found.returncode >= 0, arguments


BY_SCOPE: Final = "associations:\n  - {scope: orders.read, clients: [web-shop, nightly-batch]}\n"


@pytest.mark.parametrize("form", ["by client", "by scope"])
def test_an_export_of_empty_servers_with_associations_in_the_manifest(pair: Pair, form: str) -> None:
    """What the manifest asks for and nobody has goes out of it, in either form; the result is a manifest."""
    file = pair.folder / "oauthdeploy.yaml"
    if form == "by scope":
        file.write_text(file.read_text().partition("associations:")[0] + BY_SCOPE)
    found = pair.run("export", "--write")
    assert found.code == 0, found.err
    checked = pair.run("validate")
    assert checked.code == 0, checked.err
    assert "web-shop" not in file.read_text()
    assert pair.run("plan", "--detailed-exitcode").code == 0
