"""Random objects, manifests and live states."""

from __future__ import annotations

from hypothesis import strategies as st

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import (
    KIND_OF,
    Client,
    ClientSecret,
    ClientTokens,
    ClientType,
    Grant,
    Object,
    Scope,
    Settings,
)

TEXTS = st.sampled_from(["", "a", "b", "ä:%@ x"])
URIS = st.lists(st.sampled_from(["https://a.example/cb", "https://b.example/cb", "http://127.0.0.1/x"]), max_size=4)
SECRETS = st.sampled_from(["s1", "s2"]).map(lambda text: Secret(text, f"env:{text.upper()}"))


def written(model: type[Model], **fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Objects of the model with any part of the fields written."""
    return st.fixed_dictionaries({}, optional=dict(fields)).map(lambda values: model(**values))


def settings_objects() -> st.SearchStrategy[object]:
    return written(
        Settings,
        require_https=st.booleans(),
        require_pkce=st.booleans(),
        access_token_lifetime=st.sampled_from([60, 3600, "never"]),
        authorization_code_lifetime=st.sampled_from([60, 600]),
    )


def scope_objects() -> st.SearchStrategy[object]:
    entries = st.lists(st.sampled_from(["f:a", "f:b", "g"]), max_size=4).map(tuple)
    return written(Scope, description=TEXTS, resources=entries, url_templates=entries)


def client_objects(*, secrets: bool = True) -> st.SearchStrategy[object]:
    fields: dict[str, st.SearchStrategy[object]] = {
        "name": TEXTS,
        "version": st.sampled_from(["1", "007"]),
        "description": TEXTS,
        "type": st.sampled_from(ClientType),
        "redirect_uris": URIS.map(tuple),
        "grants": st.lists(st.sampled_from(Grant), max_size=4).map(tuple),
        "tokens": written(
            ClientTokens,
            access_lifetime=st.sampled_from([60, 600, "never", "inherit"]),
            refresh_count=st.sampled_from([0, 5, "unlimited"]),
        ),
        "enabled": st.booleans(),
        "options": st.sampled_from([{"fake": {"a": 1}}, {"fake": {"a": {"b": [1, {"c": "x"}]}}}, {"other": {"z": 1}}]),
    }
    if secrets:
        fields["secret"] = written(ClientSecret, value=SECRETS, revision=st.integers(0, 2))
    return written(Client, **fields)


def shuffled(value: Object, random: object) -> Object:
    """The same object with its set-like lists in another order and entries repeated."""
    changes: dict[str, object] = {}
    for name in ("resources", "url_templates", "redirect_uris", "grants"):
        entries = getattr(value, name, None)
        if name in value.model_fields_set and entries:
            mixed = [*entries, entries[0]]
            random.shuffle(mixed)  # type: ignore[attr-defined]
            changes[name] = tuple(mixed)
    return value.model_copy(update=changes)


def address_of(value: Object) -> Address:
    """An address on `as` at which the object may stand."""
    kind = KIND_OF[type(value)]
    return Address(kind, "" if kind.is_singleton else "x", "as")
