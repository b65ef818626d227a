"""A manifest runs no program unless its reader says that it may."""

from __future__ import annotations

from pathlib import Path

import pytest

from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from tests.manifest.support import DRIVERS, HEAD, QUIET

SINK = """\
clients:
  batch:
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    secret: {generate: true, deliver_to: {command: [store-secret, batch]}}
"""


@pytest.mark.parametrize("allowed", [False, True])
def test_a_sink_that_is_a_command_needs_leave(tmp_path: Path, allowed: bool) -> None:
    """deliver_to.command is an error with its place, until --allow-commands lifts it."""
    manifest = tmp_path / "m.yaml"
    manifest.write_text(HEAD + SINK)
    request = ManifestRequest(files=(str(manifest),), environ={"P": "x"}, allow_commands=allowed, severities=QUIET)
    loaded, found = load_manifest(request, DRIVERS)
    assert (loaded is not None) == allowed
    if not allowed:
        (problem,) = found.errors
        assert problem.rule == "command-not-allowed"
        assert problem.address == "client/batch"
        assert problem.span is not None
        assert problem.span.line == 12
