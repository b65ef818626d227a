"""Trees of plain values in which secrets are hidden from a library that inspects every object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oauthdeploy.core.secrets import Secret


def plain(value: Any) -> Any:
    """Mappings and lists of any type as dict and list, so that only their content is compared."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


class Seal:
    """Replaces each secret by a token, equal for equal secrets, so that deepdiff never inspects one."""

    def __init__(self) -> None:
        self._tokens: dict[Secret, _Token] = {}

    def __call__(self, value: Any) -> Any:
        """The value with a token instead of each secret."""
        return _mapped(value, lambda leaf: self._token(leaf) if isinstance(leaf, Secret) else leaf)

    def opened(self, value: Any) -> Any:
        """The original value."""
        return _mapped(value, lambda leaf: leaf.secret if isinstance(leaf, _Token) else leaf)

    def _token(self, secret: Secret) -> _Token:
        return self._tokens.setdefault(secret, _Token(f"secret {len(self._tokens)}", secret))


class _Token(str):
    """A meaningless text that stands for a secret."""

    secret: Secret
    __slots__ = ("secret",)

    def __new__(cls, text: str, secret: Secret) -> _Token:
        """The text, and the secret that it stands for."""
        instance = super().__new__(cls, text)
        instance.secret = secret
        return instance


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mapped(inner, change) for inner in value]
    return change(value)
