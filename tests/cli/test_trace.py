"""`--trace`: the requests of a run, for whoever has to find out what a server was asked."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.cli.conftest import Runner
from tests.drivers.kit import says, serving

pytestmark = pytest.mark.live


def test_the_trace_tells_each_request_on_standard_error_and_no_secret(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Method, path, status and request id, as the server saw them; without the flag nothing, and nothing after the run."""
    monkeypatch.setenv("LOGIN_PASSWORD", "kept-dark-31")
    with serving([says({"message": "kept-dark-31"}, 401)]) as server:
        (tmp_path / "oauthdeploy.yaml").write_text(f"""\
version: 1
name: traced
servers:
  login:
    role: authorization
    driver: webmethods
    url: {server.url}
    credentials: {{username: admin, password: "${{env:LOGIN_PASSWORD}}"}}
""")
        quiet = oauthdeploy("ping")
        told = oauthdeploy("ping", "--trace")
    assert quiet.code == told.code == 8
    assert "http: " not in quiet.err
    lines = [line for line in told.err.splitlines() if line.startswith("http: ")]
    assert len(lines) == 1
    assert lines[0].startswith("http: login GET /admin/swagger/integrationServer: 401 in ")
    assert server.seen[-1].headers["X-Request-Id"] in lines[0]
    assert "kept-dark" not in told.err + told.out
    assert logging.getLogger("oauthdeploy.http").handlers == []
