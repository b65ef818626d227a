"""Replaces a manifest on disk: in one step, with its permissions, and only if it is still what was read."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from oauthdeploy.core import files
from oauthdeploy.core.errors import OAuthDeployError


class FileNotWritten(OAuthDeployError):
    """A manifest could not be written; the existing file is untouched."""

    rule = "file-not-written"


def replace_file(name: str, before: bytes, after: bytes) -> None:
    """Write `after` in place of `before`: readers see one or the other, never a part.

    The file keeps its mode and, if the system allows it, its owner. If `name` is a symbolic link, its target is replaced.
    Raises FileNotWritten: not a regular file, write-protected, changed since it was read, or no space.
    """
    try:
        path = Path(name).resolve(strict=True)
        if not path.is_file():
            raise _refused(name, "It is not a regular file.", "Name a file, or use - for standard input.")
        if not os.access(path, os.W_OK):
            raise _refused(name, "It is write-protected.", "Change its mode first.")
        if path.read_bytes() != before:
            raise _refused(name, "It was changed while it was read.", "Run the command again.")
        files.replace_file(path, after)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _refused(name, f"{reason}.", "Check the folder's permissions and the free space.") from None


def replace_files(edits: Iterable[tuple[str, bytes, bytes]]) -> None:
    """`replace_file` for several files, each a name, its old and its new content: if one cannot be written, none is.

    Raises FileNotWritten, which names those that could not be restored.
    """
    written: list[tuple[str, bytes, bytes]] = []
    try:
        for edit in edits:
            replace_file(*edit)
            written.append(edit)
    except FileNotWritten as error:
        left = []
        for name, before, after in written:
            try:
                replace_file(name, after, before)
            except FileNotWritten:
                left.append(name)
        if left:
            error.detail += f" Already written, and not restored: {', '.join(left)}."
        raise


def bytes_as_read(name: str, text: str) -> bytes:
    """The bytes of the file that `text` was read from, including the byte order mark that reading drops."""
    data = text.encode("utf-8")
    with suppress(OSError):  # Deleted since it was read; writing reports that.
        if Path(name).read_bytes() == BOM_UTF8 + data:
            return BOM_UTF8 + data
    return data


def create_file(name: str, data: bytes) -> None:
    """Create a new file. Raises FileExistsError, and FileNotWritten for other errors."""
    try:
        files.create_file(Path(name), data)
    except FileExistsError:
        raise
    except OSError as error:
        raise _refused(name, f"{error.strerror}.", "Name a file in a folder that exists.") from None


def _refused(name: str, detail: str, fix: str) -> FileNotWritten:
    return FileNotWritten("A file cannot be written", detail=f"{name}: {detail}", fix=fix)
