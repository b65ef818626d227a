"""Redirect URIs: each oddity has one rule, and a plain https address has none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.manifest.rules.uris import (
    PLAIN_HTTPS,
    equivalent,
    is_loopback_url,
    is_plain_http,
    read_redirect_uri,
    server_url_problem,
)
from tests.manifest.rules.helpers import findings, ids


def client(*uris: str, kind: str = "public", grants: str = "") -> str:
    written = ", ".join(f'"{uri}"' for uri in uris)
    secret = '    secret: {value: "${env:BATCH_SECRET}"}\n' if kind == "confidential" else ""
    more = f"    grants: [{grants}]\n" if grants else ""
    return f"clients:\n  app:\n    type: {kind}\n    redirect_uris: [{written}]\n{secret}{more}"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://shop.example.com/cb", set()),
        ("https://shop.example.com", set()),
        ("https://shop.example.com:8443/a/b-c_d.e~f", set()),
        ("https://shop.example.com/cb?tenant=1&x=%20y", set()),
        ("https://[2001:db8::1]:8443/cb", set()),
        ("HTTPS://shop.example.com/cb", set()),
        ("https://shop.example.com:65535/cb", set()),
        # loopback: plain http is right there, whatever the port (RFC 8252 section 7.3)
        ("http://127.0.0.1/cb", set()),
        ("http://127.0.0.1:49152/cb", set()),
        ("http://127.8.9.10/cb", set()),
        ("http://[::1]:8400/cb", set()),
        ("http://localhost/cb", {"redirect-uri-localhost"}),
        ("http://LOCALHOST:80/cb", {"redirect-uri-localhost"}),
        ("https://localhost/cb", set()),
        # what only looks like loopback
        ("http://127.0.0.1.evil.example/cb", {"redirect-uri-not-https"}),
        ("http://localhost.evil.example/cb", {"redirect-uri-not-https"}),
        ("http://127.0.0.1@evil.example/cb", {"redirect-uri-not-https", "redirect-uri-userinfo"}),
        ("http://0.0.0.0/cb", {"redirect-uri-not-https"}),
        ("http://10.0.0.1/cb", {"redirect-uri-not-https"}),
        ("HTTP://shop.example.com/cb", {"redirect-uri-not-https"}),
        ("https://*.example.com/cb", {"redirect-uri-wildcard"}),
        ("https://shop.example.com/cb*", {"redirect-uri-wildcard"}),
        ("https://shop.example.com/cb#", {"redirect-uri-fragment"}),
        ("https://shop.example.com/cb#/route", {"redirect-uri-fragment"}),
        ("https://user:pw@shop.example.com/cb", {"redirect-uri-userinfo"}),
        ("https://shop.example.com/cb?mail=a@b", set()),
        ("com.example.app:/cb", {"redirect-uri-custom-scheme"}),
        ("com.example.app://cb", {"redirect-uri-custom-scheme"}),
        ("myapp:/cb", {"redirect-uri-scheme-without-dot"}),
        ("urn:ietf:wg:oauth:2.0:oob", {"redirect-uri-scheme-without-dot"}),
        ("javascript:alert(1)", {"redirect-uri-dangerous-scheme"}),
        ("JavaScript:alert(1)", {"redirect-uri-dangerous-scheme"}),
        ("data:text/html,x", {"redirect-uri-dangerous-scheme"}),
        ("file:///etc/passwd", {"redirect-uri-dangerous-scheme"}),
        ("", {"redirect-uri-malformed"}),
        ("/cb", {"redirect-uri-malformed"}),
        ("//shop.example.com/cb", {"redirect-uri-malformed"}),
        ("shop.example.com/cb", {"redirect-uri-malformed"}),
        ("https:", {"redirect-uri-malformed"}),
        ("https:///cb", {"redirect-uri-malformed"}),
        ("https://:443/cb", {"redirect-uri-malformed"}),
        ("https://shop.example.com:99999/cb", {"redirect-uri-malformed"}),
        ("https://shop.example.com:port/cb", {"redirect-uri-malformed"}),
        ("https://[::1/cb", {"redirect-uri-malformed"}),
        ("https://shop.example.com/a b", {"redirect-uri-malformed"}),
        (" https://shop.example.com/cb", {"redirect-uri-malformed"}),
        ("https://shop.example.com/%zz", {"redirect-uri-malformed"}),
        ("https://shöp.example.com/cb", {"redirect-uri-malformed"}),
        ("https://shop.example.com/a\\\\b", {"redirect-uri-malformed"}),
    ],
)
def test_each_oddity_has_its_rule(uri: str, expected: set[str]) -> None:
    """Exactly the named rules fire for one redirect URI of a public client."""
    assert ids(client(uri)) == expected


def test_place_and_address_of_a_finding() -> None:
    """A finding leads to the very entry of the list."""
    (found,) = findings(client("https://a.example.com/cb", "http://b.example.com/cb"))
    assert found.path == ("clients", "app", "redirect_uris", 1)
    assert found.address == "client/app"
    assert found.span is not None
    assert '"http://b.example.com/cb"' in found.detail


def test_userinfo_is_not_repeated() -> None:
    """A password in a redirect URI is not printed again."""
    assert "hunter2" not in "".join(item.detail for item in findings(client("https://u:hunter2@shop.example.com/cb")))


@pytest.mark.parametrize("uri", ["com.example.app:/cb", "myapp:/cb"])
def test_custom_scheme_of_a_confidential_client(uri: str) -> None:
    """A confidential client gets one finding about its type, whatever the scheme."""
    assert ids(client(uri, kind="confidential")) == {"redirect-uri-scheme-on-confidential"}


@pytest.mark.parametrize(
    ("uris", "count"),
    [
        (("https://a.example.com/x", "https://a.example.com/x"), 1),
        (("https://a.example.com/x", "HTTPS://A.example.com/x", "https://a.example.com/x"), 2),
        (("https://a.example.com/x", "https://a.example.com/X"), 0),
        (("https://a.example.com/x", "https://a.example.com/x/"), 0),
    ],
)
def test_duplicates(uris: tuple[str, ...], count: int) -> None:
    """Scheme and host are compared without case, paths with it."""
    found = [item for item in findings(client(*uris)) if item.rule == "redirect-uri-duplicate"]
    assert len(found) == count


@pytest.mark.parametrize(
    ("grants", "uris", "expected"),
    [
        ("authorization_code", "[]", {"redirect-uris-missing"}),
        ("authorization_code", "null", {"redirect-uris-missing"}),
        ("authorization_code", None, {"redirect-uris-not-written"}),
        ("implicit", "[]", {"redirect-uris-missing", "implicit-grant"}),
        ("authorization_code, implicit", "[]", {"redirect-uris-missing", "implicit-grant"}),
        ("refresh_token, authorization_code", None, {"redirect-uris-not-written"}),
        ("client_credentials", "[]", set()),
        ("client_credentials", "null", set()),
        ("client_credentials", None, set()),
        ("client_credentials", '["https://a.example.com/cb"]', {"redirect-uris-unused"}),
        ("password", '["https://a.example.com/cb"]', {"redirect-uris-unused", "password-grant"}),
        ("client_credentials, authorization_code", '["https://a.example.com/cb"]', set()),
    ],
)
def test_redirect_uris_and_grants(grants: str, uris: str | None, expected: set[str]) -> None:
    """Unset, null and empty are three things; one client has one finding about missing URIs."""
    written = "" if uris is None else f"    redirect_uris: {uris}\n"
    secret = '    secret: {value: "${env:BATCH_SECRET}"}\n'
    part = f"clients:\n  app:\n    type: confidential\n    grants: [{grants}]\n{written}{secret}"
    found = [item.rule for item in findings(part)]
    assert set(found) == expected
    assert len(found) == len(expected)


def test_redirect_uris_without_grants_are_not_judged() -> None:
    """Grants that are not written are not managed, so nothing is known about what uses the URIs."""
    assert ids(client("https://a.example.com/cb")) == set()


URI_TEXT = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"(https?|com\.x|javascript|)(:|://|//|)([a-z0-9.\[\]:@*#%?/ -]{0,20})", fullmatch=True),
)


@given(URI_TEXT)
def test_reading_never_fails(text: str) -> None:
    """Whatever stands in a manifest, reading it as an address gives an answer."""
    uri = read_redirect_uri(text)
    assert uri.text == text
    assert uri.problem or uri.scheme
    assert isinstance(server_url_problem(text), str)
    assert equivalent(equivalent(text)) == equivalent(text)
    assert not (is_plain_http(text) and is_loopback_url(text))


@given(st.from_regex(PLAIN_HTTPS, fullmatch=True))
def test_the_short_way_is_sound(text: str) -> None:
    """What the fast pattern lets pass has nothing that a rule would report."""
    uri = read_redirect_uri(text)
    assert (uri.problem, uri.scheme, uri.userinfo, uri.fragment) == ("", "https", False, False)
    assert uri.host
    assert "*" not in text
