"""`oauthdeploy tokens`: list live tokens, or delete them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import click

from oauthdeploy.cli import complete
from oauthdeploy.cli.apply import say_error
from oauthdeploy.cli.command import TaskCommand
from oauthdeploy.cli.flags import Command, leave, option
from oauthdeploy.cli.incident import Incident, carry_out, incident_options
from oauthdeploy.cli.options import Servers, Source, manifest_options, output_options, server_options
from oauthdeploy.cli.output import Output, as_json
from oauthdeploy.cli.revoke import moment
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from oauthdeploy.workflow.tokens import TokenList


def _selection_options(function: Command) -> Command:
    for flag in reversed(
        (
            option(
                "--client",
                env="CLIENT",
                metavar="NAME",
                shell_complete=complete.clients,
                help="Select only tokens of this client: its key or its id.",
            ),
            option("--owner", env="OWNER", metavar="NAME", help="Select only tokens of this resource owner."),
            option(
                "--scope",
                env="SCOPE",
                metavar="NAME",
                shell_complete=complete.scopes,
                help="Select only tokens with this scope.",
            ),
            option(
                "--issued-before",
                env="ISSUED_BEFORE",
                callback=moment,
                metavar="TIME",
                help="Select only tokens issued before this time (RFC 3339 with a zone, or now).",
            ),
            option(
                "--handle",
                "handles",
                env="HANDLE",
                multiple=True,
                metavar="HANDLE",
                help="Select only the token with this handle, as shown by `tokens list`. Repeatable.",
            ),
        )
    ):
        function = flag(function)
    return function


@click.group()
def tokens() -> None:
    """List live tokens, or delete them. Token values are never shown."""


@tokens.command(
    "list",
    cls=TaskCommand,
    examples=(
        ("oauthdeploy tokens list --client web-shop", "the tokens of one client"),
        ("oauthdeploy tokens list -o json", "all tokens, for scripts"),
    ),
    main=("file", "server", "client", "owner", "limit", "sinks"),
)
@manifest_options
@server_options
@_selection_options
@option(
    "--limit", env="LIMIT", type=click.IntRange(0), default=100, show_default=True, help="Tokens per page; 0 for all."
)
@option("--page", env="PAGE", type=click.IntRange(1), default=1, show_default=True, help="Which page.")
@output_options("text", "json")
def list_(
    source: Source,
    servers: Servers,
    client: str | None,
    owner: str | None,
    scope: str | None,
    issued_before: datetime | None,
    handles: tuple[str, ...],
    limit: int,
    page: int,
    output: Output,
) -> None:
    """List the valid tokens of the authorization servers, newest first.

    A handle identifies a token and grants no access. Exit code 4 if some servers did not answer, 8 if none did.
    """
    from oauthdeploy.planning.revocation.token_list import TokenSelection
    from oauthdeploy.reports.tokens import TokenPage, render_tokens, tokens_document
    from oauthdeploy.workflow.tokens import list_tokens

    found = list_tokens(
        source.request(), TokenSelection(client, owner, scope, issued_before, handles or None), servers.options()
    )
    shown = TokenPage(found.tokens, page, limit, found.servers, found.silent, tuple(sorted(found.down)))
    output.emit(
        {"text": lambda look: render_tokens(shown, look), "json": as_json(lambda: tokens_document(shown))},
    )
    _say_down(found.down, output)
    leave(ExitCode.PARTIAL if found.down else ExitCode.DONE)


@tokens.command(
    "delete",
    cls=TaskCommand,
    examples=(
        ("oauthdeploy tokens delete --client web-shop", "delete the tokens of one client"),
        ("oauthdeploy tokens delete --owner alice --yes", "delete those of one user, without asking"),
    ),
    main=("file", "client", "owner", "everything", "yes"),
)
@manifest_options
@server_options
@_selection_options
@option(
    "--all", "everything", env="ALL", is_flag=True, help="Delete every token of every client if nothing is selected."
)
@incident_options
@output_options("text", "json")
def delete(
    source: Source,
    servers: Servers,
    client: str | None,
    owner: str | None,
    scope: str | None,
    issued_before: datetime | None,
    handles: tuple[str, ...],
    everything: bool,
    incident: Incident,
    output: Output,
) -> None:
    """Delete the selected access and refresh tokens, and verify that they are gone.

    Clients are not blocked and can get new tokens at once; use `revoke` to block them. Otherwise it works like `revoke`: servers
    that do not answer are reported, and the audit file records who deleted what.
    """
    from oauthdeploy.planning.revocation.token_list import TokenSelection
    from oauthdeploy.workflow.revocation_request import request_token_deletion

    selection = TokenSelection(client, owner, scope, issued_before, handles or None)
    order, found = request_token_deletion(
        source.request(), selection, servers.options(), everything=everything, **incident.record
    )
    down = found.down if found is not None else {}
    _say_down(down, output)
    if order is not None:
        carry_out(source, servers, order, incident, output)
    elif found is not None:
        _nothing(found, output)
    leave(ExitCode.PARTIAL if down else ExitCode.DONE)


def _nothing(found: TokenList, output: Output) -> None:
    from oauthdeploy.reports.tokens import TokenPage, render_tokens, tokens_document

    page = TokenPage((), 1, 0, found.servers, found.silent, tuple(sorted(found.down)))
    output.emit({"text": lambda look: render_tokens(page, look), "json": as_json(lambda: tokens_document(page))})


def _say_down(down: Mapping[str, OAuthDeployError], output: Output) -> None:
    for name in sorted(down):
        say_error(down[name], output)
