"""The contract suite: the same scenarios for every driver, on its real server.

A driver's author writes a `Site` (how its server is started, emptied and queried) and a subclass of `ContractSuite`;
`docs/writing-a-driver.md` shows how. Needs pytest (extra `testing`).
"""

from __future__ import annotations

from oauthdeploy.core.extras import needs_extra

with needs_extra("testing", "`oauthdeploy.testing`"):
    from oauthdeploy.testing.field_support import broken_promises
    from oauthdeploy.testing.scenarios import SCENARIOS, Scenario
    from oauthdeploy.testing.site import Site
    from oauthdeploy.testing.suite import ContractSuite
    from oauthdeploy.testing.verdicts import Result, Verdict, judge

__all__ = ["SCENARIOS", "ContractSuite", "Result", "Scenario", "Site", "Verdict", "broken_promises", "judge"]
