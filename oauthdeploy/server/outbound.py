"""Requests to other authorization servers: verified, bounded in time and size."""

from __future__ import annotations

import base64
import json
import ssl
import time
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path

import certifi
import requests
from requests.adapters import HTTPAdapter

#: Seconds to wait for a connection, and again for a whole response.
TIMEOUT = 5.0
_LONGEST_ANSWER = 64 * 1024


class TrustUnavailable(Exception):
    """The authorization server could not be reached, so the state of the token is unknown."""


class Outbound:
    """The connections of one server to others: verified TLS, no proxies, no redirects, no cookies."""

    def __init__(self, ca_file: Path | None) -> None:
        context = ssl.create_default_context(cafile=certifi.where())
        if ca_file is not None:
            context.load_verify_locations(cafile=ca_file)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.mount("https://", _ContextAdapter(context))

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    def ask(self, url: str, credentials: tuple[str, str], token: str, service: str = "") -> dict[str, object]:
        """The response of an introspection endpoint (RFC 7662 section 2.1).

        Raises:
            TrustUnavailable: it cannot be reached, rejects the credentials, or returns something else.
        """
        form = {"token": token, "token_type_hint": "access_token", **({"request_uri": service} if service else {})}
        try:
            # One more try: the other side may have closed a kept-alive connection meanwhile.
            try:
                return self._post(url, credentials, form)
            except requests.ConnectionError as problem:
                if isinstance(problem, requests.Timeout):
                    raise
                return self._post(url, credentials, form)
        except requests.Timeout as problem:
            raise TrustUnavailable("the authorization server did not respond in time") from problem
        except requests.exceptions.SSLError as problem:
            raise TrustUnavailable("the certificate of the authorization server is not trusted") from problem
        except (requests.RequestException, UnicodeError) as problem:
            raise TrustUnavailable("the authorization server cannot be reached") from problem

    def _post(self, url: str, credentials: tuple[str, str], form: dict[str, str]) -> dict[str, object]:
        deadline = time.monotonic() + TIMEOUT
        basic = base64.b64encode(":".join(credentials).encode()).decode("ascii")
        with self._session.post(
            url,
            data=form,
            headers={"Accept": "application/json", "Authorization": f"Basic {basic}"},
            timeout=TIMEOUT,
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code in (401, 403):
                raise TrustUnavailable("the authorization server refuses this server's credentials")
            if response.status_code != 200:
                raise TrustUnavailable(f"the authorization server answered with status {response.status_code}")
            content = _content(response, deadline)
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as problem:
            raise TrustUnavailable("the authorization server's response is not JSON") from problem
        if not isinstance(answer, dict) or len(content) > _LONGEST_ANSWER:
            raise TrustUnavailable("the authorization server's response is not an introspection response")
        return answer


def _content(response: requests.Response, deadline: float) -> bytes:
    """The body, byte by byte: a server that sends slowly could delay a larger read forever."""
    content = bytearray()
    for piece in response.iter_content(1):
        content += piece
        if time.monotonic() > deadline:
            raise requests.ReadTimeout("The response takes too long.")
        if len(content) > _LONGEST_ANSWER:
            break
    return bytes(content)


class _ContextAdapter(HTTPAdapter):
    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: object) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._context, **pool_kwargs)
