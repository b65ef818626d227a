"""actionlint checks workflows of GitHub Actions, and with shellcheck their scripts."""

from __future__ import annotations

from tests.servers.golang import Program

PROGRAM = Program(
    "actionlint",
    "github.com/rhysd/actionlint",
    "v1.7.12",
    "h1:vQ4GeJN86C0QH+gTUQcs8McmK62OLT3kmakPMtEWYnY=",
    command="/cmd/actionlint",
)
obtain = PROGRAM.obtain
