"""`oauthdeploy demo`: the main use case on real servers, step by step, with the commands that a user would type.

Two embedded servers are started on free loopback ports with TLS and throwaway data. The steps run this program as a user's
shell would. The OAuth client is requests-oauthlib, which shares no code with the servers. A step without the expected result
ends the demo with exit code 1.
"""

from __future__ import annotations

import os
import secrets
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from html.parser import HTMLParser
from importlib import import_module
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urljoin, urlsplit

import click
from msgspec import Struct

from oauthdeploy.cli.command import command
from oauthdeploy.cli.entrypoint import run
from oauthdeploy.cli.streams import screen_width
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.exit_codes import ExitCode
from oauthdeploy.core.extras import needs_extra

if TYPE_CHECKING:
    import requests

INDENT = " " * 3
REDIRECT_URI = "http://127.0.0.1:8400/callback"


class DemoFailed(OAuthDeployError):
    """A step of the demo did not have the expected result."""

    rule = "demo-failed"


class Estate(Struct, frozen=True):
    """The two running servers and what a shell needs to work with them."""

    folder: Path
    login_url: str
    orders_url: str
    ca: Path
    environment: Mapping[str, str]

    def __repr__(self) -> str:
        # The environment contains passwords.
        return f"Estate({str(self.folder)!r})"

    @property
    def token_url(self) -> str:
        """The token endpoint of the authorization server."""
        return f"{self.login_url}/invoke/pub.oauth/getToken"


class Narrator:
    """Prints the steps and their results."""

    def __init__(self) -> None:
        self._step = 0

    def step(self, title: str) -> None:
        """Begin a step."""
        self._step += 1
        click.echo()
        click.secho(f"{self._step}. {title}", bold=True)

    def command(self, words: str) -> None:
        """Show a command as a user would type it."""
        click.secho(f"   $ {words}", fg="cyan")

    def good(self, text: str) -> None:
        """Print a result that was as expected."""
        click.secho("   ✓ ", fg="green", nl=False)
        click.echo(text)

    def note(self, text: str) -> None:
        """Print a remark."""
        click.echo(f"   {text}")


def expect(condition: bool, what: str, found: object) -> None:
    """Raise DemoFailed unless `condition` is true; `found` is the actual result."""
    if not condition:
        raise DemoFailed(f"The demo failed: {what}", detail=f"Found instead: {found}")


@contextmanager
def estate() -> Iterator[Estate]:
    """Start both servers with throw-away data; stop them and remove the data at the end."""
    with needs_extra("demo", "`oauthdeploy demo`"):
        # The client too: it is needed in the middle of the tour, which is too late to find out that it is not installed.
        import_module("requests_oauthlib")
        from oauthdeploy.server import SeedUser, ServerConfig, start
    passwords = {name: secrets.token_urlsafe(18) for name in ("login", "orders", "introspection", "owner", "batch")}
    owners = tuple(SeedUser(name, passwords["owner"]) for name in ("alice", "bob", "nightly-batch"))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oauthdeploy-demo-")))
        login = stack.enter_context(
            start(
                ServerConfig(
                    role="authorization",
                    data_dir=folder / "login",
                    tls=True,
                    accept_client_id=True,
                    users=(
                        SeedUser("deployer", passwords["login"], ("Administrators",)),
                        SeedUser("orders-rs", passwords["introspection"], ("ResourceServers",)),
                        *owners,
                    ),
                )
            )
        )
        orders = stack.enter_context(
            start(
                ServerConfig(
                    role="resource",
                    data_dir=folder / "orders",
                    tls=True,
                    accept_client_id=True,
                    ca_file=login.ca_file,
                    users=(SeedUser("deployer", passwords["orders"], ("Administrators",)), *owners),
                )
            )
        )
        assert login.ca_file is not None
        assert orders.ca_file is not None
        ca = folder / "ca.pem"
        ca.write_bytes(login.ca_file.read_bytes() + orders.ca_file.read_bytes())
        _copy_example(folder)
        yield Estate(
            folder,
            login.url,
            orders.url,
            ca,
            {
                "LOGIN_URL": login.url,
                "LOGIN_CA": str(login.ca_file),
                "LOGIN_PASSWORD": passwords["login"],
                "ORDERS_URL": orders.url,
                "ORDERS_CA": str(orders.ca_file),
                "ORDERS_PASSWORD": passwords["orders"],
                "INTROSPECTION_PASSWORD": passwords["introspection"],
                "NIGHTLY_BATCH_SECRET": passwords["batch"],
                "OWNER_PASSWORD": passwords["owner"],
            },
        )


def _copy_example(folder: Path) -> None:
    """Copy the quick-start manifests into `folder`: from the source tree, or from the installed package."""
    package = files("oauthdeploy")
    for name in ("oauthdeploy.yaml", "incident.yaml"):
        for place in (package / ".." / "examples" / "quickstart" / name, package / "examples" / "quickstart" / name):
            if place.is_file():
                (folder / name).write_bytes(place.read_bytes())
                break
        else:
            raise DemoFailed(
                "The quick-start example is missing", detail=f"examples/quickstart/{name} is not installed."
            )


class Shell:
    """Runs this program as a shell in the folder of the manifest would, through its own entry point, but in this process.

    A process for each command would take about a second, most of it for starting Python.
    """

    def __init__(self, here: Estate, say: Narrator) -> None:
        self._here = here
        self._say = say

    def run(self, arguments: str, *, exits: int, quiet: bool = False) -> str:
        """Run `oauthdeploy ARGUMENTS`, expect the exit code, show and return its standard output."""
        self._say.command(f"oauthdeploy {arguments}")
        code, out, err = self._call(shlex.split(arguments))
        if code == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        if code != exits:
            click.echo(out + err, err=True)
        expect(code == exits, f"`oauthdeploy {arguments}` must exit with {exits}", code)
        if not quiet:
            for line in out.rstrip().splitlines():
                click.echo(f"{INDENT}{line}".rstrip())
        return out

    def _call(self, arguments: list[str]) -> tuple[int, str, str]:
        out, err = StringIO(), StringIO()
        before = dict(os.environ)
        environment = {name: value for name, value in before.items() if not name.startswith("OAUTHDEPLOY_")}
        width = str(screen_width() - len(INDENT))
        os.environ.clear()
        os.environ.update({**environment, **self._here.environment, "NO_COLOR": "1", "COLUMNS": width})
        try:
            with chdir(self._here.folder), redirect_stdout(out), redirect_stderr(err):
                code = run(arguments)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return code, out.getvalue(), err.getvalue()


class _Form(HTMLParser):
    """The first form of a page: its target and its fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self._ended = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.action:
            self.action = found.get("action", "")
        elif tag == "input" and found.get("name") and not self._ended:
            self.fields[found["name"]] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self._ended = self._ended or tag == "form"


def _submit(browser: requests.Session, page: requests.Response, **filled: str) -> requests.Response:
    form = _Form()
    form.feed(page.text)
    expect(bool(form.fields), "the authorization server must show a form", page.status_code)
    return browser.post(
        urljoin(page.url, form.action), data={**form.fields, **filled}, allow_redirects=False, timeout=10
    )


def token_by_client_credentials(here: Estate, client: str, scope: str) -> str:
    """An access token for a confidential client (RFC 6749 section 4.4)."""
    from oauthlib.oauth2 import BackendApplicationClient
    from requests_oauthlib import OAuth2Session

    session = OAuth2Session(client=BackendApplicationClient(client_id=client), scope=[scope])
    token = session.fetch_token(
        here.token_url,
        client_id=client,
        client_secret=here.environment["NIGHTLY_BATCH_SECRET"],
        verify=str(here.ca),  # type: ignore[arg-type]  # the stubs forget that requests takes a path
        timeout=10,
    )
    return str(token["access_token"])


def token_by_authorization_code(here: Estate, client: str, scope: str, owner: str) -> str:
    """An access token by the authorization code grant with PKCE (RFC 7636): `owner` signs in and approves."""
    import requests
    from requests_oauthlib import OAuth2Session

    session = OAuth2Session(client, redirect_uri=REDIRECT_URI, scope=[scope], pkce="S256")
    address, state = session.authorization_url(f"{here.login_url}/invoke/pub.oauth/authorize")
    with requests.Session() as browser:
        browser.trust_env = False  # Otherwise, a REQUESTS_CA_BUNDLE of the user would override the next line.
        browser.verify = str(here.ca)
        page = browser.get(address, timeout=10)
        answer = _submit(browser, page, username=owner, password=here.environment["OWNER_PASSWORD"])
        if answer.is_redirect:
            answer = browser.get(urljoin(answer.url, answer.headers["Location"]), timeout=10)
        answer = _submit(browser, answer, approved="true")
    expect(answer.is_redirect, "approval must lead back to the client", answer.status_code)
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    expect("code" in query, "approval must give an authorization code", query)
    expect(query.get("state") == [state], "the state must come back unchanged (RFC 6749 section 10.12)", query)
    token = session.fetch_token(
        here.token_url,
        code=query["code"][0],
        include_client_id=True,
        verify=str(here.ca),  # type: ignore[arg-type]
        timeout=10,
    )
    return str(token["access_token"])


def call(here: Estate, service: str, token: str) -> requests.Response:
    """Call a protected service of the resource server with a bearer token (RFC 6750)."""
    import requests

    return requests.get(
        f"{here.orders_url}/invoke/{service}",
        headers={"Authorization": f"Bearer {token}"},
        verify=str(here.ca),
        timeout=10,
    )


def _admin(here: Estate, method: str, path: str, body: Mapping[str, Any]) -> requests.Response:
    import requests

    return requests.request(
        method,
        f"{here.orders_url}{path}",
        json=body,
        auth=("deployer", here.environment["ORDERS_PASSWORD"]),
        verify=str(here.ca),
        timeout=10,
    )


def _is_active(here: Estate, token: str) -> bool:
    import requests

    answer = requests.post(
        f"{here.login_url}/invoke/pub.oauth/introspectToken",
        data={"token": token},
        auth=("orders-rs", here.environment["INTROSPECTION_PASSWORD"]),
        verify=str(here.ca),
        timeout=10,
    )
    expect(answer.status_code == 200, "introspection must answer", answer.status_code)
    return str(answer.json()["active"]).lower() == "true"


def _deploy(shell: Shell, say: Narrator) -> None:
    say.step("Check the manifest without a server, then compare it with both servers")
    shell.run("validate", exits=0)
    shell.run("plan", exits=0)
    say.step("Configure both sides in one apply")
    shell.run("apply --yes", exits=0, quiet=True)
    say.good("settings, clients, scopes and associations are in place on both servers")


def _use(here: Estate, say: Narrator) -> tuple[str, str]:
    say.step("Use the deployed configuration with an independent OAuth client")
    batch = token_by_client_credentials(here, "nightly-batch", "reports.read")
    say.good("client credentials: nightly-batch has a token for reports.read")
    web = token_by_authorization_code(here, "web-shop", "orders.read", "alice")
    say.good("authorization code with PKCE: alice signed in, approved, and web-shop has a token for orders.read")
    for service, token, status, who in (
        ("reports/daily", batch, 200, "nightly-batch may read reports"),
        ("orders.v1/getOrder", web, 200, "web-shop may read orders"),
        ("orders.v1/getOrder", batch, 403, "nightly-batch may not read orders: its scope does not grant it"),
        ("orders.v1/deleteOrder", web, 403, "web-shop may not delete orders: orders.read does not grant it"),
    ):
        answer = call(here, service, token)
        expect(answer.status_code == status, f"GET /invoke/{service} must answer {status}", answer.status_code)
        say.good(f"{status} from /invoke/{service}: {who}")
    return batch, web


def _drift(here: Estate, shell: Shell, say: Narrator) -> None:
    say.step("Plan again: nothing to do")
    shell.run("plan --detailed-exitcode", exits=0)
    say.step("Open a scope on the resource server by hand; the drift report finds it")
    answer = _admin(here, "PATCH", "/admin/oauth/scope/reports.read", {"FoldersAndServices": ["reports", "payroll"]})
    expect(answer.status_code == 200, "the change by hand must work", answer.status_code)
    shell.run("drift", exits=2)
    say.step("Repair it with an apply")
    shell.run("apply --yes", exits=0, quiet=True)
    shell.run("drift", exits=0)


def _cut_off(here: Estate, shell: Shell, say: Narrator, batch: str, web: str) -> None:
    say.step("The secret of nightly-batch has leaked: declare and apply a revocation")
    expect(_is_active(here, batch), "the token must be good before the revocation", "inactive")
    shell.run("plan -f oauthdeploy.yaml -f incident.yaml", exits=0)
    shell.run("apply -f oauthdeploy.yaml -f incident.yaml --yes", exits=0, quiet=True)
    expect(not _is_active(here, batch), "introspection must say that the token is inactive", "active")
    say.good("authorization server: introspection says that the old token is not active")
    answer = call(here, "reports/daily", batch)
    expect(answer.status_code == 401, "the resource server must refuse the token", answer.status_code)
    say.good(f"resource server: {answer.status_code}, the old token is refused")
    answer = call(here, "orders.v1/getOrder", web)
    expect(answer.status_code == 200, "other clients must not be affected", answer.status_code)
    say.good("web-shop is not affected: its token still works")
    shell.run("plan -f oauthdeploy.yaml -f incident.yaml --detailed-exitcode", exits=0)


def _keep(here: Estate, say: Narrator) -> None:
    """Wait for Ctrl-C, with everything that another terminal needs in one file."""
    script = here.folder / "environment.sh"
    lines = [f"export {name}={shlex.quote(value)}" for name, value in here.environment.items()]
    lines += [
        f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"',
        f"cd {shlex.quote(str(here.folder))}",
    ]
    script.touch(mode=0o600)
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    say.step("The servers keep running: continue by hand in another terminal")
    say.command(f". {shlex.quote(str(script))}")
    for words in ("plan", "drift", "ping", "apply -f oauthdeploy.yaml -f incident.yaml"):
        say.command(f"oauthdeploy {words}")
    say.note("Press Ctrl-C here to stop both servers and remove their data.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        click.echo("\n   Stopped.")


@command(
    examples=(
        ("oauthdeploy demo", "run the tour"),
        ("oauthdeploy demo --servers", "start two empty servers to try things on"),
    ),
    main=("keep", "only_servers"),
)
@click.option("--keep", is_flag=True, envvar="OAUTHDEPLOY_KEEP", help="Keep the servers running afterwards.")
@click.option(
    "--servers",
    "only_servers",
    is_flag=True,
    envvar="OAUTHDEPLOY_SERVERS",
    help="Start the two empty servers and run no steps.",
)
def demo(keep: bool, only_servers: bool) -> None:
    """Run a tour on two real servers: deploy, use, find drift, repair, cut off."""
    started = time.monotonic()
    say = Narrator()
    click.echo("oauthdeploy keeps an authorization server and its resource servers in sync.")
    with estate() as here:
        say.step("Start two servers without any configuration")
        say.note(f"login   authorization server  {here.login_url}")
        say.note(f"orders  resource server       {here.orders_url}")
        if not only_servers:
            shell = Shell(here, say)
            _deploy(shell, say)
            batch, web = _use(here, say)
            _drift(here, shell, say)
            _cut_off(here, shell, say, batch, web)
            click.echo()
            click.secho(f"Everything worked as expected, in {time.monotonic() - started:.1f} s.", fg="green", bold=True)
        if keep or only_servers:
            _keep(here, say)
