"""A manifest that is printed: no line is a command of a build server, and every value is the one that it was."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from oauthdeploy.manifest.editing.log_safe import log_safe
from oauthdeploy.manifest.scalars import written
from tests.reports.test_log_commands import COMMANDS, commands_in, hostile

TEXTS = hostile.map(lambda text: "".join(char for char in text if char.isprintable() or char in "\n\t"))


def styles(key: str, text: str) -> list[str]:
    """A pair of a mapping in every style that YAML has for such texts."""
    lines = text.splitlines() or [""]
    made = [
        f"{written(key)}: {written(text)}\n",
        f"{written(key)}: {{a: [{written(text, flow=True)}, b]}}  # {lines[0]}\n",
    ]
    if all(line == line.strip() and line for line in lines):
        made.append(f"{written(key)}: |\n" + "".join(f"  {line}\n" for line in lines) + "last: x\n")
        made.append(f"{written(key)}: >-\n" + "".join(f"  {line}\n" for line in lines) + "last: x\n")
    quoted = text.replace("'", "''").replace("\n", "\n\n  ").replace("\t", " ")
    made.append(f"{written(key)}:\n  '{quoted}'\n# {lines[0]}\n")
    return made


@given(TEXTS, TEXTS)
@example("::set-output name=x::y", "a\n::add-path::/evil\nb")
@example("k", "##vso[task.setvariable variable=x]y ##[group]")
def test_what_is_printed_commands_nothing_and_says_the_same(key: str, text: str) -> None:
    """Whatever the style of a value, and in keys and comments too."""
    for source in styles(key[:60] or "k", text):
        try:
            values = yaml.safe_load(source)
        except yaml.YAMLError:
            continue
        made = log_safe(source)
        assert commands_in(made) == [], made
        assert yaml.safe_load(made) == values, made


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_yaml_commands_nothing_either(command: str) -> None:
    """A file that can't be parsed may be printed as well."""
    assert commands_in(log_safe(f"a: [\n{command}\n")) == [] or "\x1b" in command


@given(st.text(alphabet="ab:# [\n-'\"", max_size=60))
def test_what_has_no_mark_stays_as_it_is(text: str) -> None:
    """Byte for byte."""
    if not commands_in(text) and "##" not in text:
        assert log_safe(text) == text
