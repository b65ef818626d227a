"""`--trace`: each HTTP request on standard error, from the client's log, which contains no secrets."""

from __future__ import annotations

import logging

import click

from oauthdeploy.cli import streams


class _ToTalk(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        streams.write_talk(f"http: {record.getMessage()}\n")


def trace(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    """Write the client's log for as long as the command runs."""
    if not value or ctx.resilient_parsing:
        return
    log, handler = logging.getLogger("oauthdeploy.http"), _ToTalk()
    level, up = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False

    def end() -> None:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = up

    ctx.call_on_close(end)
