"""From arguments to an exit code: every way in which a command can end.

returns                          0, or its exit code
wrong usage                     64
OAuthDeployError                 the code of its class
Ctrl-C, SIGTERM                130; 4 once an apply has begun to write
anything else                    1, as a bug of ours
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

import click

from oauthdeploy.cli import streams
from oauthdeploy.core.disclosure import KNOWN
from oauthdeploy.core.exit_codes import ExitCode

NAME = "oauthdeploy"
COMPLETE = "_OAUTHDEPLOY_COMPLETE"
"""The variable that the shell's completion script sets."""


class InterruptedApply(KeyboardInterrupt):
    """Ctrl-C for the second time while an apply was finishing."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code; never raises."""
    streams.prepare()
    KNOWN.forget()
    former = _terminate_like_interrupt()
    try:
        return _flushed(_run(arguments))
    finally:
        if former is not None:
            signal.signal(signal.SIGTERM, former)


def _run(arguments: Sequence[str] | None) -> int:
    # Not click's own main, which handles interrupts and closed pipes in its own way.
    try:
        from oauthdeploy.cli.app import app

        if instruction := os.environ.get(COMPLETE):
            return _complete(app, instruction)
        with app.make_context(NAME, list(sys.argv[1:] if arguments is None else arguments)) as context:
            app.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        streams.write_talk(f"{error.format_message()}\n")
        return ExitCode.USAGE
    except click.UsageError as error:
        return _usage(error)
    except click.ClickException as error:
        _say_error(error.format_message(), "error")
        return ExitCode.ERROR
    except InterruptedApply:
        streams.write_talk("Stopped in the middle of an apply. Run `oauthdeploy plan` to see the remaining changes.\n")
        return ExitCode.PARTIAL
    except (KeyboardInterrupt, click.Abort):
        streams.write_talk("\nInterrupted.\n")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of the output has closed it, as `head` does.
        return ExitCode.DONE
    except streams.NotWritten as error:
        return _not_written(error)
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback for users
        return _failure(error)
    return ExitCode.DONE


def _complete(app: click.Command, instruction: str) -> int:
    """Respond to a shell's completion script."""
    from click.shell_completion import shell_complete

    from oauthdeploy.cli.shells import completion_of

    try:
        completion_of(instruction.partition("_")[0])
    except LookupError:
        return ExitCode.ERROR
    return shell_complete(app, {}, NAME, COMPLETE, instruction)


def _usage(error: click.UsageError) -> int:
    command = error.ctx.command_path if error.ctx is not None else NAME
    summary, *details = error.format_message().splitlines()
    _say_error(summary, "usage", *details, f"Run `{command} --help` to see the usage.")
    return ExitCode.USAGE


def _failure(error: Exception) -> int:
    from oauthdeploy.core.errors import OAuthDeployError

    if isinstance(error, OAuthDeployError):
        from oauthdeploy.cli.output import talk_look
        from oauthdeploy.reports.diagnostics import render_error

        streams.write_talk(render_error(error, talk_look()))
        return error.exit_code
    from oauthdeploy.core.system_trouble import trouble_of

    if trouble := trouble_of(error):
        _say_error(trouble.summary, trouble.rule, trouble.detail, trouble.fix)
        return ExitCode.ERROR
    kind = type(error).__name__
    where = _last_own_line(error)
    _say_error(
        "This is a bug in oauthdeploy.",
        "internal-error",
        f"{kind} in {where}. The message is withheld because it could contain one of your values.",
        "Please report it, with the output of `oauthdeploy version -o json` and the command that you ran.",
        "OAUTHDEPLOY_DEBUG=1 shows the traceback.",
    )
    if os.environ.get("OAUTHDEPLOY_DEBUG") == "1":
        streams.write_talk("".join(_traceback(error)))
    return ExitCode.ERROR


def _traceback(error: BaseException) -> Iterator[str]:
    """The traceback with only the types of its exceptions: a message may quote a value, and a value may be secret."""
    import traceback

    former = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if former is not None:
        yield from _traceback(former)
        yield "\nThen:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__}\n"


def _last_own_line(error: Exception) -> str:
    """The innermost place in oauthdeploy, as `module:line`."""
    place, found = error.__traceback__, "unknown"
    while place is not None:
        name = place.tb_frame.f_globals.get("__name__", "")
        if str(name).startswith("oauthdeploy"):
            found = f"{name}:{place.tb_lineno}"
        place = place.tb_next
    return found


def _say_error(summary: str, rule: str, *lines: str) -> None:
    """Print an error in the common format, without the libraries for colour."""
    streams.write_talk("\n  ".join([f"error: {summary} [{rule}]", *lines]) + "\n")


def _flushed(code: int) -> int:
    """Flush the output, so that a full disk is reported as an error and not by the interpreter at exit."""
    if kept_back := KNOWN.take_kept_back():
        streams.say_kept_back(kept_back, "A record of this run")
    try:
        streams.write_result("")
    except streams.NotWritten as error:
        failed = _not_written(error)
        return code or failed
    streams.write_talk("")
    return code


def _not_written(error: streams.NotWritten) -> int:
    _say_error(f"The output could not be written: {error.strerror}", "output-not-written")
    return ExitCode.ERROR


def _terminate_like_interrupt() -> Any:
    """Let SIGTERM act like Ctrl-C; returns the former handler, None if signals are not ours to handle."""
    if threading.current_thread() is not threading.main_thread():
        return None
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return None

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    return signal.signal(signal.SIGTERM, end)
