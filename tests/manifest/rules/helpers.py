"""How the tests of the rules read a part of a manifest: around it stand two servers, and drivers that differ in what they can."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.model.capabilities import Capability, DriverFacts, Limit, Support, every_field, no, untested, yes
from oauthdeploy.model.fields import Model, Text
from oauthdeploy.model.servers import Role


class Nothing(Model):
    """Credentials and options of a driver that takes none."""


class SignIn(Model):
    """Credentials that may be left out."""

    username: Text | None = None
    password: Secret | None = None


class Phrase(Model):
    """Credentials with a secret of an unusual name."""

    account: Text | None = None
    phrase: Secret | None = None


SERVERS = """
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
    credentials: {username: deployer, password: "${env:LOGIN_PASSWORD}"}
  orders:
    role: resource
    driver: webmethods
    url: https://is-orders.example.com:5543
    credentials: {username: deployer, password: "${env:ORDERS_PASSWORD}"}
    authorization_server: login
"""

NAMES = (
    "LOGIN_PASSWORD ORDERS_PASSWORD RS_SECRET BATCH_SECRET MOBILE_SECRET LEGACY_SECRET WEB_SHOP_SECRET API_KEY WORDS"
)
ENVIRON = dict.fromkeys(NAMES.split(), "correct horse battery staple")


def _all(support: Support, **others: Support) -> dict[Capability, Support]:
    return {capability: others.get(capability.name, support) for capability in Capability}


def _driver(
    name: str,
    role: Role,
    table: Mapping[Capability, Support],
    credentials: type[Model] = Nothing,
    **fields: Support,
) -> DriverFacts:
    """A driver that holds every field but those that `fields` answer otherwise, `clients__enabled` for `clients.enabled`."""
    made = DriverFacts(
        name=name,
        title=name,
        roles=frozenset({role}),
        credentials=credentials,
        options=Nothing,
        capabilities={role: table},
        fields={role: every_field(yes())},
    )
    return made.answering(role, {name.replace("__", "."): answer for name, answer in fields.items()})


# Stand-ins with the gaps that the real servers are known for; the real webmethods and external come from the registry.
RFC7591 = _driver(
    "rfc7591",
    Role.AUTHORIZATION,
    _all(
        yes(),
        CLIENT_SECRET_CHOICE=no("RFC 7591 has the server choose"),
        SCOPES=no("there are no scope objects"),
        SETTINGS=no("there is no API for settings"),
        CLIENT_RENAME=no("there is no rename"),
        GRANT_IMPLICIT=no("not offered"),
        TOKENS_BY_TIME=no("tokens are not listed"),
        TOKENS_BY_OWNER=no("tokens are not listed"),
        TOKENS_BY_SCOPE=no("tokens are not listed"),
        TOKENS_BY_HANDLE=no("tokens are not listed"),
        BLOCK_CLIENT=no("a client can't be switched off"),
        ASSOCIATIONS=no("kept in the client"),
    ),
    clients__enabled=no("RFC 7592 can't switch a client off"),
    clients__tokens__access_lifetime=no("there is no field for lifetimes"),
    clients__tokens__refresh_count=no("there is no field for lifetimes"),
)
GLEWLWYD = _driver(
    "glewlwyd",
    Role.AUTHORIZATION,
    _all(yes(), CLIENT_SECRET_GENERATE=no("the secret is given")),
    Phrase,
    clients__description=untested("kept as data"),
)


class Place(Model):
    """Where on a server."""

    path: str = ""


OPA = replace(
    _driver(
        "opa",
        Role.RESOURCE,
        _all(yes()),
        clients__tokens__access_lifetime=no("policy data"),
        clients__tokens__refresh_count=no("policy data"),
        scopes__url_templates=no("paths only"),
        clients__enabled=untested(),
    ),
    names={Kind.TRUST: Limit("[a-z]+", 8, "up to eight small letters")},
    options=Place,
    located_by=("path",),
)


def drivers() -> dict[str, DriverFacts]:
    """The real drivers and the stand-ins. Examples leave out credentials, so here no driver asks for any."""
    real = driver_facts()
    return {
        **{driver.name: driver for driver in (RFC7591, GLEWLWYD, OPA)},
        "webmethods": replace(real["webmethods"], credentials=SignIn),
        "keycloak": replace(real["keycloak"], credentials=SignIn),
        "external": real["external"],
    }


def manifest(part: str) -> str:
    """A whole manifest around a part; sections of the part replace those around it."""
    part = textwrap.dedent(part).strip("\n") + "\n"
    head = "" if part.startswith("version:") else "version: 1\n"
    servers = "" if "\nservers:" in f"\n{part}" else SERVERS.lstrip("\n")
    return f"{head}name: estate\n{servers}{part}"


def findings(part: str, **request: Any) -> tuple[Diagnostic, ...]:
    """Everything that is found in a manifest around `part`."""
    wanted = ManifestRequest(files=("-",), stdin=manifest(part), environ=ENVIRON, **request)
    return load_manifest(wanted, drivers())[1].items


def ids(part: str, **request: Any) -> set[str]:
    """The ids of the rules that fire."""
    return {item.rule for item in findings(part, **request)}


def of(part: str, rule: str) -> list[Diagnostic]:
    """The findings of one rule."""
    return [item for item in findings(part) if item.rule == rule]
