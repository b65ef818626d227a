"""What the client makes of answers that no real server gives on demand: stubbed, and drawn at random."""

from __future__ import annotations

import json

import pytest
import responses
from hypothesis import given, settings
from hypothesis import strategies as st
from responses.matchers import header_matcher

from oauthdeploy.core.errors import Rejected, ServerError, Unreachable
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.http import Answer, BasicAuth, BearerAuth
from oauthdeploy.drivers.json_wire import Route
from tests.drivers.kit import Naps, client_for

URL = "http://is.example.com:5555"
SECRET = "kept-dark-77"
_PASSING = (429, 502, 503, 504)
_SAFE_TO_REPEAT = ("GET", "PUT", "DELETE")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize("status", [*_PASSING, 400, 404, 409, 500, 501])
def test_what_may_be_repeated_is_and_nothing_else(status: int, method: str) -> None:
    """By the table: passing troubles of methods that are the same twice. None of them says that nothing was done."""
    again = status in _PASSING and method in _SAFE_TO_REPEAT
    with responses.RequestsMock() as stub, client_for(URL, retries=1, naps=Naps()) as client:
        stub.add(method, f"{URL}/x", json={"message": "no"}, status=status)
        if again:
            stub.add(method, f"{URL}/x", json={"done": True}, status=200)
            assert client.request(method, "/x").body == {"done": True}
        else:
            with pytest.raises(ServerError) as caught:
                client.request(method, "/x")
            assert caught.value.status == status
        assert client.requests == 1 + again


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("7", 7, 7), ("0", 0, 0), ("9999", 60, 60), ("-3", 0.1, 0.3), ("soon", 0.1, 0.3)],
)
def test_a_wait_that_is_asked_for_is_kept(status: int, header: str, least: float, most: float) -> None:
    """Seconds as told, to a limit of a minute; what cannot be read falls back to the client's own wait."""
    naps = Naps()
    with responses.RequestsMock() as stub, client_for(URL, retries=1, naps=naps) as client:
        stub.get(f"{URL}/x", status=status, headers={"Retry-After": header})
        stub.get(f"{URL}/x", json={})
        client.get("/x")
    assert least <= sum(naps.taken) <= most


def test_the_last_answer_stands_when_repetitions_are_used_up() -> None:
    """The error is that of the answer, with the key to look at, and every attempt is counted."""
    with responses.RequestsMock() as stub, client_for(URL, retries=2, naps=Naps()) as client:
        stub.get(f"{URL}/x", status=429, json={"message": "slowly"})
        with pytest.raises(Rejected, match="rejects") as caught:
            client.get("/x")
        assert caught.value.words == "slowly"
        assert "limits" in caught.value.fix
        assert client.requests == 3
    with responses.RequestsMock() as stub, client_for(URL, retries=0) as client:
        stub.get(f"{URL}/x", body=ConnectionResetError("reset"))
        with pytest.raises(Unreachable):
            client.get("/x")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": "invalid_redirect_uri", "error_description": "not https"}, "invalid_redirect_uri"),
        ({"error": {"message": "not https"}}, ""),
        ({"error": "Not a code of OAuth."}, ""),
        ({"message": "not https"}, ""),
        (["invalid_redirect_uri"], ""),
    ],
)
def test_an_error_has_the_code_of_oauth(body: object, code: str) -> None:
    """RFC 6749 section 5.2: a short text of small letters, beside the words for people."""
    with responses.RequestsMock() as stub, client_for(URL, retries=0) as client:
        stub.post(f"{URL}/x", status=400, json=body)
        with pytest.raises(Rejected) as caught:
            client.request("POST", "/x", {})
        assert caught.value.code == code


def test_a_request_can_have_a_sign_in_of_its_own_and_a_path_from_the_root() -> None:
    """Its token replaces that of the server entry for this request alone; scheme, host and port stay the entry's."""
    auth, own = BasicAuth("admin", Secret(SECRET, "env:P")), BearerAuth(Secret("a-token-of-one-client", "server"))
    with responses.RequestsMock() as stub, client_for(f"{URL}/realms/shop", retries=0, auth=auth) as client:
        stub.get(
            f"{URL}/register/c-1", json={}, match=[header_matcher({"Authorization": "Bearer a-token-of-one-client"})]
        )
        stub.get(f"{URL}/realms/shop/x", json={})
        client.get(Route("/register/c-1", "/register/c-1", at_root=True), auth=own)
        client.get("/x")
        assert stub.calls[1].request.headers["Authorization"].startswith("Basic ")


_MEDIA = st.sampled_from(
    ["application/json", "application/problem+json", "text/plain", "text/html", "", "/", "a;b=c", "json"]
)
_HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
_BODIES = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3), max_leaves=5
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [f'{{"message": "{SECRET}"}}'.encode(), SECRET.encode(), b'{"error": {"message": "x"}}', b"[" * 5000]
    ),
)


@settings(max_examples=150, deadline=None)
@given(status=st.integers(200, 599), body=_BODIES, media=_MEDIA, retry=_HEADER, date=_HEADER, location=_HEADER)
def test_whatever_comes_back_is_an_answer_or_an_error_of_ours(
    status: int, body: bytes, media: str, retry: str, date: str, location: str
) -> None:
    """No status, body or header of a server ends in anything else, and none makes an error say a secret that was sent."""
    headers = {"Retry-After": retry, "Date": date, "Location": location}
    auth = BasicAuth("admin", Secret(SECRET, "env:P"))
    with responses.RequestsMock() as stub, client_for(URL, retries=0, naps=Naps(), auth=auth) as client:
        stub.get(f"{URL}/x", body=body, status=status, headers=headers, content_type=media)
        try:
            answer = client.get("/x")
        except ServerError as error:
            assert SECRET not in f"{error} {error.detail} {error.fix} {error.words}"
            assert error.words.isprintable()
        else:
            assert isinstance(answer, Answer)
            assert 200 <= answer.status < 300
