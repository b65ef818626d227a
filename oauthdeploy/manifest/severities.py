"""The severities of findings: `--error`, `--warn`, `--ignore`, and `# oauthdeploy: ignore[rule-id] reason` beside a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace
from yaml import YAMLError

from oauthdeploy.core.diagnostics import Diagnostic, Severity, SourceSpan
from oauthdeploy.manifest.rules import CATALOGUE
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.suggestions import did_you_mean
from oauthdeploy.manifest.yaml_reader import scalar_ranges
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.explanation import DRIVER, SAFETY

_MARK = "oauthdeploy: ignore"
_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*oauthdeploy: ignore(?:\[([^\]\n]*)\])?(.*)$")
_OF_PLANS = ("planning", "servers")
"""The groups of findings whose severity is set once there is a plan."""
_NO_DRIVERS: Mapping[str, DriverFacts] = MappingProxyType({})
_WEIGHTS: Mapping[str, Severity | None] = {"error": Severity.ERROR, "warning": Severity.WARNING, "ignore": None}


def is_structural(rule: str) -> bool:
    """True for the rules of reading itself: nothing can be done with a manifest that violates one, so they always count."""
    return rule in CATALOGUE and CATALOGUE[rule].structural


def _group(rule: str, drivers: Mapping[str, DriverFacts]) -> str | None:
    """The group of a finding that is not a manifest rule; None if there is none with the name."""
    # Imported late: the texts are needed only if somebody names such a finding.
    from oauthdeploy.manifest.explaining.notices import all_notices

    facts = all_notices(drivers).get(rule)
    return facts.group if facts is not None else None


def changeable() -> list[str]:
    """The rules whose severity a manifest and the command line can change."""
    from oauthdeploy.manifest.explaining.notices import all_notices

    of_plans = [rule for rule, facts in all_notices({}).items() if facts.group in _OF_PLANS]
    return [rule for rule in CATALOGUE if not is_structural(rule)] + of_plans


@lru_cache(maxsize=256)
def _meant(rule: str) -> str:
    """The fix for an unknown rule; cached, since one mistake may be in thousands of comments."""
    return did_you_mean(rule, changeable(), what="Rules are")


def unchangeable(rule: str, drivers: Mapping[str, DriverFacts]) -> tuple[str, str] | None:
    """Why the severity of a rule cannot be changed, and what to do; None if it can. Drivers have their own findings."""
    if is_structural(rule):
        return (
            f"The rule '{rule}' is part of reading a manifest; its severity cannot be changed.",
            "Correct what it reports.",
        )
    if rule in CATALOGUE:
        return None
    group = _group(rule, drivers)
    if group is None:
        return f"There is no rule '{rule}'.", _meant(rule)
    if group in _OF_PLANS or group.startswith(DRIVER):
        return None
    if group == SAFETY:
        return f"The rule '{rule}' is a safety stop, which cannot be ignored.", f"Lift it for one run: --allow {rule}"
    return f"The rule '{rule}' says what happened in a run; its severity cannot be changed.", "Fix what it reports."


_LIFTABLE = ("changed-since", "manifest-changed", "server-moved", "servers-not-recorded")
"""Rules of runs that `--allow` lifts in addition to the safety rules."""


def liftable(drivers: Mapping[str, DriverFacts]) -> list[str]:
    """The rules that `--allow` can lift. A driver's lockouts may have their own."""
    from oauthdeploy.manifest.explaining.notices import all_notices

    groups = {one: facts.group for one, facts in all_notices(drivers).items()}
    return [one for one, group in groups.items() if group == SAFETY or group.startswith(DRIVER) or one in _LIFTABLE]


def not_liftable(rule: str, drivers: Mapping[str, DriverFacts]) -> str:
    """Why `--allow` cannot lift a rule; "" if it can."""
    from oauthdeploy.manifest.explaining.notices import all_notices

    able = liftable(drivers)
    if rule in able:
        return ""
    if rule in all_notices(drivers) or rule in CATALOGUE:
        return f"The rule '{rule}' is not a safety stop, so --allow cannot lift it."
    return f"There is no safety stop '{rule}'. {did_you_mean(rule, able, what='Safety stops are')}"


def apply_severities(
    items: Iterable[Diagnostic], wanted: Mapping[str, str], drivers: Mapping[str, DriverFacts] = _NO_DRIVERS
) -> list[Diagnostic]:
    """Set the severity of the findings. An id that is unknown, or whose severity cannot be changed, is a finding itself."""
    kept: list[Diagnostic] = []
    for rule, word in wanted.items():
        if word not in _WEIGHTS:
            fix = did_you_mean(word, list(_WEIGHTS), what="Severities are")
            kept.append(_problem("not-allowed-value", f"'{word}' is not a severity for the rule '{rule}'.", fix))
        elif problem := unchangeable(rule, drivers):
            known = is_structural(rule) or not problem[0].startswith("There is no")
            kept.append(_problem("not-allowed-value" if known else "unknown-reference", *problem))
    return [*kept, *weighed(items, wanted, drivers)]


def weighed(
    items: Iterable[Diagnostic], wanted: Mapping[str, str], drivers: Mapping[str, DriverFacts]
) -> Iterable[Diagnostic]:
    """The findings with the requested severities, without those that are ignored."""
    weights = {
        rule: _WEIGHTS[word] for rule, word in wanted.items() if word in _WEIGHTS and not unchangeable(rule, drivers)
    }
    for item in items:
        if item.rule not in weights:
            yield item
        elif (severity := weights[item.rule]) is not None:
            yield replace(item, severity=severity)


def _problem(rule: str, detail: str, fix: str) -> Diagnostic:
    return Diagnostic(rule, "A severity cannot be set", detail, fix)


# -- comments ---------------------------------------------------------------------------------------------------------


class _Ignore(Struct, frozen=True):
    """One comment: the file, its line, the line that it applies to, its rules and its reason."""

    source: Source
    line: int
    column: int
    target: int
    rules: tuple[str, ...]
    reason: str


class Comments:
    """The comments of a manifest's files that ignore findings."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._all = [found for source in sources if _MARK in source.text for found in _comments(source)]
        self._places = {
            (ignore.source.name, ignore.target, rule)
            for ignore in self._all
            if ignore.rules and ignore.reason
            for rule in ignore.rules
        }

    def ignore(self, item: Diagnostic) -> bool:
        """Whether one of them ignores a finding that has its place."""
        return item.span is not None and _place(item) in self._places and not is_structural(item.rule)

    def applied(
        self, items: Iterable[Diagnostic], drivers: Mapping[str, DriverFacts] = _NO_DRIVERS
    ) -> list[Diagnostic]:
        """Remove what they ignore from the findings of a manifest. A comment without a reason, for an unknown rule, or without
        effect is a finding; whether one for a finding of plans has an effect is only known when there is a plan.
        """
        if not self._all:
            return list(items)
        used: set[tuple[str, int, str]] = set()
        kept: list[Diagnostic] = []
        for item in items:
            if self.ignore(item):
                used.add(_place(item))
            else:
                kept.append(item)
        for ignore in self._all:
            if not ignore.rules:
                kept.append(_comment_problem(ignore, "ignore-without-reason", "The comment names no rule."))
            elif not ignore.reason:
                kept.append(_comment_problem(ignore, "ignore-without-reason", "The comment gives no reason."))
            else:
                kept += [
                    found
                    for rule in ignore.rules
                    if (ignore.source.name, ignore.target, rule) not in used
                    for found in _unused(ignore, rule, drivers)
                ]
        return kept


def _place(item: Diagnostic) -> tuple[str, int, str]:
    return ("", 0, "") if item.span is None else (item.span.file, item.span.line, item.rule)


def _comments(source: Source) -> Iterable[_Ignore]:
    found = [
        (number, match)
        for number, line in enumerate(source.lines, start=1)
        if _MARK in line and (match := _COMMENT.search(line))
    ]
    inside = _inside_texts(source, [(number, match.start() + 1) for number, match in found])
    targets = _targets(source, [number for number, _ in found])
    for number, match in found:
        if (number, match.start() + 1) in inside:
            continue
        alone = not source.line(number)[: match.start()].strip()
        rules = tuple(part.strip() for part in (match[1] or "").split(",") if part.strip())
        yield _Ignore(
            source,
            number,
            match.start() + 1,
            targets[number] if alone else number,
            rules,
            match[2].strip(" \t:-"),
        )


def _targets(source: Source, numbers: list[int]) -> dict[int, int]:
    """For each line, the next one that is not a comment: comments may be stacked."""
    targets: dict[int, int] = {}
    for number in reversed(numbers):
        following = number + 1
        while following not in targets and source.line(following).lstrip().startswith("#"):
            following += 1
        targets[number] = targets.get(following, following)
    return targets


def _inside_texts(source: Source, places: list[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those of the places that are part of a string, where a # starts no comment; all of them if the file is broken."""
    inside: set[tuple[int, int]] = set()
    waiting = sorted(places, reverse=True)
    try:
        for start, end in scalar_ranges(source):
            while waiting and waiting[-1] < start:
                waiting.pop()
            while waiting and start <= waiting[-1] < end:
                inside.add(waiting.pop())
    except YAMLError:
        return set(places)
    return inside


def _unused(ignore: _Ignore, rule: str, drivers: Mapping[str, DriverFacts]) -> Iterator[Diagnostic]:
    if is_structural(rule):
        yield _comment_problem(ignore, "unused-ignore", f"The rule '{rule}' cannot be ignored.")
    elif rule in CATALOGUE:
        yield _comment_problem(
            ignore, "unused-ignore", f"Nothing here breaks the rule '{rule}'.", "Remove the comment."
        )
    elif problem := unchangeable(rule, drivers):
        yield _comment_problem(ignore, "unused-ignore", *problem)


def _comment_problem(ignore: _Ignore, rule: str, detail: str, fix: str = "") -> Diagnostic:
    summary = (
        "A comment ignores nothing"
        if rule == "unused-ignore"
        else "A comment that ignores needs a rule id and a reason"
    )
    severity = Severity.WARNING if rule == "unused-ignore" else Severity.ERROR
    span = SourceSpan(ignore.source.name, ignore.line, ignore.column)
    fix = fix or "Write: # oauthdeploy: ignore[rule-id] the reason"
    return Diagnostic(rule, summary, detail, fix, severity, span=span)
