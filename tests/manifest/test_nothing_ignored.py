"""No key of a manifest is read past: one more key, anywhere in an example, is a finding."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.load import load_manifest

EXAMPLES = [
    path
    for path in sorted((Path(__file__).parents[2] / "examples").rglob("*.yaml"))
    # The driver of the template is not installed here.
    if path.parent.name != "driver-template" and "\nservers:" in path.read_text(encoding="utf-8")
]


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a tree, in an order that copies of the tree keep."""
    if isinstance(value, dict):
        yield value
        for inner in list(value.values()):
            yield from mappings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from mappings(inner)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_a_key_more_in_any_mapping_is_a_finding(path: Path, tmp_path: Path) -> None:
    """The example is valid as it is, and with `zzz: q` in any one of its mappings it isn't."""
    text = path.read_text(encoding="utf-8")
    names = enumerate(re.findall(r"\$\{env:([A-Z_]+)", text))
    environ = {name: f"https://h{number}.example" if "URL" in name else "abc" for number, name in names}
    tree = json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=str))
    file = tmp_path / "m.yaml"

    def is_valid(changed: Any) -> bool:
        file.write_text(json.dumps(changed), encoding="utf-8")
        manifest, _ = load_manifest(ManifestRequest(files=(str(file),), environ=environ), driver_facts())
        return manifest is not None

    assert is_valid(tree)
    for number, _ in enumerate(mappings(tree)):
        changed = copy.deepcopy(tree)
        list(mappings(changed))[number]["zzz"] = "q"
        assert not is_valid(changed), number
