"""The findings of the driver about clients, scopes and the registry. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.rfc7591.client_registry import Lost
from oauthdeploy.drivers.rfc7591.fields import GRANTS
from oauthdeploy.model.objects import Client, Grant
from oauthdeploy.planning.changes import Change

_SHOWN: Final = 5
_PLAIN: Final = frozenset({Grant.AUTHORIZATION_CODE, Grant.CLIENT_CREDENTIALS, Grant.REFRESH_TOKEN})
"""The grants that are no capability: what a server says of the others refuses them before."""


def lost(server: str, records: Mapping[str, Lost]) -> Iterator[Diagnostic]:
    """A finding for each client that may exist and that nobody manages."""
    for record, one in sorted(records.items()):
        what = (
            f"the client '{one.client_id}', whose token is lost"
            if one.client_id
            else f"a registration of {one.at} whose answer was lost, and with it the client id"
        )
        yield Diagnostic(
            "rfc7591-registration-lost",
            "A registration may exist that nobody manages",
            f"{one.client}: {what} (record {record}).",
            f"Have the administrator of '{server}' delete the client named '{one.name}' that nobody uses, and add {record} to "
            "options.ended of the server entry.",
            Severity.WARNING,
            str(Address(Kind.CLIENT, one.client, server)),
            ("servers", server),
        )


def refused(server: str, clients: Mapping[str, str]) -> Iterator[Diagnostic]:
    """A finding for each client whose stored token is refused: by key, with its id."""
    for key, client_id in sorted(clients.items()):
        yield Diagnostic(
            "rfc7591-token-refused",
            "A client is unreachable with the stored token",
            f"'{server}' refuses the registration access token of '{client_id}'. The token was replaced, or the client was "
            "deleted, which has the same answer (RFC 7592 section 2). Nothing of it is compared or written, and no run that "
            "needs it succeeds.",
            "Write its registration with a new token (options.rfc7591.registration) and run adopt. To register it anew, apply "
            "it once with state: absent, which forgets it here, and then again.",
            Severity.WARNING,
            str(Address(Kind.CLIENT, key, server)),
            ("clients", key),
        )


def not_managed(server: str, clients: Mapping[str, str]) -> Iterator[Diagnostic]:
    """A finding for each client that the server registered and lets nobody manage: by key, with its id."""
    for key, client_id in sorted(clients.items()):
        yield Diagnostic(
            "rfc7591-not-managed",
            "A client cannot be read, changed or deleted",
            f"'{server}' registered '{client_id}' and gave no registration_client_uri: it offers RFC 7591, and not RFC 7592, "
            "which is optional. Whether the client is still as the manifest wants it is unknown, and no run that needs it "
            "succeeds.",
            "Change it with the administration of the server. To leave it alone, write it with external: true; to register it "
            "anew, apply it once with state: absent, which forgets it here, and then again.",
            Severity.WARNING,
            str(Address(Kind.CLIENT, key, server)),
            ("clients", key),
        )


def made_once(server: str, changes: Sequence[Change]) -> Iterator[Diagnostic]:
    """The registration of clients on a server that is known to let nobody manage them."""
    for change in changes:
        yield Diagnostic(
            "rfc7591-made-once",
            "A client would be registered that nobody can manage",
            f"'{server}' can create {change.address}, and not read, change or delete it afterwards: RFC 7592 is optional, and "
            "the server did not offer it for other clients.",
            "Read again what the manifest says of it: it cannot be corrected. Then override the rule once with "
            "--allow rfc7591-made-once.",
            address=str(change.address),
            path=change.place,
        )


def not_in_metadata(
    server: str, wanted: Wanted, scopes: Collection[str] | None, grants: Collection[str] | None
) -> Iterator[Diagnostic]:
    """Scopes and grants that the metadata of the server do not list."""
    used = {address.scope for address in wanted.objects if address.kind is Kind.ASSOCIATION}
    for scope in sorted(used - set(scopes)) if scopes is not None else ():
        yield Diagnostic(
            "rfc7591-scope-unknown",
            "The server does not know a scope",
            f"scopes_supported of '{server}' does not have '{scope}', so it may refuse clients that may request it.",
            "Add the scope to the server, or correct its name.",
            Severity.WARNING,
            path=("scopes", scope),
        )
    for address, value in sorted(wanted.objects.items()):
        missing = (
            [grant for grant in (value.grants or ()) if grant in _PLAIN and GRANTS[grant] not in (grants or ())]
            if (isinstance(value, Client) and grants is not None)
            else []
        )
        if missing:
            yield Diagnostic(
                "rfc7591-grant-unknown",
                "The server does not offer a grant",
                f"grant_types_supported of '{server}' does not have {', '.join(missing)}, so it may refuse {address}.",
                "Take the grant from the client, or enable it on the server.",
                Severity.WARNING,
                str(address),
                ("clients", address.name, "grants"),
            )


def default_scopes(server: str, wanted: Wanted, has_word: bool) -> Iterator[Diagnostic]:
    """Clients that may request no scope, on a server that would give them its default ones."""
    if has_word:
        return
    associated = {address.client for address in wanted.objects if address.kind is Kind.ASSOCIATION}
    for address in sorted(wanted.objects):
        if address.kind is Kind.CLIENT and address.name in wanted.listed - associated:
            yield Diagnostic(
                "rfc7591-no-scope",
                "A client without scopes could request the default ones",
                f"{address} may request no scope, and RFC 7591 section 2 has no word for that: '{server}' may give it a default "
                "set.",
                "Write a scope of the server that grants nothing as options.empty_scope, or associate at least one scope.",
                address=str(address),
                path=("clients", address.name),
            )


def registered_anew(server: str, changes: Mapping[str, Change]) -> Iterator[Diagnostic]:
    """Clients, by their ids, that an update may have changed and whose new token is unknown."""
    for client_id, change in sorted(changes.items()):
        yield Diagnostic(
            "rfc7591-registered-anew",
            "A client would be registered anew",
            f"The answer to the last update of {change.address} was lost, and with it its new registration access token. A new "
            f"registration gets another client id and secret, and the old one, {client_id}, stays at '{server}' without anybody "
            "to manage it.",
            "Adopt it with a token from the administrator (options.rfc7591.registration), or override the rule once with "
            "--allow rfc7591-registered-anew.",
            address=str(change.address),
            path=change.place,
        )


def no_registry(server: str, path: str, changes: Sequence[Change]) -> Iterator[Diagnostic]:
    """The first registrations, for which no registry exists yet."""
    if changes:
        names = ", ".join(str(change.address) for change in changes[:_SHOWN])
        more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
        yield Diagnostic(
            "rfc7591-registry-new",
            "The registry does not exist yet",
            f"There is no file {path}, so that {names}{more} would be registered at '{server}' as new clients.",
            "Check that the path is mounted. For the first apply, override the rule once with --allow "
            "rfc7591-registry-new.",
            path=("servers", server, "options", "registry"),
        )
