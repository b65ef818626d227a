"""Which drivers there are: ours always, others' by entry point, broken ones told and never in the way."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from oauthdeploy import ManifestRequest, __version__, validate
from oauthdeploy.core.errors import ManifestInvalid
from oauthdeploy.drivers import external, registry, webmethods
from oauthdeploy.drivers.base import API_VERSION, DriverInfo
from oauthdeploy.drivers.registry import (
    BUILT_IN,
    GROUP,
    DriverNotUsable,
    KnownFacts,
    Registry,
    driver_facts,
    driver_problems,
    driver_versions,
    get_driver,
    open_driver,
)
from oauthdeploy.model.capabilities import Capability, DriverFacts
from oauthdeploy.model.fields import Model
from oauthdeploy.model.servers import Role, Server


class Nothing(Model):
    """No credentials, no options."""


def info(name: str, version: int = API_VERSION) -> DriverInfo:
    facts = DriverFacts(name, name.title(), frozenset({Role.BOTH}), Nothing, Nothing, {Role.BOTH: {}})
    return DriverInfo(facts, None, version)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> str:
    module = ModuleType("some_drivers")
    module.GOOD = info("good")  # type: ignore[attr-defined]
    module.OLD = info("old", API_VERSION + 1)  # type: ignore[attr-defined]
    module.TEXT = "no driver"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "some_drivers", module)
    return "some_drivers"


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def looked_through(*points: EntryPoint) -> Registry:
    return Registry(BUILT_IN, lambda: points)


def test_our_drivers_are_there_without_any_entry_point() -> None:
    """A source tree is enough."""
    found = looked_through()
    assert found.known == tuple(sorted(BUILT_IN))
    for name in BUILT_IN:
        assert found.get(name) is not None
        assert found.problem(name) is None
    assert driver_facts()["webmethods"] is webmethods.DRIVER.facts
    assert get_driver("external") is external.DRIVER
    assert not driver_problems()


def test_our_drivers_are_entry_points_like_anybodys() -> None:
    """The package offers the same drivers by the same door, and nothing that only the list knows."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"][GROUP] == dict(BUILT_IN)


def test_a_driver_of_another_package_is_found(package: str) -> None:
    """By its entry point."""
    found = looked_through(point("good", f"{package}:GOOD")).get("good")
    assert found is not None
    assert found.facts.title == "Good"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("old", "some_drivers:OLD", f"version {API_VERSION + 1} of the driver interface"),
        ("text", "some_drivers:TEXT", "not a DriverInfo"),
        ("other", "some_drivers:GOOD", "its own name is 'good'"),
        ("gone", "no_such_package:X", "No module named"),
        ("half", "some_drivers:MISSING", "MISSING"),
        ("webmethods", "some_drivers:GOOD", "belongs to a built-in driver"),
    ],
)
def test_a_broken_driver_is_a_finding_and_hinders_nobody(package: str, name: str, value: str, says: str) -> None:
    """It is told with its reason; ours and other packages' still work."""
    found = looked_through(point(name, value), point("good", f"{package}:GOOD"))
    problem = found.problem(name)
    assert problem is not None
    assert says in problem.detail
    assert set(KnownFacts(found)) == {*BUILT_IN, "good"}
    assert found.get("webmethods") is webmethods.DRIVER


def test_a_name_that_two_packages_claim_belongs_to_neither(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of the two would answer must not be left to chance."""
    module = ModuleType("more_drivers")
    module.GOOD = info("good")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "more_drivers", module)
    found = looked_through(point("good", f"{package}:GOOD"), point("good", "more_drivers:GOOD"))
    assert found.get("good") is None
    problem = found.problem("good")
    assert problem is not None
    assert "two packages" in problem.detail


def test_our_own_entry_points_are_no_problem() -> None:
    """They name the same attributes as the list."""
    found = looked_through(*(point(name, value) for name, value in BUILT_IN.items()))
    assert [found.problem(name) for name in BUILT_IN] == [None] * len(BUILT_IN)


def test_a_manifest_that_names_a_broken_driver_says_why_it_cannot_be_used(
    package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Unknown is true and no help: the reason stands beside it."""
    monkeypatch.setattr(registry, "_registry", lambda: looked_through(point("old", f"{package}:OLD")))
    (tmp_path / "oauthdeploy.yaml").write_text(
        "version: 1\nname: x\nservers:\n  login: {role: both, driver: old, url: 'https://is.example.com'}\n"
    )
    manifest, found = validate(ManifestRequest(files=(str(tmp_path / "oauthdeploy.yaml"),), environ={}))
    assert manifest is None
    assert {item.rule for item in found} >= {"unknown-driver", "driver-not-usable"}
    assert any(f"version {API_VERSION + 1} of the driver interface" in item.detail for item in found)


def test_a_manifest_brings_in_the_drivers_that_it_names_and_no_other(tmp_path: Path) -> None:
    """Nor does it look through the installed packages, which takes longer than the drivers."""
    (tmp_path / "oauthdeploy.yaml").write_text(
        "version: 1\nname: x\nservers:\n  login: {role: both, driver: webmethods, url: 'https://is.example.com',"
        " authorization_server: login, credentials: {username: u, password: '${env:P}'}}\n"
    )
    code = (
        "import sys; from oauthdeploy import validate, ManifestRequest\n"
        f"manifest, found = validate(ManifestRequest(files=({str(tmp_path / 'oauthdeploy.yaml')!r},), environ={{'P': 'x'}}))\n"
        "assert manifest is not None, list(found)\n"
        "print(*sorted({name.split('.')[2] for name in sys.modules if name.startswith('oauthdeploy.drivers.')}))\n"
        "from oauthdeploy.drivers import registry; print('_points' in vars(registry._registry()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["base", "field_table", "json_values", "registry", "webmethods", "False"]


def test_an_unknown_driver_is_an_error_that_lists_the_known() -> None:
    """The fix is a name to choose."""
    with pytest.raises(DriverNotUsable) as caught:
        get_driver("webmethod")
    assert "webmethods" in caught.value.fix


def entry(**more: object) -> Server:
    return Server.model_validate({"role": "both", "driver": "webmethods", "url": "http://127.0.0.1:1", **more})


def test_credentials_are_validated_by_the_drivers_model() -> None:
    """Every mistake in one go, each at its place, none with a value."""
    with pytest.raises(ManifestInvalid) as caught:
        open_driver("login", entry(), {"user": "x", "password": 5}, {}, read_only=True, base=Path())
    places = {finding.path for finding in caught.value.diagnostics}
    assert places == {("servers", "login", "credentials", name) for name in ("username", "password", "user")}


@pytest.mark.parametrize("options", [{"api": "invoke"}, {"timezone": "Mars/Base"}, {"x": 1}])
def test_options_are_validated_by_the_drivers_model(options: dict[str, object]) -> None:
    """Unknown keys and values are refused."""
    credentials = {"username": "u", "password": "p"}
    with pytest.raises(ManifestInvalid) as caught:
        open_driver("login", entry(), credentials, options, read_only=True, base=Path())
    assert all(finding.path[:3] == ("servers", "login", "options") for finding in caught.value.diagnostics)


def test_an_external_server_is_never_connected_to() -> None:
    """It has no driver object; asking for one is a bug of the caller."""
    with pytest.raises(DriverNotUsable):
        open_driver("idp", entry(driver="external"), {}, {}, read_only=True, base=Path())
    assert not external.FACTS.writable


def test_offline_commands_bring_no_http_library() -> None:
    """Facts are data: `validate` starts without requests."""
    code = "import sys; from oauthdeploy.drivers.registry import driver_facts; driver_facts(); print('requests' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("role", list(Role))
def test_every_capability_has_an_answer(role: Role) -> None:
    """A table with holes would read as "can't"."""
    assert set(webmethods.DRIVER.facts.capabilities[role]) == set(Capability)


def test_a_driver_is_named_with_its_package_and_version() -> None:
    """Our own have our version; a name without a driver is left out."""
    found = driver_versions(["webmethods", "external", "nothing"])
    assert [(used.name, used.package, used.version, used.api_version) for used in found] == [
        ("external", "oauthdeploy", __version__, API_VERSION),
        ("webmethods", "oauthdeploy", __version__, API_VERSION),
    ]


def test_a_driver_of_another_package_has_that_packages_version(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken from the entry point's distribution; unknown where there is none."""

    class Distribution:
        name, version = "acme-driver", "3.1"

    acme = point("good", f"{package}:GOOD")
    vars(acme)["dist"] = Distribution
    module = sys.modules[package]
    module.BARE = info("bare")  # type: ignore[attr-defined]
    monkeypatch.setattr(registry, "_registry", lambda: looked_through(acme, point("bare", f"{package}:BARE")))
    found = driver_versions(["good", "bare"])
    assert [(used.name, used.package, used.version) for used in found] == [
        ("bare", "unknown", "unknown"),
        ("good", "acme-driver", "3.1"),
    ]
