"""What the program reports besides the rules of the manifest: findings of plans, servers and runs, and its own errors.

A rule of the manifest is described beside its check. These findings are raised all over the program, with the names and numbers
of the case; here is what is true of every case. A test checks that each id in the program is described here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from oauthdeploy.manifest.explaining.notices import commands, operator, planning, reports, running, safety, servers
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.explanation import DRIVER, SAFETY, Notice, RuleFacts

_GROUPS: Final[tuple[tuple[str, tuple[Notice, ...]], ...]] = (
    (SAFETY, safety.NOTICES),
    ("planning", planning.NOTICES),
    ("servers", servers.NOTICES),
    ("running", running.NOTICES),
    ("reports", reports.NOTICES),
    ("commands", commands.NOTICES),
    ("operator", operator.NOTICES),
)


def all_notices(drivers: Mapping[str, DriverFacts]) -> Mapping[str, RuleFacts]:
    """Every id with its explanation, group by group; each known driver is a group of its own."""
    own = ((f"{DRIVER} {name}", facts.notices) for name, facts in sorted(drivers.items()))
    return {facts.id: facts for facts in _facts((*_GROUPS, *own))}


def _facts(groups: Iterable[tuple[str, Iterable[Notice]]]) -> Iterator[RuleFacts]:
    for group, notices in groups:
        for id, severity, title, reason, fix in notices:
            yield RuleFacts(id, severity, title, reason, "", fix, "", "", group=group)
