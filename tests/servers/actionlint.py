"""actionlint: built once from the Go module proxy; checks workflows of GitHub Actions, and with shellcheck their scripts."""

from __future__ import annotations

import re
from pathlib import Path

from tests.servers.obtain import Unobtainable, once, run, say
from tests.servers.opa import new_enough_go

MODULE = "github.com/rhysd/actionlint"
VERSION = "v1.7.12"
SUM = "h1:vQ4GeJN86C0QH+gTUQcs8McmK62OLT3kmakPMtEWYnY="
"""Of the module, as the checksum database of Go and the program itself tell it."""


def obtain() -> Path:
    """Gives the program; from the cache without any network and without Go, where it is there.

    Raises `Unobtainable` where Go is missing or the module is not the pinned one.
    """
    return once(f"actionlint-{VERSION}", _make)


def _make(target: Path) -> None:
    scratch = target.parent
    go = new_enough_go()
    say(f"Building actionlint {VERSION} from the Go module proxy (some seconds)")
    env = {"GOBIN": str(scratch), "GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0"}
    run([go, "install", f"{MODULE}/cmd/actionlint@{VERSION}"], env)
    told = re.search(rf"^\tmod\t{MODULE}\t(\S+)\t(\S+)$", run([go, "version", "-m", scratch / "actionlint"]), re.M)
    if told is None or told.groups() != (VERSION, SUM):
        raise Unobtainable(f"actionlint is not the pinned module: {told and told.groups()}, expected {VERSION} {SUM}.")
    (scratch / "actionlint").rename(target)
