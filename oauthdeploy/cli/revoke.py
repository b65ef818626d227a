"""`oauthdeploy revoke`: cut a client off now."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oauthdeploy.cli import complete
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import option
from oauthdeploy.cli.incident import Incident, carry_out, incident_options
from oauthdeploy.cli.options import Servers, Source, manifest_options, output_options, server_options
from oauthdeploy.cli.output import Output
from oauthdeploy.core.errors import UsageError

if TYPE_CHECKING:
    from oauthdeploy.core.secrets import Secret
    from oauthdeploy.model.objects import RevocationProof

SIDES = ("resource", "authorization")
NONE = "none"


def moment(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """Parse a time with its zone, or `now`."""
    from oauthdeploy.model.fields import parse_time

    if value is None:
        return None
    if value == "now":
        return datetime.now(UTC)
    try:
        return parse_time(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


def _sides(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    words = tuple(dict.fromkeys(word.strip() for word in value.split(",")))
    if words == (NONE,):
        return ()
    for word in words:
        if word not in SIDES:
            raise click.BadParameter(
                f"'{word}' is not a side; write resource, authorization, both separated by a comma, or none."
            )
    return words


def reference(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Secret | None:
    """Read a secret from its reference; its value is never on a command line."""
    from oauthdeploy.core.secrets import Secret

    if value is None:
        return None
    source, _, name = value.partition(":")
    if source == "env" and name:
        text = os.environ.get(name, "")
    elif source == "file" and name:
        try:
            text = Path(name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise click.BadParameter(f"{name} cannot be read: {type(error).__name__}.") from None
    else:
        # The value is not repeated: it may be the token itself.
        raise click.BadParameter("write env:NAME or file:PATH.")
    if not text:
        raise click.BadParameter(f"{name} is empty or not set.")
    return Secret(text, f"${{{value}}}")


def _proof(token: Secret | None, urls: tuple[str, ...]) -> RevocationProof | None:
    from pydantic import ValidationError

    from oauthdeploy.model.objects import RevocationProof

    if token is None:
        if urls:
            raise UsageError("--proof-url needs --proof-token", fix="Name a token that the addresses accept now.")
        return None
    try:
        return RevocationProof(token=token, urls=urls or None)
    except ValidationError:
        raise UsageError(
            "--proof-url is not an address", fix="Write a complete URL, such as https://host/path."
        ) from None


@command(
    examples=(
        ('oauthdeploy revoke web-shop --reason "leaked secret" --ticket INC-7 --write', "cut it off, and record it"),
        ("oauthdeploy revoke web-shop --block resource", "block it on the resource servers only"),
    ),
    main=("file", "block", "reason", "write", "yes"),
)
@click.argument("client", shell_complete=complete.clients)
@manifest_options
@server_options
@option("--owner", env="OWNER", metavar="NAME", help="Select only tokens of this resource owner.")
@option("--scope", env="SCOPE", metavar="NAME", help="Select only tokens with this scope.")
@option(
    "--issued-before",
    env="ISSUED_BEFORE",
    callback=moment,
    metavar="TIME",
    help="Select only tokens issued before this time (RFC 3339 with a zone, or now).",
)
@option(
    "--block",
    env="BLOCK",
    callback=_sides,
    metavar="SIDES",
    help="Sides on which to disable the client: resource,authorization or none.  [default: both, without a token filter]",
)
@option(
    "--proof-token",
    env="PROOF_TOKEN",
    metavar="REFERENCE",
    callback=reference,
    help="Leaked token of the client, as env:NAME or file:PATH; it must introspect as inactive afterwards.",
)
@option(
    "--proof-url",
    env="PROOF_URL",
    multiple=True,
    metavar="URL",
    help="Address on a resource server that accepts that token now and must refuse it afterwards. Repeatable.",
)
@option(
    "--write/--no-write",
    env="WRITE",
    default=None,
    help="Write the cut-off into the manifest, so that no run undoes it.  [default: write where the manifest can be written]",
)
@incident_options
@output_options("text", "json")
def revoke(
    client: str,
    source: Source,
    servers: Servers,
    owner: str | None,
    scope: str | None,
    issued_before: datetime | None,
    block: tuple[str, ...] | None,
    proof_token: Secret | None,
    proof_url: tuple[str, ...],
    write: bool | None,
    incident: Incident,
    output: Output,
) -> None:
    """Cut off a client now, on every server at once, and verify it.

    CLIENT is a key of the manifest, or the id or name of a client that exists only on the servers. It is disabled on resource
    servers, then on authorization servers; then its tokens are deleted, and the servers are read again. A server that does
    not answer within ten seconds is reported and skipped; the client is cut off on the others. Does not wait for the lock.

    With --proof-token, a leaked token is tried afterwards, by introspection and by calls to --proof-url. An address that still
    accepts the token carries out the call, so name harmless addresses.

    Before and after the cut-off, appends to the audit file who did what and why. Adds the cut-off to the
    revocations of the manifest, unless you say --no-write: a manifest that enables the client would
    undo it. If you run it again, it does only what is missing.

    Exit codes: 0 if the client is cut off and verified everywhere, 1 if no server has the client, 4 if the cut-off is
    incomplete, 5 if a safety rule stops it, 8 if no server answered.
    """
    from oauthdeploy.planning.revocation.token_list import TokenSelection
    from oauthdeploy.workflow.revocation_request import request_revocation

    order = request_revocation(
        client,
        TokenSelection(owner=owner, scope=scope, issued_before=issued_before),
        block=block,
        proof=_proof(proof_token, proof_url),
        **incident.record,
    )
    carry_out(source, servers, order, incident, output, write=write)
