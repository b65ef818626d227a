"""`drivers`: which there are, where they come from, and what each can do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from oauthdeploy import __version__
from oauthdeploy.drivers.base import API_VERSION
from oauthdeploy.drivers.registry import BUILT_IN, driver_facts
from oauthdeploy.model.capabilities import QUESTIONS, Answer, supports, table_for
from oauthdeploy.model.servers import Role
from tests.cli.conftest import Result, Runner, process

MODULE = f"""
from oauthdeploy.drivers.base import DriverInfo
from oauthdeploy.model.fields import Model
from oauthdeploy.model.servers import Role
from oauthdeploy.model.capabilities import Capability, DriverFacts, no, untested, yes

class Nothing(Model):
    pass

TABLE = {{Capability.SCOPES: yes(), Capability.CLIENTS: untested("nobody has looked"), Capability.LEASE: no("no such thing")}}
GOOD = DriverInfo(DriverFacts("acme", "Acme Gateway", frozenset({{Role.RESOURCE}}), Nothing, Nothing,
                  {{Role.RESOURCE: TABLE}}, proved_against="Acme 7"), None)
OLD = DriverInfo(DriverFacts("old", "Old", frozenset({{Role.BOTH}}), Nothing, Nothing, {{}}), None, {API_VERSION + 1})
"""


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    """A folder with another package installed in it, as pip leaves it: a driver that is good and one that is too new."""
    folder = tmp_path / "site"
    (folder / "acme_oauth-3.1.dist-info").mkdir(parents=True)
    (folder / "acme_oauth.py").write_text(MODULE)
    (folder / "acme_oauth-3.1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-oauth\nVersion: 3.1\n"
    )
    points = "[oauthdeploy.drivers]\nacme = acme_oauth:GOOD\nold = acme_oauth:OLD\n"
    (folder / "acme_oauth-3.1.dist-info" / "entry_points.txt").write_text(points)
    return folder


def drivers(folder: Path, *arguments: str) -> Result:
    return process("drivers", *arguments, env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "110"})


def test_every_driver_is_listed_with_its_table(oauthdeploy: Runner) -> None:
    """The document has what the facts have, for each role and capability; nothing is typed a second time."""
    shown = oauthdeploy("drivers", "-o", "json")
    assert shown.code == 0
    told = {item["name"]: item for item in json.loads(shown.out)["drivers"]}
    assert set(told) >= set(BUILT_IN)
    for name, facts in driver_facts().items():
        assert told[name]["roles"] == [role.value for role in Role if role in facts.roles]
        for role in facts.roles:
            for capability in QUESTIONS:
                support = supports(table_for(facts, role), capability)
                expected = {"answer": support.answer.value, "note": support.note}
                assert told[name]["capabilities"][role.value][capability] == expected
    for name in BUILT_IN:
        found = (told[name]["package"], told[name]["version"], told[name]["api_version"])
        assert found == ("oauthdeploy", __version__, API_VERSION)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_one_driver_is_told_in_full(oauthdeploy: Runner, name: str) -> None:
    """Each answer with its note, which is the reason of a no; and the keys that a manifest needs."""
    shown = oauthdeploy("drivers", name)
    assert shown.code == 0
    plain = " ".join(shown.out.split())
    facts = driver_facts()[name]
    assert f"oauthdeploy {__version__}, made for version {API_VERSION}" in plain
    for key in facts.credentials.model_fields:
        assert key in plain
    for role in facts.roles - {Role.BOTH} if facts.writable else ():
        for capability in QUESTIONS:
            support = supports(table_for(facts, role), capability)
            assert f"{capability} {support.answer.value}" in plain
            assert support.note in plain


def test_drivers_of_other_packages_are_listed_like_ours_and_broken_ones_with_their_reason(site_packages: Path) -> None:
    """An installed package is enough; one that is made for another version hinders nobody."""
    shown = drivers(site_packages)
    assert shown.code == 0, shown.err
    plain = " ".join(shown.out.split())
    assert f"acme Acme Gateway acme-oauth 3.1, interface {API_VERSION}" in plain
    assert f"written for version {API_VERSION + 1} of the driver interface" in plain
    rows = {line.split()[0]: line.split() for line in shown.out.splitlines() if line.strip()}
    heads = next(
        line for line in shown.out.splitlines() if line.startswith(" ") and "webmethods" in line and "acme" in line
    )
    column = 1 + heads.split().index("acme")
    assert [rows[name][column] for name in ("scopes", "clients", "lease", "trust")] == ["yes", "yes?", "no", "no"]
    full = drivers(site_packages, "acme")
    assert "nobody has looked" in full.out
    assert Answer.UNTESTED.value in full.out


def test_a_name_that_is_no_driver_is_wrong_usage_and_a_broken_one_an_error(site_packages: Path) -> None:
    """The one has a suggestion, the other a reason."""
    typo = drivers(site_packages, "acmee")
    assert typo.code == 64
    assert "Did you mean 'acme'?" in typo.err
    broken = drivers(site_packages, "old")
    assert broken.code == 1
    assert f"version {API_VERSION + 1}" in broken.err
    assert "Traceback" not in broken.err
