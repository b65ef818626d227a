"""The shared way out: which addresses connections are made to, and limits that several clients share."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from oauthdeploy.core.errors import Unreachable
from oauthdeploy.drivers.concurrency_limit import Throttle
from oauthdeploy.drivers.egress import Egress, Gate, Withheld
from oauthdeploy.drivers.http import AdminClient, open_client
from oauthdeploy.drivers.rate_limit import Pace
from oauthdeploy.model.servers import Limits, Server
from tests.drivers.kit import Says, Seen, says, serving
from tests.drivers.test_tls import server_context, tls_serving

pytestmark = pytest.mark.live

NAME = "login.example.com"


class Out:
    """An `Egress` with one gate, which refuses some addresses."""

    def __init__(self, *refused: str, gate: Gate | None = None) -> None:
        self.refused = refused
        self.shared = gate or Gate(Throttle(8), Pace(None))
        self.asked: list[tuple[str, str, int, str]] = []

    def gate(self, url: str, limits: Limits) -> Gate:
        return self.shared

    def refusal(self, scheme: str, host: str, port: int, address: str) -> str:
        self.asked.append((scheme, host, port, address))
        return "its address is link-local" if address in self.refused else ""


def client_of(url: str, egress: Egress, **entry: Any) -> AdminClient:
    given = {"role": "both", "driver": "x", "url": url, "limits": {"retries": 2, "timeout": 5}, "proxy": "direct"}
    return open_client(
        "login", Server.model_validate({**given, **entry}), None, read_only=True, base=Path(), egress=egress
    )


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names stand for, in place of a name server's answers."""
    known: dict[str, list[str]] = {}
    asked = socket.getaddrinfo

    def answer(host: str, port: int, *rest: Any, **more: Any) -> Any:
        addresses = known.get(host, [host])
        return [item for address in addresses for item in asked(address, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


def test_no_connection_is_made_to_an_address_that_is_refused(names: dict[str, list[str]]) -> None:
    """Not even one that is closed at once; nothing is retried, and nothing may have been carried out."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    port = listener.getsockname()[1]
    names[NAME] = ["127.0.0.1"]
    egress = Out("127.0.0.1")
    client = client_of(f"http://{NAME}:{port}", egress)
    with pytest.raises(Unreachable, match="its address is link-local") as caught:
        client.get("/")
    assert not caught.value.uncertain
    assert client.requests == 0
    assert egress.asked == [("http", NAME, port, "127.0.0.1")]
    with listener, pytest.raises(BlockingIOError):
        listener.accept()
    client.close()


def test_of_several_addresses_those_that_are_permitted_are_tried(names: dict[str, list[str]]) -> None:
    """One after another; the request still names the host."""
    names[NAME] = ["169.254.169.254", "127.0.0.2", "127.0.0.1"]
    with serving([says({})]) as server:
        port = urlsplit(server.url).port
        client = client_of(f"http://{NAME}:{port}", Out("169.254.169.254"))
        client.get("/")
        client.close()
        assert server.seen[0].headers["Host"] == f"{NAME}:{port}"


def test_a_name_is_resolved_once_for_the_check_and_the_connection(names: dict[str, list[str]]) -> None:
    """A name server that gives another answer to the next question changes nothing."""
    with serving([says({})]) as server:
        port = urlsplit(server.url).port
        names[NAME] = ["127.0.0.1"]
        egress = Out("169.254.169.254")
        inner = egress.refusal

        def rebind(scheme: str, host: str, port: int, address: str) -> str:
            names[NAME] = ["169.254.169.254"]
            return inner(scheme, host, port, address)

        egress.refusal = rebind  # type: ignore[method-assign]
        client = client_of(f"http://{NAME}:{port}", egress)
        client.get("/")
        client.close()
        # A new connection gets the new answer, and is refused.
        client = client_of(f"http://{NAME}:{port}", egress)
        with pytest.raises(Unreachable, match="link-local"):
            client.get("/")
        client.close()
        assert len(server.seen) == 1


def test_certificates_are_checked_against_the_name(names: dict[str, list[str]], tmp_path: Path) -> None:
    """Not against the address that was chosen."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    names[NAME] = ["127.0.0.1"]
    for certificate, fine in ((NAME, True), ("other.example.com", False)):
        with tls_serving(server_context(authority, certificate)) as url:
            address = f"https://{NAME}:{urlsplit(url).port}"
            client = client_of(address, Out(), tls={"ca_file": str(tmp_path / "ca.pem")})
            if fine:
                assert client.get("/").body == {}
            else:
                with pytest.raises(Unreachable, match="certificate was rejected"):
                    client.get("/")
            client.close()


def test_an_unknown_name_is_told_as_such() -> None:
    """As without an egress."""
    client = client_of("http://nobody.invalid:9", Out(), limits={"retries": 0})
    with pytest.raises(Unreachable, match="cannot be reached"):
        client.get("/")
    client.close()


def _all_at_once(clients: list[AdminClient], times: int) -> None:
    threads = [
        threading.Thread(target=lambda client=client: [client.get("/") for _ in range(times)]) for client in clients
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_clients_that_share_a_gate_stay_within_its_limits() -> None:
    """The requests of all of them count, at the same time and per second."""
    at_once, most, turn = 0, 0, threading.Lock()
    arrived: list[float] = []

    def script(_seen: Seen) -> Says:
        nonlocal at_once, most
        with turn:
            at_once += 1
            most = max(most, at_once)
            arrived.append(time.monotonic())
        time.sleep(0.03)
        with turn:
            at_once -= 1
        return says({})

    with serving(script) as server:
        egress = Out(gate=Gate(Throttle(2), Pace(20)))
        clients = [client_of(server.url, egress) for _ in range(4)]
        began = time.monotonic()
        _all_at_once(clients, 4)
        for client in clients:
            client.close()
    assert most <= 2
    assert len(arrived) == 16
    assert arrived[-1] - began >= 15 / 20 - 0.01


def test_a_limit_that_is_changed_counts_from_the_next_request_on() -> None:
    """A narrower one at once; a wider one as far as the server has not narrowed it itself."""
    throttle = Throttle(8)
    throttle.limit(2)
    assert throttle.width == 2
    throttle.slow_down(1.0, None)
    throttle.limit(6)
    assert throttle.width == 1
    for _ in range(30):
        throttle.speed_up()
    assert throttle.width == 6
    waits: list[float] = []
    pace = Pace(None, clock=lambda: 50.0)
    pace.limit(4)
    for _ in range(3):
        pace.wait(waits.append)
    assert waits == pytest.approx([0.25, 0.5])
    assert pace.busy_for == pytest.approx(0.75)


def test_a_request_that_is_withheld_is_not_sent() -> None:
    """Whoever shares a server knows when it must not be used, and says why."""

    def check() -> None:
        raise Withheld("another replica may be using it", "Wait.")

    with serving([says({})]) as server:
        client = client_of(server.url, Out(gate=Gate(Throttle(1), Pace(None), check)))
        with pytest.raises(Unreachable, match="another replica may be using it") as caught:
            client.get("/")
        client.close()
        assert caught.value.fix == "Wait."
        assert not caught.value.uncertain
        assert server.seen == []
