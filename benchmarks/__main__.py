"""`python -m benchmarks`: every command against the smallest number of requests that reaches the same end.

    python -m benchmarks [--clients 1000] [--rounds 3] [--only keycloak,opa,webmethods,many,growth]
                         [--config-cli JAR] [--tofu FILE --tofu-provider DIR] [--json FILE] [--markdown FILE] [--page]

Keycloak and OPA are those of the tests. A proxy on loopback counts requests, connections, round trips and bytes. All tools are
measured in turn in each round, and ratios are medians of the rounds, so that they hardly depend on the machine; seconds do.
`--page` writes the tables into docs/performance.md. Peers that are not installed are left out and named.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import growth, keycloak, others, tables
from benchmarks.estate import Estate
from benchmarks.measuring import Failed, Row
from benchmarks.peers import Installed
from oauthdeploy import __version__
from tests.servers import keycloak as keycloak_server
from tests.servers import opa as opa_server

PARTS: Final = ("keycloak", "webmethods", "opa", "many", "growth")


def main() -> None:
    """Measure, and write what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--scopes", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--servers", type=int, default=50, help="how many resource servers at once")
    parser.add_argument("--sizes", default="1000,10000,100000", help="clients of the work without a server")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument(
        "--config-cli", type=Path, metavar="JAR", help="keycloak-config-cli, if it is to be measured too"
    )
    parser.add_argument("--tofu", type=Path, metavar="FILE", help="OpenTofu, if it is to be measured too")
    parser.add_argument(
        "--tofu-provider", type=Path, metavar="DIR", help="the folder of its provider keycloak/keycloak"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    try:
        document = measure(given)
    except Failed as problem:
        raise SystemExit(str(problem)) from None
    text = json.dumps(document, indent=2) + "\n"
    if given.json:
        given.json.write_text(text, encoding="utf-8")
    if given.markdown:
        given.markdown.write_text(tables.markdown(document) + "\n", encoding="utf-8")
    if given.page:
        tables.PAGE.write_text(tables.with_figures(tables.PAGE.read_text(encoding="utf-8"), document), encoding="utf-8")
    sys.stdout.write(text if not given.markdown else tables.markdown(document) + "\n")


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """The figures of one run, as they are written."""
    load = f"{os.cpu_count()} cores with a load of {os.getloadavg()[1]:.0f} from other work"
    about = f"oauthdeploy {__version__} and Python {platform.python_version()} on {load}"
    chosen = [part for part in PARTS if part in given.only.split(",")]
    found: list[Row] = []
    sizes: dict[str, str] = {}
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for part in chosen:
            if part == "growth":
                continue
            for one in _rows(part, given, Path(folder, part), absent):
                sys.stderr.write(
                    f"{one.server}: {one.work}, {one.tool}: {one.seconds:.2f} s, {one.requests} requests\n"
                )
                found.append(one)
                sizes.setdefault(one.server, _size(part, given))
    offline = list(growth.growth([int(size) for size in given.sizes.split(",")])) if "growth" in chosen else []
    return {
        "about": about,
        "rounds": given.rounds,
        "absent": absent,
        "sizes": sizes,
        "rows": [one.document() for one in found],
        "growth": offline,
    }


def _size(part: str, given: argparse.Namespace) -> str:
    sizes: Mapping[str, str] = {
        "keycloak": f"{given.clients} clients with two of {given.scopes} scopes each",
        "webmethods": f"{given.clients} clients, {max(1, given.clients // 10)} scopes",
        "opa": f"{given.clients} clients, {min(50, given.clients)} scopes in one document",
        "many": "2 clients on each",
    }
    return sizes[part]


def _rows(part: str, given: argparse.Namespace, folder: Path, absent: dict[str, str]) -> Iterator[Row]:
    folder.mkdir()
    if part == "webmethods":
        yield from others.webmethods(given.clients, given.rounds, folder)
    elif part == "keycloak":
        server = keycloak_server.launch(folder / "server", os.getpid(), keycloak_server.HEAP_OF_MANY_RUNS)
        try:
            estate = Estate(given.clients, given.scopes)
            yield from keycloak.rows(
                server,
                estate,
                given.rounds,
                folder / "rounds",
                absent,
                installed=None if given.no_peers else Installed(given.config_cli, given.tofu, given.tofu_provider),
            )
        finally:
            server.process.stop()
    else:
        opa = opa_server.launch(folder / "server")
        try:
            if part == "opa":
                yield from others.opa(opa, given.clients, given.rounds, folder / "rounds")
            else:
                yield from others.many(opa, given.servers, 0.1, given.rounds, folder / "rounds")
        finally:
            opa.process.stop()


if __name__ == "__main__":
    main()
