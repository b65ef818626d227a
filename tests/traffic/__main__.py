"""`python -m tests.traffic`: measure an estate under traffic and print a table."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.traffic.estates import ESTATES
from tests.traffic.judge import Verdict
from tests.traffic.measure import measure, table


def main() -> int:
    """Measure as the arguments say; 1 where an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.traffic", description=__doc__)
    parser.add_argument("--estate", choices=sorted(ESTATES), default="embedded")
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--around", type=int, default=400, help="calls before and after each change")
    parser.add_argument(
        "--limit", type=float, default=None, help="requests a second that an apply sends to each server"
    )
    parser.add_argument("--kill", action="store_true", help="kill each apply half way, then apply again")
    parser.add_argument("--only", action="append", help="a change of the catalogue; repeatable")
    options = parser.parse_args()

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ESTATES[options.estate](Path(folder), limit=options.limit) as estate:
        rows = asyncio.run(
            measure(estate, calls=options.calls, kill=options.kill, around=options.around, only=options.only, say=say)
        )
    how = f"{options.estate}, limit {options.limit or 'none'}, {'killed' if options.kill else 'not killed'}"
    sys.stdout.write("\n".join((how, *table(rows), f"{time.monotonic() - begin:.0f} s", "")))
    return int(any(row.count(Verdict.WRONG_REFUSAL) + row.count(Verdict.WRONG_GRANT) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
