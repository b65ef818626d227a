"""Spellings of one address are equal (RFC 3986 section 6.2), and different addresses stay different."""

from __future__ import annotations

import pytest

from oauthdeploy.core.urls import normalized_url


@pytest.mark.parametrize(
    "spelling",
    [
        "https://login.example.com/",
        "https://login.example.com",
        "HTTPS://Login.Example.COM",
        "https://login.example.com:443/",
        "https://login.example.com:/",
        "https://login.example.com/./",
        "https://login.example.com/a/..",
        "https://deployer:secret@login.example.com",
    ],
)
def test_spellings_of_one_address_are_equal(spelling: str) -> None:
    """Case of scheme and host, default port, empty path, slash at the end, dot segments; a password is no part of it."""
    assert normalized_url(spelling) == "https://login.example.com"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://login.example.com:8080/base/", "http://login.example.com:8080/base"),
        ("https://login.example.com:80", "https://login.example.com:80"),
        ("http://[::1]:9/%7eadmin/%2f", "http://[::1]:9/~admin/%2F"),
        ("https://login.example.com/A", "https://login.example.com/A"),
        ("no address", "no address"),
        ("http://[broken", "http://[broken"),
    ],
)
def test_what_differs_stays_different(url: str, kept: str) -> None:
    """Paths have upper and lower case, and another port is another server."""
    assert normalized_url(url) == kept
