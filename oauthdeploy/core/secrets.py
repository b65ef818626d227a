"""Secrets have their own type: a value that no output can show, with its origin, which every output may show."""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import lru_cache
from typing import Any, ClassVar, Final, NoReturn, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, SchemaSerializer, core_schema

from oauthdeploy.core.disclosure import KNOWN

MASK = "***"

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_AS_ORIGIN = core_schema.plain_serializer_function_ser_schema(
    lambda secret: {"secret": secret.origin}, when_used="always"
)


class Secret:
    """A secret string and its origin. Printing, formatting, ordering and pickling never reveal the string.

    `origin` names the source (`env:WEB_SHOP_SECRET`, `file:/run/secrets/x`, `manifest`) and may be shown.
    """

    __slots__ = ("_origin", "_text")

    # pydantic uses this for fields of any type, so that their dumps contain the origin as well.
    __pydantic_serializer__: ClassVar[SchemaSerializer] = SchemaSerializer(
        core_schema.any_schema(serialization=_AS_ORIGIN)
    )

    def __init__(self, text: str, origin: str) -> None:
        self._text = text
        self._origin = origin
        KNOWN.add_secret(text)

    @property
    def origin(self) -> str:
        """Where the secret came from; safe to show."""
        return self._origin

    def reveal(self) -> str:
        """The string itself. Only a driver about to send it, and a sink about to store it, may call this."""
        return self._text

    def fingerprint(self, key: bytes) -> str:
        """A keyed digest (HMAC-SHA-256, RFC 2104) for comparisons within one run; `key` must be random and never saved."""
        return hmac.new(key, _bytes(self._text), hashlib.sha256).hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._text), _bytes(other._text))

    def __hash__(self) -> int:
        return hash(("Secret", self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK}, origin={self._origin!r})"

    def __format__(self, _spec: str) -> str:
        return MASK

    def __reduce_ex__(self, _protocol: Any) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied into a file")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret does not expose its state")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Secret:
        return self

    @classmethod
    def guessed(cls, text: str, origin: str) -> Secret:
        """A string that looks secret only because of its field: it is masked there, but not searched for in outputs."""
        secret = cls.__new__(cls)
        secret._text = text
        secret._origin = origin
        return secret

    @classmethod
    def written(cls, text: str) -> Secret:
        """The secret from a string of the manifest. Raises ValueError if it cannot be encoded as UTF-8."""
        plain = str.__str__(text)
        if _SURROGATE.search(plain):
            raise ValueError("a secret must be UTF-8 text, and its source has other bytes")
        return cls(plain, text.origin if isinstance(text, SourcedText) else "manifest")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept a Secret or a string; the error for anything else does not show the value."""

        def accept(value: Any) -> Secret:
            if isinstance(value, Secret):
                return value
            # No message contains the value.
            if not isinstance(value, str):
                raise ValueError("a secret must be a string")
            return cls.written(value)

        return core_schema.no_info_plain_validator_function(
            accept,
            json_schema_input_schema=core_schema.str_schema(),
            serialization=_AS_ORIGIN,
        )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class SourcedText(str):
    """A string of the manifest after `${...}` was replaced, with its origin.

    `origin` is the reference as it was written (`${env:LOGIN_PASSWORD}`), never the value. `sensitive` is true if the origin
    makes the value secret (the environment, a file, a keyring, a command, a sensitive variable): such a string may only become
    a Secret. It is false for a value of a server's connection, which every output shows as its reference.
    """

    origin: str
    sensitive: bool

    __slots__ = ("origin", "sensitive")

    def __new__(cls, text: str, origin: str, *, sensitive: bool = False) -> SourcedText:
        """`text` after replacement, its reference, and whether that source keeps secrets."""
        instance = super().__new__(cls, text)
        instance.origin = origin
        instance.sensitive = sensitive
        return instance

    @property
    def may_be_secret(self) -> bool:
        """False only if all variables used are not sensitive: whoever declared them says that they may be shown."""
        return self.sensitive or not _VARIABLES.match(self.origin)

    def __repr__(self) -> str:
        # Masked whatever the source: until its field is known, it may be a password.
        return f"SourcedText({MASK}, origin={self.origin!r})"

    def __reduce_ex__(self, _protocol: Any) -> NoReturn:
        raise TypeError("a string from outside the manifest may be secret and is not pickled")

    def __copy__(self) -> SourcedText:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> SourcedText:
        return self


_VARIABLES: Final = re.compile(r"(?:\$\{var:[^{}]*\})+\Z")
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_HEADS: Final = frozenset({"password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "salt"})
_KEYS: Final = frozenset({"api", "private", "secret", "access", "auth", "shared", "master", "signing", "encryption"})
_TRAILING: Final = frozenset({"value", "old", "new", "previous", "rotated"})
_FLAGS: Final = frozenset({"true", "false", ""})


def is_secret_type(annotation: Any) -> bool:
    """Whether an annotation is Secret, or contains it."""
    return annotation is Secret or any(is_secret_type(inner) for inner in get_args(annotation))


@lru_cache(maxsize=4096)
def names_secret(name: str) -> bool:
    """Whether a name says that its value is a secret, by how it ends.

    `crm.password`, `apiKey` and `client.secret.rotated` do; `access.token.lifespan`, `client.secret.creation.time` and
    `use.refresh.tokens` only describe one. A salt is a secret that the provider keeps (OpenID Connect Core 1.0 section 8.1).
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    while words and (words[-1] in _TRAILING or words[-1].isdigit()):
        words.pop()
    if words[-1:] == ["key"]:
        return not _KEYS.isdisjoint(words[-2:-1])
    return not _HEADS.isdisjoint(words[-1:])


def is_named_secret(name: str, value: str) -> bool:
    """Whether the value of a name is a secret because of that name; flags and empty strings are not."""
    return value not in _FLAGS and names_secret(name)


_MASK_SIGNS = re.compile(r"[*\u2022\u25cf\u2026]{3,}|\A[<(\[]?(?:redacted|masked|hidden)[>)\]]?\Z", re.IGNORECASE)


def is_masked(text: str) -> bool:
    """Whether a server returned a mask, such as `********` or `abc***`, in place of a secret."""
    return _MASK_SIGNS.search(text) is not None
