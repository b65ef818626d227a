"""The two streams: results on stdout, talk on stderr; colour only where it is wanted; a closed pipe is not an error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TextIO

from oauthdeploy.core.disclosure import KNOWN
from oauthdeploy.core.log_commands import disarmed

PLAIN_WIDTH = 100
"""Columns of a report where the width of the screen is unknown: a log or a file."""


def prepare() -> None:
    """Characters that a stream's encoding lacks are written as escapes instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def as_utf8() -> None:
    """Let stdout take a manifest: UTF-8 with LF, whatever the terminal's encoding."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", newline="\n")


class NotWritten(OSError):
    """What was to be written to stdout is not there, as on a full disk."""


def without_secrets(text: str, *, references: bool = True) -> str:
    """The text as it may be written: secrets that should not be in it are replaced, and reported as a bug.

    `references`: addresses that came from outside are shown as the reference that they came from.
    """
    clean, hits = KNOWN.clean(text, references=references)
    if hits:
        say_kept_back(hits, "The output")
    return clean


def say_kept_back(count: int, what: str) -> None:
    """Say that secrets would have been written, and where."""
    secrets = "a secret, which was" if count == 1 else f"{count} secrets, which were"
    write_talk(
        f"warning: {what} contained {secrets} replaced with ***. "
        "This is a bug in oauthdeploy: please report the command.\n"
    )


def write_result(text: str) -> None:
    """Write to stdout and flush. A reader that has gone away is not an error; a full disk is: raises NotWritten."""
    _write(disarmed(without_secrets(text)))


def write_manifest(text: str) -> None:
    """Write a manifest to stdout, as `write_result`: its values are the same, however they have to be spelled in a log.

    Addresses stay as they are, since some are values of the manifest.
    """
    from oauthdeploy.manifest.editing.log_safe import log_safe

    as_utf8()
    _write(log_safe(without_secrets(text, references=False)))


def _write(text: str) -> None:
    stream = sys.stdout
    if stream is None or stream.closed:
        return
    with _heard(stream):
        stream.write(text)
        stream.flush()


def write_bytes(data: bytes) -> None:
    """Write what is no text to stdout, as `write_result`."""
    stream = sys.stdout
    if stream is None or stream.closed:
        return
    with _heard(stream):
        stream.flush()
        stream.buffer.write(data)
        stream.flush()


@contextmanager
def _heard(stream: TextIO) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        _silence(stream)
    except OSError as error:
        _silence(stream)
        raise NotWritten(error.errno, error.strerror) from error


def write_talk(text: str) -> None:
    """Write to stderr and flush. A closed stderr is not an error."""
    stream = sys.stderr
    if stream is None or stream.closed:
        return
    try:
        stream.write(disarmed(KNOWN.clean(text)[0]))
        stream.flush()
    except OSError:
        _silence(stream)


def write_at_once(text: str) -> None:
    """Write to stderr past its buffer: a signal may have come in the middle of a write to that."""
    with suppress(OSError, ValueError, AttributeError):
        os.write(sys.stderr.fileno(), text.encode())


def _silence(stream: TextIO) -> None:
    """Let what is still buffered, and all that follows, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    except (OSError, ValueError):
        pass
    finally:
        os.close(nowhere)


def wants_colour(stream: TextIO | None, *, refused: bool, environ: Mapping[str, str] | None = None) -> bool:
    """Whether to colour: `--no-color` and NO_COLOR (no-color.org) forbid it, FORCE_COLOR asks for it, else a terminal does."""
    environ = os.environ if environ is None else environ
    if refused or environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return environ.get("TERM") != "dumb" and is_terminal(stream)


def is_terminal(stream: TextIO | None) -> bool:
    """True where a person looks on."""
    return stream is not None and not stream.closed and stream.isatty()


def screen_width() -> int:
    """Columns: COLUMNS, else the terminal's, else a fair width for logs. Never so few that nothing can be read."""
    import shutil

    return max(40, shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns)
