"""What the tests of the embedded servers drive them with: plain HTTP requests, and a browser of sorts."""

from __future__ import annotations

import html
import itertools
import re
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import requests

from oauthdeploy.server import RunningServer, SeedUser, ServerConfig, start

ADMIN = ("Administrator", "manage-2f6d")
READER = ("reader", "look-9c1b")
ALICE = ("alice", "wonder-7a3e")
RESOURCE = ("orders-rs", "introspect-4d8c")
USERS = (
    SeedUser(*ADMIN, ("Administrators",)),
    SeedUser(*READER, ("ReadOnlyAdministrators",)),
    SeedUser(*ALICE),
    SeedUser(*RESOURCE, ("ResourceServers",)),
)
CALLBACK = "https://app.example/cb"

_serial = itertools.count(1)

Json = dict[str, Any]


def unique(stem: str) -> str:
    """A name that no other test has."""
    return f"{stem}-{next(_serial)}"


def new_session(verify: Path | None = None) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    if verify is not None:
        session.verify = str(verify)
    return session


class Kit:
    """One running server and the requests that tests make of it."""

    def __init__(self, data_dir: Path, *, https_required: bool = False, **options: Any) -> None:
        options.setdefault("role", "both")
        options.setdefault("users", USERS)
        self.config = ServerConfig(data_dir=data_dir, **options)
        self.running: RunningServer = start(self.config)
        self.http = new_session(self.running.ca_file)
        if not https_required:
            assert self.admin("PATCH", "/oauth/globalsetting/", {"requireHTTPS": False}).status_code == 200

    @property
    def url(self) -> str:
        return self.running.url

    def stop(self) -> None:
        self.http.close()
        self.running.stop()

    def __enter__(self) -> Kit:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self.stop()

    def admin(
        self, method: str, path: str, body: object = None, user: tuple[str, str] | None = ADMIN, **more: Any
    ) -> requests.Response:
        if body is not None:
            more["json"] = body
        return self.http.request(method, f"{self.url}/admin{path}", auth=user, **more)

    def settings(self, **values: object) -> Json:
        response = self.admin("PATCH", "/oauth/globalsetting/", values)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def scope(self, *resources: str, name: str | None = None, **more: object) -> str:
        name = name or unique("scope")
        scope = {"name": name, "FoldersAndServices": list(resources), **more}
        response = self.admin("POST", "/oauth/scope", {"scopeInputData": scope})
        assert response.status_code == 201, response.text
        return name

    def client(self, *scopes: str, **more: object) -> Json:
        body: Json = {"name": unique("client"), "version": 1, "type": "Confidential", "scopes": list(scopes), **more}
        response = self.admin("POST", "/oauth/client", body)
        assert response.status_code == 201, response.text
        return dict(response.json())

    def machine(self, *scopes: str, **more: object) -> Json:
        """A client with the client credentials grant."""
        return self.client(*scopes, clientCredentialsGrant=True, **more)

    def service(self, name: str, **form: str) -> requests.Response:
        """A form posted to an OAuth service without credentials."""
        return self.http.post(f"{self.url}/invoke/pub.oauth/{name}", data=form)

    def service_as(self, user: tuple[str, str] | Json, name: str, **form: str) -> requests.Response:
        """A form posted to an OAuth service by a client or a user."""
        auth = user if isinstance(user, tuple) else (user["client_id"], user["client_secret"])
        return self.http.post(f"{self.url}/invoke/pub.oauth/{name}", data=form, auth=auth)

    def token(self, client: Json, **form: str) -> Json:
        """A token answer, of the client credentials grant unless the form says otherwise."""
        response = self.service_as(client, "getToken", **{"grant_type": "client_credentials", **form})
        assert response.status_code == 200, response.text
        return dict(response.json())

    def active(self, token: str) -> bool:
        return self.introspect(token)["active"] in (True, "true")

    def introspect(self, token: str) -> Json:
        response = self.service_as(RESOURCE, "introspectToken", token=token)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def call(self, service: str, token: str | None = None, method: str = "GET", **more: Any) -> requests.Response:
        """A request to a protected service, named `folder:service`."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        folder, _, name = service.partition(":")
        return self.http.request(method, f"{self.url}/invoke/{folder}/{name}", headers=headers, **more)


class Browser:
    """A resource owner's browser, as far as forms and cookies go; it doesn't follow redirects by itself."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.http = new_session(kit.running.ca_file)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self.http.close()

    def authorize(self, **parameters: str) -> requests.Response:
        return self.get(f"/invoke/pub.oauth/authorize?{urlencode(parameters)}")

    def get(self, path: str) -> requests.Response:
        return self.http.get(self.kit.url + path, allow_redirects=False)

    def submit(self, page: requests.Response, form: int = 0, **fields: str) -> requests.Response:
        """Send a form of a page with its hidden fields and the given ones."""
        source = page.text.split("<form ")[form + 1].split("</form>")[0]
        action = re.search(r'action="([^"]*)"', source)
        assert action is not None
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', source)
        values = {name: html.unescape(value) for name, value in hidden}
        return self.http.post(self.kit.url + html.unescape(action[1]), data={**values, **fields}, allow_redirects=False)

    def sign_in(self, page: requests.Response, user: tuple[str, str] = ALICE) -> requests.Response:
        """The page behind the sign-in page."""
        response = self.submit(page, username=user[0], password=user[1])
        assert response.status_code == 303, response.text
        return self.get(response.headers["Location"])

    def approve(
        self, parameters: dict[str, str], approved: bool = True, user: tuple[str, str] = ALICE
    ) -> requests.Response:
        """The whole way of an authorization request to its redirect to the client."""
        page = self.authorize(**parameters)
        if 'name="password"' in page.text:
            page = self.sign_in(page, user)
        return self.submit(page, approved="true" if approved else "false")


def sent(response: requests.Response) -> dict[str, str]:
    """The parameters that a redirect gives to the client, from its query or fragment."""
    assert response.status_code == 303, response.text
    parts = urlsplit(response.headers["Location"])
    return {key: values[0] for key, values in parse_qs(parts.fragment or parts.query).items()}


def code_for(kit: Kit, client: Json, **parameters: str) -> str:
    """An authorization code that alice approved."""
    with Browser(kit) as browser:
        return sent(browser.approve({"response_type": "code", "client_id": client["client_id"], **parameters}))["code"]


def escaped(name: str) -> str:
    return quote(name, safe="")
