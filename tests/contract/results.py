"""The committed results of the contract suite, and the run that holds itself against them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock
from msgspec.structs import replace

from oauthdeploy.testing import ContractSuite, Site, Verdict
from oauthdeploy.testing.matrix import SiteResults
from oauthdeploy.testing.scenarios import SCENARIOS

FOLDER = Path(__file__).parents[2] / "docs" / "contract"
HOW = "CONTRACT=write pytest tests/contract && python -m tests.contract.page"


def committed() -> list[SiteResults]:
    """All results, by name of the site."""
    return [
        SiteResults.from_text(path.stem, path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))
    ]


class OurSuite(ContractSuite):
    """The suite, which tells when a result is another than the committed one. `CONTRACT=write` commits those of the run."""

    def record_verdict(self, site: Site, verdict: Verdict) -> None:
        path = FOLDER / f"{site.name}.json"
        if os.environ.get("CONTRACT") == "write":
            with FileLock(Path(tempfile.gettempdir()) / f"oauthdeploy-contract-{site.name}.lock"):
                _write(path, site, verdict)
            return
        if not verdict.good:
            return
        if not path.exists():
            pytest.fail(f"no results of {site.name} are committed; write them: {HOW}", pytrace=False)
        known = SiteResults.from_text(path.stem, path.read_text(encoding="utf-8"))
        was = known.results.get(verdict.scenario)
        if was is not verdict.result or known.server != verdict.server:
            pytest.fail(
                f"{verdict.scenario} is '{verdict.result}' on {verdict.server}; docs/contract/{path.name} says '{was}' on"
                f" {known.server}. Where that is right: {HOW}\n{verdict.detail}",
                pytrace=False,
            )


def _write(path: Path, site: Site, verdict: Verdict) -> None:
    path.parent.mkdir(exist_ok=True)
    made = SiteResults.of(site, [verdict])
    if path.exists():
        known = SiteResults.from_text(path.stem, path.read_text(encoding="utf-8"))
        results = {**known.results, **made.results}
        made = replace(made, results={name: results[name] for name in SCENARIOS if name in results})
    path.write_text(made.to_text(), encoding="utf-8")
