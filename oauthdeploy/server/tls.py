"""Certificates for `tls`: one authority for each data directory, generated once and kept."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import trustme
from cryptography import x509
from msgspec import Struct

from oauthdeploy.server.private_files import write_private

_LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")
_WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


class Certificates(Struct, frozen=True):
    """Paths of the PEM files; the authority's certificate is for clients to trust."""

    ca_file: Path
    certificate: Path
    key: Path


def ensure_certificates(data_dir: Path, host: str) -> Certificates:
    """The certificates of a data directory, generated if they do not exist or do not name `host`.

    The authority stays the same, so clients that trust it keep working. Private files have mode 0600.
    """
    files = Certificates(data_dir / "ca.pem", data_dir / "tls" / "server.pem", data_dir / "tls" / "server.key")
    ca_key = data_dir / "tls" / "ca.key"
    names = [*_LOCAL_NAMES, *([] if host in _LOCAL_NAMES or host in _WILDCARDS else [host])]
    if files.ca_file.exists() and ca_key.exists():
        authority = trustme.CA.from_pem(files.ca_file.read_bytes(), ca_key.read_bytes())
    else:
        authority = trustme.CA(organization_name="oauthdeploy embedded server")
        write_private(ca_key, authority.private_key_pem.bytes())
        write_private(files.ca_file, authority.cert_pem.bytes())
        files.ca_file.chmod(0o644)
        files.certificate.unlink(missing_ok=True)
    if not (files.certificate.exists() and files.key.exists() and _covers(files.certificate, names)):
        issued = authority.issue_cert(*names)
        write_private(files.key, issued.private_key_pem.bytes())
        write_private(files.certificate, b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    return files


def _covers(certificate: Path, names: list[str]) -> bool:
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    extension = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    held = set(extension.get_values_for_type(x509.DNSName))
    held.update(str(address) for address in extension.get_values_for_type(x509.IPAddress))
    return all(_normal(name) in held for name in names)


def _normal(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name
