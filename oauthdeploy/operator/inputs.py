"""From a spec to what the Python API takes: the manifest's files in a private folder, and the request.

The folder exists for one run. Values of Secrets reach the request's `environ`, or files of that folder, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct

from oauthdeploy.core.disclosure import KNOWN
from oauthdeploy.core.errors import UsageError
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.operator.cluster import Stored
from oauthdeploy.operator.resource import EstateSpec, Input, KeyOf, Value

Lookup = Callable[[str, str], Stored | None]
"""Returns the ConfigMap or Secret with a kind and a name, in the namespace of the estate."""


class Inputs(Struct, frozen=True):
    """The request of a run, or the `problem` for which there is none; and what was read for it."""

    versions: tuple[Input, ...]
    request: ManifestRequest | None = None
    problem: UsageError | None = None


def gather(spec: EstateSpec, lookup: Lookup, folder: Path) -> Inputs:
    """Write the files of the manifest into the empty `folder`, and return the request. Raises what `lookup` raises."""
    found = {reference: lookup(*reference) for reference in sorted(spec.references())}
    versions = tuple(
        Input(kind=kind, name=name, resource_version=stored.version if stored is not None else "")
        for (kind, name), stored in found.items()
    )
    for (kind, _), stored in found.items():
        if kind == "Secret" and stored is not None:
            _remember(stored)
    try:
        environ = dict(_environ(spec, found))
        files = tuple(_manifest_files(spec, found, folder))
        for place, data in _other_files(spec, found):
            _write(folder / place, data)
    except UsageError as problem:
        return Inputs(versions, problem=problem)
    request = ManifestRequest(
        files=files,
        environment=spec.environment,
        variables=dict(spec.variables),
        environ=environ,
        confined=True,
    )
    return Inputs(versions, request)


def _remember(stored: Stored) -> None:
    """Whatever is in a Secret must not appear in a status, an Event or a log."""
    for data in stored.data.values():
        try:
            text = data.decode()
        except UnicodeDecodeError:
            continue
        KNOWN.add_secret(text)
        KNOWN.add_secret(text.rstrip("\r\n"))


Found = Mapping[tuple[str, str], Stored | None]


def _environ(spec: EstateSpec, found: Found) -> Iterator[tuple[str, str]]:
    for item in spec.env:
        text = item.value if item.value is not None else _value(item, found)
        if text is not None:
            yield item.name, text


def _value(item: Value, found: Found) -> str | None:
    origin = item.value_from
    assert origin is not None
    kind = "Secret" if origin.secret_key_ref is not None else "ConfigMap"
    wanted = origin.secret_key_ref or origin.config_map_key_ref
    assert wanted is not None
    data = _key(kind, wanted, found.get((kind, wanted.name)))
    if data is None:
        return None
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise _wrong(f"Key {wanted.key} of {kind} {wanted.name} is not text (UTF-8).") from None


def _key(kind: str, wanted: KeyOf, stored: Stored | None) -> bytes | None:
    if stored is not None and wanted.key in stored.data:
        return stored.data[wanted.key]
    if wanted.optional:
        return None
    missing = f"has no key {wanted.key}" if stored is not None else "does not exist"
    raise _wrong(f"{kind} {wanted.name} {missing} in the namespace of the estate.")


def _manifest_files(spec: EstateSpec, found: Found, folder: Path) -> Iterator[str]:
    """Write the files of the manifest; yields their paths."""
    if spec.manifest.inline is not None:
        yield _write(folder / "inline.yaml", spec.manifest.inline.encode())
    for source in spec.manifest.config_maps:
        stored = found.get(("ConfigMap", source.name))
        keys = _matching(stored, source.keys)
        if stored is None or not keys:
            what = "does not exist" if stored is None else f"has no key that matches {', '.join(source.keys)}"
            raise _wrong(f"ConfigMap {source.name} {what} in the namespace of the estate.")
        for key in keys:
            yield _write(folder / f"{source.name}.{key}", stored.data[key])


def _other_files(spec: EstateSpec, found: Found) -> Iterator[tuple[str, bytes]]:
    for source in spec.files:
        kind, name = ("Secret", source.secret) if source.secret is not None else ("ConfigMap", source.config_map or "")
        stored = found.get((kind, name))
        if stored is None:
            raise _wrong(f"{kind} {name} does not exist in the namespace of the estate.")
        for key in _matching(stored, source.keys):
            yield f"{source.path}/{key}", stored.data[key]


def _matching(stored: Stored | None, globs: tuple[str, ...]) -> list[str]:
    keys = sorted(stored.data) if stored is not None else []
    return [key for key in keys if key not in (".", "..") and any(fnmatchcase(key, glob) for glob in globs)]


def _write(path: Path, data: bytes) -> str:
    """Write a file that only this account may read; returns its path. Raises UsageError for a name that is used twice."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise _wrong(f"Two parts of the spec make the same file: {path.name}.") from None
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    return str(path)


def _wrong(detail: str) -> UsageError:
    return UsageError(
        "The spec of the estate cannot be used", detail=detail, fix="Correct the spec, or add what it names."
    )
