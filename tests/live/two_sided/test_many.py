"""2,000 clients on a real Keycloak and two real OPAs: what grows with them, in requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
import requests

from oauthdeploy.drivers.keycloak.client import PAGE
from oauthdeploy.drivers.transport import Adapter
from tests.live.two_sided.estate import Estate

CLIENTS = 2_000
A_FEW = 40
"""More than the requests that a command needs beside its pages and writes, whatever the size."""


@contextmanager
def counted() -> Iterator[Counter[tuple[str, str]]]:
    """Count what goes over the wire, by server and method, below everything that the drivers do."""
    sent: Counter[tuple[str, str]] = Counter()
    send = Adapter.send

    def count(self: Adapter, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        assert request.url is not None
        sent[urlsplit(request.url).netloc, str(request.method)] += 1
        return send(self, request, *args, **options)

    with patch.object(Adapter, "send", count):
        yield sent


def to(sent: Counter[tuple[str, str]], url: str, *methods: str) -> int:
    """How many requests went to a server, by these methods or by any."""
    place = urlsplit(url).netloc
    return sum(count for (host, method), count in sent.items() if host == place and (not methods or method in methods))


@pytest.mark.timeout(900, func_only=True)
def test_requests_grow_with_pages_and_writes_only(estate: Estate) -> None:
    """Creating a client takes one request, pruning one and a look where the reading has grown old meanwhile, planning and
    verifying one for each page; OPA takes a few in all.
    """
    login, orders = estate.realm.server.https_url, estate.orders.url
    estate.settle()
    many = {
        f"service-{number:04}": {
            "name": f"Service {number}",
            "description": "One of many",
            "type": "public",
            "redirect_uris": [f"https://s{number}.example.com/callback"],
            "grants": ["authorization_code"],
        }
        for number in range(CLIENTS)
    }
    estate.manifest["clients"].update(many)
    pages = CLIENTS // PAGE + 1

    with counted() as created:
        estate.apply()
    assert to(created, login, "POST") in range(CLIENTS, CLIENTS + A_FEW)
    assert to(created, login) <= CLIENTS + 2 * pages + A_FEW
    assert to(created, orders) <= A_FEW

    with counted() as planned:
        estate.nothing_left()
    assert to(planned, login, "POST", "PUT", "DELETE") <= 2 * 2, (
        "a plan and a look for drift sign in, and write nothing"
    )
    assert pages <= to(planned, login) <= 2 * (pages + A_FEW)
    assert to(planned, orders) <= A_FEW
    assert len(estate.orders.data("oauth/orders/clients")) >= CLIENTS

    for name in many:
        del estate.manifest["clients"][name]
    estate.manifest["policy"]["limits"] = {"max_deletes": "100%"}
    with counted() as pruned:
        estate.apply()
    assert to(pruned, login, "DELETE") == CLIENTS
    assert to(pruned, login) <= 2 * (CLIENTS + pages + A_FEW)
    assert to(pruned, orders) <= A_FEW
    estate.nothing_left()
    assert not [name for name in estate.orders.data("oauth/orders/clients") if name.startswith("service-")]
