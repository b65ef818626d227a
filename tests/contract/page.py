"""`python -m tests.contract.page` writes docs/drivers.md from the tables of the drivers and the committed results."""

from __future__ import annotations

from pathlib import Path

from oauthdeploy.drivers.registry import BUILT_IN, driver_facts
from oauthdeploy.testing.matrix import page
from tests.contract.results import committed

PAGE = Path(__file__).parents[2] / "docs" / "drivers.md"


def text() -> str:
    """The page as it must be."""
    return page([driver_facts()[name] for name in sorted(BUILT_IN)], committed())


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
