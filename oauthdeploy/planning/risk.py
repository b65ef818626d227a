"""What a change opens and what it breaks: one table for fields, one for actions.

Widening decides when a change is made (`ordering`), risk decides who should look at it (`--fail-on`). What can't be judged
counts as widening.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Flag
from functools import cache
from typing import Any, Final

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.fields import ForPeople, marked
from oauthdeploy.model.objects import MODEL_OF, ClientType, Grant, TokenEndpointAuth
from oauthdeploy.planning.changes import Action, FieldChange, Risk
from oauthdeploy.planning.normalize import OPTIONS


class Direction(Flag):
    """Whether more becomes possible, or less, or both at once; `SIDEWAYS` is neither."""

    SIDEWAYS = 0
    WIDENS = 1
    NARROWS = 2


@dataclass(frozen=True)
class Effect:
    """What one change of a field, or of an object, does."""

    direction: Direction
    risk: Risk


SIDEWAYS: Final = Effect(Direction.SIDEWAYS, Risk.NONE)
NARROWS: Final = Effect(Direction.NARROWS, Risk.LOW)
UNKNOWN: Final = Effect(Direction.WIDENS, Risk.MEDIUM)

UNCLASSED: Final = Effect(Direction.WIDENS, Risk.HIGH)

Judge = Callable[[FieldChange], Effect]


def effect_of(kind: Kind, change: FieldChange) -> Effect:
    """What the change of one field does. What a driver's own option does isn't known here, and counts as widening, medium; a
    field of the model that nobody has classed counts as high.
    """
    judge = _FIELDS.get((kind, change.path))
    if judge is not None:
        return judge(change)
    if change.path in _for_people(kind):
        return SIDEWAYS
    return UNKNOWN if change.path.startswith(f"{OPTIONS}.") else UNCLASSED


@cache
def _for_people(kind: Kind) -> frozenset[str]:
    return marked(MODEL_OF[kind], ForPeople)


def direction_of(kind: Kind, fields: Iterable[FieldChange]) -> Direction:
    """What the fields of an update do together."""
    found = Direction.SIDEWAYS
    for change in fields:
        found |= effect_of(kind, change).direction
    return found


def risk_of(kind: Kind, action: Action, fields: Iterable[FieldChange]) -> Risk:
    """The risk of a change: of its worst field for an update, of its kind and action for all others."""
    if action is Action.UPDATE:
        return max((effect_of(kind, change).risk for change in fields), default=Risk.LOW)
    return _ACTIONS.get((kind, action), Risk.LOW if action in _CUT_OFFS else Risk.MEDIUM)


_CUT_OFFS: Final = (Action.DISABLE, Action.REVOKE)

_ACTIONS: Final[Mapping[tuple[Kind, Action], Risk]] = {
    (Kind.TRUST, Action.CREATE): Risk.HIGH,
    (Kind.TRUST, Action.DELETE): Risk.HIGH,
    (Kind.SETTINGS, Action.CREATE): Risk.MEDIUM,
    (Kind.SCOPE, Action.CREATE): Risk.LOW,
    (Kind.SCOPE, Action.DELETE): Risk.MEDIUM,
    (Kind.CLIENT, Action.CREATE): Risk.LOW,
    (Kind.CLIENT, Action.DELETE): Risk.MEDIUM,
    # The client's tokens, its server-made id and its secret are gone.
    (Kind.CLIENT, Action.REPLACE): Risk.HIGH,
    (Kind.ASSOCIATION, Action.CREATE): Risk.MEDIUM,
    (Kind.ASSOCIATION, Action.DELETE): Risk.LOW,
}


def _always(direction: Direction, risk: Risk) -> Judge:
    effect = Effect(direction, risk)
    return lambda _change: effect


def _entries(change: FieldChange, risk: Callable[[Any], Risk]) -> Effect:
    """Lists: what is added widens, as much as its worst entry; what is taken away narrows."""
    added, removed = change.added, change.removed
    direction = (Direction.WIDENS if added else Direction.SIDEWAYS) | (
        Direction.NARROWS if removed else Direction.SIDEWAYS
    )
    return Effect(direction, max((risk(entry) for entry in added), default=Risk.LOW))


def _redirect_risk(uri: Any) -> Risk:
    """RFC 9700 section 2.1: a redirect in clear text or by pattern gives codes away. Loopback is for native apps."""
    text = str(uri)
    loopback = text.startswith(("http://127.0.0.1", "http://[::1]", "http://localhost"))
    return Risk.HIGH if "*" in text or (text.startswith("http://") and not loopback) else Risk.MEDIUM


def _grant_risk(grant: Any) -> Risk:
    """RFC 9700 sections 2.1.2 and 2.4: these two should not be used any more."""
    return Risk.HIGH if grant in (Grant.IMPLICIT, Grant.PASSWORD) else Risk.MEDIUM


def _switch(safe: Any, risk: Risk) -> Judge:
    """A choice with one safe value: towards it narrows, away from it widens."""

    def judge(change: FieldChange) -> Effect:
        return NARROWS if change.after == safe else Effect(Direction.WIDENS, risk)

    return judge


def _amount(endless: str) -> Judge:
    """A lifetime or a count: more widens, `endless` most; a word such as `inherit` can't be measured from here."""

    def judge(change: FieldChange) -> Effect:
        if change.after == endless:
            return Effect(Direction.WIDENS, Risk.HIGH)
        if change.before == endless:
            return NARROWS
        if isinstance(change.before, int) and isinstance(change.after, int):
            return NARROWS if change.after < change.before else UNKNOWN
        return UNKNOWN

    return judge


_NAME: Final = _always(Direction.SIDEWAYS, Risk.LOW)
# Whoever still uses the old secret is shut out.
_SECRET: Final = _always(Direction.SIDEWAYS, Risk.MEDIUM)
_TRUST: Final = _always(Direction.WIDENS, Risk.HIGH)


def _opens(change: FieldChange) -> Effect:
    return _entries(change, lambda _entry: Risk.MEDIUM)


_FIELDS: Final[Mapping[tuple[Kind, str], Judge]] = {
    (Kind.SETTINGS, "require_https"): _switch(True, Risk.HIGH),
    (Kind.SETTINGS, "require_pkce"): _switch(True, Risk.HIGH),
    (Kind.SETTINGS, "authorization_code_lifetime"): _amount("never"),
    (Kind.SETTINGS, "access_token_lifetime"): _amount("never"),
    (Kind.SETTINGS, "token_endpoint_auth"): _switch(TokenEndpointAuth.CREDENTIALS, Risk.MEDIUM),
    (Kind.SCOPE, "resources"): _opens,
    (Kind.SCOPE, "url_templates"): _opens,
    (Kind.CLIENT, "name"): _NAME,
    (Kind.CLIENT, "version"): _NAME,
    (Kind.CLIENT, "type"): _switch(ClientType.CONFIDENTIAL, Risk.HIGH),
    (Kind.CLIENT, "redirect_uris"): lambda change: _entries(change, _redirect_risk),
    (Kind.CLIENT, "grants"): lambda change: _entries(change, _grant_risk),
    (Kind.CLIENT, "tokens.access_lifetime"): _amount("never"),
    (Kind.CLIENT, "tokens.refresh_count"): _amount("unlimited"),
    (Kind.CLIENT, "secret.value"): _SECRET,
    (Kind.CLIENT, "secret.revision"): _SECRET,
    (Kind.CLIENT, "enabled"): _switch(False, Risk.MEDIUM),
    **{
        (Kind.TRUST, path): _TRUST
        for path in ("authorization_server", "via", "endpoint", "client_id", "username", "user", "default_scope")
    },
    **{(Kind.TRUST, path): _TRUST for path in ("issuer", "jwks_uri", "audience")},
    **{(Kind.TRUST, path): _SECRET for path in ("client_secret", "password")},
    **{(Kind.TRUST, path): _TRUST for path in ("truststore_alias", "keystore_alias", "key_alias")},
}
