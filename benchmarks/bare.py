"""The yardstick: the smallest number of requests that reaches the same end, from eight threads of `requests`.

`python -m benchmarks.bare FILE` is a process of its own, like the tools that it is compared with. The file is JSON: the `url`,
the `account`, for Keycloak the `realm`, and as `work` the name of a method of the loader with its `arguments`.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import requests

THREADS: Final = 8
PAGE: Final = 340
"""The number of clients in one page: Keycloak's work for clients that it has not read before grows with its square."""
BUILT_IN: Final = 6
"""The clients that a new realm has."""


class Loader:
    """Sends requests and reads the answers as JSON; one session for each thread."""

    def __init__(self, url: str, account: tuple[str, str] | None = None) -> None:
        self.url = url
        # As the tool does; the proxy passes compressed answers on without saying so.
        self.headers: dict[str, str] = {"Accept-Encoding": "identity"}
        self.account = account
        self._local = threading.local()

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """One request. Raises HTTPError."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        answer: requests.Response = self._local.session.request(
            method, self.url + path, json=body, headers=self.headers, auth=self.account, timeout=120, **options
        )
        answer.raise_for_status()
        return answer

    def each(self, step: Callable[[Any], object], items: Iterable[Any]) -> Sequence[Any]:
        """A step for every item, several at a time."""
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(step, items))

    def batches(self, batches: Sequence[Sequence[tuple[str, str, Any]]]) -> None:
        """Requests by method, path and body; each batch when the one before it is through."""
        for batch in batches:
            self.each(lambda one: self.send(*one).json() if one[0] == "GET" else self.send(*one), batch)


class KeycloakLoader(Loader):
    """The admin API of a realm."""

    def __init__(self, url: str, realm: str, username: str, password: str) -> None:
        super().__init__(url)
        self.realm = f"/admin/realms/{realm}"
        self._form = {"grant_type": "password", "client_id": "admin-cli", "username": username, "password": password}

    def sign_in(self) -> None:
        """One token."""
        answer = requests.post(f"{self.url}/realms/master/protocol/openid-connect/token", data=self._form, timeout=60)
        answer.raise_for_status()
        self.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def create(self, scopes: Sequence[Mapping[str, Any]], clients: Sequence[Mapping[str, Any]]) -> None:
        """A POST for each scope, then one for each client with its scopes in it."""
        self.sign_in()
        self.each(lambda body: self.send("POST", f"{self.realm}/client-scopes", body), scopes)
        self.each(lambda body: self.send("POST", f"{self.realm}/clients", body), clients)

    def create_and_look(self, scopes: Sequence[Mapping[str, Any]], clients: Sequence[Mapping[str, Any]]) -> None:
        """The same, and a second look at all of it, without which nobody knows what the server made of it."""
        self.create(scopes, clients)
        self.look(len(clients))

    def read(self, expected: int) -> Mapping[str, str]:
        """What has to be seen to know that there is nothing to do; returns the ids of the clients."""
        self.sign_in()
        return self.look(expected)

    def look(self, expected: int) -> Mapping[str, str]:
        """`read` without signing in."""
        lists = [f"{self.realm}{path}" for path in ("", "/client-scopes")]
        pages = [f"{self.realm}/clients?first={first}&max={PAGE}" for first in range(0, expected + BUILT_IN, PAGE)]
        found = self.each(lambda path: self.send("GET", path).json(), [*lists, *pages])
        return {one["clientId"]: one["id"] for page in found[len(lists) :] for one in page}

    def change(self, clients: Sequence[Mapping[str, Any]], expected: int) -> None:
        """Read, and PUT what differs."""
        ids = self.read(expected)
        self.each(lambda body: self.send("PUT", f"{self.realm}/clients/{ids[body['clientId']]}", body), clients)

    def delete(self, names: Sequence[str], expected: int) -> None:
        """Read, and DELETE."""
        ids = self.read(expected)
        self.each(lambda name: self.send("DELETE", f"{self.realm}/clients/{ids[name]}"), names)

    def cut_off(self, name: str) -> None:
        """Look the client up, and disable it."""
        self.sign_in()
        (found,) = self.send("GET", f"{self.realm}/clients?clientId={name}").json()
        self.send("PUT", f"{self.realm}/clients/{found['id']}", {**found, "enabled": False})


def main(file: str) -> None:
    """Do what the file says."""
    given = json.loads(Path(file).read_text(encoding="utf-8"))
    account = given.get("account")
    loader = (
        KeycloakLoader(given["url"], given["realm"], *account)
        if "realm" in given
        else Loader(given["url"], tuple(account) if account else None)
    )
    getattr(loader, given["work"])(**given["arguments"])


if __name__ == "__main__":
    main(sys.argv[1])
