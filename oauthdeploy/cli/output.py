"""`-o FORMAT[=FILE]`: which report goes where.

Standard output holds one thing: the report of the `-o` without a file, or text where there is none. Everything else that is
said goes to standard error.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oauthdeploy.cli import streams
from oauthdeploy.cli.flags import Sink
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.reports.sheet import Look

Renderer = Callable[[Look], str]
Renderers = Mapping[str, Renderer]
"""How a command writes itself in each of its formats."""


TOLD = ("ndjson",)
"""Formats that are written while a command runs, and not as a report at its end."""


class ReportNotWritten(OAuthDeployError):
    """A report could not be written where it was asked for."""

    rule = "output-not-written"


@dataclass(frozen=True)
class Output:
    """What a command was told about its output. `verbosity` is -1 for `-q`, else the number of `-v`."""

    sinks: tuple[Sink, ...] = ()
    no_color: bool = False
    verbosity: int = 0

    @property
    def text_on_stdout(self) -> bool:
        """True where standard output is for people."""
        return all(sink.format == "text" for sink in self.sinks if sink.file is None)

    @property
    def quiet(self) -> bool:
        """True where nothing is to be said besides reports, questions and errors."""
        return self.verbosity < 0

    @property
    def verbose(self) -> bool:
        """True where all details are wanted."""
        return self.verbosity > 0

    def look(self) -> Look:
        """How text looks on standard output."""
        colour = streams.wants_colour(sys.stdout, refused=self.no_color)
        return Look(streams.screen_width(), colour, self.verbose)

    def talk_look(self) -> Look:
        """How text looks on standard error."""
        return talk_look(no_color=self.no_color, verbose=self.verbose)

    def show(self, render: Renderer, *, needed: bool = False) -> None:
        """Show text to people: on standard output where that is theirs, else on standard error. `needed` overrides `-q`."""
        if self.text_on_stdout:
            _to_stdout(render(self.look()))
        elif needed or not self.quiet:
            streams.write_talk(render(self.talk_look()))

    def talk(self, text: str) -> None:
        """Say a line on standard error, unless told to be quiet."""
        if not self.quiet:
            streams.write_talk(f"{text}\n")

    def emit(self, renderers: Renderers, *, on_screen: Renderer | None = None) -> None:
        """Write every report that was asked for, files last. `on_screen` stands in for text on standard output where part of
        it was shown before. Raises ReportNotWritten, after all that can be written is written.
        """
        if self.text_on_stdout:
            _to_stdout((on_screen or renderers["text"])(self.look()))
        failed: list[ReportNotWritten] = []
        for sink in self.sinks:
            if sink.format in TOLD or (sink.file is None and sink.format == "text"):
                continue
            text = renderers[sink.format](Look(streams.PLAIN_WIDTH, verbose=self.verbose))
            try:
                _to_stdout(text) if sink.file is None else write_file(Path(sink.file), text)
            except ReportNotWritten as error:
                failed.append(error)
        if failed:
            raise failed[0]

    def emit_error(self, error: OAuthDeployError) -> None:
        """Write the error as a document where JSON was asked for, so that a pipeline that reads it finds the reason."""
        from oauthdeploy.reports.json import error_document, to_text

        for sink in self.sinks:
            if sink.format == "json":
                text = to_text(error_document(error))
                with suppress(ReportNotWritten):
                    _to_stdout(text) if sink.file is None else write_file(Path(sink.file), text)


def talk_look(*, no_color: bool = False, verbose: bool = False) -> Look:
    """How text looks on standard error: wrapped where a person looks on, else in lines as long as they are."""
    width = streams.screen_width() if streams.is_terminal(sys.stderr) else None
    refused = no_color or os.environ.get("OAUTHDEPLOY_NO_COLOR", "") not in ("", "0", "false")
    return Look(width, streams.wants_colour(sys.stderr, refused=refused), verbose)


def _to_stdout(text: str) -> None:
    try:
        streams.write_result(text)
    except OSError as error:
        raise ReportNotWritten(
            "The output could not be written", detail=f"Standard output: {error.strerror}."
        ) from error


def write_file(path: Path, text: str) -> None:
    """Write a file in one step: readers see the old one or the new one. Raises ReportNotWritten."""
    try:
        if path.exists() and not path.is_file():
            # A pipe or /dev/stdout can't be replaced, only written to.
            path.write_text(text, encoding="utf-8")
            return
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise ReportNotWritten(
            "A report could not be written",
            detail=f"{path}: {error.strerror}.",
            fix="Name a file in a folder that exists and can be written to.",
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def as_json(document: Callable[[], Mapping[str, Any]]) -> Renderer:
    """A renderer that writes a document as JSON; it is made only when it is asked for."""

    def render(_look: Look) -> str:
        from oauthdeploy.reports.json import to_text

        return to_text(document())

    return render


def as_sarif(command: str, files: Sequence[str], diagnostics: Diagnostics) -> Renderer:
    """A renderer that writes findings as SARIF. Files are named from the root of the repository around the current folder."""

    def render(_look: Look) -> str:
        from oauthdeploy import __version__
        from oauthdeploy.manifest.explaining.rules import all_rules
        from oauthdeploy.reports.json import to_text
        from oauthdeploy.reports.sarif import sarif_document

        here = Path.cwd()
        root = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
        found = sarif_document(
            diagnostics,
            all_rules(),
            command=command,
            version=__version__,
            files=files,
            base=str(here),
            root=str(root),
        )
        return to_text(found)

    return render


def as_junit(command: str, files: Sequence[str], diagnostics: Diagnostics, *, valid: bool) -> Renderer:
    """A renderer that writes findings as JUnit XML."""

    def render(_look: Look) -> str:
        from oauthdeploy.reports.junit import junit_xml

        return junit_xml(files, diagnostics, command=command, valid=valid)

    return render
