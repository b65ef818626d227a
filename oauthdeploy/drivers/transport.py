"""The lowest layer of HTTP: TLS, total deadlines, no redirects, no cookies, and the adapter that refuses to write."""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, Final, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.errors import ManifestInvalid, WriteRefused
from oauthdeploy.drivers.egress import Egress, Withheld
from oauthdeploy.model.servers import Proxy, Tls

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""

_DEADLINE: ContextVar[tuple[float, float] | None] = ContextVar("oauthdeploy_http_deadline", default=None)


class Silent(TimeoutError):
    """A server sent nothing for longer than `limits.read_timeout`."""


@contextmanager
def deadline(seconds: float, silence: float | None = None) -> Iterator[None]:
    """In the block, every read from a socket fails with TimeoutError once `seconds` have passed, and with Silent once nothing
    has arrived for `silence` seconds (None: no such limit).

    The read timeout of requests starts anew with each byte, so a server that sends slowly could hold a request forever.
    """
    token = _DEADLINE.set((time.monotonic() + seconds, seconds if silence is None else silence))
    try:
        yield
    finally:
        _DEADLINE.reset(token)


class _DeadlineReader(io.RawIOBase):
    """The raw reading end of a socket, which limits each read to the time left until the deadline."""

    def __init__(self, sock: socket.socket, until: float, silence: float) -> None:
        self._sock = sock
        self._inner = sock.makefile("rb", buffering=0)
        self._until = until
        self._silence = silence

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read some bytes. Raises TimeoutError if the deadline has passed."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(min(left, self._silence))
        try:
            read: int | None = self._inner.readinto(buffer)
        except TimeoutError:
            if left > self._silence:
                raise Silent("timed out") from None
            raise
        return read

    def fileno(self) -> int:
        """The socket's."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close this end; the socket itself belongs to the connection."""
        if not self.closed:
            self._inner.close()
        super().close()


class _DeadlineSocket:
    """A socket whose files keep the deadline; everything else is the socket's."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, mode: str = "rb", buffering: int | None = None) -> Any:
        """A file on the socket; for reading, one that ends with the deadline."""
        limits = _DEADLINE.get()
        # http.client reads every response through makefile("rb"), so that is where a server that sends slowly can be stopped.
        if limits is None or mode != "rb":
            return self._sock.makefile(mode, buffering)  # type: ignore[call-overload]
        return io.BufferedReader(_DeadlineReader(self._sock, *limits))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Screened(HTTPConnection):
    """A connection that asks `egress` about the very address that it connects to: a name server may give another one later."""

    egress: ClassVar[Egress | None] = None
    scheme: ClassVar[str]

    def _new_conn(self) -> socket.socket:
        if self.egress is None:
            return super()._new_conn()
        name = self._dns_host
        try:
            for address in self._permitted(self.egress):
                # The name stays what certificates are checked against.
                self._dns_host = address
                try:
                    return super()._new_conn()
                except NewConnectionError as error:
                    failed = error
            raise failed
        finally:
            self._dns_host = name

    def _permitted(self, egress: Egress) -> list[str]:
        """The addresses of the host that may be reached. Raises NameResolutionError, and Withheld if it has no others."""
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            unknown = error if isinstance(error, socket.gaierror) else socket.gaierror(socket.EAI_NONAME, str(error))
            raise NameResolutionError(self.host, self, unknown) from error
        addresses = list(dict.fromkeys(str(where[0]) for *_, where in found))
        refusals = [egress.refusal(self.scheme, self.host, self.port, address) for address in addresses]
        permitted = [address for address, why in zip(addresses, refusals, strict=True) if not why]
        if not permitted:
            raise Withheld(refusals[0], "Name another server, or let the operator's administrator allow this one.")
        return permitted


class _PlainConnection(_Screened):
    scheme = "http"

    def connect(self) -> None:
        super().connect()
        self.sock = _DeadlineSocket(self.sock)


class _TlsConnection(_Screened, HTTPSConnection):
    scheme = "https"

    def connect(self) -> None:
        super().connect()
        # Every report says that verification is off; a warning for each connection would hide that.
        self.is_verified = True
        self.sock = _DeadlineSocket(self.sock)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _pools(egress: Egress | None) -> dict[str, type[HTTPConnectionPool]]:
    """The classes of pools by scheme, whose connections ask `egress`."""
    if egress is None:
        return {"http": _PlainPool, "https": _TlsPool}
    plain = type("_ScreenedPlainConnection", (_PlainConnection,), {"egress": egress})
    tls = type("_ScreenedTlsConnection", (_TlsConnection,), {"egress": egress})
    return {
        "http": type("_ScreenedPlainPool", (_PlainPool,), {"ConnectionCls": plain}),
        "https": type("_ScreenedTlsPool", (_TlsPool,), {"ConnectionCls": tls}),
    }


class Adapter(HTTPAdapter):
    """Pools of `parallel` connections with our own TLS context; retries nothing."""

    def __init__(
        self,
        parallel: int,
        context: ssl.SSLContext | None,
        server_name: str | None = None,
        egress: Egress | None = None,
    ) -> None:
        """`server_name` is the host for SNI and for the certificate check; None: that of the address. `egress` says which IP
        addresses may be connected to; None: all.
        """
        self._context = context
        self._pools = _pools(egress)
        self._server_name = server_name
        # Without pool_block, urllib3 opens connections beyond the limit and closes them after one request.
        super().__init__(pool_connections=2, pool_maxsize=parallel, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools with connections that keep deadlines."""
        if self._context is not None:
            kwargs["ssl_context"] = self._context
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """Reach servers behind a proxy with the same TLS context."""
        if self._context is not None:
            proxy_kwargs["ssl_context"] = self._context
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Leave TLS to the context: requests would add its own authorities to ours."""
        host, _tls = super().build_connection_pool_key_attributes(request, verify, cert)
        named = self._server_name is not None and host["scheme"] == "https"
        return host, {"server_hostname": self._server_name} if named else {}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to add: the context has everything."""


class ReadOnlyAdapter(BaseAdapter):
    """Sends through another adapter what changes nothing, and refuses all else before a byte leaves the process."""

    def __init__(self, inner: BaseAdapter) -> None:
        super().__init__()
        self.inner = inner

    def close(self) -> None:
        """Give back the connections."""
        self.inner.close()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send GET, HEAD and OPTIONS. Raises WriteRefused for everything else."""
        if (request.method or "").upper() not in SAFE_METHODS:
            raise WriteRefused(
                "A write was attempted on a read-only connection",
                detail=f"{request.method} was stopped before anything was sent.",
                fix="This is a bug in oauthdeploy; please report it.",
            )
        return self.inner.send(request, *args, **kwargs)


class NoJar(RequestsCookieJar):
    """A cookie jar that stays empty: the admin APIs are stateless, and a session would mix accounts."""

    def set_cookie(self, cookie: Any, *args: Any, **kwargs: Any) -> None:
        """Keep nothing."""


class PlainSession(requests.Session):
    """A session that follows no redirect, keeps no cookie and reads no environment."""

    def __init__(self) -> None:
        super().__init__()
        # Otherwise requests adds credentials from ~/.netrc to ours.
        self.trust_env = False
        self.cookies = NoJar()

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the base's signature
        """Never follow a redirect: the caller handles 3xx itself."""
        return


def make_session(
    url: str,
    parallel: int,
    context: ssl.SSLContext | None,
    *,
    read_only: bool,
    proxy: Literal["direct"] | Proxy | None = None,
    server_name: str | None = None,
    egress: Egress | None = None,
) -> requests.Session:
    """A session for one server: pools, TLS, and the proxy.

    Without `proxy` the environment decides (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), unless the server is on this machine. Only a
    proxy of the environment is reached without asking `egress`: whoever runs the process has chosen it.
    """
    session = PlainSession()
    proxies = get_environ_proxies(url) if proxy is None and not is_loopback(host_of(url)) else {}
    pools = Adapter(parallel, context, server_name, None if proxies else egress)
    adapter = ReadOnlyAdapter(pools) if read_only else pools
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    if isinstance(proxy, Proxy):
        session.proxies.update(dict.fromkeys(("http", "https"), _with_account(proxy)))
    else:
        session.proxies.update(proxies)
    return session


def written(url: str) -> str:
    """A base URL as it is requested, without a slash at its end: its host in ASCII (RFC 5891). Raises RequestException."""
    return str(requests.Request("GET", url).prepare().url).rstrip("/")


def prepared(
    method: str, url: str, headers: Mapping[str, str], body: str | bytes | None, auth: AuthBase | None
) -> requests.PreparedRequest:
    """A request of a URL that is already as it is requested.

    A session would prepare it with cookies, hooks and settings of the environment, which ours do not have, and that is a fifth
    of the work for a request.
    """
    request = requests.PreparedRequest()
    request.method, request.url, request.body = method, url, body
    request.headers = CaseInsensitiveDict(headers)
    request.prepare_content_length(body)
    if auth is not None:
        request.prepare_auth(auth)
    return request


def send(
    session: requests.Session, request: requests.PreparedRequest, timeout: tuple[float, float]
) -> requests.Response:
    """Send a request of `prepared` through the adapter of a session; the body is still to be read. `timeout` is in seconds, for
    the connection and for each read. Raises RequestException.
    """
    adapter = session.get_adapter(str(request.url))
    return adapter.send(request, stream=True, timeout=timeout, proxies=dict(session.proxies))


def _with_account(proxy: Proxy) -> str:
    """The address of a proxy for requests, including the password: only for the session."""
    if proxy.username is None:
        return proxy.url
    password = "" if proxy.password is None else proxy.password.reveal()
    parts = urlsplit(proxy.url)
    return urlunsplit(parts._replace(netloc=f"{quote(proxy.username, '')}:{quote(password, '')}@{parts.netloc}"))


class _PostOnly(BaseAdapter):
    """Sends a POST to one address through another adapter, and refuses everything else before a byte leaves the process."""

    def __init__(self, inner: BaseAdapter, url: str) -> None:
        super().__init__()
        self._inner = inner
        self._url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a POST to that address. Raises WriteRefused for another method or address."""
        if request.method != "POST" or request.url != self._url:
            raise WriteRefused(
                "A request was attempted on a connection that only signs in",
                detail=f"{request.method} was stopped before anything was sent.",
                fix="This is a bug in oauthdeploy; please report it.",
            )
        return self._inner.send(request, *args, **kwargs)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


def allow_writes(session: requests.Session) -> None:
    """From now on let a session of `make_session` send every method, through the connections that it has."""
    for prefix, adapter in list(session.adapters.items()):
        if isinstance(adapter, ReadOnlyAdapter):
            session.mount(prefix, adapter.inner)


def allow_one_post(session: requests.Session, url: str) -> None:
    """Restrict the session to a POST to exactly `url`, the token endpoint, whatever a run may write."""
    only = _PostOnly(session.get_adapter(url), url)
    session.mount("https://", only)
    session.mount("http://", only)


def host_of(url: str) -> str:
    """The host of a URL, in lower case, without brackets; "" if there is none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine (RFC 6761 section 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


_VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def tls_context(server: str, tls: Tls, base: Path) -> ssl.SSLContext:
    """The TLS settings of a server entry: its minimum version, its authorities or the default ones, a client certificate.

    Files are relative to `base`. Raises ManifestInvalid, which names the file and its place in the manifest.
    """
    # With a ca_file, only that authority counts; the default context would trust the system's as well.
    context = ssl.create_default_context() if tls.ca_file is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = _VERSIONS[tls.minimum_version]
    if tls.ca_file is not None:
        _load(server, "ca_file", base / tls.ca_file, lambda path: context.load_verify_locations(cafile=path))
    else:
        context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
    if not tls.verify:
        # In this order: ssl refuses CERT_NONE while the host name is checked.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.client_cert is not None:
        key = None if tls.client_key is None else base / tls.client_key
        if key is not None:
            _load(server, "client_key", key, lambda path: path.open("rb").close())
        # Never prompt for a pass phrase: in a pipeline, nobody could enter it.
        phrase = "" if tls.client_key_password is None else tls.client_key_password.reveal()
        _load(
            server,
            "client_cert",
            base / tls.client_cert,
            lambda path: context.load_cert_chain(path, key, password=lambda: phrase),
        )
    return context


def _load(server: str, field: str, path: Path, load: Any) -> None:
    try:
        load(path)
    except (OSError, ValueError) as problem:
        why = (
            "it holds no usable PEM" if isinstance(problem, ssl.SSLError) else (getattr(problem, "strerror", "") or "?")
        )
        raise ManifestInvalid(
            Diagnostics.of(
                [
                    Diagnostic(
                        "tls-file-unusable",
                        "A file for TLS cannot be used",
                        detail=f"{path}: {why}.",
                        fix="Give the path of a readable PEM file, relative to the manifest's folder.",
                        path=("servers", server, "tls", field),
                    )
                ]
            )
        ) from None


def redirect_host(headers: Mapping[str, str]) -> str:
    """The host and port that a redirect leads to, safe to show; "" for the same host."""
    location = headers.get("Location", "")
    try:
        parts = urlsplit(location)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    shown = "".join(c for c in host if c.isprintable())[:100]
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "") if shown else ""
