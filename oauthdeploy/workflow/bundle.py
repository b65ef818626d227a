"""Builds from a manifest the file that a server loads by itself, without any request."""

from __future__ import annotations

from collections.abc import Callable

from oauthdeploy.core.errors import ManifestInvalid, UsageError
from oauthdeploy.drivers.base import BundleRequest
from oauthdeploy.drivers.registry import get_driver
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.workflow.connections import validate


def make_bundle(request: ManifestRequest, server: str | None = None, form: str = "bundle") -> tuple[str, bytes]:
    """The desired state of a server as the file that this kind of server loads. Also returns the server's name.

    `form` is the format: `bundle`, or `msr` for the configuration variables template of a Microservices Runtime. `server` may be
    omitted if the manifest has only one server that loads it. Equal manifests give equal bytes. Raises
    ManifestInvalid, and UsageError for a server that is not written to or loads no files.
    """
    manifest, findings = validate(request)
    if manifest is None:
        raise ManifestInvalid(findings)
    servers = manifest.desired.servers
    able = [name for name, entry in servers.items() if _makes(entry.driver, form)]
    those = f"Those that do are: {', '.join(able)}." if able else "No server of this manifest does."
    if server is None:
        if len(able) != 1:
            raise UsageError("Which server is the bundle for?", fix=f"Name a server that loads bundles. {those}")
        server = able[0]
    if server not in servers:
        raise UsageError(f"No server '{server}' in the manifest", fix=f"Servers are: {', '.join(servers)}.")
    make = _makes(servers[server].driver, form)
    if make is None:
        what = "bundles" if form == "bundle" else f"files of the format {form}"
        raise UsageError(f"'{server}' loads no {what}", fix=those)
    try:
        return server, make(BundleRequest(server, manifest.options[server], manifest.desired))
    except ManifestInvalid as error:
        found = (item.at(manifest.locate(item.path)) for item in error.diagnostics)
        raise ManifestInvalid(type(error.diagnostics).of(found)) from None


def _makes(driver: str, form: str) -> Callable[[BundleRequest], bytes] | None:
    info = get_driver(driver)
    return info.bundle if info.bundle_format == form else None
