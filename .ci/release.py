"""Build the files of a release twice, and keep them if both times give the same bytes. Called by `.ci/release`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).with_name("uv")
NOT_SHIPPED = ("dev",)
"""Extras that are no part of a release: nobody installs them but contributors."""


def run(command: list[str | Path], **options: Any) -> bytes:
    """Run a step and return its output. Raises CalledProcessError."""
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, **options)
    return bytes(done.stdout)


def build(into: Path, *, umask: int, timezone: str) -> dict[str, bytes]:
    """Build from the last commit in the folder `into`, and return the files by name."""
    into.mkdir()
    source = into / "source"
    archive = into / "source.tar"
    archive.write_bytes(run(["git", "archive", "HEAD"], cwd=ROOT))
    with tarfile.open(archive) as files:
        files.extractall(source, filter="data")
    epoch = run(["git", "log", "-1", "--format=%ct"], cwd=ROOT).decode().strip()
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch, "TZ": timezone}
    dist = into / "dist"
    run([UV, "build", "--quiet", "--out-dir", dist, source], env=environment, umask=umask)
    built = {path.name: path.read_bytes() for path in sorted(dist.iterdir()) if path.suffix in (".whl", ".gz")}
    wheel = next(name for name in built if name.endswith(".whl"))
    version = wheel.split("-")[1]
    built[f"oauthdeploy-{version}.cdx.json"] = materials(source, version, int(epoch))
    return built


def materials(source: Path, version: str, epoch: int) -> bytes:
    """The bill of materials of the locked dependencies, dated by the commit, which uv alone dates by the clock."""
    shipped = [word for extra in NOT_SHIPPED for word in ("--no-extra", extra)]
    export = ["export", "--quiet", "--frozen", "--no-dev", "--all-extras", *shipped, "--format", "cyclonedx1.5"]
    document = json.loads(run([UV, *export, "--directory", source], stderr=subprocess.DEVNULL))
    metadata = document["metadata"]
    metadata["timestamp"] = datetime.fromtimestamp(epoch, UTC).isoformat()
    metadata["component"]["version"] = version
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document['components']))}"
    return (json.dumps(document, indent=2) + "\n").encode()


def main() -> int:
    """Return the exit code: 1 if the two builds differ."""
    with tempfile.TemporaryDirectory() as scratch:
        first = build(Path(scratch) / "a", umask=0o022, timezone="UTC")
        second = build(Path(scratch) / "another-folder", umask=0o077, timezone="Asia/Tokyo")
    differing = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    if differing:
        sys.stderr.write(f"Two builds of the same commit differ: {', '.join(differing)}\n")
        return 1
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(first.items()))
    for name, content in {**first, "SHA256SUMS": sums.encode()}.items():
        (dist / name).write_bytes(content)
    sys.stdout.write(f"Built twice with the same bytes, in dist/:\n{sums}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
