"""`-o FORMAT[=FILE]`: which report is written where.

Standard output has one thing: the report of the `-o` without a file, or text if there is none. Everything else is written to
standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from oauthdeploy.cli import streams
from oauthdeploy.cli.flags import Sink
from oauthdeploy.cli.reporting import Renderer, Renderers, renderers_of
from oauthdeploy.core import files
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.reports.console import Look

if TYPE_CHECKING:
    from oauthdeploy.planning.unread import Unread
    from oauthdeploy.reports.document import Report


class ReportNotWritten(OAuthDeployError):
    """A report could not be written to its place."""

    rule = "output-not-written"


class ReportsIncomplete(ReportNotWritten):
    """The other reports were written."""


class Seen(Struct):
    """What a command has found so far, from which the report of an error is built."""

    report: Report | None = None


class Output(Struct, frozen=True):
    """The output options of a command. `verbosity` is -1 for `-q`, else the number of `-v`."""

    sinks: tuple[Sink, ...] = ()
    no_color: bool = False
    verbosity: int = 0
    seen: Seen = field(default_factory=Seen)

    @property
    def text_on_stdout(self) -> bool:
        """True where standard output is for people."""
        return all(sink.format == "text" for sink in self.sinks if sink.file is None)

    @property
    def quiet(self) -> bool:
        """True if only reports, questions and errors may be printed."""
        return self.verbosity < 0

    @property
    def verbose(self) -> bool:
        """True if all details are wanted."""
        return self.verbosity > 0

    def look(self) -> Look:
        """The format of text on standard output."""
        colour = streams.wants_colour(sys.stdout, refused=self.no_color)
        return Look(streams.screen_width(), colour, self.verbose)

    def talk_look(self) -> Look:
        """The format of text on standard error."""
        return talk_look(no_color=self.no_color, verbose=self.verbose)

    def show(self, render: Renderer, *, needed: bool = False) -> None:
        """Show text to people: on standard output if that is for people, else on standard error. `needed` overrides `-q`."""
        if self.text_on_stdout:
            _to_stdout(render(self.look()))
        elif needed or not self.quiet:
            streams.write_talk(render(self.talk_look()))

    def talk(self, text: str) -> None:
        """Write a line to standard error, unless --quiet is set."""
        if not self.quiet:
            streams.write_talk(f"{text}\n")

    def emit(self, renderers: Renderers, *, on_screen: Renderer | None = None) -> None:
        """Write every requested report, files last. `on_screen` replaces text on standard output if part of it was shown
        before. A format without a renderer was written while the command ran. Raises ReportsIncomplete, after everything that
        can be written is written.
        """
        failed: list[Exception] = []
        if self.text_on_stdout:
            self._write(None, on_screen or renderers["text"], self.look(), failed)
        for sink in sorted(self.sinks, key=lambda sink: sink.file is not None):
            if sink.format in renderers and (sink.file is not None or sink.format != "text"):
                look = Look(streams.PLAIN_WIDTH, verbose=self.verbose)
                self._write(sink.file, renderers[sink.format], look, failed)
        if failed:
            raise _together(failed)

    @staticmethod
    def _write(file: str | None, render: Renderer, look: Look, failed: list[Exception]) -> None:
        try:
            text = render(look)
            _to_stdout(text) if file is None else write_file(Path(file), streams.without_secrets(text))
        except Exception as error:  # noqa: BLE001 - a bug in one form must not lose the others; it is raised afterwards
            failed.append(error)

    def emit_report(
        self,
        report: Report,
        *,
        on_screen: Renderer | None = None,
        already_written: Collection[str] = (),
        one_line: bool = False,
    ) -> None:
        """Write a report in every requested format; `already_written` are those that were written while the command ran.

        `one_line`: this is one of many reports, so JSON is on one line.
        """
        renderers = {form: render for form, render in renderers_of(report).items() if form not in already_written}
        if one_line and "json" in renderers:
            from oauthdeploy.reports.json import to_line

            render_document = renderers["json"]
            renderers["json"] = lambda look: to_line(json.loads(render_document(look)))
        self.emit(renderers, on_screen=on_screen)

    def emit_error(self, error: OAuthDeployError, command: str, sources: tuple[str, ...]) -> None:
        """Write the error in every requested format, so that a pipeline that reads one finds the reason. Standard output stays
        empty for text: the error is written to standard error.
        """
        from oauthdeploy.reports.json import error_document, to_text

        if isinstance(error, ReportsIncomplete) or not any(sink.format != "text" or sink.file for sink in self.sinks):
            return
        renderers: dict[str, Renderer] = {"json": lambda _look: to_text(error_document(error))}
        if command in RUNS:
            from oauthdeploy.reports.builders.error import error_report
            from oauthdeploy.reports.document import Run

            run = Run(RUNS[command])
            rendered = renderers_of(error_report(error, run, sources, self.seen.report))
            streamed = {"ndjson"} if run is Run.APPLY else set()
            renderers = {form: render for form, render in rendered.items() if form not in streamed} | renderers
        with suppress(ReportNotWritten):
            self.emit(renderers, on_screen=lambda _look: "")


RUNS: Final = {name: name for name in ("plan", "apply", "drift", "validate", "compare")} | {"rollback": "apply"}
"""The commands that have every report format, and the function that they run."""


def say_unread(unread: Sequence[Unread], output: Output) -> None:
    """Say what is unknown if standard output is for machines; text says it in its last line."""
    from oauthdeploy.planning.unread import not_known

    if unread and not output.text_on_stdout:
        streams.write_talk(f"{not_known(unread)}\n")


def talk_look(*, no_color: bool = False, verbose: bool = False) -> Look:
    """The format of text on standard error: wrapped on a terminal, else in lines of any length."""
    width = streams.screen_width() if streams.is_terminal(sys.stderr) else None
    refused = no_color or os.environ.get("OAUTHDEPLOY_NO_COLOR", "") not in ("", "0", "false")
    return Look(width, streams.wants_colour(sys.stderr, refused=refused), verbose)


def _together(failed: Sequence[Exception]) -> Exception:
    """Every place that could not be written to, in one error; a bug as it is."""
    known = [error for error in failed if isinstance(error, OAuthDeployError)]
    if len(known) < len(failed):
        return next(error for error in failed if not isinstance(error, OAuthDeployError))
    return ReportsIncomplete(
        f"{len(known)} reports could not be written" if len(known) > 1 else known[0].summary,
        detail="\n".join(error.detail or error.summary for error in known),
        fix=known[0].fix,
    )


def _to_stdout(text: str) -> None:
    try:
        streams.write_result(text)
    except OSError as error:
        raise ReportNotWritten(
            "The output could not be written", detail=f"Standard output: {error.strerror}."
        ) from error


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file in one step: readers see the old one or the new one. Raises ReportNotWritten.

    Text is searched for secrets like all output; addresses in it stay.
    """
    if isinstance(content, str):
        content = streams.without_secrets(content, references=False)
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        if path.exists() and not path.is_file():
            # A pipe or /dev/stdout cannot be replaced, only written to.
            path.write_bytes(data)
            return
        files.replace_file(path, data)
    except OSError as error:
        raise ReportNotWritten(
            "A report could not be written",
            detail=f"{path}: {error.strerror}.",
            fix="Name a file in an existing folder that you can write to.",
        ) from error


def as_json(document: Callable[[], Mapping[str, Any]]) -> Renderer:
    """A renderer that writes a document as JSON; the document is built only if the format is requested."""

    def render(_look: Look) -> str:
        from oauthdeploy.reports.json import to_text

        return to_text(document())

    return render
