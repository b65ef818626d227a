"""The two streams: results on stdout, messages on stderr; colour only if wanted; a closed pipe is not an error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TextIO

from oauthdeploy.core.disclosure import KNOWN
from oauthdeploy.core.log_commands import disarmed

PLAIN_WIDTH = 100
"""The width of a report if that of the screen is unknown: a log or a file."""


def prepare() -> None:
    """Write characters that a stream's encoding lacks as escapes instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def as_utf8() -> None:
    """Prepare stdout for a manifest: UTF-8 with LF, whatever the terminal's encoding."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", newline="\n")


class NotWritten(OSError):
    """The output could not be written to stdout, as on a full disk."""


def without_secrets(text: str, *, references: bool = True) -> str:
    """The text with unexpected secrets masked, and reported as a bug.

    `references`: addresses from outside the manifest are shown as their references.
    """
    clean, hits = KNOWN.clean(text, references=references)
    if hits:
        say_kept_back(hits, "The output")
    return clean


def say_kept_back(count: int, what: str) -> None:
    """Report that secrets would have been written, and where."""
    secrets = "a secret, which was" if count == 1 else f"{count} secrets, which were"
    write_talk(
        f"warning: {what} contained {secrets} replaced with ***. "
        "This is a bug in oauthdeploy: please report the command.\n"
    )


def write_result(text: str) -> None:
    """Write to stdout and flush. A reader that has closed it is not an error; a full disk is: raises NotWritten."""
    _write(disarmed(without_secrets(text)))


def write_manifest(text: str) -> None:
    """Write a manifest to stdout, like `write_result`: its values stay the same, however they must be spelled in a log.

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
    """Write bytes to stdout, like `write_result`."""
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
    """Write to stderr without its buffer: a signal may have arrived in the middle of a write to that."""
    with suppress(OSError, ValueError, AttributeError):
        os.write(sys.stderr.fileno(), text.encode())


def _silence(stream: TextIO) -> None:
    """Discard what is still buffered, and everything that follows."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    except (OSError, ValueError):
        pass
    finally:
        os.close(nowhere)


def wants_colour(stream: TextIO | None, *, refused: bool, environ: Mapping[str, str] | None = None) -> bool:
    """Whether to use colour: `--no-color` and NO_COLOR (no-color.org) forbid it, FORCE_COLOR or a terminal requests it."""
    environ = os.environ if environ is None else environ
    if refused or environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return environ.get("TERM") != "dumb" and is_terminal(stream)


def is_terminal(stream: TextIO | None) -> bool:
    """True if a person is watching."""
    return stream is not None and not stream.closed and stream.isatty()


def screen_width() -> int:
    """The width: COLUMNS, else the terminal's, else a suitable one for logs. Never too narrow to read."""
    import shutil

    return max(40, shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns)
