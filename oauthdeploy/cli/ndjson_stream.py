"""`-o ndjson`: one JSON document per line, as things happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import click

from oauthdeploy.cli import streams
from oauthdeploy.cli.entrypoint import InterruptedApply
from oauthdeploy.cli.output import Output, ReportNotWritten
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.exit_codes import ExitCode
from oauthdeploy.planning.outcome import ApplyReport, Event

NDJSON = "ndjson"


class EventStream:
    """The lines of one run; none are made if `wanted` is false. `finish` writes the last one."""

    def __init__(self, write: Callable[[Mapping[str, Any]], None], *, wanted: bool) -> None:
        self._write = write
        self._wanted = wanted

    def noting(self, tell: Callable[[Event], None]) -> Callable[[Event], None]:
        """A listener that also writes each event."""
        if not self._wanted:
            return tell
        from oauthdeploy.running.clock import utc_now
        from oauthdeploy.running.event_documents import event_document

        def listen(event: Event) -> None:
            self._write(event_document(event, at=utc_now()))
            tell(event)

        return listen

    def finish(self, report: ApplyReport | None, exit_code: int, error: OAuthDeployError | None = None) -> None:
        """Write the summary."""
        if not self._wanted:
            return
        from oauthdeploy.running.event_documents import summary_document

        self._write(summary_document(report, exit_code, error))


@contextmanager
def event_stream(output: Output) -> Iterator[EventStream]:
    """Open the places that `-o ndjson` names and write the first line; an error becomes the last line.

    A place that fails while the servers are being written to is given up, and reported at the end: ReportNotWritten.
    """
    failed: list[ReportNotWritten] = []
    places = [sink.file for sink in output.sinks if sink.format == NDJSON]
    if not places:
        yield EventStream(lambda _document: None, wanted=False)
        return
    from oauthdeploy.reports.json import to_line
    from oauthdeploy.running.event_documents import version_document

    with ExitStack() as stack:
        sinks = [_opened(place, stack) for place in places]

        def write(document: Mapping[str, Any]) -> None:
            line = to_line(document)
            for sink in list(sinks):
                try:
                    sink(line)
                except OSError as error:
                    sinks.remove(sink)
                    failed.append(ReportNotWritten("The events could not be written", detail=f"{error.strerror}."))

        stream = EventStream(write, wanted=True)
        write(version_document())
        try:
            yield stream
        except OAuthDeployError as error:
            stream.finish(None, error.exit_code, error)
            raise
        except click.UsageError:
            stream.finish(None, ExitCode.USAGE)
            raise
        except KeyboardInterrupt as signal:
            interrupted_apply = isinstance(signal, InterruptedApply)
            stream.finish(None, ExitCode.PARTIAL if interrupted_apply else ExitCode.INTERRUPTED)
            raise
    if failed:
        raise failed[0]


def _opened(file: str | None, stack: ExitStack) -> Callable[[str], None]:
    if file is None:
        return streams.write_result
    try:
        place: IO[str] = stack.enter_context(Path(file).open("w", encoding="utf-8"))  # noqa: SIM115 - the stack closes it
    except OSError as error:
        raise ReportNotWritten(
            "The events could not be written",
            detail=f"{file}: {error.strerror}.",
            fix="Name a file in an existing folder that you can write to.",
        ) from error

    def write(line: str) -> None:
        place.write(streams.without_secrets(line))
        place.flush()

    return write
