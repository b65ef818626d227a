"""No wrong answer while a change is made: a sample of what `poe traffic` does at length."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.servers import hydra
from tests.servers.plugin import usable
from tests.traffic.estates import ESTATES
from tests.traffic.hydra_estates import ESTATES as HYDRA
from tests.traffic.keycloak_estates import ESTATES as KEYCLOAK
from tests.traffic.measure import measure, table

pytestmark = [pytest.mark.live, pytest.mark.slow]

SAMPLE = ("rename scope", "swap resources", "cut off tokens")
KEYCLOAK_SAMPLE = ("cut off a user's tokens",)
HYDRA_SAMPLE = ("cut off tokens",)
KILLED = ("rename scope", "swap resources")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("estate", "kill", "names"),
    [
        pytest.param("embedded", False, SAMPLE, id="embedded"),
        pytest.param("embedded", True, KILLED, id="embedded, killed half way"),
        pytest.param("embedded-own-ids", False, ("rename client",), id="embedded with ids of its own"),
        pytest.param("keycloak-opa", True, KEYCLOAK_SAMPLE, id="Keycloak with OPA, killed half way"),
        pytest.param("keycloak-webmethods", False, KEYCLOAK_SAMPLE, id="Keycloak with webMethods"),
        pytest.param("hydra-opa", True, HYDRA_SAMPLE, id="Hydra with OPA, killed half way"),
        pytest.param("hydra-webmethods", False, HYDRA_SAMPLE, id="Hydra with webMethods"),
    ],
)
def test_no_answer_is_wrong(
    tmp_path: Path, request: pytest.FixtureRequest, estate: str, kill: bool, names: tuple[str, ...]
) -> None:
    """What both manifests allow works at any time, what both refuse never does, and after the apply the new one holds."""
    if estate in HYDRA:
        usable(hydra.obtain)
    shared = {"keycloak": request.getfixturevalue("keycloak")} if estate in KEYCLOAK else {}
    with {**ESTATES, **KEYCLOAK, **HYDRA}[estate](tmp_path, **shared) as made:
        result = asyncio.run(measure(made, calls=1, kill="always" if kill else "never", around=40, only=names))
    rows = result.rows
    wrong = [one for row in rows for one in row.wrong if not one.announced]
    assert not wrong, "\n".join([*table(result), *(f"{one.change}: {one.verdict} of {one.call}" for one in wrong)])
    assert [row.change for row in rows] == list(names)
    assert all(row.during for row in rows), "the apply saw no traffic"
