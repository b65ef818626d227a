"""What the manifest of a tenant may reach from the operator: the addresses of servers, and the files of its own run.

The manifest is checked after it was read and before any request: a name is resolved for the check. Each connection is checked
again, by the address that it is made to, since a name server may give another answer a moment later.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path as FilePath
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Path, path_text
from oauthdeploy.core.errors import ManifestInvalid
from oauthdeploy.manifest.api import Manifest
from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import Client
from oauthdeploy.workflow.connections import registry_options

SERVER_REFUSED: Final = "server-not-allowed"
DELIVERY_REFUSED: Final = "delivery-not-possible"
FILE_REFUSED: Final = "file-not-allowed"
LOCK_REFUSED: Final = "lock-elsewhere"

_METADATA: Final = frozenset(
    ipaddress.ip_address(address) for address in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
"""Metadata services of clouds that are not at a link-local address."""
_FILES: Final = ("_file", "client_cert", "client_key")
"""How the names of fields end that name a file."""


class Bounds(Struct, frozen=True):
    """What every estate may reach. `servers` are globs of origins, such as https://*.example.com; none: any."""

    servers: tuple[str, ...] = ()

    def require(self, manifest: Manifest, namespace: str) -> None:
        """Check a manifest of this namespace. Raises ManifestInvalid with everything that is not allowed."""
        found = Diagnostics.of(
            item.at(manifest.locate(item.path))
            for check in (
                self._servers(manifest),
                _files(manifest),
                _registries(manifest),
                _deliveries(manifest),
                _lock(manifest, namespace),
            )
            for item in check
        )
        if found.errors:
            raise ManifestInvalid(found)

    def _servers(self, manifest: Manifest) -> Iterator[Diagnostic]:
        for path, text in _texts(manifest):
            if text.lower().startswith(("http://", "https://")) and (reason := self.refusal(text)):
                yield Diagnostic(
                    SERVER_REFUSED,
                    "The operator must not reach this address",
                    detail=f"{path_text(path)}: {reason}",
                    fix="Name another server, or ask the operator's administrator to allow it: --allow-server ORIGIN.",
                    path=path,
                )

    def refusal(self, url: str) -> str:
        """Why a URL may not be reached; "" if it may. Resolves the name of its host."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return "it is not a URL"
        matching = self._matching(parts.scheme.lower(), host, port)
        if self.servers and not matching:
            return "the operator allows other servers only"
        if any(not _has_wildcard(glob) for glob in matching):
            return ""  # This very host was allowed.
        return next((reason for reason in map(_unsafe, _addresses(host)) if reason), "")

    def address_refusal(self, scheme: str, host: str, port: int, address: str) -> str:
        """Why a connection to a host must not be made to this IP address; "" if it may. Resolves nothing."""
        if any(not _has_wildcard(glob) for glob in self._matching(scheme, host.lower().strip("[]"), port)):
            return ""
        return _unsafe(_address(address))

    def _matching(self, scheme: str, host: str, port: int | None) -> list[str]:
        """The allowed origins that match this one."""
        shown = f"[{host}]" if ":" in host else host
        origins = {f"{scheme}://{shown}" + (f":{port}" if port is not None else "")}
        if port is not None and port == {"http": 80, "https": 443}.get(scheme):
            origins.add(f"{scheme}://{shown}")
        return [glob for glob in self.servers if any(_matches(origin, glob.rstrip("/")) for origin in origins)]


def _matches(origin: str, glob: str) -> bool:
    # The brackets of an IPv6 address are no wildcard.
    return origin == glob or ("[" not in glob and fnmatchcase(origin, glob))


def _has_wildcard(glob: str) -> bool:
    """Whether the host of an allowed origin stands for several hosts; that of the port does not matter."""
    host = glob.partition("://")[2]
    return any(sign in (host.rpartition(":")[0] or host) for sign in "*?")


def _addresses(host: str) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The addresses of a host; none if it cannot be resolved, and then it cannot be reached either."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    for *_, where in found:
        yield _address(str(where[0]))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _unsafe(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if address.is_link_local or address in _METADATA:
        return "its address is link-local, or that of a metadata service"
    if address.is_loopback or address.is_unspecified:
        return "its address is that of the operator itself"
    return "its address is a multicast address" if address.is_multicast else ""


def _texts(manifest: Manifest) -> Iterator[tuple[Path, str]]:
    """Every text about servers and the proof of cut-offs, with its path."""
    document = manifest.document
    yield from _inside(document.servers, ("servers",))
    yield from _inside(document.revocations or (), ("revocations",))
    for part, models in (("credentials", manifest.credentials), ("options", manifest.options)):
        for name, model in models.items():
            yield from _inside(model, ("servers", name, part))


def _inside(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, str(value)
    elif isinstance(value, Model):
        yield from _each(((name, getattr(value, name)) for name in value.model_fields_set), path)
    elif isinstance(value, Mapping):
        yield from _each(value.items(), path)
    elif isinstance(value, list | tuple):
        yield from _each(enumerate(value), path)


def _each(items: Iterable[tuple[Any, Any]], path: Path) -> Iterator[tuple[Path, str]]:
    for key, inner in items:
        yield from _inside(inner, (*path, key))


def _files(manifest: Manifest) -> Iterator[Diagnostic]:
    base = FilePath(manifest.base).resolve()
    for path, text in _texts(manifest):
        named = str(path[-1]).endswith(_FILES) and text
        if named and not (base / text).resolve().is_relative_to(base):
            yield Diagnostic(
                FILE_REFUSED,
                "A file outside the manifest's folder, or a keyring, is read where that is not allowed",
                detail=f"{path_text(path)} names a file of the operator.",
                fix="Put the file into a Secret or ConfigMap, and name it in spec.files.",
                path=path,
            )


def _registries(manifest: Manifest) -> Iterator[Diagnostic]:
    """A driver that keeps a registry would find none in the next run, and register every client again."""
    for name, option in registry_options(manifest).items():
        driver = manifest.desired.servers[name].driver
        yield Diagnostic(
            FILE_REFUSED,
            "A file outside the manifest's folder, or a keyring, is read where that is not allowed",
            detail=f"servers.{name}: the registry of the driver '{driver}' would be lost with the run.",
            fix="Apply this manifest with the command line, on a machine that keeps the registry.",
            path=("servers", name, "options", option),
        )


def _deliveries(manifest: Manifest) -> Iterator[Diagnostic]:
    for address, value in manifest.desired.objects.items():
        if isinstance(value, Client) and value.secret is not None and value.secret.deliver_to is not None:
            yield Diagnostic(
                DELIVERY_REFUSED,
                "The operator cannot deliver a secret",
                detail=f"{address}: a file of the operator would be lost with the run, and it runs no programs.",
                fix="Write the secret into a Secret yourself, and refer to it with spec.env.",
                address=str(address),
                path=manifest.desired.places.get(address, ()),
            )


def _lock(manifest: Manifest, namespace: str) -> Iterator[Diagnostic]:
    lock = manifest.document.lock
    if lock is not None and lock.kubernetes.namespace != namespace:
        yield Diagnostic(
            LOCK_REFUSED,
            "The lock of the manifest is in another namespace",
            detail=f"It is in {lock.kubernetes.namespace}, and the estate in {namespace}.",
            fix="Use the namespace of the estate, so that the operator and the command line take the same Leases.",
            path=("lock", "kubernetes", "namespace"),
        )
