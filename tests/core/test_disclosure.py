"""The last look at an output: no known secret passes, in any usual spelling."""

from __future__ import annotations

import base64
import html
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.core import disclosure
from oauthdeploy.core.disclosure import SHORTEST, Disclosure

SECRET = 'p@ss/w0rd&"<x>'


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        json.dumps(SECRET),
        html.escape(SECRET),
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        SECRET.encode().hex(),
    ],
)
def test_every_usual_spelling_is_found(spelling: str) -> None:
    """JSON, HTML, URL, base64 and hexadecimal forms are replaced and counted."""
    known = Disclosure()
    known.add_secret(SECRET)
    clean, hits = known.clean(f"before {spelling} after")
    assert hits == 1
    assert spelling.strip('"') not in clean
    assert clean.startswith("before ")
    assert clean.endswith(" after")


def test_a_word_of_the_language_is_a_secret_only_where_a_value_stands() -> None:
    """The password `manage` doesn't tear `managed`, nor a sentence; as a value it is found."""
    known = Disclosure()
    known.add_secret("manage")
    assert known.clean("Fields that we manage are managed.") == ("Fields that we manage are managed.", 0)
    assert known.clean('{"password": "manage"}') == ('{"password": "***"}', 1)
    assert known.clean("password=manage") == ("password=***", 1)


@given(
    st.lists(st.text(alphabet="abcXYZ019-_/+%", min_size=SHORTEST, max_size=30), min_size=1, max_size=200), st.data()
)
def test_no_secret_survives_whatever_stands_around_it(secrets: list[str], data: st.DataObject) -> None:
    """Of many secrets, some of which hold each other, none is left in a text that is no plain word."""
    secrets = [f"{text}-9!" for text in secrets]
    known = Disclosure()
    for text in secrets:
        known.add_secret(text)
    chosen = data.draw(st.sampled_from(secrets))
    clean, hits = known.clean(f"x{chosen}y")
    assert hits >= 1
    assert chosen not in clean


def test_nothing_known_changes_nothing() -> None:
    """An output without secrets is written as it is, and short texts are not looked for."""
    known = Disclosure()
    known.add_secret("short"[: SHORTEST - 1])
    assert known.clean("short and sweet") == ("short and sweet", 0)


def test_many_secrets_are_looked_for_without_trying_each() -> None:
    """Secrets that come one by one, each followed by a line: what was made ready once is not made again."""
    known = Disclosure()
    for number in range(2_000):
        known.add_secret(f"generated-{number:06}-secret")
        assert known.clean(f"[{number}/2000] Created client/c{number}@login.")[1] == 0
    assert known.clean("x generated-001234-secret y") == ("x *** y", 1)


@pytest.mark.parametrize("secret_first", [True, False])
def test_a_value_that_is_an_address_and_a_secret_stays_secret(secret_first: bool) -> None:
    """The stricter of the two counts, in whatever order they come."""
    known = Disclosure()
    if secret_first:
        known.add_secret("https://a.example/x")
    known.add_reference("https://a.example/x", "${env:URL}")
    known.add_secret("https://a.example/x")
    assert known.clean("at https://a.example/x")[0] == "at ***"


TEXTS = st.text(st.characters(exclude_categories=()))
"""Text from servers may have half of a surrogate pair, which is no UTF-8."""
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS


@pytest.mark.parametrize("ensure_ascii", [False, True])
@given(document=st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=12))
def test_a_line_of_json_is_the_document(document: Any, ensure_ascii: bool) -> None:
    """On one line, whatever is in it, and read again as what it was."""
    line = Disclosure().json_line(document, ensure_ascii=ensure_ascii)
    assert len(line.split("\n")) == 1
    assert json.loads(line) == document
    assert not ensure_ascii or line.isascii()


@pytest.mark.parametrize("beside", ["plain", "\udc00"])
def test_a_secret_in_a_line_of_json_is_masked_by_either_writer(beside: str) -> None:
    known = Disclosure()
    known.add_secret("hunter-22")
    assert json.loads(known.json_line({"a": ["hunter-22", beside]})) == {"a": ["***", beside]}
    assert known.take_kept_back() == 1


class Slow(str):
    """A text in which another thread learns secrets, and writes, while it is searched."""

    known: Disclosure
    others: list[threading.Thread]

    def __contains__(self, part: object) -> bool:
        if not self.others:
            self.others.append(threading.Thread(target=self.learn))
            self.others[0].start()
            self.others[0].join(0.2)
        return super().__contains__(str(part))

    def learn(self) -> None:
        for number in range(3):
            self.known.add_secret(f"{number} of the secrets that servers generate")
            self.known.clean("a line of the journal")


def test_a_secret_that_another_thread_learns_meanwhile_disturbs_no_search() -> None:
    """An apply writes its journal from several threads, while responses bring secrets that the server generated."""
    text = Slow(f"a text that is longer than the list of secrets is, with {SECRET} in it" + "." * 500)
    text.known, text.others = Disclosure(), []
    text.known.add_secret(SECRET)
    clean, hits = text.known.clean(text)
    text.others[0].join()
    assert hits == 1
    assert SECRET not in clean
    assert text.known.clean("1 of the secrets that servers generate")[1] == 1


def test_a_search_in_the_middle_of_another_knows_every_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by the handler of a signal, which writes in the thread that it interrupts."""
    known, spell, seen = Disclosure(), disclosure._encodings, list[tuple[str, int]]()
    known.add_secret("the first secret")
    known.add_secret("the second secret")

    def interrupted(secret: str) -> Iterator[str]:
        monkeypatch.setattr(disclosure, "_encodings", spell)
        seen.append(known.clean("the first secret, the second secret"))
        yield from spell(secret)

    monkeypatch.setattr(disclosure, "_encodings", interrupted)
    assert known.clean("the first secret") == ("***", 1)
    assert seen == [("***, ***", 2)]
    assert known.clean("the second secret") == ("***", 1)
