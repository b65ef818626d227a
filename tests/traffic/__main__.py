"""`python -m tests.traffic`: count wrong answers under traffic, and print a table; as JSON with --json."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.servers import keycloak
from tests.traffic.estates import ESTATES as EMBEDDED
from tests.traffic.hydra_estates import ESTATES as HYDRA
from tests.traffic.keycloak_estates import ESTATES as KEYCLOAK
from tests.traffic.measure import Result, measure, table

ESTATES = {**EMBEDDED, **KEYCLOAK, **HYDRA}
PAIRS = ("embedded", "keycloak-opa", "keycloak-webmethods")
LIMITS = {"none": None, "2": 2}


def main() -> int:
    """Measure as the arguments say; 1 where an answer was wrong that no plan announced."""
    parser = argparse.ArgumentParser(prog="python -m tests.traffic", description=__doc__)
    parser.add_argument(
        "--estate", action="append", choices=sorted(ESTATES), help=f"repeatable; default: {', '.join(PAIRS)}"
    )
    parser.add_argument(
        "--limit",
        action="append",
        choices=sorted(LIMITS),
        help="requests a second that an apply sends to each server; repeatable; default: each of them",
    )
    parser.add_argument("--calls", type=int, default=100_000, help="calls for each pair of servers, over its limits")
    parser.add_argument("--minutes", type=float, help="begin no further change after that time; for each limit")
    parser.add_argument("--around", type=int, default=100, help="calls before and after each change")
    parser.add_argument(
        "--kill",
        choices=("never", "every-other", "always"),
        default="every-other",
        help="applies that are killed; every-other: those that one round kills, the next does not",
    )
    parser.add_argument("--only", action="append", help="a change of the catalogue; repeatable")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    limits = options.limit or sorted(LIMITS, reverse=True)
    found: list[Result] = []
    with ExitStack() as stack:
        given = _servers(stack, options.estate or PAIRS)
        for estate in options.estate or PAIRS:
            for limit in limits:
                found.append(_measured(estate, LIMITS[limit], options, options.calls // len(limits), given))
                sys.stdout.write("\n".join((*table(found[-1]), "", "")))
                sys.stdout.flush()
                if options.json:
                    options.json.write_text(json.dumps(document(found), indent=2) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join((*summary(found), "")))
    return int(any(result.wrong_refusals + result.wrong_grants for result in found))


def _servers(stack: ExitStack, estates: Sequence[str]) -> Mapping[str, Any]:
    """What several estates share: a Keycloak takes longer to start than all the others."""
    if not set(estates) & set(KEYCLOAK):
        return {}
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    server = keycloak.launch(folder, os.getpid())
    stack.callback(server.process.stop)
    return {"keycloak": server}


def _measured(
    name: str, limit: int | None, options: argparse.Namespace, calls: int, servers: Mapping[str, Any]
) -> Result:
    def say(line: str) -> None:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {name}, limit {limit or 'none'}: {line}\n")
        sys.stderr.flush()

    more = servers if name in KEYCLOAK else {}
    with tempfile.TemporaryDirectory() as folder, ESTATES[name](Path(folder), limit=limit, **more) as estate:
        return asyncio.run(
            measure(
                estate,
                limit,
                calls=calls,
                kill=options.kill,
                around=options.around,
                only=options.only,
                say=say,
                seconds=(options.minutes or math.inf) * 60,
            )
        )


def document(results: Sequence[Result]) -> dict[str, Any]:
    """The figures as JSON."""
    return {"format": "oauthdeploy/traffic", "format_version": "1.0", "runs": [result.figures() for result in results]}


def summary(results: Sequence[Result]) -> Iterator[str]:
    """A line of Markdown for each run."""
    heads = (
        "servers",
        "limit",
        "calls",
        "during an apply",
        "killed applies",
        "wrong refusals",
        "wrong grants",
        "longest",
    )
    yield f"| {' | '.join((*heads, 'announced', 'calls/s'))} |"
    yield "|---" * (len(heads) + 2) + "|"
    for result in results:
        one = result.figures()
        limit = "none" if one["limit"] is None else f"{one['limit']:g}"
        yield (
            f"| {one['estate']} | {limit} | {one['calls']:,} | {one['during']:,} | {one['killed']} "
            f"| {one['wrong_refusals']} | {one['wrong_grants']} | {one['longest_ms']:.0f} ms | {one['announced']} "
            f"| {one['calls_per_second']:.0f} |"
        )


if __name__ == "__main__":
    sys.exit(main())
