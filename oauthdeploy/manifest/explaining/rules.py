"""Describes the rules, and the fields that each is about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import takewhile
from typing import Any, Final

from oauthdeploy.core.diagnostics import Path
from oauthdeploy.manifest.compose import OBJECT_SECTIONS
from oauthdeploy.manifest.rules import CATALOGUE, Rule
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_tree
from oauthdeploy.model.explanation import RuleFacts

_RFC: Final = re.compile(r"RFC (\d+)((?:,? (?:and )?(?:sections? )?\d+(?:\.\d+)*\b)*)")
_SECTION: Final = re.compile(r"\d+(?:\.\d+)*")


@cache
def all_rules() -> Mapping[str, RuleFacts]:
    """Every rule by its id, sorted."""
    return {name: _facts(rule) for name, rule in CATALOGUE.items()}


def _facts(rule: Rule) -> RuleFacts:
    return RuleFacts(
        id=rule.id,
        severity=rule.severity.value,
        title=rule.title,
        reason=rule.reason,
        source=rule.source,
        fix=rule.fix,
        bad=rule.bad,
        good=rule.good,
        structural=rule.structural,
        links=tuple(dict.fromkeys(_links(rule.source))),
        looks_at=() if rule.structural else _looks_at(rule),
    )


def _links(source: str) -> Iterator[str]:
    """The URLs of the RFC sections that a source names."""
    for match in _RFC.finditer(source):
        page = f"https://www.rfc-editor.org/rfc/rfc{match[1]}"
        sections = _SECTION.findall(match[2])
        yield from (f"{page}#section-{section}" for section in sections) if sections else (page,)


def _looks_at(rule: Rule) -> tuple[str, ...]:
    """The fields in which the rule's two examples differ. An object that only one of them has counts as its section."""
    bad, good = (read_tree(Source("-", text))[0] for text in (rule.bad, rule.good))
    return tuple(sorted({name for path in _differences(bad, good, ()) if (name := field_of(path))}))


def _differences(one: Any, other: Any, path: Path) -> Iterator[Path]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            if key in one and key in other:
                yield from _differences(one[key], other[key], (*path, key))
            else:
                alone = len(path) == 1 and path[0] in OBJECT_SECTIONS
                yield path if alone else (*path, key)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(left, right, (*path, index))
    elif one != other:
        yield path


def field_of(path: Path) -> str:
    """The field at a path of a manifest, without names and list positions: `clients.redirect_uris`. A part with a dot in it is
    a server's name for something, not a key of the manifest.
    """
    names = [part for part in path if isinstance(part, str)]
    if names[:1] == ["environments"]:  # An overlay has the fields of the manifest, and its own under its name.
        return "environments"
    if names and names[0] in OBJECT_SECTIONS:
        del names[1:2]
    if names[1:2] == ["overrides"]:
        del names[1:3]
    return ".".join(takewhile(lambda name: "." not in name, names))
