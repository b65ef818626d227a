"""Runs the catalogue under traffic, judges every answer and counts what was wrong."""

from __future__ import annotations

import asyncio
import copy
import json
import math
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from oauthdeploy.drivers.registry import driver_facts
from tests.traffic.catalogue import Manifest, Step, steps
from tests.traffic.estates import Estate
from tests.traffic.generator import Traffic
from tests.traffic.judge import Call, How, Question, Span, Verdict, View, judge

WORKERS = 8
_WRITE = 0.1
"""Seconds that a write takes at most, about."""
_NATURAL = ("name", "version")
Say = Callable[[str], None]
_ALLOWED = ("--allow", "undoes-cut-off", "--allow", "empty-section")
_APPLY = ("apply", "--yes", *_ALLOWED, "-o", "json")
_INTERRUPTIONS = tuple(one.what for facts in driver_facts().values() for one in facts.interruptions)


@dataclass(frozen=True)
class Wrong:
    """A wrong answer, and what the plan said of it beforehand; "" where it said nothing."""

    change: str
    call: Call
    verdict: Verdict
    announced: str = ""


@dataclass
class Row:
    """What became of the calls during one kind of change, over all rounds of the catalogue."""

    change: str
    calls: int = 0
    during: int = 0
    wrong: list[Wrong] = field(default_factory=list)

    def count(self, verdict: Verdict) -> int:
        """The wrong answers of a kind that no plan announced."""
        return sum(one.verdict is verdict and not one.announced for one in self.wrong)

    @property
    def announced(self) -> int:
        """The wrong answers that the plan announced."""
        return sum(bool(one.announced) for one in self.wrong)

    @property
    def longest(self) -> float:
        """The longest time, in milliseconds, from the first to the last of a question's wrong answers."""
        spans: dict[Question, tuple[float, float]] = {}
        for one in self.wrong:
            if not one.announced:
                begin, end = spans.get(one.call.question, (one.call.span.begin, one.call.span.end))
                spans[one.call.question] = min(begin, one.call.span.begin), max(end, one.call.span.end)
        return max((end - begin for begin, end in spans.values()), default=0.0) * 1000


@dataclass(frozen=True)
class Result:
    """What a run of the catalogue came to."""

    estate: str
    limit: int | None
    rows: Sequence[Row]
    killed: int
    requests: int
    seconds: float

    @property
    def wrong_refusals(self) -> int:
        return sum(row.count(Verdict.WRONG_REFUSAL) for row in self.rows)

    @property
    def wrong_grants(self) -> int:
        return sum(row.count(Verdict.WRONG_GRANT) for row in self.rows)

    def figures(self) -> dict[str, Any]:
        """The figures as JSON; `longest_ms` is the longest time between two unannounced wrong answers to one question."""
        calls = sum(row.calls for row in self.rows)
        announced = Counter((one.change, str(one.verdict), one.announced) for row in self.rows for one in row.wrong)
        return {
            "estate": self.estate,
            "limit": self.limit,
            "calls": calls,
            "during": sum(row.during for row in self.rows),
            "requests": self.requests,
            "killed": self.killed,
            "wrong_refusals": self.wrong_refusals,
            "wrong_grants": self.wrong_grants,
            "longest_ms": max((row.longest for row in self.rows), default=0.0),
            "announced": sum(row.announced for row in self.rows),
            "seconds": round(self.seconds, 1),
            "calls_per_second": round(calls / self.seconds, 1),
            "exceptions": [
                {"change": change, "verdict": verdict, "plan": said, "calls": count}
                for (change, verdict, said), count in sorted(announced.items())
                if said
            ],
        }


def questions(old: Manifest, new: Manifest, *, renames_in_place: bool, own_ids: bool = False) -> Sequence[Question]:
    """What is asked during a change: of every client that either manifest has, by each scope, and by whichever scope opens it."""
    views = View(old), View(new)
    moved = {entry["moved_from"]: key for key, entry in new["clients"].items() if "moved_from" in entry}
    scopes = list(dict.fromkeys((*old["scopes"], *new["scopes"])))
    targets = list(dict.fromkeys(target for view in views for scope in scopes for target in view.opened_by(scope)))
    found: list[Question] = []
    for client in dict.fromkeys((*old["clients"], *new["clients"])):
        keys = (client, moved[client]) if client in moved else (client,)
        entry = new["clients"].get(keys[-1]) or old["clients"][client]
        hows = [How.REFRESHED] if "refresh_token" in entry["grants"] else [How.FRESH, How.HELD]
        mine = tuple(dict.fromkeys(scope for view in views for key in keys for scope in view.scopes_of(key)))
        single = keys if renames_in_place else (client,)
        if own_ids and client not in moved and _is_made_anew(old["clients"].get(client), new["clients"].get(keys[-1])):
            hows = [how for how in hows if how is How.FRESH]
        if not mine or (renames_in_place and client in moved.values()):
            continue
        for server, service in targets:
            found += [Question(single, (scope,), server, service, how) for how in hows for scope in mine]
            if How.FRESH in hows:
                # Those that opened it first: where they no longer do, the others must already.
                former = [scope for scope in mine if (server, service) in views[0].opened_by(scope)]
                found.append(Question(keys, tuple(dict.fromkeys((*former, *mine))), server, service))
    return list(dict.fromkeys(found))


def _is_made_anew(old: Manifest | None, new: Manifest | None) -> bool:
    """Whether servers that tell clients by name and version get another client; the tokens of the one before end with it."""
    return old is not None and new is not None and any(old.get(path) != new.get(path) for path in _NATURAL)


@dataclass
class Run:
    """Traffic through one estate."""

    estate: Estate
    traffic: Traffic
    kill: str = "never"
    """Which applies are killed halfway: `never`, `every-other` (from the first on; in the next round the others) or `always`."""
    around: int = 120
    """Calls before and after each change, and between a kill and the second apply."""
    only: Sequence[str] | None = None
    say: Say = lambda _line: None
    rows: dict[str, Row] = field(default_factory=dict)
    views: tuple[View, View] | None = None
    until: float = math.inf
    """When to begin no further change, by the monotonic clock."""
    round: int = 0
    killed: int = 0
    _applied: Manifest = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._applied = copy.deepcopy(self.estate.manifest)

    @property
    def calls(self) -> int:
        """Calls that were judged so far."""
        return sum(row.calls for row in self.rows.values())

    def issuers(self, server: str) -> Sequence[str]:
        """The authorization servers of a resource server: that of before, then that of afterwards."""
        assert self.views is not None
        return [each for each in dict.fromkeys(view.issuer(server) for view in self.views) if each is not None]

    def never_allowed(self, question: Question) -> bool:
        """Whether neither manifest allows it."""
        assert self.views is not None
        return not any(view.allows(question) for view in self.views)

    async def once(self, base: Manifest) -> None:
        """Go through the catalogue; a step that is left out is made along with the next one."""
        self.round += 1
        for index, step in enumerate(steps(base, left_out=self.estate.left_out)):
            if time.monotonic() > self.until:
                return
            if self.only is None or step.name in self.only:
                kills = self.kill == "always" or (self.kill == "every-other" and (self.round + index) % 2 == 1)
                await self.change(step, kills=kills)
            else:
                step.make(self.estate.manifest)

    async def change(self, step: Step, *, kills: bool) -> None:
        """Make one change under traffic and judge what was answered."""
        estate, traffic = self.estate, self.traffic
        old = self._applied
        step.make(estate.manifest)
        new = copy.deepcopy(estate.manifest)
        self.views = View(old), View(new)
        traffic.calls = []
        asked = questions(old, new, renames_in_place=estate.renames_in_place, own_ids=estate.own_ids)
        await traffic.hold(asked)
        estate.write()
        async with traffic.flowing(WORKERS):
            await traffic.more(self.around)
            begin = time.monotonic()
            said = await self._apply(step, kills=kills)
            estate.learn()
            span = Span(begin, time.monotonic())
            await traffic.more(self.around)
        self._judge(step, traffic.calls, span, said)
        self.say(f"{step.name}: {len(traffic.calls)} calls, {self.calls} in all")
        self._applied = new

    async def _apply(self, step: Step, *, kills: bool) -> Mapping[str, Any]:
        plan = await self._command("plan", *_ALLOWED, "-o", "json")
        if kills:
            killed = await self._killed(len(plan["changes"]))
            self.say(f"{step.name}: killed after {killed} of {len(plan['changes'])} changes")
            await self.traffic.more(self.around)
            if killed and self.killed % 2:
                await self._command(*_APPLY, "--resume")
            await self._command(*_APPLY)
            left = await self._command("plan", *_ALLOWED, "-o", "json")
            assert not left["changes"], f"{step.name}: left to do after a kill and an apply: {left['changes']}"
        else:
            await self._command(*_APPLY)
        return plan

    async def _command(self, *arguments: str) -> Mapping[str, Any]:
        process = await self._start(*arguments)
        out, err = await process.communicate()
        assert out, f"{arguments}: {process.returncode}\n{err.decode()}"
        document: Mapping[str, Any] = json.loads(out)
        assert process.returncode == 0, f"{arguments}: {process.returncode}\n{out.decode()}\n{err.decode()}"
        return document

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OAUTHDEPLOY_")}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "oauthdeploy", *arguments),
            cwd=self.estate.folder,
            env={**inherited, **self.estate.environment, "NO_COLOR": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2**24,
        )

    async def _killed(self, changes: int) -> int:
        """Start an apply and kill it when some of its changes have been made; another number each time. Gives the number."""
        self.killed += 1
        after = self.killed % max(1, changes) if changes > 1 else 0
        process = await self._start(*_APPLY[:-1], "ndjson")
        assert process.stdout is not None
        done = 0
        while line := await process.stdout.readline():
            event = json.loads(line)
            done = event.get("done", 0)
            if event["type"] not in ("version", "summary") and done >= after:
                # Some way into the next write: a different one each time.
                await asyncio.sleep(self.killed * 0.37 % 1 * _WRITE)
                break
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()
        return done

    def _judge(self, step: Step, calls: Iterable[Call], span: Span, plan: Mapping[str, Any]) -> None:
        assert self.views is not None
        row = self.rows.setdefault(step.name, Row(step.name))
        for call in calls:
            row.calls += 1
            row.during += call.span.end >= span.begin and call.span.begin <= span.end
            verdict = judge(call, *self.views, span)
            if verdict is not Verdict.RIGHT:
                wrong = Wrong(step.name, call, verdict, announced(call, verdict, plan))
                row.wrong.append(wrong)
                if not wrong.announced:
                    at = (call.span.begin - span.begin) * 1000
                    self.say(f"{step.name}: {verdict} of {call.question} at {at:.0f} ms: {call.detail}")


def announced(call: Call, verdict: Verdict, plan: Mapping[str, Any]) -> str:
    """The sentence of the plan that said so: tokens that stay valid, or what does not work while a change is made."""
    for change in plan.get("changes", ()):
        if verdict is Verdict.WRONG_GRANT and _opens_for_a_while(change, call.question):
            return str(change["note"])
        name = change["address"].partition("/")[2]
        about = any(name.startswith((f"{client}@", f"{client}:")) for client in call.question.clients)
        if not about and not change["address"].startswith("settings@"):
            continue
        note = str(change.get("note", ""))
        if verdict is Verdict.WRONG_GRANT and call.question.how is not How.FRESH and " valid " in note:
            return note
        if verdict is Verdict.WRONG_REFUSAL and any(sentence in note for sentence in _INTERRUPTIONS):
            return note
    return ""


def _opens_for_a_while(change: Mapping[str, Any], question: Question) -> bool:
    """Whether the plan says at a scope of the question that it is also open to the client until the apply is through."""
    kind, _, rest = change["address"].partition("/")
    note = str(change.get("note", ""))
    return (
        kind == "scope"
        and rest.rpartition("@")[0] in question.scopes
        and "also open to" in note
        and question.service in note
        and any(client in note for client in question.clients)
    )


async def measure(
    estate: Estate,
    limit: int | None = None,
    *,
    calls: int,
    kill: str = "never",
    around: int = 120,
    only: Sequence[str] | None = None,
    say: Say = lambda _line: None,
    seconds: float = math.inf,
) -> Result:
    """Go through the catalogue, or some steps of it, until so many calls are judged or so many seconds are over."""
    base = copy.deepcopy(estate.manifest)
    waiting = aiohttp.ClientTimeout(total=60)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=waiting, cookie_jar=aiohttp.DummyCookieJar()) as http:
        traffic = Traffic(
            estate, http, lambda server: run.issuers(server), lambda question: run.never_allowed(question)
        )
        run = Run(estate, traffic, kill, around, only, say)
        estate.write()
        await run._command("apply", "--yes", "-o", "json")
        estate.learn()
        begin = time.monotonic()
        run.until = begin + seconds
        while run.calls < calls and time.monotonic() < run.until:
            await run.once(base)
    return Result(estate.name, limit, list(run.rows.values()), run.killed, traffic.requests, time.monotonic() - begin)


def table(result: Result) -> Iterator[str]:
    """The rows as lines of text, with the sum and the exceptions that the plans announced."""
    figures = result.figures()
    yield (
        f"{result.estate}, limit {result.limit or 'none'}: {figures['calls']} calls ({result.requests} requests) in "
        f"{result.seconds:.0f} s, {result.killed} applies killed"
    )
    heads = ("change", "calls", "meanwhile", "wrong refusals", "wrong grants", "longest ms", "announced")
    yield "  ".join((heads[0].ljust(28), *heads[1:]))
    lines = [
        (
            row.change,
            row.calls,
            row.during,
            row.count(Verdict.WRONG_REFUSAL),
            row.count(Verdict.WRONG_GRANT),
            row.longest,
            row.announced,
        )
        for row in result.rows
    ]
    names = ("calls", "during", "wrong_refusals", "wrong_grants", "longest_ms", "announced")
    for name, *numbers in (*lines, ("all", *(figures[each] for each in names))):
        yield "  ".join(
            (
                str(name).ljust(28),
                *(f"{number:.0f}".rjust(len(head)) for number, head in zip(numbers, heads[1:], strict=True)),
            )
        )
    for one in figures["exceptions"]:
        yield f"announced, {one['calls']} times, {one['verdict']}, {one['change']}: {one['plan']}"
