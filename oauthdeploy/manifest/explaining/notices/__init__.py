"""What the program can say besides the rules of the manifest: findings of plans, servers and runs, and its own errors.

A rule of the manifest stands beside the function that finds its breaches. These are raised all over the program, with the names
and numbers of the case at hand; here stands what is true of every case. A test holds that each id the program raises is here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from oauthdeploy.manifest.explaining.notices import commands, planning, reports, running, safety, servers
from oauthdeploy.model.explanation import SAFETY, RuleFacts

_GROUPS = (
    (SAFETY, safety.NOTICES),
    ("planning", planning.NOTICES),
    ("servers", servers.NOTICES),
    ("running", running.NOTICES),
    ("reports", reports.NOTICES),
    ("commands", commands.NOTICES),
)


@cache
def all_notices() -> Mapping[str, RuleFacts]:
    """Every id with its explanation, group by group."""
    return {facts.id: facts for facts in _facts()}


def _facts() -> Iterator[RuleFacts]:
    for group, notices in _GROUPS:
        for id, severity, title, reason, fix in notices:
            yield RuleFacts(id, severity, title, reason, "", fix, "", "", group=group)
