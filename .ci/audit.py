"""Audit the locked dependencies with pip-audit, and say how many could be audited. Called by `.ci/audit`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
UV: Path = Path(sys.executable).with_name("uv")
PIP_AUDIT = "pip-audit==2.9.0"
SECONDS = 300


def locked(into: Path) -> Path:
    """The locked dependencies of everything that is installed or tested, as a requirements file."""
    export = ["export", "--quiet", "--frozen", "--all-extras", "--no-emit-project", "--output-file"]
    subprocess.run([str(UV), *export, str(into)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return into


def ask(service: str, requirements: Path) -> list[dict[str, Any]]:
    """What an advisory service says of each package; nothing where it cannot be reached."""
    tool = [str(UV), "tool", "run", "--quiet", PIP_AUDIT]
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    command = [*tool, *options, "--vulnerability-service", service, "--requirement", str(requirements)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return []
    return found


def main() -> int:
    """Return the exit code: 1 for a known vulnerability."""
    with tempfile.TemporaryDirectory() as scratch:
        requirements = locked(Path(scratch) / "requirements.txt")
        known = next((found for service in ("pypi", "osv") if _audited(found := ask(service, requirements))), [])
    audited = _audited(known)
    if not audited:
        sys.stdout.write("No advisory data can be reached from here, so the dependencies were not audited.\n")
        return 0
    hit = [one for one in audited if one["vulns"]]
    for one in hit:
        sys.stdout.writelines(
            f"{one['name']} {one['version']}: {vulnerability['id']}, fixed in {', '.join(vulnerability['fix_versions']) or '-'}\n"
            for vulnerability in one["vulns"]
        )
    sys.stdout.write(
        f"{len(audited)} packages audited, {len(known) - len(audited)} without advisory data, {len(hit)} vulnerable.\n"
    )
    return int(bool(hit))


def _audited(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in found if "vulns" in one]


if __name__ == "__main__":
    sys.exit(main())
