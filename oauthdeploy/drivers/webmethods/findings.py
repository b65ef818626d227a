"""What a particular Integration Server cannot hold, found before anything is written to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.core.errors import ServerError, Unauthorized, Unreachable
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.field_table import keys_of
from oauthdeploy.drivers.webmethods import openapi_document as doc
from oauthdeploy.drivers.webmethods.client import AdminApi
from oauthdeploy.drivers.webmethods.fields import DEFAULT_VERSION, SETTINGS, is_version_number
from oauthdeploy.drivers.webmethods.mapping import counts_refreshes, writes_groups
from oauthdeploy.drivers.webmethods.options import PARAMETERS, PKCE, client_options, options_in
from oauthdeploy.drivers.webmethods.trust import EXTERNAL_NEEDED, FORBIDDEN_IN_ALIASES, REMOTE_NEEDED, alias_of
from oauthdeploy.drivers.webmethods.writing import can_be_id, secret_of
from oauthdeploy.model.objects import Client, ClientType, Grant, Object, Revocation, Settings, Side, Trust

DISABLE_TOKENS: Final = PARAMETERS["disable_tokens"].name


class Server(Struct, frozen=True, dict=True):
    """The server; `known` are the ids of its clients by key, None before they were read, and `versions` their versions.

    `parameters` are the server parameters that were read, by option.
    """

    name: str
    sides: frozenset[Side]
    admin: AdminApi
    known: Mapping[str, str] | None
    versions: Mapping[str, str]
    parameters: Mapping[str, str | None]

    @cached_property
    def disabling_ends_tokens(self) -> bool | None:
        """Whether the tokens of a disabled client are inactive; None if the server does not show the parameter."""
        value = self.parameter("disable_tokens")
        return {"true": True, "": True, "false": False}.get(value.strip().lower()) if value is not None else None

    def parameter(self, option: str) -> str | None:
        """The parameter behind an option of the settings; None if the server does not show it."""
        if option in self.parameters:
            return self.parameters[option]
        return self.admin.parameter(PARAMETERS[option].name)

    @cached_property
    def group_names(self) -> frozenset[str]:
        """The groups that there are."""
        return self.admin.group_names()


def find_all(server: Server, wanted: Wanted) -> Sequence[Diagnostic]:
    """Findings about the wanted objects, by address."""
    found: list[Diagnostic] = []
    for address in sorted(wanted.objects):
        found.extend(_about(server, address, wanted.objects[address]))
    return found


def _about(server: Server, address: Address, value: Object) -> Iterator[Diagnostic]:
    match value:
        case Settings():
            yield from _settings(server, address, value)
        case Client():
            yield from _client(server, address, value)
        case Trust():
            yield from _trust(server, address, value)
        case Revocation():
            yield from _revocation(server, address, value)
        case _:
            return


def _settings(server: Server, address: Address, value: Settings) -> Iterator[Diagnostic]:
    yield from _parameters(server, address, value)
    have = server.admin.api.settings
    for field in sorted(value.model_fields_set):
        for key in keys_of(SETTINGS, field) if have else ():
            if key in have:
                continue
            yield Diagnostic(
                "server-lacks-setting",
                "The server does not have a setting",
                f"'{server.name}' has no {key}, which {field} needs.",
                "Leave the setting out for this server, or update the server.",
                address=str(address),
            )


def _parameters(server: Server, address: Address, value: Settings) -> Iterator[Diagnostic]:
    written = options_in(value)
    for option in sorted(written):
        parameter = PARAMETERS[option]
        if server.parameter(option) is not None:
            continue
        since = f" It came with {parameter.since}." if parameter.since else ""
        yield Diagnostic(
            "server-lacks-parameter",
            "The server does not show a server parameter",
            f"'{server.name}' does not show {parameter.name}, which the option {option} sets.{since}",
            "Leave the option out for this server, or set the parameter once in Settings > Extended, so that it is shown.",
            address=str(address),
        )
    if written and not server.admin.api.offers("PATCH", doc.SERVER_SETTING):
        yield Diagnostic(
            "parameters-read-only",
            "The server's parameters can only be read",
            f"The Administrator API of '{server.name}' lacks PATCH {doc.SERVER_SETTING}.",
            "If the plan shows a change of options, make it in Settings > Extended.",
            Severity.WARNING,
            address=str(address),
        )


def _pkce(server: Server, address: Address, value: Client) -> Iterator[Diagnostic]:
    if PKCE not in options_in(value):
        return
    api, wanted = server.admin.api, client_options(value).require_pkce
    flag = api.client_pkce_type == "boolean"
    if not api.client_pkce or (flag and not isinstance(wanted, bool)):
        lacks = "has no field for it" if not api.client_pkce else "has a flag for it, which cannot follow the settings"
        yield Diagnostic(
            "server-lacks-client-pkce",
            "The server's API cannot hold a client's own requirement of PKCE",
            f"ClientIn in the OpenAPI document of '{server.name}' {lacks}. The page has the field since 10.15.",
            "Leave require_pkce out, and set it on the page of the client." if not flag else "Write true or false.",
            address=str(address),
        )
    elif value.type is not ClientType.PUBLIC and wanted is True:
        yield Diagnostic(
            "pkce-of-confidential-client",
            "Integration Server requires PKCE of public clients only",
            f"The page of '{server.name}' does not accept the field for a confidential client.",
            "Remove require_pkce, or make the client public.",
            Severity.WARNING,
            address=str(address),
        )


def _client(server: Server, address: Address, value: Client) -> Iterator[Diagnostic]:
    api = server.admin.api
    version = value.version or DEFAULT_VERSION
    # What the server has already is never sent, so it is not checked.
    stands = server.versions.get(address.name) == version
    if not stands and not api.text_versions and not is_version_number(version):
        yield Diagnostic(
            "client-version-not-a-number",
            "The server accepts only whole numbers as versions",
            f"'{server.name}' cannot store the version '{version}'.",
            "Write a whole number without leading zeros, such as 1.",
            address=str(address),
        )
    if counts_refreshes(value) and "grants" in value.model_fields_set:
        count = value.tokens.refresh_count if value.tokens is not None else None
        granted = Grant.REFRESH_TOKEN in (value.grants or ())
        if granted != bool(count):
            yield Diagnostic(
                "refresh-count-contradicts-grants",
                "Grants and refresh count contradict each other",
                f"'{server.name}' lets a client refresh if, and only if, its refresh count is not 0.",
                "Grant refresh_token together with a refresh count that is not 0, or neither.",
                Severity.WARNING,
                address=str(address),
            )
    yield from _secret(server, address, value)
    yield from _pkce(server, address, value)
    if value.enabled is False and Side.AUTHORIZATION in server.sides and server.disabling_ends_tokens is False:
        yield _keeps_tokens(server, address)
    if Side.AUTHORIZATION in server.sides and writes_groups(value):
        yield from _groups(server, address, value)


def _revocation(server: Server, address: Address, value: Revocation) -> Iterator[Diagnostic]:
    """Deleting all tokens of a client ends them whatever the parameter says."""
    narrowed = value.owner is not None or value.scope is not None or value.handles is not None
    deleted = value.tokens == "all" and not narrowed
    if deleted or not server.sides & {Side.AUTHORIZATION} or Side.AUTHORIZATION not in (value.block or ()):
        return
    if server.disabling_ends_tokens is False:
        yield _keeps_tokens(server, address)
    elif server.disabling_ends_tokens is None:
        yield Diagnostic(
            "disabled-client-keeps-tokens",
            "Disabling a client may leave its tokens valid",
            f"'{server.name}' does not show {DISABLE_TOKENS}. If it is false, the tokens of a disabled client stay active.",
            "Write tokens: all to delete them too.",
            Severity.INFO,
            address=str(address),
        )


def _keeps_tokens(server: Server, address: Address) -> Diagnostic:
    return Diagnostic(
        "disabled-client-keeps-tokens",
        "Disabling a client leaves its tokens valid",
        f"{DISABLE_TOKENS} is false on '{server.name}', so the tokens of a disabled client stay active until they expire.",
        "Write a revocation with tokens: all, or set the parameter to true in Settings > Extended.",
        Severity.WARNING,
        address=str(address),
    )


def _groups(server: Server, address: Address, value: Client) -> Iterator[Diagnostic]:
    api = server.admin.api
    if not api.offers("GET", doc.GROUPS):
        yield Diagnostic(
            "server-lacks-groups",
            "The server does not show its groups",
            f"The Administrator API of '{server.name}' lacks GET {doc.GROUPS}.",
            "Leave out groups, and put the account into its groups on the server's own page.",
            address=str(address),
        )
        return
    if value.groups and value.type is ClientType.PUBLIC:
        yield Diagnostic(
            "public-client-has-no-account",
            "A public client has no user account",
            f"'{server.name}' makes a user account for confidential clients only, so there is nothing to put into "
            f"{', '.join(sorted(value.groups))}.",
            "Remove groups, or make the client confidential.",
            address=str(address),
        )
    if not api.group_members:
        yield Diagnostic(
            "groups-read-only",
            "The server's groups can only be read",
            f"The Administrator API of '{server.name}' lists no field for the users of a group in PATCH {doc.GROUP}.",
            "If the plan shows a change of groups, make it on the server's own page.",
            Severity.WARNING,
            address=str(address),
        )
    missing = sorted(set(value.groups or ()) - server.group_names)
    if missing:
        yield Diagnostic(
            "group-missing",
            "The server does not have a group",
            f"'{server.name}' has no group {', '.join(missing)}.",
            "Create the group on the server, with the ACLs that it opens, or remove it from groups.",
            address=str(address),
        )


def _secret(server: Server, address: Address, value: Client) -> Iterator[Diagnostic]:
    api = server.admin.api
    there = None if server.known is None else address.name in server.known
    if api.takes_client_id and not there and not can_be_id(address.name):
        yield Diagnostic(
            "client-key-not-an-id",
            "A client's key cannot be its client_id",
            f"'{server.name}' accepts '{address.name}' as client_id only if it consists of letters, digits and . _ ~ @ -.",
            "Choose such a key, or accept an id that the server generates.",
            Severity.INFO,
            address=str(address),
        )
    given = secret_of(value) is not None and value.type is not ClientType.PUBLIC
    if not given or api.takes_client_secret or Side.AUTHORIZATION not in server.sides:
        return
    yield Diagnostic(
        "client-secret-not-settable",
        "The server generates client secrets itself",
        f"'{server.name}' does not accept a client secret"
        + (", so this client cannot be created." if there is False else "; the existing secret stays."),
        "Write secret: {generate: true, deliver_to: {file: ...}} for clients to create on this server.",
        Severity.ERROR if there is False else Severity.WARNING,
        address=str(address),
    )


def _trust(server: Server, address: Address, value: Trust) -> Iterator[Diagnostic]:
    if value.via == "local":
        return
    family = doc.EXTERNAL if value.via == "external" else doc.REMOTE
    needed = EXTERNAL_NEEDED if value.via == "external" else REMOTE_NEEDED
    if not server.admin.api.offers("POST", doc.EXTERNALS if value.via == "external" else doc.REMOTES):
        return  # The server reports that it does not support this.
    alias = alias_of(value)
    refused = sorted({sign for sign in alias if sign in FORBIDDEN_IN_ALIASES}) if value.via == "remote" else []
    if refused and not _has_alias(server, family, alias):
        yield Diagnostic(
            "alias-name-refused",
            "The name of the trusted server cannot be an alias",
            f"An Integration Server accepts none of {' '.join(refused)} in the alias of a remote server; the alias on "
            f"'{server.name}' would be '{alias}'.",
            "Rename the server entry, with letters, digits and _ only, or create the alias by hand.",
            Severity.WARNING,
            address=str(address),
        )
    missing = [field for field in needed if getattr(value, field) in (None, "")]
    if not missing or _has_alias(server, family, alias_of(value)):
        return
    yield Diagnostic(
        "trusted-server-incomplete",
        "The resource server has no alias for the trusted server, and the manifest lacks keys to create one",
        f"'{server.name}' has no {value.via} server '{alias_of(value)}', and {', '.join(missing)} "
        f"{'is' if len(missing) == 1 else 'are'} not written.",
        f"Write {', '.join(missing)} under introspection of '{value.authorization_server}', or create the alias by hand.",
        address=str(address),
    )


def _has_alias(server: Server, family: str, alias: str) -> bool:
    """Whether the alias exists; if that cannot be read, True, and the apply finds out."""
    try:
        return server.admin.alias(family, alias) is not None
    except (Unreachable, Unauthorized):
        raise
    except ServerError:
        return True
