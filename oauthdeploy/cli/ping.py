"""`oauthdeploy ping`: show each server's product, version and account, and check that sign-in works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oauthdeploy.cli import streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import leave
from oauthdeploy.cli.options import Servers, Source, manifest_options, output_options, server_options
from oauthdeploy.cli.output import Output, as_json, say_unread
from oauthdeploy.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from oauthdeploy.reports.ping import ServerAnswer
    from oauthdeploy.workflow import PingResult


@command(
    examples=(
        ("oauthdeploy ping", "check that each server answers"),
        ("oauthdeploy ping --server login -v", "check one, with details"),
    ),
    main=("file", "environment", "server", "sinks"),
)
@manifest_options
@server_options
@output_options("text", "json")
def ping(source: Source, servers: Servers, output: Output) -> None:
    """Show each server's product, version and account, and check that sign-in works.

    Exit code 8 where a server is unreachable, refuses the credentials, or lets the account not read what the manifest manages.
    """
    from oauthdeploy import workflow
    from oauthdeploy.reports.diagnostics import render_error
    from oauthdeploy.reports.json import ping_document
    from oauthdeploy.reports.ping import render_ping

    answers = tuple(_answer(result) for result in workflow.ping(source.request(), servers.options()))
    output.emit(
        {
            "text": lambda look: render_ping(answers, look),
            "json": as_json(lambda: ping_document(answers)),
        }
    )
    errors = [answer.error for answer in answers if answer.error is not None]
    for error in errors:
        streams.write_talk(render_error(error, output.talk_look()))
    unread = [item for answer in answers for item in answer.unread]
    say_unread(unread, output)
    codes = [*(error.exit_code for error in errors), *(ExitCode.UNREACHABLE for _ in unread)]
    leave(max(codes, default=ExitCode.DONE))


def _answer(result: PingResult) -> ServerAnswer:
    from oauthdeploy.core.diagnostics import Diagnostics
    from oauthdeploy.reports.ping import ServerAnswer

    report = result.report
    return ServerAnswer(
        result.server,
        result.driver,
        result.role,
        result.url,
        product=report.product if report else "",
        version=report.version if report else "",
        account=report.account if report else "",
        seconds=result.seconds,
        error=result.error,
        diagnostics=report.diagnostics if report else Diagnostics(),
        unread=result.unread,
    )
