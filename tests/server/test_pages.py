"""The authorization endpoint: what the resource owner sees, and what never happens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest

from oauthdeploy.server.app import state_of
from oauthdeploy.server.models import User
from oauthdeploy.server.passwords import hash_chosen

from .kit import ALICE, CALLBACK, Browser, Json, Kit, sent, unique

AUTHORIZE = "/invoke/pub.oauth/authorize"


@pytest.fixture
def client(tolerant: Kit) -> Json:
    return tolerant.client(
        tolerant.scope("a", description="Read <all> & everything"),
        authorizationCodeGrant=True,
        implicitGrant=True,
        redirect_uris=[CALLBACK],
    )


@pytest.fixture
def browser(tolerant: Kit) -> Iterator[Browser]:
    with Browser(tolerant) as browser:
        yield browser


def test_sign_in_then_approve(browser: Browser, client: Json) -> None:
    """Sign-in comes first, then the approval page with client, scopes and user; then the redirect with state."""
    page = browser.authorize(response_type="code", client_id=client["client_id"], state="a b&c")
    assert 'name="password"' in page.text
    page = browser.sign_in(page)
    for text in (client["name"], client["scopes"][0], "alice", "app.example", "Read &lt;all&gt; &amp; everything"):
        assert text in page.text
    answer = sent(browser.submit(page, approved="true"))
    assert answer["state"] == "a b&c"
    assert answer["iss"] == browser.kit.url
    assert answer["code"]


def test_a_browser_stays_signed_in(browser: Browser, client: Json) -> None:
    """The next request goes straight to the approval page, until the user changes the account."""
    request = {"response_type": "code", "client_id": client["client_id"]}
    browser.sign_in(browser.authorize(**request))
    page = browser.authorize(**request)
    assert 'name="password"' not in page.text
    back = browser.submit(page, form=1)
    assert 'name="password"' in browser.get(back.headers["Location"]).text


def test_deny(browser: Browser, client: Json) -> None:
    """Denying sends access_denied to the redirect URI: in the query, or the fragment of the implicit grant."""
    for kind in ("code", "token"):
        request = {"response_type": kind, "client_id": client["client_id"], "state": "s"}
        answer = browser.approve(request, approved=False)
        assert sent(answer)["error"] == "access_denied"
        assert sent(answer)["state"] == "s"
        assert ("#" in answer.headers["Location"]) == (kind == "token")


def test_wrong_passwords(browser: Browser, client: Json) -> None:
    """The page comes again with the name kept, and no session."""
    page = browser.authorize(response_type="code", client_id=client["client_id"])
    again = browser.submit(page, username='al"<ice>', password="wrong")
    assert again.status_code == 401
    assert "is wrong" in again.text
    assert "al&#34;&lt;ice&gt;" in again.text
    assert browser.sign_in(again).status_code == 200


def test_pages_are_locked_down(browser: Browser, client: Json, secure: Kit) -> None:
    """Strict policy, no scripts, nothing from elsewhere, no caching; the cookie is HttpOnly, Lax and Secure on TLS."""
    page = browser.authorize(response_type="code", client_id=client["client_id"])
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert f"form-action 'self' {CALLBACK.removesuffix('/cb')}" in policy
    assert "unsafe" not in policy
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "no-store" in page.headers["Cache-Control"]
    assert "<script" not in page.text
    assert not re.search(r'(src|href)="(https?:)?//', page.text)
    cookie = page.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    other = secure.client(secure.scope("a"), authorizationCodeGrant=True, redirect_uris=[CALLBACK])
    with Browser(secure) as safe:
        page = safe.authorize(response_type="code", client_id=other["client_id"])
        assert "Secure" in page.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"response_type": "code"},
        {"response_type": "code", "client_id": "unknown"},
        {"response_type": "code", "client_id": '"><b>x</b>\\ä'},
        {"response_type": "token", "client_id": "unknown"},
        {"response_type": "code", "client_id": "OWN", "redirect_uri": CALLBACK + "/"},
        {"response_type": "code", "client_id": "OWN", "redirect_uri": CALLBACK + "?x=1"},
        {"response_type": "code", "client_id": "OWN", "redirect_uri": ""},
        {"response_type": "token", "client_id": "OWN", "redirect_uri": 'https://evil.example/"<script>ä\\'},
        {"response_type": "magic", "client_id": "OWN", "redirect_uri": "https://evil.example/"},
    ],
)
def test_errors_before_the_redirect_uri_is_trusted(browser: Browser, client: Json, request_: dict[str, str]) -> None:
    """They are shown on a page with status 400, never sent anywhere."""
    own = {key: client["client_id"] if value == "OWN" else value for key, value in request_.items()}
    page = browser.authorize(**own)
    assert page.status_code == 400
    assert "Location" not in page.headers
    assert "<b>x</b>" not in page.text
    assert "<script>" not in page.text


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({}, "invalid_request"),
        ({"response_type": "magic"}, "unsupported_response_type"),
        ({"response_type": 'ä"\\'}, "unsupported_response_type"),
        ({"response_type": "code", "scope": "no-such"}, "invalid_scope"),
        ({"response_type": "token", "scope": "no-such"}, "invalid_scope"),
        ({"response_type": "code", "code_challenge": "short"}, "invalid_request"),
        ({"response_type": "code", "code_challenge": "c" * 43, "code_challenge_method": "S1"}, "invalid_request"),
    ],
)
def test_errors_after_it_is_trusted(browser: Browser, client: Json, request_: dict[str, str], error: str) -> None:
    """They go to the client, with its state and the issuer."""
    answer = sent(browser.authorize(**request_, client_id=client["client_id"], state="s"))
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "s", browser.kit.url)


def test_a_grant_that_is_not_allowed(browser: Browser, tolerant: Kit) -> None:
    """A response type that the registration doesn't allow is unauthorized_client."""
    client = tolerant.client(tolerant.scope("a"), redirect_uris=[CALLBACK])
    for kind in ("code", "token"):
        answer = browser.authorize(response_type=kind, client_id=client["client_id"])
        assert sent(answer)["error"] == "unauthorized_client"


def test_repeated_parameters_are_refused(browser: Browser, client: Json) -> None:
    """RFC 6749 section 3.1."""
    query = urlencode([("response_type", "code"), ("client_id", client["client_id"]), ("state", "1"), ("state", "2")])
    assert browser.get(f"{AUTHORIZE}?{query}").status_code == 400


def test_several_redirect_uris_need_a_choice(browser: Browser, tolerant: Kit) -> None:
    """A client with more than one has to name it."""
    client = tolerant.client(
        tolerant.scope("a"), authorizationCodeGrant=True, redirect_uris=[CALLBACK, CALLBACK + "/2"]
    )
    request = {"response_type": "code", "client_id": client["client_id"]}
    assert browser.authorize(**request).status_code == 400
    answer = browser.approve({**request, "redirect_uri": CALLBACK + "/2"})
    assert answer.headers["Location"].startswith(CALLBACK + "/2?")


def test_forms_need_the_token_of_the_session(browser: Browser, client: Json) -> None:
    """Approval without it, with another one, or without a session is refused; so is sign-in."""
    request = {"response_type": "code", "client_id": client["client_id"]}
    page = browser.authorize(**request)
    refused = browser.submit(page, csrf="forged", username=ALICE[0], password=ALICE[1])
    assert 'name="password"' in browser.get(refused.headers["Location"]).text
    page = browser.sign_in(page)
    for forged in ("", "forged", "ä"):
        answer = browser.submit(page, csrf=forged, approved="true")
        assert answer.status_code == 403
        assert "Location" not in answer.headers
    browser.http.cookies.clear()
    assert browser.submit(page, approved="true").status_code == 403
    assert browser.http.get(f"{browser.kit.url}/invoke/wm.server.oauth/approve").status_code == 405


def test_what_was_not_shown_is_not_granted(browser: Browser, tolerant: Kit, client: Json) -> None:
    """The approval is for the scopes on the page, even if the client gets more in the meantime."""
    page = browser.sign_in(browser.authorize(response_type="token", client_id=client["client_id"]))
    added = [*client["scopes"], tolerant.scope("b")]
    tolerant.admin("PATCH", f"/oauth/client/{client['client_id']}", {"scopes": added})
    assert sent(browser.submit(page, approved="true"))["scope"] == client["scopes"][0]


def test_a_changed_password_ends_the_session(launch: Callable[..., Kit]) -> None:
    """A session made under another password isn't taken."""
    kit = launch()
    client = kit.client(kit.scope("a"), authorizationCodeGrant=True, redirect_uris=[CALLBACK])
    request = {"response_type": "code", "client_id": client["client_id"]}
    with Browser(kit) as browser:
        browser.sign_in(browser.authorize(**request))
        assert 'name="password"' not in browser.authorize(**request).text
        with state_of(kit.running.app).store.write() as session:
            session.get_one(User, "alice").password_hash = hash_chosen("another")
        assert 'name="password"' in browser.authorize(**request).text


def test_texts_are_shown_as_texts(browser: Browser, tolerant: Kit) -> None:
    """Names and descriptions with markup are shown, not interpreted."""
    scope = tolerant.scope("a", name=unique("<i>s</i>&'"), description="<script>alert(1)</script>")
    client = tolerant.client(
        scope,
        name=unique("{{7*7}} %s $x"),
        version="1.0",
        authorizationCodeGrant=True,
        redirect_uris=[CALLBACK],
    )
    page = browser.sign_in(browser.authorize(response_type="code", client_id=client["client_id"], state='"><b>'))
    assert "<script>" not in page.text
    assert "<i>" not in page.text
    assert '"><b>' not in page.text
    assert "{{7*7}}" in page.text
    answer = sent(browser.submit(page, approved="true"))
    assert answer["state"] == '"><b>'


def test_line_breaks_do_not_reach_headers(browser: Browser, client: Json) -> None:
    """A query with line breaks neither fails nor splits the answer."""
    page = browser.authorize(response_type="code", client_id=client["client_id"])
    answer = browser.submit(page, query="a=1\r\nSet-Cookie: x=y", username=ALICE[0], password=ALICE[1])
    assert answer.status_code == 303
    assert "x=y" not in answer.headers.get("Set-Cookie", "")
    state = browser.approve({"response_type": "code", "client_id": client["client_id"], "state": "a\r\nb"})
    assert sent(state)["state"] == "a\r\nb"
