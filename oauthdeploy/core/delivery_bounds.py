"""Where server-made secrets may be written as files.

Whoever edits a manifest names the file. It must not replace anything that belongs to the manifest, the state folder or version
control, nor be outside the folder of the manifest, unless the operator allows another one.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from msgspec import Struct

OUTSIDE: Final = "delivery-outside-folder"
OWN_FILE: Final = "delivery-over-own-file"
NOT_A_FILE: Final = "delivery-not-a-file"

STATE_FOLDER: Final = ".oauthdeploy"
"""The folder beside a manifest for what runs leave: journals, locks, the audit trail."""
_OWN_FOLDERS: Final = frozenset({STATE_FOLDER, ".git"})
_YAML: Final = (".yaml", ".yml")


class Refusal(Struct, frozen=True):
    """Why a file cannot receive a secret: the rule id, and the reason in words that complete "FILE: ..."."""

    rule: str
    reason: str


class DeliveryBounds(Struct, frozen=True):
    """What a delivery may write.

    Relative names start from `base`, the manifest's folder. `allowed` are other folders that the operator allows. `own_files`
    are the files that the manifest consists of or reads, `own_folders` those of locks, journals and audit records. `sources`
    are the folders and globs that the manifest is read from: a new file there would become part of it.
    """

    base: Path = Path()
    allowed: tuple[Path, ...] = ()
    own_files: tuple[Path, ...] = ()
    own_folders: tuple[Path, ...] = ()
    sources: tuple[str, ...] = ()

    def place(self, file: str) -> Path:
        """The file path with the links of its folder resolved. Raises OSError and ValueError for an unusable path."""
        path = Path(os.path.normpath(Path(os.path.realpath(self.base)) / file))
        return Path(os.path.realpath(path.parent)) / path.name

    def refusal(self, file: str) -> Refusal | None:
        """Why `file` may not be written; None if it may. Only looks at what exists, and changes nothing."""
        if not file or file.endswith(("/", os.sep)) or os.path.basename(os.path.normpath(file)) in ("", ".", ".."):
            return Refusal(NOT_A_FILE, "it names a folder, not a file")
        try:
            path = self.place(file)
            found = next(self._refusals(file, path), None)
        except (OSError, ValueError) as error:
            return Refusal(NOT_A_FILE, getattr(error, "strerror", None) or "it is not a usable path")
        return found

    def _refusals(self, file: str, path: Path) -> Iterator[Refusal]:
        root = Path(os.path.realpath(self.base))
        folders = (root, *(Path(os.path.realpath(folder)) for folder in self.allowed))
        if not any(path.is_relative_to(folder) for folder in folders):
            lexical = Path(os.path.normpath(root / file))
            if lexical.is_relative_to(root):
                yield Refusal(OUTSIDE, f"a symbolic link leads out of {root}")
            else:
                yield Refusal(OUTSIDE, f"it is outside {root}")
        # On a case-insensitive file system, `.GIT` is the same folder.
        inner = path.relative_to(root) if path.is_relative_to(root) else path
        if _OWN_FOLDERS & {part.lower() for part in inner.parts}:
            yield Refusal(OWN_FILE, "its folder belongs to oauthdeploy or to version control")
        for folder in self.own_folders:
            if path.is_relative_to(os.path.realpath(folder)):
                yield Refusal(OWN_FILE, f"{folder} holds locks, journals and audit records")
        for own in self.own_files:
            if _is_same(path, own):
                yield Refusal(OWN_FILE, "the manifest consists of this file, or reads it")
        if self._becomes_source(path):
            yield Refusal(
                OWN_FILE, "the manifest is read from this folder or pattern, so the file would become a part of it"
            )
        yield from _no_file(path)

    def _becomes_source(self, path: Path) -> bool:
        for source in self.sources:
            if os.path.isdir(source):
                inside = path.parent == Path(os.path.realpath(source))
                if inside and path.name.lower().endswith(_YAML) and not path.name.startswith("."):
                    return True
            elif glob.has_magic(source) and _matches(path, source):
                return True
        return False


def _matches(path: Path, pattern: str) -> bool:
    """Whether a glob matches the file; `**` stands for anything."""
    parts = Path(os.path.abspath(pattern)).parts
    fixed = next((place for place, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    wanted = (*Path(os.path.realpath(os.path.join(*parts[:fixed]))).parts, *parts[fixed:])
    if "**" in wanted:
        return fnmatchcase(str(path), os.path.join(*wanted).replace(f"{os.sep}**", "*"))
    return len(wanted) == len(path.parts) and all(map(fnmatchcase, path.parts, wanted))


def _is_same(path: Path, own: Path) -> bool:
    """Whether two names lead to the same file: by path, by a link, or by case."""
    try:
        return os.path.realpath(path) == os.path.realpath(own) or path.samefile(own)
    except (OSError, ValueError):
        return False


def _no_file(path: Path) -> Iterator[Refusal]:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode):
        yield Refusal(NOT_A_FILE, "it is a symbolic link, not a regular file")
    elif not stat.S_ISREG(found.st_mode):
        yield Refusal(NOT_A_FILE, "it exists and is not a regular file")
    elif found.st_nlink > 1:
        yield Refusal(NOT_A_FILE, "it has other names (hard links), which would keep the old secret")
