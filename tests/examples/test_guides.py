"""The pages of the documentation that tell what to type: every command of each is run by a shell, in the page's order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.examples.estate import EXAMPLES, estate
from tests.examples.test_examples import run_in

DOCS = EXAMPLES.parent / "docs"
GUIDES = sorted(
    path
    for folder in ("", "stages", "how-to")
    for path in (DOCS / folder).glob("*.md")
    if folder
    or path.name in {"installation.md", "tutorial.md", "coming-from.md", "plan-files.md", "troubleshooting.md"}
)
_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.M | re.S)


@pytest.mark.live
@pytest.mark.parametrize("page", GUIDES, ids=lambda path: path.stem)
def test_the_commands_of_a_page_work_as_they_stand(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """On the servers of the quick start, in its folder; a command that fails is one that would stop the reader."""
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    assert blocks, f"{page.name} has no command"
    with estate("quickstart", tmp_path, request) as made:
        run_in(made, "\n".join(blocks))
