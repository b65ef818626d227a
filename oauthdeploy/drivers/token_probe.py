"""Tries a token that should be invalid, by introspection (RFC 7662) and by a request to a protected resource (RFC 6750), and
what a resource server needs of an authorization server.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from requests.auth import AuthBase

from oauthdeploy.core.errors import Forbidden, NotFound, Rejected, ServerError, Unauthorized, UnexpectedAnswer
from oauthdeploy.core.secrets import Secret
from oauthdeploy.core.urls import normalized_url
from oauthdeploy.drivers.egress import Egress
from oauthdeploy.drivers.http import BasicAuth, BearerAuth, open_client
from oauthdeploy.drivers.json_wire import FORM
from oauthdeploy.model.objects import Trust
from oauthdeploy.model.servers import Role, Server


class HttpProver:
    """Tries tokens over HTTP, with the TLS settings, proxies and limits of the manifest's server entries."""

    def __init__(
        self, servers: Mapping[str, Server], introspection: Mapping[str, str], base: Path, egress: Egress | None = None
    ) -> None:
        """`servers` are the entries by name, `introspection` the endpoints of those that are known; that of another is read from
        its metadata. TLS files are relative to `base`. `egress` is the way out of the process, if that is shared.
        """
        self._egress = egress
        self._servers = servers
        self._introspection = introspection
        self._base = base
        self._found: dict[str, str] = {}

    def is_active(self, server: str, token: Secret) -> bool | None:
        """See `Prover`. Raises UnexpectedAnswer for a response without `active`."""
        entry = self._servers[server]
        auth = _introspector(entry)
        if auth is None:
            return None
        endpoint = self._introspection.get(server, "")
        if not endpoint:
            if server not in self._found:
                self._found[server] = self._discovered(server, entry)
            # Metadata are those of the server, so a run reads them once, however many tokens it tries.
            endpoint = self._found[server]
        if not endpoint:
            return None
        return self._introspected(server, entry, endpoint, auth, token)

    def introspects(self, trust: Trust) -> bool | None:
        """See `Prover`. The client comes before the account, as in the example policy."""
        name, secret = trust.client_id, trust.client_secret
        if not name:
            name, secret = trust.username, trust.password
        server = trust.authorization_server
        if not name or secret is None or not trust.endpoint:
            return None
        entry = self._servers[server]
        token = Secret(secrets.token_urlsafe(32), "a token that nobody has issued")
        try:
            active = self._introspected(server, entry, trust.endpoint, BasicAuth(name, secret), token)
        except (Unauthorized, Forbidden):
            return False
        if active:
            raise _not_about_tokens(server, _split(trust.endpoint)[1], None)
        return True

    def has_keys(self, trust: Trust) -> None:
        """See `Prover`."""
        server = trust.authorization_server
        if trust.jwks_uri:
            found = self._published(server, trust.jwks_uri)
            if not (isinstance(found, Mapping) and isinstance(found.get("keys"), list) and found["keys"]):
                raise _not_ready(server, trust.jwks_uri, f"The key set of '{server}' has no keys")
        if trust.issuer and urlsplit(trust.issuer).scheme in ("http", "https"):
            # RFC 8414 does not oblige a server to publish metadata.
            address = f"{trust.issuer.rstrip('/')}/.well-known/openid-configuration"
            try:
                told = self._published(server, address)
            except NotFound:
                return
            issuer = told.get("issuer") if isinstance(told, Mapping) else None
            if issuer != trust.issuer:
                raise _not_ready(server, address, f"The metadata of '{server}' names another issuer than the manifest")

    def _discovered(self, server: str, entry: Server) -> str:
        """The introspection endpoint in the metadata of a server (RFC 8414 section 2), on the host of its entry; "" if they name
        none, or are those of another issuer, which must not be used (section 3.3).
        """
        address = entry.url or entry.issuer or ""
        base, path = _split(address)
        path, issuer = path.rstrip("/"), entry.issuer or address
        for place in (f"/.well-known/oauth-authorization-server{path}", f"{path}/.well-known/openid-configuration"):
            try:
                told = self._published(server, base + place)
            except (NotFound, Rejected):
                continue
            if not isinstance(told, Mapping) or normalized_url(str(told.get("issuer"))) != normalized_url(issuer):
                return ""
            found_base, found_path = _split(str(told.get("introspection_endpoint") or ""))
            # The credentials are for this server alone.
            return base + found_path if found_base in (base, _split(issuer)[0]) else ""
        return ""

    def _published(self, server: str, address: str) -> object:
        base, path = _split(address)
        entry = self._servers[server].model_copy(update={"url": base})
        client = open_client(server, entry, None, read_only=True, base=self._base, egress=self._egress)
        try:
            return client.get(path).body
        finally:
            client.close()

    def _introspected(self, server: str, entry: Server, endpoint: str, auth: AuthBase, token: Secret) -> bool:
        """What an introspection endpoint says about a token. Raises ServerError."""
        base, path = _split(endpoint)
        entry_at_base = entry.model_copy(update={"url": base})
        client = open_client(
            server, entry_at_base, auth, read_only=False, base=self._base, post_only=path, egress=self._egress
        )
        try:
            form = {"token": token, "token_type_hint": "access_token"}
            answer = client.request("POST", path, form, content_type=FORM, repeatable=True)
        finally:
            client.close()
        active = answer.body.get("active") if isinstance(answer.body, Mapping) else None
        # RFC 7662 has a boolean; Integration Server documents the text true or false (pub.oauth:introspectToken).
        if active in ("true", "false"):
            active = active == "true"
        if not isinstance(active, bool):
            raise _not_about_tokens(server, path, answer.status)
        return active

    def is_taken(self, url: str, token: Secret) -> bool:
        """See `Prover`. Sends a GET to the address."""
        base, path = _split(url)
        name, entry = self._behind(base)
        client = open_client(name, entry, BearerAuth(token), read_only=True, base=self._base, egress=self._egress)
        client.guard(token)
        try:
            client.get(path)
        except (Unauthorized, Forbidden):
            return False
        except ServerError as error:
            # The response of a protected resource need not be JSON.
            if error.status is None or not 200 <= error.status < 300:
                raise
        finally:
            client.close()
        return True

    def _behind(self, base: str) -> tuple[str, Server]:
        """The server entry with that scheme, host and port, or a new entry, since the protected resource may be elsewhere."""
        for name, server in self._servers.items():
            if server.url and _split(server.url)[0].lower() == base.lower():
                return name, server.model_copy(update={"url": base})
        return base, Server(role=Role.RESOURCE, driver="external", url=base)


def _not_about_tokens(server: str, path: str, status: int | None) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"The introspection endpoint of '{server}' does not say whether a token is active",
        server=server,
        method="POST",
        path=path,
        status=status,
        fix="Check introspection.endpoint: its answer must follow RFC 7662.",
    )


def _not_ready(server: str, address: str, summary: str) -> UnexpectedAnswer:
    fix = "Check issuer and jwks_uri of the authorization server in the manifest."
    return UnexpectedAnswer(summary, server=server, method="GET", path=_split(address)[1], fix=fix)


def _split(url: str) -> tuple[str, str]:
    """Scheme, host and port of an address, and the rest."""
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}"
    return base, url[len(base) :]


def _introspector(entry: Server) -> AuthBase | None:
    """The account or the client that introspects at a server."""
    written = entry.introspection
    if written is None or written.sign_in is None:
        return None
    name, secret = (getattr(written, field) for field in written.sign_in)
    return BasicAuth(name, secret)
