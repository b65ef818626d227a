"""Runs a scenario and returns the verdict."""

from __future__ import annotations

import traceback
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.model.capabilities import Answer, Support, no
from oauthdeploy.testing.harness import Bench, Breach, answered
from oauthdeploy.testing.scenarios import NoHook, NotDeclared, Scenario
from oauthdeploy.testing.site import Site


class Result(StrEnum):
    """The result of a scenario."""

    WORKS = "works"
    FAILS = "fails"
    NO = "no"
    """Declared no; it was tried all the same and did not work."""
    WRONG_YES = "wrong yes"
    WRONG_NO = "wrong no"
    UNTESTED_WORKS = "untested, works"
    UNTESTED_FAILS = "untested, fails"
    LEFT_OUT = "left out"
    """Declared no by choice; nothing was tried."""
    NOT_OFFERED = "not offered"
    """It needs what the server is declared not to support."""
    NO_HOOK = "no hook"
    """The site cannot do what the scenario needs without the driver; nothing is proved."""


BAD = frozenset({Result.FAILS, Result.WRONG_YES, Result.WRONG_NO})
"""Results that a driver's author has to act on."""


class Verdict(Struct, frozen=True):
    """The result of one scenario, why, how many requests the server received, and the product it reports."""

    scenario: str
    result: Result
    detail: str = ""
    requests: int = 0
    server: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing has to be done about it."""
        return self.result not in BAD


def judge(scenario: Scenario, site: Site, folder: Path) -> Verdict:
    """Run one scenario on a site that was emptied before; `folder` is for journals."""
    site.reset()
    with Bench(site, folder) as bench:
        report = bench.report()
    server = site.server_version or f"{report.product} {report.version}".strip()
    table = {
        **answered(report, site.info.facts, site),
        **{able: no(reason) for able, reason in site.lacks.items()},
    }
    missing = sorted(need for need in scenario.needs if not table[need])
    if missing:
        notes = "; ".join(f"{need}: {table[need].note or 'no'}" for need in missing)
        return Verdict(scenario.name, Result.NOT_OFFERED, notes, server=server)
    declared = table[scenario.proves] if scenario.proves is not None else None
    if declared is not None and declared.deliberate:
        return Verdict(scenario.name, Result.LEFT_OUT, f"{scenario.proves}: {declared.note}", server=server)
    opened = frozenset({scenario.proves}) if scenario.proves is not None and not declared else frozenset[str]()
    with Bench(site, folder, opened, table) as bench:
        trouble: Exception | None = None
        try:
            scenario.run(bench)
            bench.finish()
        except NotDeclared as problem:
            return Verdict(scenario.name, Result.NOT_OFFERED, str(problem), len(bench.proxy.seen()), server)
        except NoHook as problem:
            # What is declared no and cannot be tried counts as a no.
            result = Result.NO if opened else Result.NO_HOOK
            why = f"the site has no hook: {problem}"
            return Verdict(scenario.name, result, why, len(bench.proxy.seen()), server)
        except Exception as problem:  # noqa: BLE001 - whatever a driver of others may raise is the verdict
            trouble = problem
        history = _log(bench, trouble)
        return Verdict(scenario.name, _result(declared, trouble), history, len(bench.proxy.seen()), server)


def _result(declared: Support | None, trouble: Exception | None) -> Result:
    if declared is None:
        return Result.WORKS if trouble is None else Result.FAILS
    match declared.answer:
        case Answer.YES:
            return Result.WORKS if trouble is None else Result.WRONG_YES
        case Answer.NO:
            return Result.WRONG_NO if trouble is None else Result.NO
        case Answer.UNTESTED:
            return Result.UNTESTED_WORKS if trouble is None else Result.UNTESTED_FAILS


def _log(bench: Bench, trouble: Exception | None) -> str:
    """What went wrong, the steps so far, and the last requests before it."""
    if trouble is None:
        return ""
    steps = "\n".join(f"  {number}. {title}" for number, title in enumerate(bench.story, 1))
    match trouble:
        case Breach():
            words = str(trouble)
        case OAuthDeployError():
            words = f"{type(trouble).__name__}: {trouble.summary}\n{trouble.detail}"
        case _:
            words = "".join(traceback.format_exception(trouble)[-4:]).strip()
    last = ", ".join(str(seen) for seen in bench.proxy.seen()[-5:])
    return "\n".join(part for part in (words, steps, f"  last requests: {last}" if last else "") if part)
