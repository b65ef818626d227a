"""TLS of the HTTP client, against real TLS servers on loopback."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from oauthdeploy.core.errors import ManifestInvalid, Unreachable
from oauthdeploy.drivers.http import open_client
from oauthdeploy.model.servers import Server
from tests.drivers.kit import says, serving

pytestmark = pytest.mark.live


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A refused handshake is the client's business."""


@contextmanager
def tls_serving(context: ssl.SSLContext) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def folder(tmp_path: Path, authority: trustme.CA) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path


def server_context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def ask(url: str, folder: Path, **tls: object) -> Any:
    entry = Server.model_validate(
        {"role": "both", "driver": "x", "url": url, "tls": tls, "limits": {"retries": 0, "timeout": 5}}
    )
    client = open_client("login", entry, None, read_only=True, base=folder)
    try:
        return client.get("/").body
    finally:
        client.close()


def test_a_certificate_of_the_given_authority_is_accepted(authority: trustme.CA, folder: Path) -> None:
    """`ca_file` is looked up from the manifest's folder."""
    with tls_serving(server_context(authority)) as url:
        assert ask(url, folder, ca_file="ca.pem") == {}


def test_an_unknown_authority_is_refused_with_the_way_out(authority: trustme.CA, folder: Path) -> None:
    """Verification is on; the message names tls.ca_file."""
    with (
        tls_serving(server_context(authority)) as url,
        pytest.raises(Unreachable, match="certificate was rejected") as caught,
    ):
        ask(url, folder)
    assert "tls.ca_file" in caught.value.fix
    assert not caught.value.uncertain


def test_another_hosts_certificate_is_refused(authority: trustme.CA, folder: Path) -> None:
    """The name is checked, not only the signature."""
    with (
        tls_serving(server_context(authority, "is.example.com")) as url,
        pytest.raises(Unreachable, match="certificate was rejected"),
    ):
        ask(url, folder, ca_file="ca.pem")


def test_verification_can_be_turned_off(authority: trustme.CA, folder: Path) -> None:
    """On purpose only."""
    with tls_serving(server_context(authority, "is.example.com")) as url:
        assert ask(url, folder, verify=False) == {}


def test_only_the_given_authority_is_trusted(folder: Path) -> None:
    """`ca_file` replaces the public authorities and other private ones."""
    other = trustme.CA()
    with tls_serving(server_context(other)) as url, pytest.raises(Unreachable, match="certificate was rejected"):
        ask(url, folder, ca_file="ca.pem")


def test_a_client_certificate_is_shown_where_it_is_asked_for(authority: trustme.CA, folder: Path) -> None:
    """Mutual TLS works with it and fails without it."""
    issued = authority.issue_cert("deployer@example.com")
    issued.cert_chain_pems[0].write_to_path(folder / "me.pem")
    issued.private_key_pem.write_to_path(folder / "me.key")
    context = server_context(authority)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with tls_serving(context) as url:
        assert ask(url, folder, ca_file="ca.pem", client_cert="me.pem", client_key="me.key") == {}
        with pytest.raises(Unreachable):
            ask(url, folder, ca_file="ca.pem")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_old_tls_is_refused(authority: trustme.CA, folder: Path) -> None:
    """TLS 1.2 is the least."""
    context = server_context(authority)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with tls_serving(context) as url, pytest.raises(Unreachable):
        ask(url, folder, ca_file="ca.pem")


def test_the_oldest_version_can_be_raised(authority: trustme.CA, folder: Path) -> None:
    """`minimum_version` is held: a server of TLS 1.2 is refused, with the key to look at."""
    context = server_context(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with tls_serving(context) as url:
        assert ask(url, folder, ca_file="ca.pem") == {}
        with pytest.raises(Unreachable) as caught:
            ask(url, folder, ca_file="ca.pem", minimum_version="TLSv1.3")
    assert "tls.minimum_version" in caught.value.fix
    with tls_serving(server_context(authority)) as url:
        assert ask(url, folder, ca_file="ca.pem", minimum_version="TLSv1.3") == {}


def test_the_certificate_may_be_for_another_name_that_is_given(authority: trustme.CA, folder: Path) -> None:
    """Through a tunnel the url names this machine; the certificate is still checked, for `server_name`."""
    asked: list[str | None] = []
    context = server_context(authority, "is.example.com")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with tls_serving(context) as url:
        assert ask(url, folder, ca_file="ca.pem", server_name="is.example.com") == {}
        with pytest.raises(Unreachable, match="certificate was rejected"):
            ask(url, folder, ca_file="ca.pem", server_name="other.example.com")
    assert asked == ["is.example.com", "other.example.com"]


def test_an_encrypted_key_needs_its_pass_phrase(authority: trustme.CA, folder: Path) -> None:
    """The right one opens it; a wrong one or none is a finding at the certificate, and nobody is asked on a terminal."""
    issued = authority.issue_cert("deployer@example.com")
    issued.cert_chain_pems[0].write_to_path(folder / "me.pem")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    (folder / "me.key").write_bytes(locked)
    context = server_context(authority)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    given = {"ca_file": "ca.pem", "client_cert": "me.pem", "client_key": "me.key"}
    with tls_serving(context) as url:
        assert ask(url, folder, **given, client_key_password="open sesame") == {}
        for wrong in ({"client_key_password": "close sesame"}, {}):
            with pytest.raises(ManifestInvalid) as caught:
                ask(url, folder, **given, **wrong)
            (finding,) = caught.value.diagnostics
            assert finding.path == ("servers", "login", "tls", "client_cert")
            assert "sesame" not in finding.detail


def test_a_plain_port_behind_https_is_explained(folder: Path) -> None:
    """The scheme is wrong, and the fix says so."""
    with serving([says({})]) as server, pytest.raises(Unreachable, match="does not speak TLS"):
        ask(server.url.replace("http:", "https:"), folder, ca_file="ca.pem")


@pytest.mark.parametrize("name", ["missing.pem", "empty.pem", "text.pem", "."])
@pytest.mark.parametrize("field", ["ca_file", "client_cert"])
def test_a_tls_file_that_cannot_be_used_is_a_finding_with_its_place(field: str, name: str, folder: Path) -> None:
    """Missing, empty, no PEM, a folder: each a finding at its key, before anything is sent."""
    (folder / "empty.pem").write_text("")
    (folder / "text.pem").write_text("hello")
    with pytest.raises(ManifestInvalid) as caught:
        ask("https://127.0.0.1:1", folder, **{field: name})
    (finding,) = caught.value.diagnostics
    assert finding.path == ("servers", "login", "tls", field)
    assert finding.fix
