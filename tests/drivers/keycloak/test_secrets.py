"""Secrets of clients on a real Keycloak: compared and never shown, made by the server, sent again, rotated."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.cli.reporting import FORMS
from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.state import LiveState
from oauthdeploy.planning.changes import Action
from tests.drivers.keycloak.site import Site, client, converge, settings
from tests.drivers.webmethods.site import Road, at, plan_of
from tests.live.conftest import run_command

ADDRESS = at(Kind.CLIENT, "batch")
MADE = {"generate": True, "deliver_to": {"file": "x.env"}}


def batch(**secret: Any) -> Any:
    return client(grants=["client_credentials"], secret=secret)


def given(text: str) -> dict[str, Any]:
    return {"value": Secret(text, "env:S")}


def test_a_secret_that_differs_is_sent_and_one_that_is_equal_is_not(site: Site) -> None:
    """The server tells it, so it is compared: in memory, and nothing shows it."""
    converge(site, {ADDRESS: batch(**given("first-secret"))})
    road = converge(site, {ADDRESS: batch(**given("second-secret"))})
    (change,) = road.plan.changes
    assert [field.path for field in change.fields] == ["secret.value"]
    assert "second-secret" not in repr(change)
    assert site.can_sign_in("batch", "second-secret")
    assert not site.can_sign_in("batch", "first-secret")
    assert site.realm.call("POST", f"/clients/{change_id(road)}/client-secret").ok
    assert [change.action for change in converge(site, {ADDRESS: batch(**given("second-secret"))}).plan.changes] == [
        Action.UPDATE
    ]


def change_id(road: Road) -> str:
    return road.of(ADDRESS).identity


def test_a_server_made_secret_comes_with_the_client_and_its_client_id(site: Site) -> None:
    """Once; a second run makes none, and a higher revision makes a new one."""
    road = converge(site, {ADDRESS: batch(**MADE)})
    made = road.of(ADDRESS)
    assert made.secret is not None
    assert made.client_id == "batch"
    assert site.can_sign_in("batch", made.secret.reveal())
    assert converge(site, {ADDRESS: batch(**MADE)}).plan.is_empty
    road = converge(site, {ADDRESS: batch(**MADE, revision=1)})
    again = road.of(ADDRESS)
    assert again.secret is not None
    assert again.secret != made.secret
    assert site.can_sign_in("batch", again.secret.reveal())
    assert not site.can_sign_in("batch", made.secret.reveal())
    assert converge(site, {ADDRESS: batch(**MADE, revision=1)}).plan.is_empty


def test_a_client_that_becomes_confidential_gets_its_secret(site: Site) -> None:
    """Both ways to one: the manifest's, and one that the server makes."""
    for secret in (given("from-the-manifest"), MADE):
        converge(site, {ADDRESS: client(type="public")})
        wanted = client(type="confidential", grants=["client_credentials"], secret=secret)
        made = converge(site, {ADDRESS: wanted}).of(ADDRESS).secret
        assert site.can_sign_in("batch", made.reveal() if made is not None else "from-the-manifest")


def test_a_rotated_secret_goes_on_working_where_the_realm_says_so(site: Site) -> None:
    """The client policy for rotation keeps the former secret for a while when the server makes a new one."""
    rotation = {"every": "30d", "keep_old": "2d", "early": "20d"}
    rules = settings(options={"keycloak": {"secret_rotation": rotation}})
    objects = {at(Kind.SETTINGS): rules, ADDRESS: batch(**MADE)}
    old = converge(site, objects).of(ADDRESS).secret
    assert old is not None
    new = converge(site, {**objects, ADDRESS: batch(**MADE, revision=2)}).of(ADDRESS).secret
    assert new is not None
    for description in (None, "changed since"):
        if description is not None:
            secret = {**MADE, "revision": 2}
            value = client(grants=["client_credentials"], secret=secret, description=description)
            converge(site, {**objects, ADDRESS: value})
        assert site.can_sign_in("batch", new.reveal())
        assert site.can_sign_in("batch", old.reveal()), "a change of the client leaves the former secret alone"


def test_no_secret_is_shown_by_the_trace_or_a_state(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the client's own nor that of the account, whatever is printed."""
    with caplog.at_level(logging.DEBUG):
        converge(site, {ADDRESS: batch(**given("a-secret-canary"))})
        with site.driver() as driver:
            plan, state = plan_of(driver, site.desired({ADDRESS: batch(**given("another-canary"))}))
    shown = f"{caplog.text} {LiveState({'login': state})!r} {plan!r}"
    for secret in ("a-secret-canary", "another-canary", site.realm.server.password):
        assert secret not in shown


MANIFEST = """\
version: 1
name: canaries
servers:
  login:
    role: authorization
    driver: keycloak
    url: ${env:URL}
    credentials: {username: "${env:ADMIN}", password: "${env:PASSWORD}"}
    options: {realm: "${env:REALM}"}
    limits: {retries: 0, timeout: 60s}
scopes:
  crm: {description: CRM, options: {keycloak: {attributes: {note: "${env:NOTE}"}}}}
clients:
  crm:
    type: public
    redirect_uris: ["https://crm.example.com/cb"]
    grants: [authorization_code]
    options:
      keycloak:
        attributes: {note: "${env:NOTE}", fresh: "${file:fresh.txt}", crm.password: named-canary, login_theme: shown-theme}
        protocol_mappers:
          crm:
            type: oidc-hardcoded-claim-mapper
            config: {claim.name: crm, claim.value: "${env:NOTE}", access.token.claim: "true", jsonType.label: String}
"""
STANDING = {"note": "live-note-canary", "crm.password": "live-named-canary", "by.hand": "by-hand-canary"}


def test_secrets_among_attributes_and_mappers_are_compared_changed_verified_and_never_shown(
    site: Site, tmp_path: Path
) -> None:
    """Through the command line, with the trace on: in no output, plan, journal or report stands what Keycloak tells readably,
    neither the live values nor those of the manifest; what somebody else keeps in another attribute isn't traced either.
    """
    realm, server = site.realm, site.realm.server
    realm.add("/clients", {"clientId": "crm", "publicClient": True, "attributes": STANDING})
    (tmp_path / "oauthdeploy.yaml").write_text(MANIFEST)
    (tmp_path / "fresh.txt").write_text("fresh-canary")
    env = {
        "URL": server.url,
        "ADMIN": server.username,
        "PASSWORD": server.password,
        "REALM": realm.name,
        "NOTE": "new-note-canary",
    }
    said = ""

    def run(*arguments: str, code: int = 0, **more: str) -> str:
        nonlocal said
        result = run_command(tmp_path, *arguments, env={**env, **more})
        assert result.code == code, (arguments, result.out, result.err)
        said += result.out + result.err
        return " ".join((result.out + result.err).split())

    def attributes() -> Any:
        return realm.client("crm")["attributes"]

    reports = [f"--output={form}=plan.{form}" for form in FORMS]
    changes = run("plan", "-v", "--trace", "--out", "saved.json", *reports, "-o", "text")
    assert "attributes.note" in changes
    assert "(secret from server) -> (secret from env:NOTE)" in changes
    assert "shown-theme" in changes
    run("show", "saved.json")
    run("apply", "saved.json", "-v", "--trace", *(f"--output={form}=apply.{form}" for form in FORMS))
    sent = {
        "note": "new-note-canary",
        "fresh": "fresh-canary",
        "crm.password": "named-canary",
        "by.hand": "by-hand-canary",
    }
    assert sent.items() <= attributes().items()
    (mapper,) = [one for one in realm.client("crm")["protocolMappers"] if one["name"] == "crm"]
    assert mapper["config"]["claim.value"] == "new-note-canary"
    assert site.scope("crm")["attributes"]["note"] == "new-note-canary"
    run("plan", "--detailed-exitcode", "--trace")

    uuid = realm.client("crm")["id"]
    body = {**realm.client("crm"), "attributes": {**attributes(), "note": "drifted-canary"}}
    assert realm.call("PUT", f"/clients/{uuid}", body).ok
    assert "attributes.note" in run("drift", "-v", "--trace", code=2)
    run("plan", "--out", "repair.json", "-o", "json")
    run("apply", "repair.json", "--trace")
    assert attributes()["note"] == "new-note-canary"
    # What changes is another field, and the secrets go back as they came.
    described = MANIFEST.replace("  crm:\n    type: public", "  crm:\n    description: new\n    type: public")
    (tmp_path / "oauthdeploy.yaml").write_text(described)
    assert "PUT" in run("apply", "--yes", "-v", "--trace")
    assert sent.items() <= attributes().items()

    journal = min((tmp_path / ".oauthdeploy" / "journal").glob("*.jsonl"))
    back = run("rollback", str(journal), "--yes", "-v", "--trace", "--allow=too-many-deletes", "--allow=changed-since")
    assert "attributes.note" in back
    assert "is not recorded anywhere" in back
    assert "fresh" not in attributes(), "it was not there before"
    assert sent["note"] == attributes()["note"], "the former one is is not recorded anywhere"

    left = {path.name: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    for name in ("oauthdeploy.yaml", "fresh.txt"):
        del left[name]
    for file, text in {**left, "what was printed": said}.items():
        assert "canary" not in text, f"a secret is in {file}"
