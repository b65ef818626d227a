"""Which parts of Keycloak's JSON of a client or a client scope are secret, by name or according to the manifest. Pure.

Keycloak returns attributes and the config of mappers in clear, and only the manifest knows which of them are secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from oauthdeploy.core.secrets import Secret, is_named_secret
from oauthdeploy.drivers.json_wire import Untraced
from oauthdeploy.drivers.keycloak.options import MARK

_SECRET_KEYS: Final = frozenset({"secret", "registrationAccessToken"})
"""Where the representation of a client contains what must not be shown."""

_Path = tuple[str, ...]
_Change = Callable[[_Path, str], Any]


def sealed(raw: Mapping[str, Any], written: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The same representation with Secrets for what is secret by its name, and for what the options that are `written` for the
    object mark as secret.
    """
    kept = frozenset(_kept(written or {}))

    def seal(path: _Path, text: str) -> Any:
        by_name = path[0] in _SECRET_KEYS or (is_named_secret(path[-1], text) and not path[-1].startswith(MARK))
        return Secret(text, "server") if by_name or path in kept else text

    return _mapped(raw, seal)


def keeps_secrets(written: Mapping[str, Any]) -> bool:
    """Whether options that are written for an object contain secrets."""
    return next(_kept(written), None) is not None


def sent_back(body: Mapping[str, Any], read: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent to change a client that was `read`: unchanged parts are not traced, since they may be secret."""
    came: set[tuple[_Path, str]] = set()
    _mapped(read, lambda path, text: came.add((path, text)))
    return _mapped(sealed(body), lambda path, text: Untraced(text) if (path, text) in came else text)


def _kept(written: Mapping[str, Any]) -> Iterator[_Path]:
    """The paths of Secrets in options, in the form of `_mapped`."""
    for name, value in (written.get("attributes") or {}).items():
        if isinstance(value, Secret):
            yield ("attributes", name)
    for mapper, rules in (written.get("protocol_mappers") or {}).items():
        for name, value in ((rules or {}).get("config") or {}).items():
            if isinstance(value, Secret):
                yield ("protocolMappers", mapper, name)


def _mapped(raw: Mapping[str, Any], change: _Change) -> dict[str, Any]:
    """The same representation with other values where secrets may be: at its top level, in its attributes and its mappers'
    config.
    """
    made = dict(raw)
    for key in _SECRET_KEYS & raw.keys():
        made[key] = _texts(raw[key], (key,), change)
    if "attributes" in raw:
        made["attributes"] = _texts(raw["attributes"], ("attributes",), change)
    if isinstance(mappers := raw.get("protocolMappers"), list):
        made["protocolMappers"] = [_mapper(one, change) for one in mappers]
    return made


def _mapper(one: Any, change: _Change) -> Any:
    if not isinstance(one, Mapping) or "config" not in one:
        return one
    return {**one, "config": _texts(one["config"], ("protocolMappers", str(one.get("name"))), change)}


def _texts(value: Any, path: _Path, change: _Change) -> Any:
    if isinstance(value, Mapping):
        return {key: _texts(inner, (*path, str(key)), change) for key, inner in value.items()}
    return change(path, value) if isinstance(value, str) else value
