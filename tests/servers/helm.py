"""Helm lints and renders charts."""

from __future__ import annotations

from tests.servers.golang import Program

PROGRAM = Program(
    "helm",
    "helm.sh/helm/v3",
    "v3.22.0",
    "h1:n1if5iQgHYsujPAcO5oonH/KiSNUmqmUF0iGVjSF3AU=",
    command="/cmd/helm",
)
obtain = PROGRAM.obtain
