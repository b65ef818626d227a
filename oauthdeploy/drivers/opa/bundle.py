"""Builds the policy data as an OPA bundle, from the manifest alone, for servers that load bundles instead of being written to."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import Any, Final

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.errors import ManifestInvalid
from oauthdeploy.drivers.base import BundleRequest
from oauthdeploy.drivers.json_values import fingerprint
from oauthdeploy.drivers.opa import mapping
from oauthdeploy.drivers.opa.facts import OpaOptions
from oauthdeploy.model.objects import Revocation

_MODE: Final = 0o644


def make_bundle(request: BundleRequest) -> bytes:
    """A gzipped tar archive with the document and a manifest whose root is its path. Equal manifests give equal bytes.

    Raises ManifestInvalid for `tokens: all`, whose time is unknown offline.
    """
    assert isinstance(request.options, OpaOptions)
    path, desired = request.options.path, request.desired
    objects = desired.on(request.name)
    timeless = [
        address for address, value in objects.items() if isinstance(value, Revocation) and value.tokens == "all"
    ]
    if timeless:
        raise ManifestInvalid(
            Diagnostics.of(
                Diagnostic(
                    "bundle-needs-a-moment",
                    "A bundle needs the time of the revocation",
                    f"{address} refuses all tokens of '{desired.objects[address].client}', and a bundle must state the time.",  # type: ignore[union-attr]
                    "Write tokens: {issued_before: ...} with the time of the incident.",
                    address=str(address),
                    path=desired.places.get(address, ()),
                )
                for address in sorted(timeless)
            )
        )
    data = _json(mapping.document_of(objects, desired.name))
    manifest = {"revision": fingerprint(data), "roots": [path]}
    return _archive({".manifest": _json(manifest), f"{path}/data.json": data})


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def _archive(files: dict[str, str]) -> bytes:
    """Its content does not depend on when, where or by whom it was built, so equal documents give equal bytes."""
    target = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted(files):
            content = files[name].encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), _MODE
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()
