"""The progress of an apply on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from oauthdeploy.cli import streams
from oauthdeploy.cli.output import Output
from oauthdeploy.planning.outcome import Event, EventType
from oauthdeploy.reports.formatting import visible

Tell = Callable[[Event], None]

_ENDED = {EventType.CHANGE_DONE, EventType.CHANGE_FAILED, EventType.CHANGE_SKIPPED}
_DETAILS = {EventType.CHANGE_STARTED, EventType.CHANGE_SKIPPED}
"""Events that only matter to those who look for what hangs. The report names what was skipped, once for each reason."""


@contextmanager
def progress(output: Output) -> Iterator[Tell]:
    """Yield the listener for events; the progress display is removed or finished when the block ends."""
    if output.quiet:
        yield lambda _event: None
    elif streams.is_terminal(sys.stderr):
        with _bar(output) as tell:
            yield tell
    else:
        yield lambda event: _line(event, output)


def line_of(event: Event) -> str:
    """An event as one line: `[3/19] Created client/web-shop@login.`"""
    if event.type in _ENDED:
        width = len(str(event.total))
        return f"[{event.done:{width}}/{event.total}] {visible(event.message)}"
    return visible(event.message)


def _line(event: Event, output: Output) -> None:
    if event.type is EventType.FINISHED and any(sink.format == "text" and sink.file is None for sink in output.sinks):
        return  # The report that follows begins with the same.
    if event.type not in _DETAILS or output.verbose:
        streams.write_talk(f"{line_of(event)}\n")


@contextmanager
def _bar(output: Output) -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

    look = output.talk_look()
    console = Console(
        file=sys.stderr, no_color=not look.colour, highlight=False, markup=False, emoji=False, width=look.width
    )
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # The bar is not for standard output, where reports are written.
    bar = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
    task = bar.add_task("Applying", total=None)

    def tell(event: Event) -> None:
        if event.type is EventType.STARTED:
            # Not before: there may have been a question until now.
            bar.start()
        elif event.type is EventType.FINISHED:
            bar.stop()
            return
        bar.update(task, total=event.total, completed=event.done)
        if event.type is EventType.VERIFYING:
            bar.update(task, description="Verifying")
        if event.type in _ENDED and (event.type not in _DETAILS or output.verbose):
            console.print(
                Text(
                    streams.without_secrets(line_of(event)),
                    style="red" if event.type is EventType.CHANGE_FAILED else "",
                )
            )

    try:
        yield tell
    finally:
        bar.stop()
