"""Programs from the Go module proxy, built by the installed Go or by the one that it fetches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.servers.obtain import Tool, Unobtainable, once, run, say

OLDEST = (1, 26)
TOOLCHAIN = "v0.0.1-go1.26.8"
"""The Go that builds where the installed one is older; a module too, so the proxy serves it."""

GO = Tool(
    "go",
    "Building OPA, Ory Hydra, Kubernetes, Helm, Kustomize, a Lua, actionlint and an OAuth client",
    "1.15 or newer (an old one fetches a newer one by itself)",
    "golang-go",
)
COMPILER = Tool("gcc", "Building Ory Hydra", "of any version", "gcc libc6-dev")
ENVIRONMENT = {"GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0"}


@dataclass(frozen=True)
class Program:
    """A pinned program: `sum` is of its module, as Go's checksum database and the program itself tell it."""

    name: str
    module: str
    version: str
    sum: str
    command: str = ""
    """Where in the module its main package is."""

    def obtain(self) -> Path:
        """Gives the program; from the cache without any network and without Go, where it is there.

        Raises `Unobtainable` where Go is missing or the module is not the pinned one.
        """
        return once(f"{self.name}-{self.version}", self._make)

    def _make(self, target: Path) -> None:
        go = _new_enough()
        say(f"Building {self.name} {self.version} from the Go module proxy (some seconds to some minutes)")
        built = target.parent / self.name
        run([go, "install", f"{self.module}{self.command}@{self.version}"], ENVIRONMENT | {"GOBIN": str(built.parent)})
        told = re.search(rf"^\tmod\t{re.escape(self.module)}\t(\S+)\t(\S+)$", run([go, "version", "-m", built]), re.M)
        found = told.groups() if told else None
        if found != (self.version, self.sum):
            raise Unobtainable(f"{self.name} is not the pinned module: {found}, expected {(self.version, self.sum)}.")
        built.rename(target)


def build(source: Path, target: Path, *flags: str, cgo: bool = False, package: str = ".") -> None:
    """Build the main package in the folder `source`, whose go.sum pins what it needs. Raises Unobtainable.

    `package` is where below `source` the main package is. `flags` go to the compiler; `cgo`: parts of it are in C, and need a C
    compiler.
    """
    if cgo:
        COMPILER.find()
    say(f"Building {target.name} with modules of the Go module proxy (some seconds to some minutes)")
    environment = ENVIRONMENT | {"CGO_ENABLED": str(int(cgo))}
    run(
        [_new_enough(), "build", "-C", source, "-trimpath", "-mod=readonly", *flags, "-o", target, package], environment
    )


def _new_enough() -> Path:
    """The installed Go, or where it is too old the pinned toolchain that it fetches as a module."""
    go = GO.find()
    if GO.release("version") >= OLDEST:
        return go
    system = run([go, "env", "GOOS", "GOARCH"]).split()
    version = f"{TOOLCHAIN}.{'-'.join(system)}"
    say(f"The installed Go is too old; fetching {version} from the Go module proxy")
    run([go, "mod", "download", f"golang.org/toolchain@{version}"], ENVIRONMENT)
    toolchain = Path(run([go, "env", "GOMODCACHE"]).strip()) / f"golang.org/toolchain@{version}"
    for program in (*toolchain.glob("bin/*"), *toolchain.glob("pkg/tool/*/*")):
        program.chmod(0o555)  # modules carry no permissions
    return toolchain / "bin/go"
