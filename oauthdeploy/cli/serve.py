"""`oauthdeploy serve`: start an embedded OAuth server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from oauthdeploy.cli import streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import Sink, option, sink_option
from oauthdeploy.core.errors import OAuthDeployError, UsageError
from oauthdeploy.core.extras import needs_extra

if TYPE_CHECKING:
    from oauthdeploy.server import RunningServer, SeedUser

_SIDES = {"authorization": "authorization server", "resource": "resource server", "both": "both servers in one"}


class ServerNotStarted(OAuthDeployError):
    """The embedded server cannot be started with these values."""

    rule = "server-not-started"


@command(
    examples=(
        ("oauthdeploy serve --role both", "start an empty server on port 5555"),
        ("oauthdeploy serve --role authorization --tls --data ./login", "with HTTPS, and keep its data"),
    ),
    main=("role", "port", "data", "tls", "accept_client_id"),
)
@option(
    "--role",
    env="ROLE",
    type=click.Choice(["authorization", "resource", "both"]),
    default="both",
    show_default=True,
    help="Endpoints to serve; the admin API is always served.",
)
@option(
    "--port",
    env="PORT",
    type=click.IntRange(0, 65535),
    default=5555,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@option("--host", env="HOST", default="127.0.0.1", show_default=True, help="Address to listen on.")
@option(
    "--data",
    env="DATA",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("oauthdeploy-data"),
    show_default=True,
    help="Folder for the database, keys and certificates; they survive a restart.",
)
@option(
    "--strict",
    env="STRICT",
    is_flag=True,
    help="Accept and return only what the published API and the guides document.",
)
@option(
    "--profile",
    env="PROFILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="TOML or JSON file that chooses answers to what no document of the API says (oauthdeploy schema profile).",
)
@option(
    "--replay",
    env="REPLAY",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="RECORD",
    help="Answer as the Integration Server did whose record `doctor -o json` wrote; not together with --profile.",
)
@option(
    "--accept-client-id",
    env="ACCEPT_CLIENT_ID",
    is_flag=True,
    help="Allow clients to be created with a given id and secret.",
)
@option("--tls", env="TLS", is_flag=True, help="Serve HTTPS with a certificate made for this folder.")
@option(
    "--seed",
    env="SEED",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="TOML or JSON file with the initial users and services.",
)
@option(
    "--service",
    env="SERVICE",
    multiple=True,
    metavar="NAME",
    help="Protected service, as folder.path:service. Repeatable.  [default: every name exists]",
)
@option(
    "--admin-password-file",
    env="ADMIN_PASSWORD_FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File with the password of Administrator.  [default: generated in the data folder]",
)
@option(
    "--ca-file",
    env="CA_FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="PEM file of the certificate authorities to trust when introspecting tokens at another server.",
)
@option("--threads", env="THREADS", type=click.IntRange(1, 1000), default=10, show_default=True, help="Worker threads.")
@sink_option("text", "json")
def serve(
    role: str,
    port: int,
    host: str,
    data: Path,
    strict: bool,
    profile: Path | None,
    replay: Path | None,
    accept_client_id: bool,
    tls: bool,
    seed: Path | None,
    service: tuple[str, ...],
    admin_password_file: Path | None,
    ca_file: Path | None,
    threads: int,
    sinks: tuple[Sink, ...],
) -> None:
    """Start an embedded OAuth server for evaluation and tests.

    It implements the OAuth part of the Administrator API of webMethods Integration Server, and real OAuth. It is not meant for
    production. Press Ctrl-C to stop it.
    """
    with needs_extra("server", "`oauthdeploy serve`"):
        from oauthdeploy.server import ConfigError, Profile, ServerConfig, load_profile, profile_of_record
        from oauthdeploy.server import serve as run
    if profile is not None and replay is not None:
        raise UsageError("--profile and --replay exclude each other", fix="Give one of them.")
    try:
        played = profile_of_record(replay) if replay is not None else load_profile(profile) if profile else Profile()
        config = ServerConfig(
            role=role,  # type: ignore[arg-type]  # click has checked it
            data_dir=data,
            host=host,
            port=port,
            strict=strict,
            profile=played,
            accept_client_id=accept_client_id,
            tls=tls,
            seed_file=seed,
            users=_administrator(admin_password_file),
            services=service or None,
            ca_file=ca_file,
            threads=threads,
        )
        run(config, lambda running: _say(running, sinks))
    except ConfigError as error:
        raise ServerNotStarted("The server cannot be started with these options", detail=str(error)) from None
    except OSError as error:
        raise ServerNotStarted(
            "The server cannot be started",
            detail=f"{host}:{port}, {data}: {error.strerror or error}.",
            fix="Choose another --port (0 takes a free one), --host or --data.",
        ) from None


def _administrator(file: Path | None) -> tuple[SeedUser, ...]:
    if file is None:
        return ()
    from oauthdeploy.server import SeedUser

    try:
        password = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ServerNotStarted("The password file cannot be read", detail=f"{file}: {type(error).__name__}.") from None
    if not password:
        raise ServerNotStarted("The password file is empty", detail=f"{file} holds no password.")
    return (SeedUser("Administrator", password, ("Administrators",)),)


def _say(running: RunningServer, sinks: tuple[Sink, ...]) -> None:
    """Print where the server is and how to sign in; a script can wait for the JSON."""
    from oauthdeploy.cli.output import Output, as_json

    config = running.config
    password = running.administrator_password_file
    lines = [
        f"{running.url}  {_SIDES[config.role]}, {'strict' if config.strict else 'tolerant'}",
        f"admin API     {running.url}/admin/oauth, described at {running.url}/admin/swagger/integrationServer",
    ]
    if config.is_authorization_server:
        lines.append(f"OAuth         {running.url}/invoke/pub.oauth/authorize, getToken, introspectToken, revokeToken")
    if config.is_resource_server:
        lines.append(f"services      {running.url}/invoke/<folder>/<service>")
    if password is not None:
        lines.append(f"sign in       Administrator, password in {password}")
    if running.ca_file is not None:
        lines.append(f"authority     {running.ca_file}")
    document = {
        "format": "oauthdeploy/server",
        "format_version": "1.0",
        "url": running.url,
        "role": config.role,
        "strict": config.strict,
        "data": str(config.data_dir),
        "ca_file": str(running.ca_file) if running.ca_file else None,
        "administrator_password_file": str(password) if password else None,
    }
    Output(sinks).emit({"text": lambda _look: "\n".join(lines) + "\n", "json": as_json(lambda: document)})
    streams.write_talk("This server is not meant for production. Press Ctrl-C to stop it.\n")
