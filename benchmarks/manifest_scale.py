"""What it costs to validate, format, explain and draw big manifests: CPU seconds and memory, and how both grow.

    python benchmarks/manifest_scale.py [CLIENTS ...]        (default: 1000 10000 100000)

Each size runs in a process of its own. Absolute seconds depend on the machine and on what else it does; so every run also times
the bare YAML parser on the same text, and the ratios between the two, and between sizes, are what to compare. The other commands
are compared with `validate` on the same file, up to ten thousand clients.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEAD = """\
version: 1
name: scale
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://login.example.com
    credentials: {username: deployer, password: "${env:P}"}
  orders:
    role: resource
    driver: webmethods
    url: https://orders.example.com
    credentials: {username: deployer, password: "${env:P}"}
    authorization_server: login
settings: {require_https: true, require_pkce: true, access_token_lifetime: 30m}
resource_owners: []
"""


def manifest(clients: int) -> str:
    """A manifest with that many clients, a tenth as many scopes, and two scopes for each client."""
    scopes = max(2, clients // 10)
    parts = [HEAD, "scopes:\n"]
    parts += [
        f"  scope.{n}:\n    description: What number {n} opens\n    resources: [orders.v{n}, orders.v{n}:get]\n"
        for n in range(scopes)
    ]
    parts.append("clients:\n")
    parts += [
        f'  client-{n}:\n    name: Client {n}\n    version: "1"\n    type: confidential\n'
        f"    redirect_uris: [https://app{n}.example.com/callback]\n    grants: [authorization_code, refresh_token]\n"
        f"    tokens: {{access_lifetime: 15m, refresh_count: 10}}\n    secret: {{value: '${{env:P}}'}}\n"
        for n in range(clients)
    ]
    parts.append("associations:\n")
    parts += [
        f"  - {{client: client-{n}, scopes: [scope.{n % scopes}, scope.{(n * 7 + 1) % scopes}]}}\n"
        for n in range(clients)
    ]
    return "".join(parts)


def measure(path: str) -> dict[str, float]:
    """Validate one file in this process. CPU seconds count everything from the start of the process, imports included."""
    from oauthdeploy.drivers.registry import driver_facts
    from oauthdeploy.manifest.api import ManifestRequest
    from oauthdeploy.manifest.load import load_manifest
    from oauthdeploy.manifest.yaml_reader import event_source

    started = time.process_time()
    loaded, diagnostics = load_manifest(ManifestRequest(files=(path,), environ={"P": "secret"}), driver_facts())
    total = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if loaded is None:
        raise SystemExit("\n".join(f"{item.span} {item.rule} {item.detail}" for item in diagnostics.errors[:5]))
    begun = time.process_time()
    parser = event_source(Path(path).read_text(encoding="utf-8"))
    parser.raw_parse()
    return {
        "total": total,
        "load": total - started,
        "memory": memory,
        "parse": time.process_time() - begun,
        "objects": len(loaded.desired.objects),
        "findings": len(diagnostics),
    }


COMMANDS = {
    "validate": ("validate", "-f"),
    "validate, with a mistake": ("validate", "-f", "mistake"),
    "fmt --check": ("fmt", "--check"),
    "fmt --diff": ("fmt", "--diff"),
    "explain client/client-5@login": ("explain", "client/client-5@login", "-f"),
    "graph --format mermaid": ("graph", "--format", "mermaid", "-f"),
    "graph --format svg": ("graph", "--format", "svg", "-f"),
    "graph --target client/client-5": ("graph", "--target", "client/client-5", "-f"),
}


def run_command(arguments: tuple[str, ...], path: Path) -> dict[str, float]:
    """Run a command on a file: its CPU seconds and the megabytes of its process."""
    file = path.with_suffix(".bad.yaml") if arguments[-1] == "mistake" else path
    words = [word for word in arguments if word != "mistake"]
    script = (
        "import json, resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps({'total': used.ru_utime + used.ru_stime, 'memory': used.ru_maxrss / 1024}))\n"
    )
    command = [sys.executable, "-c", script, sys.executable, "-m", "oauthdeploy", *words, str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "P": "secret"})
    found: dict[str, float] = json.loads(done.stdout)
    return found


def compare_commands(sizes: list[int]) -> None:
    """Print one line for each command and size."""
    print("\ncommand                           clients   CPU s  MB RSS  of validate  growth (1.0 is linear)")
    before: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for position, size in enumerate(sizes):
            path = Path(folder) / f"{size}.yaml"
            text = manifest(size)
            path.write_text(text, encoding="utf-8")
            key = f"  client-{size // 2}:\n"
            path.with_suffix(".bad.yaml").write_text(text.replace(key, f"{key}    tipe: public\n"), encoding="utf-8")
            validating = 0.0
            for name, arguments in COMMANDS.items():
                found = run_command(arguments, path)
                validating = validating or found["total"]
                growth = f"{found['total'] / before[name] / (size / sizes[position - 1]):.2f}" if name in before else ""
                before[name] = found["total"]
                print(
                    f"{name:32s} {size:8d} {found['total']:7.2f} {found['memory']:7.0f} "
                    f"{found['total'] / validating:12.1f}  {growth}"
                )


def main(sizes: list[int]) -> None:
    """Print one line for each size."""
    results: list[tuple[int, dict[str, float]]] = []
    print("clients      MB   CPU s  load s  MB RSS  objects  load/bare parse  growth of load (1.0 is linear)")
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            path = Path(folder) / f"{size}.yaml"
            path.write_text(manifest(size), encoding="utf-8")
            child = subprocess.run(
                [sys.executable, __file__, "--measure", str(path)], check=True, capture_output=True, text=True
            )
            found = json.loads(child.stdout)
            growth = ""
            if results:
                before, last = results[-1]
                growth = f"{found['load'] / last['load'] / (size / before):.2f}"
            megabytes = path.stat().st_size / 1e6
            print(
                f"{size:7d} {megabytes:7.2f} {found['total']:7.2f} {found['load']:7.2f} {found['memory']:7.0f} "
                f"{found['objects']:8.0f} {found['load'] / found['parse']:16.1f}  {growth}"
            )
            results.append((size, found))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        sizes = [int(argument) for argument in sys.argv[1:]] or [1000, 10_000, 100_000]
        main(sizes)
        compare_commands([size for size in sizes if size <= 10_000])
