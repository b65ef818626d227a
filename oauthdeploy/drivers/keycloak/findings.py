"""What a realm cannot hold of a manifest, found before anything is written to it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Path, Severity
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.keycloak.facts import BUILT_IN_CLIENTS, BUILT_IN_SCOPES
from oauthdeploy.model.fields import Amount, managed, marked
from oauthdeploy.model.objects import Client, Settings


class Realm(Struct, frozen=True):
    """The realm: the server's name and address, whether the realm is still to be created, and which of its objects are SAML's."""

    server: str
    url: str
    name: str
    to_be_made: bool
    saml: Collection[Address]


def find_all(realm: Realm, wanted: Wanted) -> Sequence[Diagnostic]:
    """Findings about the wanted objects, by address."""
    found = list(_realm(realm, wanted))
    for address in sorted(wanted.absent):
        found.extend(_absent(address))
    for address in sorted(wanted.objects):
        value = wanted.objects[address]
        if address in realm.saml:
            found.append(_saml(address))
        if isinstance(value, Settings):
            found.extend(_settings(realm, address, value))
        elif isinstance(value, Client):
            found.extend(_client(address, value))
    return found


def _realm(realm: Realm, wanted: Wanted) -> Iterator[Diagnostic]:
    if realm.to_be_made and wanted.objects:
        yield Diagnostic(
            "realm-to-be-created",
            "The realm does not exist and will be created",
            f"'{realm.server}' has no realm '{realm.name}', and options.create_realm is true. It comes before the first "
            "change, with Keycloak's own clients, client scopes and defaults.",
            severity=Severity.INFO,
        )


def _absent(address: Address) -> Iterator[Diagnostic]:
    built_in = {Kind.CLIENT: BUILT_IN_CLIENTS, Kind.SCOPE: BUILT_IN_SCOPES}.get(address.kind, frozenset())
    if address.name in built_in:
        yield Diagnostic(
            "built-in-object",
            "Keycloak's own objects are never deleted",
            f"{address} is created by Keycloak in every realm.",
            "Remove state: absent.",
            address=str(address),
        )


def _saml(address: Address) -> Diagnostic:
    return Diagnostic(
        "not-an-oauth-object",
        "The name belongs to a SAML object",
        f"{address} exists with a protocol other than openid-connect.",
        "Choose another name.",
        address=str(address),
    )


def _settings(realm: Realm, address: Address, value: Settings) -> Iterator[Diagnostic]:
    yield from _endless(address, value, ("settings",))
    if value.require_https and realm.url.lower().startswith("http:"):
        yield Diagnostic(
            "https-required-over-http",
            "The realm would refuse oauthdeploy's own connection",
            f"The address of '{realm.server}' is http, and with require_https the realm '{realm.name}' refuses http.",
            "Set url to the https address.",
            severity=Severity.WARNING,
            address=str(address),
        )


def _endless(address: Address, value: Settings | Client, place: Path) -> Iterator[Diagnostic]:
    amounts = marked(type(value), Amount)
    for field in sorted(path for path, written in managed(value) if written == "never" and path in amounts):
        yield Diagnostic(
            "token-lifetime-endless",
            "Keycloak's codes and tokens always expire",
            f"{field}: Keycloak does not support never.",
            "Write a duration.",
            address=str(address),
            path=(*place, *field.split(".")),
        )


def _client(address: Address, value: Client) -> Iterator[Diagnostic]:
    yield from _endless(address, value, ("clients", address.name))
