"""The identities of the servers and clients of a manifest, without anything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_SECTIONS: Final = frozenset({"version", "name", "variables", "servers", "environments"})
_OF_CLIENT: Final = frozenset({"name", "version", "on", "moved_from"})


def who_is_who(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a composed tree that identifies servers and clients.

    Anything that is not a mapping is left for the loader to report.
    """
    sections = {section: value for section, value in tree.items() if section in _SECTIONS}
    clients = tree.get("clients")
    if isinstance(clients, dict):
        sections["clients"] = {
            key: {field: value for field, value in entry.items() if field in _OF_CLIENT}
            if isinstance(entry, dict)
            else {}
            for key, entry in clients.items()
        }
    return sections
