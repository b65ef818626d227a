"""Kustomize renders what `kubectl apply -k` applies."""

from __future__ import annotations

from tests.servers.golang import Program

PROGRAM = Program(
    "kustomize",
    "sigs.k8s.io/kustomize/kustomize/v5",
    "v5.8.2",
    "h1:sSNeWwgkdSMGCIavtY63JQMgBJkGv3IwOltWVZy+LFQ=",
)
obtain = PROGRAM.obtain
