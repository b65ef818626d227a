"""The errors of RFC 7591 section 3.2.2, one class for each code, and what a refused token means by RFC 7592."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from oauthdeploy.core.errors import Rejected, ServerError, Unauthorized


class RegistryFailed(ServerError):
    """The registry cannot be read or written."""

    rule = "rfc7591-registry"


class InvalidRedirectUri(Rejected):
    """RFC 7591 section 3.2.2: the value of one or more redirection URIs is invalid."""

    rule = "rfc7591-invalid-redirect-uri"


class InvalidClientMetadata(Rejected):
    """RFC 7591 section 3.2.2: the value of a field of the metadata is invalid."""

    rule = "rfc7591-invalid-client-metadata"


class InvalidSoftwareStatement(Rejected):
    """RFC 7591 section 3.2.2: the software statement is invalid."""

    rule = "rfc7591-invalid-software-statement"


class UnapprovedSoftwareStatement(Rejected):
    """RFC 7591 section 3.2.2: the software statement is not approved for this server."""

    rule = "rfc7591-unapproved-software-statement"


_CODES: Final[Mapping[str, tuple[type[Rejected], str]]] = {
    "invalid_redirect_uri": (InvalidRedirectUri, "a redirect URI"),
    "invalid_client_metadata": (InvalidClientMetadata, "a field of the client"),
    "invalid_software_statement": (InvalidSoftwareStatement, "the software statement"),
    "unapproved_software_statement": (UnapprovedSoftwareStatement, "the issuer of the software statement"),
}

INITIAL: Final = (
    "refuses the registration (RFC 7591 section 3)",
    "Write a valid initial access token as credentials.initial_access_token.",
)
MANAGEMENT: Final = (
    "refuses the registration access token of a client (RFC 7592 section 2)",
    "It was replaced, or the client was deleted. The next plan says what can be done.",
)


@contextmanager
def named(refusal: tuple[str, str]) -> Iterator[None]:
    """Raise the error of a code as that of its class; `refusal` says what 401 means, and what to do."""
    try:
        yield
    except Unauthorized as error:
        raise _again(Unauthorized, error, f"'{error.server}' {refusal[0]}", refusal[1]) from None
    except Rejected as error:
        found = _CODES.get(error.code)
        if found is None:
            raise
        kind, what = found
        summary = f"'{error.server}' refuses {what}: {error.code} (RFC 7591 section 3.2.2)"
        raise _again(kind, error, summary, "Correct the field that the server names.") from None


def _again(kind: type[ServerError], error: ServerError, summary: str, fix: str) -> ServerError:
    made = kind(
        summary,
        server=error.server,
        method=error.method,
        path=error.path,
        status=error.status,
        words=error.words,
        fix=fix,
        uncertain=error.uncertain,
        code=error.code,
    )
    made.asks_to_wait = error.asks_to_wait
    return made
