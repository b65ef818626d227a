"""Ory Hydra: built once from the Go module proxy, started in seconds with a database in memory."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from tests.servers import golang
from tests.servers.obtain import once, run
from tests.servers.process import Running, answers, free_port, spawn, start

VERSION: Final = "v2.3.0"
SOURCE: Final = Path(__file__).parent / "hydra_program"
START_WITHIN: Final = 60

# Its module cannot be installed by its path, since its go.mod replaces others; and its error handling needs SQLite's.
_FLAGS: Final = (
    "-tags=sqlite,sqlite_omit_load_extension",
    f"-ldflags=-X github.com/ory/hydra/v2/driver/config.Version={VERSION}",
)

_CONFIG: Final = """\
dsn: "{dsn}"
serve:
  public: {{host: 127.0.0.1, port: {public}}}
  admin: {{host: 127.0.0.1, port: {admin}}}
urls:
  self: {{issuer: "http://127.0.0.1:{public}"}}
  login: "http://127.0.0.1:{public}/no-login-app"
  consent: "http://127.0.0.1:{public}/no-consent-app"
secrets: {{system: ["{secret}"]}}
strategies: {{access_token: {strategy}, jwt: {{scope_claim: string}}}}
oidc: {{dynamic_client_registration: {{enabled: {registers}}}}}
oauth2: {{hashers: {{algorithm: pbkdf2, pbkdf2: {{iterations: 1}}}}}}
log: {{level: info}}
"""


def obtain() -> Path:
    """The program. Raises Unobtainable."""
    sources = [SOURCE / name for name in ("main.go", "go.mod", "go.sum")]
    pinned = hashlib.sha256(b"".join(source.read_bytes() for source in sources) + "".join(_FLAGS).encode()).hexdigest()
    name = f"hydra-{VERSION}-{pinned[:8]}"
    return once(name, lambda target: golang.build(SOURCE, target, *_FLAGS, cgo=True))


@dataclass
class Hydra:
    """A running Hydra: the addresses of its admin API and of its public endpoints, and both by hand."""

    url: str
    public_url: str
    process: Running

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """A request to the admin API; gives the answer, whatever its status."""
        return requests.request(method, self.url + path, json=body, **{"timeout": 20, **options})

    def get(self, path: str) -> Any:
        """What the admin API answers to a GET; fails the test where that is an error."""
        answer = self.call("GET", path)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def client(self, client_id: str) -> Any:
        """A client by its id."""
        return self.get(f"/admin/clients/{client_id}")

    def token(self, client_id: str, secret: str, **form: str) -> requests.Response:
        """A token by client credentials; gives the answer, whatever its status."""
        data = {"grant_type": "client_credentials", **form}
        return requests.post(f"{self.public_url}/oauth2/token", data, auth=(client_id, secret), timeout=20)

    def sign_in(self, client_id: str, secret: str, subject: str, scope: str) -> dict[str, Any]:
        """The tokens of a user, by the authorization code grant: this plays the browser, the login and the consent app."""
        browser, back = requests.Session(), self.client(client_id)["redirect_uris"][0]
        query = {
            "client_id": client_id,
            "response_type": "code",
            "scope": scope,
            "redirect_uri": back,
            "state": "of-the-test",
        }
        place = f"{self.public_url}/oauth2/auth?{urlencode(query)}"
        answers = {"login": {"subject": subject}, "consent": {"grant_scope": scope.split()}}
        for step, body in answers.items():
            place = browser.get(place, allow_redirects=False, timeout=20).headers["Location"]
            challenge = parse_qs(urlsplit(place).query)[f"{step}_challenge"][0]
            path = f"/admin/oauth2/auth/requests/{step}/accept?{step}_challenge={challenge}"
            place = self.call("PUT", path, body).json()["redirect_to"]
        place = browser.get(place, allow_redirects=False, timeout=20).headers["Location"]
        code = parse_qs(urlsplit(place).query)["code"][0]
        answer = self.token(client_id, secret, grant_type="authorization_code", code=code, redirect_uri=back)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def is_active(self, token: str) -> bool:
        """Whether a token is valid (RFC 7662)."""
        answer = self.call("POST", "/admin/oauth2/introspect", data={"token": token})
        assert answer.ok, answer.text
        return bool(answer.json()["active"])

    def clear(self) -> None:
        """Delete every client."""
        for client in self.get("/admin/clients?page_size=1000"):
            assert self.call("DELETE", f"/admin/clients/{client['client_id']}").status_code == 204, client


def launch(
    folder: Path,
    owner: int | None = None,
    *,
    strategy: str = "opaque",
    registers: bool = False,
    busy: bool = False,
) -> Hydra:
    """Start a Hydra on free ports; its log and other files are in `folder`, its clients in memory.

    `strategy` is the form of access tokens: opaque or jwt. `registers`: it offers dynamic registration (RFC 7591). `busy`: it
    serves many requests at once. In memory, a read fails beside a write, and introspection then calls a valid token inactive; so
    its clients are in a file. Raises Unobtainable and NotStarted.
    """
    program = obtain()
    folder.mkdir(parents=True, exist_ok=True)
    dsn = "memory"
    if busy:
        dsn = f"sqlite://{folder}/hydra.sqlite?_fk=true&mode=rwc&_journal_mode=WAL&_synchronous=OFF&_busy_timeout=10000"
        run([program, "migrate", "sql", "up", dsn, "-y"])
    made = Hydra("", "", Running("hydra", folder / "hydra.log", folder / "hydra.running"))

    def attempt() -> tuple[Running, Callable[[], bool]]:
        public, admin = free_port(), free_port()
        config = folder / "hydra.yml"
        secret = secrets.token_urlsafe(24)
        text = _CONFIG.format(
            dsn=dsn,
            public=public,
            admin=admin,
            secret=secret,
            strategy=strategy,
            registers=str(registers).lower(),
        )
        config.write_text(text, encoding="utf-8")
        made.public_url, made.url = f"http://127.0.0.1:{public}", f"http://127.0.0.1:{admin}"
        command: list[str | Path] = [program, "serve", "all", "--dev", "--sqa-opt-out", "-c", config]
        made.process = spawn("hydra", command, folder, owner or os.getpid(), {})
        return made.process, lambda: answers(f"{made.url}/health/ready")

    start(attempt, START_WITHIN)
    return made
