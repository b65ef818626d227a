"""The origins of a manifest's secrets and of a run's variables. Names and places, never secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from oauthdeploy.core.diagnostics import Path, path_text
from oauthdeploy.core.secrets import Secret
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.var_files import read_var_file
from oauthdeploy.manifest.variables import ENVIRON_PREFIX
from oauthdeploy.model.fields import Model
from oauthdeploy.planning.planfile.binding import SecretSource, VariableSource

_ENV = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_VAR = re.compile(r"\$\{var:([A-Za-z_][A-Za-z0-9_]*)\}")
_NO_SECRETS: Final = frozenset({"variables", "environments"})


def secret_sources(manifest: Manifest, environ: Mapping[str, str]) -> tuple[SecretSource, ...]:
    """Every secret of the manifest by its path, sorted."""
    found = []
    for path, secret in _secrets(manifest):
        unset = tuple(sorted({name for name in _ENV.findall(secret.origin) if not environ.get(name)}))
        found.append(SecretSource(path=path_text(path), origin=secret.origin, unset=unset))
    return tuple(sorted(found, key=lambda item: item.path))


def variable_sources(manifest: Manifest, request: ManifestRequest) -> tuple[VariableSource, ...]:
    """The origin of the value of each declared variable, sorted. Variables without a value are left out."""
    hidden = {name for _, secret in _secrets(manifest) for name in _VAR.findall(secret.origin)}
    in_files = {name: file for file in request.var_files for name in read_var_file(file).values}
    found = []
    for name, declared in manifest.document.variables.items():
        if name in request.variables:
            value = None if declared.sensitive or name in hidden else request.variables[name]
            found.append(VariableSource(name=name, source="--var", value=value))
        elif name in in_files:
            found.append(VariableSource(name=name, source=in_files[name]))
        elif ENVIRON_PREFIX + name in request.environ:
            found.append(VariableSource(name=name, source="environment"))
        elif declared.default is not None:
            found.append(VariableSource(name=name, source="default"))
    return tuple(sorted(found, key=lambda item: item.name))


def _secrets(manifest: Manifest) -> Iterator[tuple[Path, Secret]]:
    for name in sorted(manifest.document.model_fields_set - _NO_SECRETS):
        yield from _inside(getattr(manifest.document, name), (name,))


def _inside(value: Any, path: Path) -> Iterator[tuple[Path, Secret]]:
    if isinstance(value, Secret):
        yield path, value
    elif isinstance(value, Model):
        yield from _each(((name, getattr(value, name)) for name in value.model_fields_set), path)
    elif isinstance(value, Mapping):
        yield from _each(value.items(), path)
    elif isinstance(value, list | tuple):
        yield from _each(enumerate(value), path)


def _each(items: Iterable[tuple[Any, Any]], path: Path) -> Iterator[tuple[Path, Secret]]:
    for key, inner in items:
        # Most values are strings, and there may be a million of them.
        if inner.__class__ is not str:
            yield from _inside(inner, (*path, key))
