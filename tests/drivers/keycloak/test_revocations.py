"""Cut-offs on a real Keycloak, proved by introspection: with sessions and without, in time, and by RFC 7009."""

from __future__ import annotations

import html
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import Association, Object, Revocation
from oauthdeploy.planning.changes import Action
from tests.drivers.keycloak.site import Site, client, converge, scope
from tests.drivers.keycloak.test_live import user
from tests.drivers.webmethods.site import at, link, plan_of
from tests.live.conftest import run_command

SECRET = Secret("a-good-long-secret", "env:S")
PASSWORD = {"grant_type": "password", "username": "alice", "password": "pw"}
OFFLINE = {**PASSWORD, "scope": "orders.read offline_access"}


@pytest.fixture
def estate(site: Site) -> dict[Address, Object]:
    """Two clients that get tokens by themselves and for alice, and the API that may introspect them."""
    site.realm.add("/users", user("alice"))
    both = client(grants=["client_credentials", "password", "refresh_token"], secret={"value": SECRET})
    objects: dict[Address, Object] = {
        at(Kind.SCOPE, "orders.read"): scope(options={"keycloak": {"audiences": ["api"]}}),
        at(Kind.CLIENT, "api"): client(secret={"value": SECRET}, grants=[]),
        at(Kind.CLIENT, "batch"): both,
        at(Kind.CLIENT, "other"): both,
        **{link(name, "orders.read"): Association() for name in ("batch", "other")},
    }
    converge(site, objects)
    return objects


def tokens(site: Site, name: str, **form: str) -> dict[str, Any]:
    answer = site.realm.token(name, SECRET.reveal(), **{"scope": "orders.read", **form})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def active(site: Site, token: str) -> bool:
    return bool(site.realm.introspect(token, "api", SECRET.reveal())["active"])


def refreshes(site: Site, token: str, name: str = "batch") -> bool:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return site.realm.token(name, SECRET.reveal(), **form).status_code == 200


def revocation(**fields: Any) -> Revocation:
    return Revocation.model_validate({"client": "batch", **fields})


CUT = at(Kind.REVOCATION, "INC-2041")


def test_all_tokens_of_a_client_die_with_sessions_and_without(site: Site, estate: dict[Address, Object]) -> None:
    """Client credentials have no session, and not-before covers them; sessions and offline sessions end; others live on."""
    own, alice, offline = tokens(site, "batch"), tokens(site, "batch", **PASSWORD), tokens(site, "batch", **OFFLINE)
    others = tokens(site, "other", **PASSWORD)
    for one in (own, alice, offline, others):
        assert active(site, one["access_token"])
    road = converge(site, {**estate, CUT: revocation(tokens="all")})
    (change,) = road.plan.changes
    assert (change.action, change.fields[0].before) == (Action.REVOKE, 2)
    assert "2 sessions ended" in road.of(CUT).note
    for one in (own, alice, offline):
        assert not active(site, one["access_token"])
    for one in (alice, offline):
        assert not refreshes(site, one["refresh_token"])
    assert active(site, others["access_token"])
    assert refreshes(site, others["refresh_token"], "other")
    uuid = site.realm.client("batch")["id"]
    for kind in ("user", "offline"):
        assert site.realm.get(f"/clients/{uuid}/{kind}-sessions") == []
    time.sleep(1.1)
    later = tokens(site, "batch")
    assert active(site, later["access_token"]), "what is issued afterwards is good"
    road = converge(site, {**estate, CUT: revocation(tokens="all")})
    assert road.plan.is_empty, "the incident is over, and tokens without a session are no news"
    session = tokens(site, "batch", **PASSWORD)
    road = converge(site, {**estate, CUT: revocation(tokens="all")})
    assert road.plan.is_empty, "nor is a session that began after the cut-off"
    assert active(site, session["access_token"])
    assert refreshes(site, session["refresh_token"])


def test_a_second_incident_cuts_off_again(site: Site, estate: dict[Address, Object]) -> None:
    """Each has its own mark; and a not-before that somebody takes back is put there again."""
    converge(site, {**estate, CUT: revocation(tokens="all")})
    time.sleep(1.1)
    token = tokens(site, "batch")["access_token"]
    second = at(Kind.REVOCATION, "INC 2042/b")
    converge(site, {**estate, CUT: revocation(tokens="all"), second: revocation(tokens="all")})
    assert not active(site, token)
    uuid = site.realm.client("batch")["id"]
    assert site.realm.call("PUT", f"/clients/{uuid}", {"clientId": "batch", "notBefore": 0}).ok
    assert active(site, token)
    converge(site, {**estate, CUT: revocation(tokens="all"), second: revocation(tokens="all")})
    assert not active(site, token)


def test_tokens_issued_before_a_moment_die_and_later_ones_live(site: Site, estate: dict[Address, Object]) -> None:
    """Sessions go on: what they gave before is dead."""
    before = tokens(site, "batch")
    alice = tokens(site, "batch", **PASSWORD)
    time.sleep(1.1)
    moment = datetime.now(UTC).replace(microsecond=0)
    after = tokens(site, "batch")
    cut = revocation(tokens={"issued_before": moment})
    converge(site, {**estate, CUT: cut})
    assert not active(site, before["access_token"])
    assert not refreshes(site, alice["refresh_token"])
    assert active(site, after["access_token"])
    earlier = revocation(tokens={"issued_before": moment - timedelta(hours=1)})
    assert converge(site, {**estate, CUT: earlier}).plan.is_empty, "a later not-before says it all"


MANIFEST = """\
version: 1
name: test
servers:
  login:
    role: authorization
    driver: keycloak
    url: {url}
    credentials: {{username: {username}, password: "${{env:PASSWORD}}"}}
    options: {{realm: {realm}}}
clients:
  batch: {{}}
"""


def test_a_session_shared_with_another_client_is_left_to_it(
    site: Site, estate: dict[Address, Object], tmp_path: Path
) -> None:
    """One login for two clients, as a browser has it: the one's tokens die, the other's live. The note of the driver says so,
    and the last line of `revoke`.
    """
    for name in ("batch", "other"):
        uuid = site.realm.client(name)["id"]
        uris = {"clientId": name, "standardFlowEnabled": True, "redirectUris": ["https://app.example.com/cb"]}
        assert site.realm.call("PUT", f"/clients/{uuid}", uris).ok
    cookies: dict[str, str] = {}
    mine, theirs = (log_in(cookies, site, name) for name in ("batch", "other"))
    estate = {address: value for address, value in estate.items() if address.kind is not Kind.CLIENT}
    road = converge(site, {**estate, CUT: revocation(tokens="all")})
    assert "1 session shared with other clients stays" in road.of(CUT).note
    assert not active(site, mine["access_token"])
    assert not refreshes(site, mine["refresh_token"])
    assert active(site, theirs["access_token"])
    assert refreshes(site, theirs["refresh_token"], "other")

    server = site.realm.server
    text = MANIFEST.format(url=server.url, username=server.username, realm=site.realm.name)
    (tmp_path / "oauthdeploy.yaml").write_text(text)
    time.sleep(1.1)
    mine = log_in(cookies, site, "batch")
    result = run_command(tmp_path, "revoke", "batch", "--yes", "--reason", "a leak", env={"PASSWORD": server.password})
    assert result.code == 0, result.out + result.err
    assert re.search(
        r"Cut off on 1 server, .* 1 session shared with other clients stays\.", " ".join(result.out.split())
    )
    assert not refreshes(site, mine["refresh_token"])


def log_in(cookies: dict[str, str], site: Site, client_id: str) -> dict[str, Any]:
    """Tokens by the code grant; the second client of a browser, which is its cookies, finds alice signed in."""

    def browse(method: str, url: str, **options: Any) -> requests.Response:
        # Keycloak's cookies are for HTTPS, so a session would not send them back to this address.
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        answer = requests.request(method, url, headers=sent, allow_redirects=False, timeout=60, **options)
        cookies.update({cookie.name: cookie.value or "" for cookie in answer.cookies})
        return answer

    back = "https://app.example.com/cb"
    asked = {"client_id": client_id, "response_type": "code", "redirect_uri": back, "scope": "orders.read"}
    answer = browse("GET", f"{site.realm.issuer}/protocol/openid-connect/auth", params=asked)
    if answer.status_code == 200:
        form = re.search(r'action="([^"]+)"', answer.text)
        assert form is not None
        answer = browse("POST", html.unescape(form[1]), data={"username": "alice", "password": "pw"})
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    return tokens(site, client_id, grant_type="authorization_code", code=code, redirect_uri=back)


def test_a_block_disables_the_client_and_lifting_it_is_nobodys_accident(
    site: Site, estate: dict[Address, Object]
) -> None:
    """Disabled, its tokens are refused too; with tokens and block in one entry both are done."""
    token = tokens(site, "batch")["access_token"]
    cut = revocation(tokens="all", block=["authorization"])
    blocked = {**estate, at(Kind.CLIENT, "batch"): client(enabled=False)}
    converge(site, {**blocked, CUT: cut})
    assert site.realm.client("batch")["enabled"] is False
    assert not active(site, token)
    assert site.realm.token("batch", SECRET.reveal()).status_code == 401
    assert converge(site, {**blocked, CUT: cut}).plan.is_empty
    uuid = site.realm.client("batch")["id"]
    with site.driver(read_only=True) as driver:
        _plan, state = plan_of(driver, site.desired(estate))
    assert state.cut_offs == {uuid: CUT.name}, "the realm knows who was cut off when the entry is gone"
    converge(site, {**estate, at(Kind.CLIENT, "batch"): client(enabled=True)})
    with site.driver(read_only=True) as driver:
        _plan, state = plan_of(driver, site.desired(estate))
    assert state.cut_offs == {}, "who is enabled again is cut off no more, also when somebody disables it later"
    assert "oauthdeploy.blocked" not in site.realm.client("batch")["attributes"]


def test_the_token_of_a_proof_is_revoked_by_itself(site: Site, estate: dict[Address, Object]) -> None:
    """RFC 7009, in the name of its client; a token that is no token undoes nothing."""
    token = tokens(site, "batch")["access_token"]
    proof = {"token": Secret(token, "env:T")}
    road = converge(site, {**estate, CUT: revocation(tokens="all", proof=proof)})
    assert "The token you supplied is revoked." in road.of(CUT).note
    assert not active(site, token)
    uuid = site.realm.client("batch")["id"]
    assert site.realm.call("PUT", f"/clients/{uuid}", {"clientId": "batch", "notBefore": 0}).ok
    assert not active(site, token), "not by not-before alone"


def test_a_client_with_an_admin_url_is_told(site: Site, estate: dict[Address, Object]) -> None:
    """One that cannot be reached stops nothing."""
    options = {"keycloak": {"admin_url": "http://127.0.0.1:9/k"}}
    value = client(grants=["client_credentials"], secret={"value": SECRET}, options=options)
    estate = {**estate, at(Kind.CLIENT, "batch"): value}
    converge(site, estate)
    road = converge(site, {**estate, CUT: revocation(tokens="all")})
    assert "1 of the client's addresses could not be notified." in road.of(CUT).note


def test_a_client_that_is_not_there_needs_no_cut_off(site: Site) -> None:
    """Nothing is planned, and nothing is missing."""
    assert converge(site, {CUT: revocation(client="nobody", tokens="all", block=["authorization"])}).plan.is_empty


def test_who_may_only_look_cannot_cut_off(site: Site, estate: dict[Address, Object]) -> None:
    """The plan shows what is to do."""
    viewer = site.account("viewer", "view-realm", "view-clients")
    with viewer.driver(read_only=True) as driver:
        plan, state = plan_of(driver, viewer.desired({CUT: revocation(tokens="all")}))
        assert not state.unreadable
        assert [change.address for change in plan.changes] == [CUT]


def test_a_cut_off_may_name_the_id_of_a_client(site: Site, estate: dict[Address, Object]) -> None:
    """The id of Keycloak's own pages means the same client as its client_id."""
    assert estate
    uuid = site.realm.client("batch")["id"]
    token = tokens(site, "batch")["access_token"]
    road = converge(
        site, {at(Kind.REVOCATION, "INC-9"): revocation(client=uuid, tokens="all", block=["authorization"])}
    )
    assert [change.address for change in road.plan.changes] == [at(Kind.REVOCATION, "INC-9")]
    assert not active(site, token)
    assert site.realm.client("batch")["enabled"] is False
