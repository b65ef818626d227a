"""Requests for cut-offs from the options of `revoke` and `tokens delete`: client, tokens, sides to block, and reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from msgspec import Struct

from oauthdeploy.core.errors import OAuthDeployError, UsageError
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.model.objects import Revocation, RevocationProof, Side
from oauthdeploy.planning.revocation.token_list import TokenSelection, revocation_of, revocations_for
from oauthdeploy.running.clock import utc_now
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.tokens import TokenList, list_tokens


class TokenNotThere(OAuthDeployError):
    """No server lists a token with a given handle: the token has expired, or the handle is wrong. Nothing is deleted."""

    rule = "token-not-there"


SIDES: Final = tuple(side.value for side in (Side.RESOURCE, Side.AUTHORIZATION))


class RevocationRequest(Struct, frozen=True):
    """What to cut off, who requested it, and why.

    Made by `request_revocation` or `request_token_deletion`, or by hand for several clients.

    `revocations` are by their ids. `who` requested it (default: the account of the operating system), `reason` says why,
    `ticket` names the incident; these and `command` are for the record.
    """

    revocations: Mapping[str, Revocation]
    who: str = ""
    reason: str = ""
    ticket: str = ""
    command: Literal["revoke", "tokens delete"] = "revoke"


def request_revocation(
    client: str,
    selection: TokenSelection | None = None,
    *,
    block: Sequence[str] | None = None,
    proof: RevocationProof | None = None,
    who: str = "",
    reason: str = "",
    ticket: str = "",
) -> RevocationRequest:
    """The request to cut off `client`, as made by `oauthdeploy revoke`: a key of the manifest, or an id or name on a server.

    `selection` limits it to some of its tokens. `block` are the sides to disable it on, `resource` and `authorization`; the
    default is both, or none if tokens are selected. `proof` is an issued token, which is tried afterwards. The id is
    `ticket`, or else made of the client and the time. Raises UsageError.
    """
    selection = selection or TokenSelection()
    if not client.strip():
        raise UsageError("CLIENT is empty", fix="Name the client that is to be cut off.")
    if selection.client not in (None, client):
        raise UsageError(f"The selected tokens are not those of '{client}'", fix="Leave the selection's client out.")
    sides = _sides(block) if block is not None else () if selection.narrows else SIDES
    key = ticket or f"revoke-{client}-{_now():%Y%m%dT%H%M%SZ}"
    more = {"reason": reason or None, "block": tuple(Side(side) for side in sides) or None, "proof": proof}
    revocation = revocation_of(client, selection, **{name: value for name, value in more.items() if value is not None})
    return RevocationRequest({key: revocation}, who=who, reason=reason, ticket=ticket)


def request_token_deletion(
    request: ManifestRequest,
    selection: TokenSelection,
    options: RunOptions | None = None,
    *,
    everything: bool = False,
    who: str = "",
    reason: str = "",
    ticket: str = "",
) -> tuple[RevocationRequest | None, TokenList | None]:
    """The request to delete the selected tokens, as made by `oauthdeploy tokens delete`; no client is disabled. Writes
    nothing.

    Returns the request, None if there is nothing to delete, and the list that it was made from, None if the selection names
    the client and so needs no list. An empty selection needs `everything`. Raises UsageError, TokenNotThere for a handle
    that no server lists, and what `list_tokens` raises.
    """
    if selection.is_empty and not everything:
        raise UsageError(
            "No tokens are selected",
            fix="Select them with --client, --owner, --scope, --issued-before or --handle; --all deletes every token of all "
            "clients.",
        )
    key = ticket or f"tokens-{_now():%Y%m%dT%H%M%SZ}"
    found: TokenList | None = None
    if selection.client is not None and selection.handles is None:
        chosen: Mapping[str, Revocation] = {key: revocation_of(selection.client, selection)}
    else:
        found = list_tokens(request, selection, options)
        _require_there(selection, found)
        chosen = revocations_for(found.tokens, selection, key)
    if not chosen:
        return None, found
    return RevocationRequest(chosen, who=who, reason=reason, ticket=ticket, command="tokens delete"), found


def _require_there(selection: TokenSelection, found: TokenList) -> None:
    missing = sorted(set(selection.handles or ()) - {item.token.handle for item in found.tokens})
    if missing:
        searched = f"Asked were {', '.join(found.servers) or 'none that list tokens'}."
        silent = (
            f" These servers cannot list tokens: {', '.join([*found.silent, *found.down])}."
            if found.silent or found.down
            else ""
        )
        raise TokenNotThere(
            f"No token has the handle {', '.join(missing)}",
            detail=f"{searched}{silent} Nothing was deleted.",
            fix="The token has expired, or does not match the other selection flags; run oauthdeploy tokens list.",
        )


def _sides(block: Sequence[str]) -> tuple[str, ...]:
    for side in block:
        if side not in SIDES:
            raise UsageError(f"'{side}' is not a side", fix="Block on resource, authorization, both, or none of them.")
    return tuple(dict.fromkeys(block))


def _now() -> datetime:
    return utc_now().astimezone(UTC)
