"""JSON on the wire: what goes out holds what was meant, what comes back is sound or refused, and words give nothing away."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.core.secrets import MASK, Secret, SourcedText
from oauthdeploy.drivers.json_wire import (
    NotJson,
    clean,
    decode,
    encode,
    header_secrets,
    masked,
    secrets_in,
    segment,
    server_words,
)

plain_text = st.text(st.characters(codec="utf-8"), max_size=20)
leaves: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | plain_text
bodies = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_text, inner, max_size=4), max_leaves=15
)


@given(bodies)
def test_what_is_encoded_is_decoded_to_the_same(body: Any) -> None:
    """No value is changed on its way."""
    assert decode(encode(body)) == body


@given(bodies, plain_text.filter(lambda text: len(text) > 3))
def test_a_secret_is_in_the_bytes_and_not_in_the_mask(body: Any, text: str) -> None:
    """One serialiser reveals, one hides, both find every secret at any depth."""
    secret = Secret(text, "env:X")
    whole = {"body": body, "list": [secret, {"k": secret}]}
    assert decode(encode(whole))["list"] == [text, {"k": text}]
    assert masked(whole)["list"] == [MASK, {"k": MASK}]
    assert list(secrets_in(whole)) == [secret, secret]


def test_sourced_texts_are_plain_texts_on_the_wire() -> None:
    """A text of the manifest keeps its origin to itself."""
    assert encode({"a": SourcedText("x", "${env:X}")}) == b'{"a": "x"}'


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_refused(raw: bytes) -> None:
    """No input gives another error than NotJson, and its message holds nothing of the input."""
    try:
        decode(raw)
    except NotJson as problem:
        assert str(problem) in {
            "an object has a duplicate key",
            "it holds a number that JSON does not allow",
            "it is not valid UTF-8",
            "it is nested too deeply",
            "it cannot be parsed",
        }


@given(plain_text.filter(bool), plain_text, plain_text)
def test_words_never_hold_a_secret(secret: str, before: str, after: str) -> None:
    """In whatever form a server echoes a secret, its words are dropped."""
    for form in (secret, quote(secret, safe=""), b64encode(secret.encode()).decode()):
        raw = json.dumps({"message": before + form + after}).encode()
        assert server_words(raw, "application/json", [secret]) == ""
        assert server_words((before + form + after).encode(), "text/plain", [secret]) == ""


@given(st.text(max_size=700))
def test_clean_words_are_fit_for_a_terminal(words: str) -> None:
    """One line, printable, at most 300 characters."""
    cleaned = clean(words)
    assert len(cleaned) <= 300
    assert "\n" not in cleaned
    assert not any(ord(c) < 32 or c in "\x7f\u202e\u2066\u200b" for c in cleaned)


@pytest.mark.parametrize(
    ("raw", "media", "words"),
    [
        (b'{"message": "m", "error": "e"}', "application/json", "m"),
        (b'{"error": "e", "error_description": "d"}', "application/problem+json; charset=utf-8", "d"),
        (b'{"errors": ["x"]}', "application/json", ""),
        (b'{"error": {"message": "inner"}}', "application/json", "inner"),
        (b"<html>x</html>", "text/html", ""),
        (b"<x/>", "application/xml", ""),
        (b"plain", "text/plain", "plain"),
        (b"bytes", "application/octet-stream", ""),
        (b"{broken", "application/json", ""),
        (b"\xff\xfe", "text/plain", "\ufffd\ufffd"),
        (b"", "", ""),
    ],
)
def test_the_words_of_an_error_are_found(raw: bytes, media: str, words: str) -> None:
    """By the names that error bodies use; pages of markup say nothing."""
    assert server_words(raw, media, []) == words


@given(plain_text.filter(lambda text: text not in ("", ".", "..")))
def test_a_segment_is_one_segment(text: str) -> None:
    """It holds no slash and comes back as it was."""
    made = segment(text)
    assert "/" not in made
    assert unquote(made) == text


def test_the_secrets_of_a_header_are_all_its_forms() -> None:
    """The header itself, its token, and the password inside Basic."""
    basic = "Basic " + b64encode("ü:pä:ss".encode()).decode()
    assert set(header_secrets(basic)) == {basic, basic[6:], "pä:ss"}
    assert set(header_secrets(b"Bearer abc")) == {"Bearer abc", "abc"}
    assert set(header_secrets("Basic ???")) == {"Basic ???", "???"}
    assert list(header_secrets(None)) == []
