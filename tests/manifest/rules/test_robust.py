"""Whatever a manifest says, the rules answer with findings that have a rule, a place and no repetition."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauthdeploy.core.diagnostics import Path
from oauthdeploy.manifest.document import Document
from oauthdeploy.manifest.placement import place_objects
from oauthdeploy.manifest.rules import CATALOGUE, RuleContext, check_all
from tests.manifest.rules.helpers import drivers

NAMES = st.sampled_from(["a", "b", "a;b", "A", "ü", "x y"])
SERVER = st.sampled_from(["login", "orders", "idp", "nowhere"])
ON = st.one_of(st.none(), st.lists(SERVER, max_size=3))
STATE = st.sampled_from(["present", "absent"])
URI = st.one_of(
    st.text(max_size=12), st.sampled_from(["https://a.example.com/cb", "http://localhost", "x.y:/z", "data:,"])
)
CLIENT = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["public", "confidential", None]),
        "name": st.one_of(st.none(), NAMES),
        "version": st.one_of(st.none(), st.just("1")),
        "grants": st.one_of(
            st.none(),
            st.lists(
                st.sampled_from(["authorization_code", "implicit", "client_credentials", "password", "refresh_token"]),
                max_size=4,
            ),
        ),
        "redirect_uris": st.one_of(st.none(), st.lists(URI, max_size=3)),
        "tokens": st.fixed_dictionaries(
            {},
            optional={
                "access_lifetime": st.sampled_from([None, "never", "inherit", 0, 1, 2**40]),
                "refresh_count": st.sampled_from([None, "unlimited", -1, 0, 2**40]),
            },
        ),
        "secret": st.sampled_from(
            [None, {}, {"value": "x"}, {"value": ""}, {"generate": True, "deliver_to": {"file": "f"}}, {"revision": 1}]
        ),
        "enabled": st.sampled_from([None, True, False]),
        "on": ON,
        "state": STATE,
        "moved_from": st.one_of(st.none(), NAMES),
    },
)
SCOPE = st.fixed_dictionaries(
    {},
    optional={
        "description": st.one_of(st.none(), st.text(max_size=3)),
        "resources": st.one_of(st.none(), st.lists(NAMES, max_size=2)),
        "on": ON,
        "state": STATE,
    },
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "require_https": st.sampled_from([None, True, False]),
        "require_pkce": st.sampled_from([None, True, False]),
        "authorization_code_lifetime": st.sampled_from([None, 0, 600, 2**40]),
        "access_token_lifetime": st.sampled_from([None, "never", 0, 2**40]),
        "token_endpoint_auth": st.sampled_from([None, "session", "credentials"]),
    },
)
REVOCATION = st.fixed_dictionaries(
    {"id": NAMES, "client": NAMES},
    optional={
        "tokens": st.sampled_from([None, "all", {"issued_before": "2026-01-01T00:00:00Z"}]),
        "owner": st.one_of(st.none(), NAMES),
        "scope": st.one_of(st.none(), NAMES),
        "block": st.one_of(st.none(), st.lists(st.sampled_from(["authorization", "resource"]), max_size=3)),
        "expires": st.sampled_from([None, "2027-01-31"]),
    },
)
SERVERS = st.fixed_dictionaries(
    {
        "login": st.fixed_dictionaries(
            {
                "role": st.sampled_from(["authorization", "both", "resource"]),
                "driver": st.sampled_from(["webmethods", "rfc7591", "glewlwyd", "unknown"]),
            },
            optional={
                "url": st.one_of(st.none(), st.just("https://a"), st.text(max_size=8)),
                "authorization_server": SERVER,
            },
        ),
        "orders": st.fixed_dictionaries(
            {"role": st.just("resource"), "driver": st.sampled_from(["webmethods", "opa"])},
            optional={"url": st.just("https://o"), "authorization_server": SERVER},
        ),
    },
    optional={"idp": st.just({"role": "authorization", "driver": "external"})},
)
DOCUMENT = st.fixed_dictionaries(
    {"version": st.just(1), "name": st.just("n"), "servers": SERVERS},
    optional={
        "settings": st.tuples(SETTINGS, st.dictionaries(SERVER, SETTINGS, max_size=2)).map(
            lambda x: {**x[0], "overrides": x[1]}
        ),
        "scopes": st.dictionaries(NAMES, SCOPE, max_size=3),
        "clients": st.dictionaries(NAMES, CLIENT, max_size=3),
        "associations": st.lists(
            st.one_of(
                st.fixed_dictionaries({"client": NAMES, "scopes": st.lists(NAMES, max_size=2)}),
                st.fixed_dictionaries({"scope": NAMES, "clients": st.lists(NAMES, max_size=2)}),
            ),
            max_size=3,
        ),
        "revocations": st.lists(REVOCATION, max_size=3),
        "resource_owners": st.lists(NAMES, max_size=2),
        "policy": st.fixed_dictionaries({"protect": st.lists(st.text(max_size=8), max_size=2)}),
    },
)


def resolves(tree: Any, path: Path) -> bool:
    """True where every step but the last exists; the last may be a key that is not written."""
    for step in path[:-1]:
        tree = tree[step]
    return isinstance(tree, dict | list)


@settings(max_examples=150, deadline=None)
@given(DOCUMENT)
@pytest.mark.slow
def test_rules_answer_to_everything(tree: dict[str, Any]) -> None:
    """No document makes a rule fail; findings are of the catalogue, lead into the document and are the same each time."""
    document = Document.model_validate(json.loads(json.dumps(tree)))
    desired, _ = place_objects(document, drivers(), {})
    found = list(check_all(RuleContext(document, desired, drivers())))
    for item in found:
        assert item.severity is CATALOGUE[item.rule].severity
        assert item.path
        assert resolves(tree, item.path)
        assert item.detail
        assert item.span is None
    assert len(set(found)) == len(found)
    assert found == list(check_all(RuleContext(document, desired, drivers())))
