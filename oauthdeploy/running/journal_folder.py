"""The journals in a folder: which there are, and which is the last."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from oauthdeploy.core.errors import JournalFailed
from oauthdeploy.planning.run_history import Story, story_of
from oauthdeploy.running.journal import read_journal

_NAME: Final = re.compile(r"(?P<name>.+)-(?P<time>\d{8}T\d{6}\.\d{6}Z)-(?P<pid>\d+)\.jsonl\Z")


def journals_in(folder: Path, name: str | None = None) -> tuple[Path, ...]:
    """The journals in `folder`, the oldest first; of the manifest `name` alone where one is given."""
    wanted = None if name is None else quote(name, safe="")
    found = [
        (match["time"], int(match["pid"]), path)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := _NAME.match(path.name)) and wanted in (None, match["name"])
    ]
    return tuple(path for _time, _pid, path in sorted(found))


def last_journal(folder: Path, name: str) -> Path:
    """The journal of the last apply of the manifest `name`. Raises JournalFailed where there is none.

    An empty one is of a run that was killed before it wrote anything; it is passed over.
    """
    found = [path for path in journals_in(folder, name) if path.stat().st_size]
    if not found:
        raise JournalFailed(
            f"There is no journal of '{name}' yet",
            detail=f"{folder} has none.",
            fix="Name the journal's file, or run apply first.",
        )
    return found[-1]


def read_story(path: Path) -> Story:
    """What a journal tells. Raises JournalFailed."""
    contents = read_journal(path)
    return story_of(contents.records, path=str(path), torn=contents.torn)
