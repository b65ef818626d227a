"""A secret that is written twice is no less secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manifest.support import HEAD, bad

CANARY = "canary-twice-5e1d"


@pytest.mark.parametrize(
    "entry",
    [
        f"  batch: {{secret: {{value: first, value: {CANARY}}}}}",
        f"  batch:\n    secret:\n      value: first\n      value: {CANARY}",
        f"  batch:\n    secret: {{value: first}}\n    secret: {{value: {CANARY}}}",
        f"  batch:\n    secret: {{<<: {{value: {CANARY}}}}}",
    ],
)
def test_the_second_value_of_a_repeated_key_is_masked(tmp_path: Path, entry: str) -> None:
    """The finding shows the line of the repetition, but not the secret in it."""
    found = bad(HEAD + "clients:\n" + entry + "\n", tmp_path)
    assert {"duplicate-key", "unsupported-yaml"} & {item.rule for item in found}
    for item in found:
        assert CANARY not in repr(item)
        assert item.span is None or CANARY not in item.span.text
