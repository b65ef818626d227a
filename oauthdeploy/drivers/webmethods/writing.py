"""Writes to an Integration Server: one function for each kind of object. Only managed, changed fields are sent.

Each returns the object in the server's response. Updates are JSON Merge Patches, so that every field that the manifest does not
manage stays as it is. An array in a merge patch replaces the whole array, so a client's scopes are read just before they are
written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.errors import DeliveryFailed, NotFound, Rejected, ServerError, UnexpectedAnswer, Unsupported
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Applied, Deliver, SecretHandover
from oauthdeploy.drivers.common_steps import (
    ADOPTED,
    GONE,
    at_once,
    blocks,
    changed_options,
    changed_values,
    create_or_find,
    deletes_tokens,
)
from oauthdeploy.drivers.json_values import fingerprint
from oauthdeploy.drivers.webmethods import openapi_document as doc
from oauthdeploy.drivers.webmethods.accounts import memberships
from oauthdeploy.drivers.webmethods.client import AdminApi, TokenList
from oauthdeploy.drivers.webmethods.fields import CLIENT, DEFAULT_VERSION, SCOPE, SETTINGS
from oauthdeploy.drivers.webmethods.mapping import (
    LiveClient,
    LiveScope,
    counts_refreshes,
    refresh_count,
    told_client,
    with_groups,
    write_client,
    write_scope,
    write_settings,
    writes_groups,
)
from oauthdeploy.drivers.webmethods.options import (
    DRIVER_NAME,
    PARAMETERS,
    PKCE,
    client_options,
    options_in,
    settings_options,
    write_pkce,
)
from oauthdeploy.drivers.webmethods.reading import alias_trust, read_trust
from oauthdeploy.drivers.webmethods.settings import whole_settings
from oauthdeploy.drivers.webmethods.tokens import Token, selected
from oauthdeploy.drivers.webmethods.trust import LOCAL, LiveTrust, alias_of, read_alias, write_alias
from oauthdeploy.model.objects import (
    Association,
    Client,
    ClientType,
    Revocation,
    Scope,
    Settings,
    Side,
    Trust,
)
from oauthdeploy.planning.changes import Action, Change, Reason

_SANE_ID: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~@-]{1,128}\Z")


def can_be_id(key: str) -> bool:
    """Whether a client's key can serve as its client_id everywhere: in paths, forms and headers."""
    return _SANE_ID.match(key) is not None


def secret_of(desired: Client | None) -> Secret | None:
    """The secret that the manifest gives a client."""
    return None if desired is None or desired.secret is None else desired.secret.value


class Writer(Struct, frozen=True):
    """Carries out changes on one server.

    `client_id` returns the id of the client that an address is about; `parallel` requests are sent at a time; `hand_over` is
    that of the driver.
    """

    server: str
    sides: frozenset[Side]
    admin: AdminApi
    zone: str | None
    client_id: Callable[[Address, Change], str | None]
    parallel: int
    hand_over: SecretHandover

    # -- settings and trust ------------------------------------------------------------------------------------------

    def settings(self, change: Change) -> Applied:
        """PATCH the settings that change, then each server parameter, and read the parameters again."""
        desired = change.desired
        assert isinstance(desired, Settings)
        changes = write_settings(changed_values(change, SETTINGS))
        body = self.admin.patch_settings(changes) if changes else self.admin.settings()
        wanted = settings_options(desired)
        for name in sorted(changed_options(change, DRIVER_NAME)):
            parameter = PARAMETERS[name]
            self.admin.put_parameter(parameter.name, parameter.write(getattr(wanted, name)))
        live = whole_settings(self.admin, "PATCH", body, desired)
        return Applied(
            change.address,
            live.value,
            fingerprint=live.fingerprint,
            unparsed=live.unparsed,
            lost=self.admin.lost(doc.SETTINGS),
        )

    def trust(self, change: Change) -> Applied:
        """Create or update the alias of the trusted server as in the manifest, then select it."""
        desired = change.desired
        assert isinstance(desired, Trust)
        alias = alias_of(desired)
        chosen = _chosen(change, alias)
        live = None if desired.via == "local" else self._alias(alias, desired, known=chosen)
        if not chosen:
            settings = self.admin.patch_settings({"authServerAlias": alias})
            if live is None or self.admin.parsed("PATCH", doc.SETTINGS, lambda: read_alias(settings)) != alias:
                live = read_trust(self.admin, self.server, settings, desired)
        assert live is not None
        lost = (
            *self.admin.lost(doc.EXTERNAL, alias),
            *self.admin.lost(doc.REMOTE, alias),
            *self.admin.lost(doc.SETTINGS),
        )
        return Applied(change.address, live.value, fingerprint=live.fingerprint, unparsed=live.unparsed, lost=lost)

    def _alias(self, alias: str, desired: Trust, *, known: bool) -> LiveTrust:
        """Create or update the alias of a trusted server; `known` says that it exists with the values of the trust."""
        family = doc.EXTERNAL if desired.via == "external" else doc.REMOTE
        body = self.admin.parsed("GET", family, lambda: write_alias(desired))
        key = {"name" if family == doc.EXTERNAL else "alias": alias}

        def find() -> Any | None:
            return self.admin.alias(family, alias)

        if known or find() is not None:
            answer = self.admin.patch_alias(family, alias, body)
        else:
            answer, _found = create_or_find(lambda: self.admin.create_alias(family, {**key, **body}), find)
        return alias_trust(self.admin, family, alias, answer, desired)

    # -- scopes ------------------------------------------------------------------------------------------------------

    def scope(self, change: Change) -> Applied:
        """POST, PATCH or DELETE a scope."""
        name = change.address.name
        if change.action is Action.DELETE:
            there = self.admin.delete_scope(name)
            return Applied(change.address, None, name, note="" if there else GONE)
        assert isinstance(change.desired, Scope)
        body = write_scope(changed_values(change, SCOPE))
        if change.action is Action.REPLACE:
            self.admin.delete_scope(name)
        with self._advice_on_contents(body):
            if change.action is Action.UPDATE:
                live, note = self.admin.patch_scope(name, body), ""
            else:
                live, found = create_or_find(lambda: self._create_scope(name, body), lambda: self.admin.scope(name))
                note = ADOPTED if found else ""
        lost = self.admin.lost(doc.SCOPE, name)
        return Applied(change.address, live.value, name, live.fingerprint, note=note, unparsed=live.unparsed, lost=lost)

    @contextmanager
    def _advice_on_contents(self, body: Mapping[str, Any]) -> Iterator[None]:
        """Help of releases up to 10.3 and of 10.11 says that a scope is only stored if its folders and services exist."""
        try:
            yield
        except Rejected as refused:
            if not body.get("FoldersAndServices") or refused.fix:
                raise
            raise Rejected(
                refused.summary,
                server=refused.server,
                method=refused.method,
                path=refused.path,
                status=refused.status,
                words=refused.words,
                fix=f"If '{self.server}' lacks the folders and services of the scope, install their package, or write "
                f"overrides: {{{self.server}: {{resources: []}}}} in the scope.",
            ) from None

    def _create_scope(self, name: str, body: Mapping[str, Any]) -> LiveScope:
        live = self.admin.create_scope(name, body) or self.admin.scope(name)
        if live is None:
            raise NotFound(
                f"'{self.server}' accepted the scope and does not have it",
                server=self.server,
                method="GET",
                path=doc.SCOPE,
                fix="See the server's log.",
            )
        return live

    # -- clients -----------------------------------------------------------------------------------------------------

    def client(self, change: Change) -> Applied:
        """POST, PATCH or DELETE a client."""
        if change.action is Action.DELETE:
            return self._delete_client(change)
        desired = change.desired
        assert isinstance(desired, Client)
        deliver = self.hand_over(change)
        if change.action is not Action.UPDATE:
            if change.action is Action.REPLACE:
                self._delete_client(change)
            return self._create_client(change, desired, deliver)
        body = self._client_body(change, desired)
        client_id = self._id(change.address, change)
        body.update(self._pkce(desired) if PKCE in changed_options(change, DRIVER_NAME) else {})
        live = self.admin.patch_client(client_id, body) if body else self.admin.client(client_id)
        if live is None:
            raise NotFound(
                f"'{self.server}' has no client '{change.address.name}'", server=self.server, path=doc.CLIENT
            )
        return self._client_applied(change, desired, live, deliver, sent="client_secret" in body)

    def _delete_client(self, change: Change) -> Applied:
        client_id = self._id(change.address, change)
        there = self.admin.delete_client(client_id)
        return Applied(change.address, None, client_id, note="" if there else GONE)

    def _client_body(self, change: Change, desired: Client) -> dict[str, Any]:
        """The PATCH of an update: what changes, and the name if only a rename requires it."""
        values = changed_values(change, CLIENT)
        if change.reason is Reason.RENAMED and desired.name is None:
            values["name"] = change.address.name
        stands = change.live.value if change.live is not None else None
        count = refresh_count(stands) if isinstance(stands, Client) and not counts_refreshes(desired) else None
        body = write_client(values, refreshes=count, text_versions=self.admin.api.text_versions)
        if any(field.path.startswith("secret") for field in change.fields):
            secret = secret_of(desired)
            if secret is None or not self.admin.api.takes_client_secret:
                raise self._cannot("set the secret of a client that is there already")
            body["client_secret"] = secret
        return body

    def _pkce(self, desired: Client) -> dict[str, Any]:
        """A client's own requirement of PKCE, under the name and in the type of the server's document."""
        key, kind = self.admin.api.client_pkce, self.admin.api.client_pkce_type
        try:
            return {key: write_pkce(client_options(desired).require_pkce, kind)} if key else self._no_pkce()
        except ValueError:
            return self._no_pkce()

    def _no_pkce(self) -> dict[str, Any]:
        raise Unsupported(
            f"The Administrator API of '{self.server}' cannot hold require_pkce of a client as it is written",
            server=self.server,
            fix="Set it on the page of the client.",
        )

    def _create_client(self, change: Change, desired: Client, deliver: Deliver) -> Applied:
        key = change.address.name
        values: dict[str, Any] = {"name": key, "version": DEFAULT_VERSION, "type": ClientType.CONFIDENTIAL}
        values.update(changed_values(change, CLIENT))
        count = None if counts_refreshes(desired) else 0
        api = self.admin.api
        body = write_client(values, refreshes=count, text_versions=api.text_versions)
        if PKCE in options_in(desired):
            body.update(self._pkce(desired))
        if api.takes_client_id and can_be_id(key):
            body["client_id"] = key
        secret = secret_of(desired) if values["type"] is not ClientType.PUBLIC else None
        if secret is not None and api.takes_client_secret:
            body["client_secret"] = secret
        elif secret is not None and Side.AUTHORIZATION in self.sides:
            raise self._cannot("accept a client secret")
        live, found = create_or_find(
            lambda: self.admin.create_client(body),
            lambda: self.admin.client_named(values["name"], values["version"]),
        )
        sent = "client_secret" in body
        asks = desired.secret is not None and bool(desired.secret.generate)
        if asks and live.secret is None and not sent and live.value.type is ClientType.CONFIDENTIAL and not found:
            # Whether the response to a create contains the secret is not documented; another create would be another client.
            live = self.admin.client(live.client_id) or live
        return self._client_applied(change, desired, live, deliver, sent=sent, found=found)

    def _client_applied(
        self, change: Change, desired: Client, live: LiveClient, deliver: Deliver, *, sent: bool, found: bool = False
    ) -> Applied:
        # Any response may contain the secret; only a create generates one, or an update that makes the client confidential.
        renewed = change.action is not Action.UPDATE or any(field.path == "type" for field in change.fields)
        made = None if sent or not renewed else live.secret
        generate = desired.secret is not None and bool(desired.secret.generate)
        if found and made is None and generate and live.value.type is ClientType.CONFIDENTIAL:
            raise DeliveryFailed(
                f"'{self.server}' created the client, but the answer with its secret was lost",
                detail=f"{self.server}: POST {doc.CLIENTS}",
                fix=f"Delete the client '{live.label}' on '{self.server}' and apply again to get a new secret.",
            )
        deliver(made, live.client_id)
        (value, unparsed), mark = told_client(desired, live), live.fingerprint
        lost = self.admin.lost(doc.CLIENT, live.client_id)
        if writes_groups(desired) and Side.AUTHORIZATION in self.sides:
            groups, others = self._put_into_groups(live, desired)
            value, mark, lost = value.model_copy(update={"groups": groups}), with_groups(mark, groups), (*lost, *others)
        note = ADOPTED if found else ""
        return Applied(
            change.address, value, live.client_id, mark, secret=made, note=note, unparsed=unparsed, lost=lost
        )

    def _put_into_groups(self, live: LiveClient, desired: Client) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Put the account of a client into its groups and take it out of others; gives its groups, and what these lost."""
        account, wanted = live.client_id, frozenset(desired.groups or ())
        have = memberships(self.admin.groups()).get(account, frozenset())
        if have != wanted and not self.admin.api.group_members:
            raise Unsupported(
                f"The Administrator API of '{self.server}' cannot change the users of a group",
                server=self.server,
                fix=f"Add the user '{account}' to {', '.join(sorted(wanted)) or 'no group'} on the server's own page.",
            )
        lost: list[str] = []
        for group in sorted(have ^ wanted):
            lost += self.admin.put_member(group, account, member=group in wanted)
        return tuple(sorted(wanted)), tuple(lost)

    def _cannot(self, what: str) -> Unsupported:
        return Unsupported(
            f"'{self.server}' cannot {what}",
            server=self.server,
            fix="It generates secrets itself: write secret: {generate: true, deliver_to: {file: ...}} for new clients.",
        )

    def _id(self, address: Address, change: Change) -> str:
        found = self.client_id(address, change)
        if found is None:
            raise NotFound(
                f"'{self.server}' has no client '{address.client}'",
                server=self.server,
                path=doc.CLIENTS,
                fix="Make a new plan.",
            )
        return found

    # -- associations ------------------------------------------------------------------------------------------------

    def associations(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Add and remove the scopes of one client: read its list, change it, write the whole list."""
        removing = all(change.action is Action.DELETE for change in changes)
        first = changes[0]
        client_id = self.client_id(first.address, first) if removing else self._id(first.address, first)
        had_scopes = bool(self.admin.remembered(doc.CLIENT, client_id or "").get("scopes"))
        live = None if client_id is None else self.admin.client(client_id)
        if live is None:
            if removing:
                return [Applied(change.address, None, note=GONE) for change in changes]
            raise NotFound(
                f"'{self.server}' has no client '{first.address.client}'", server=self.server, path=doc.CLIENT
            )
        left_out = had_scopes and "scopes" not in self.admin.remembered(doc.CLIENT, live.client_id)
        if live.scopes is None or left_out:
            # An answer that leaves the list out does not say that it is empty, and the whole list is written.
            raise UnexpectedAnswer(
                f"The scopes of client '{live.label}' on '{self.server}' cannot be read",
                server=self.server,
                method="GET",
                path=doc.CLIENT,
                fix="Apply again; if it stays so, fix them on the server.",
            )
        gone = {change.address.scope for change in changes if change.action is Action.DELETE}
        added = {change.address.scope for change in changes} - gone
        kept = [scope for scope in live.scopes if scope not in gone]
        # The Administrator API has no resource for an association: a client's whole list of scopes is written.
        scopes = kept + sorted(added - set(kept))
        if scopes != list(live.scopes):
            live = self.admin.patch_client(live.client_id, {"scopes": scopes})
        lost = self.admin.lost(doc.CLIENT, live.client_id)
        return [self._association(change, live, lost) for change in changes]

    def _association(self, change: Change, live: LiveClient, lost: tuple[str, ...]) -> Applied:
        scope = change.address.scope
        if scope not in (live.scopes or ()):
            return Applied(change.address, None, live.client_id, lost=lost)
        mark = fingerprint({"client": live.client_id, "scope": scope})
        return Applied(change.address, Association(), live.client_id, mark, lost=lost)

    # -- revocations -------------------------------------------------------------------------------------------------

    def revocation(self, change: Change) -> Applied:
        """Cut a client off: disable it first, so that it gets no new token, then delete its tokens."""
        desired = change.desired
        assert isinstance(desired, Revocation)
        client_id = change.live.identity if change.live is not None else ""
        if not client_id:
            return Applied(change.address, desired, note="The client does not exist.")
        enabled: bool | None = None
        # First: an enabled client requests the next token at once. Tokens of a disabled one introspect as inactive, unless
        # watt.server.oauth.disableClient.disableTokens is false; so they are deleted all the same.
        if blocks(change, self.sides):
            enabled = self.admin.patch_client(client_id, {"enabled": False}).enabled
        lost = self.admin.lost(doc.CLIENT, client_id)
        note, cut_at = "", None
        if deletes_tokens(change, self.sides):
            gone, cut_at = self._delete_tokens(client_id, desired)
            note = f"{gone} token{'' if gone == 1 else 's'} deleted."
        state = {"client": client_id, "enabled": bool(enabled), "tokens": 0}
        mark = fingerprint(state)
        return Applied(change.address, desired, client_id, mark, note=note, lost=lost, cut_at=cut_at)

    def _delete_tokens(self, client_id: str, revocation: Revocation) -> tuple[int, float | None]:
        """Delete what a revocation means; returns the number, and for `all` the second from which tokens were left alone.

        The list was created before its response states the time, so a token issued in between is not on it: a second list shows
        it.
        """
        listed = self.admin.tokens()
        cut_at = None
        if revocation.tokens == "all" and listed.now is not None:
            cut_at = float(int(listed.now.timestamp()))
        chosen = self._chosen_tokens(listed, client_id, revocation)
        answers = [*at_once(self.parallel, self.admin.delete_token, chosen)]
        # Whether deleting an access token also deletes its refresh token is not documented for this API.
        before = {part for token in chosen for part in token.same_ids}
        again = self.admin.tokens()
        left = self._left_of(again, before, client_id, revocation)
        late = [] if cut_at is None else self._chosen_tokens(again, client_id, revocation, cut_at)
        late = [token for token in late if not before & set(token.same_ids)]
        if left or late:
            answers += at_once(self.parallel, self.admin.delete_refresh_token, left)
            answers += at_once(self.parallel, self.admin.delete_token, late)
            before |= {part for token in late for part in token.same_ids}
            left = self._left_of(self.admin.tokens(), before, client_id, revocation)
        if left:
            refused = next((answer for answer in answers if answer is not None), None)
            raise refused or ServerError(
                f"'{self.server}' accepted the deletion of {len(left)} tokens and still lists them",
                server=self.server,
                method="DELETE",
                path=doc.TOKENS,
                fix="Apply again; if that does not help, delete the client.",
            )
        return len(chosen) + len(late), cut_at

    def _left_of(self, listed: TokenList, ids: set[str], client_id: str, revocation: Revocation) -> Sequence[Token]:
        return [token for token in self._chosen_tokens(listed, client_id, revocation) if ids & set(token.same_ids)]

    def _chosen_tokens(
        self, listed: TokenList, client_id: str, revocation: Revocation, cut_at: float | None = None
    ) -> Sequence[Token]:
        return self.admin.parsed(
            "GET", doc.TOKENS, lambda: selected(listed.tokens, client_id, revocation, self.zone, cut_at)
        )


def _chosen(change: Change, alias: str) -> bool:
    """Whether the server trusts the alias already."""
    live = change.live.value if change.live is not None else None
    return isinstance(live, Trust) and alias_of(live) == alias


def count_writes(change: Change, sides: frozenset[Side]) -> int:
    """How many requests one change takes, except for associations; reads that may prove unnecessary are counted."""
    desired = change.desired
    match desired:
        case Settings():
            # A parameter is read for its form and set; at the end every parameter that the manifest writes is read.
            return 1 + 2 * len(changed_options(change, DRIVER_NAME)) + len(options_in(desired))
        case Trust():
            alias = alias_of(desired)
            if _chosen(change, alias):
                return 1
            return 1 if alias == LOCAL else 3
        case Revocation():
            tokens = change.live.tokens.total if change.live is not None and change.live.tokens is not None else 0
            there = change.live is not None and bool(change.live.identity)
            deleting = 2 + tokens if deletes_tokens(change, sides) else 0
            return (deleting + int(blocks(change, sides))) if there else 0
        case Client() if writes_groups(desired) and change.action is not Action.DELETE:
            groups = sum(len(f.added) + len(f.removed) for f in change.fields if f.path == "groups")
            return 2 + 3 * groups + (change.action is Action.REPLACE)
        case _:
            return 2 if change.action is Action.REPLACE else 1
