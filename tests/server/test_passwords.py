"""Hashes of passwords, secrets and tokens."""

from __future__ import annotations

import pytest
from werkzeug.security import check_password_hash

from oauthdeploy.server import passwords
from oauthdeploy.server.passwords import SecretChecker, digest, generate_secret, hash_chosen, hash_generated


def test_chosen_secrets_are_hashed_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of these tests a chosen secret is hashed by scrypt with at least 16 MiB, and a salt."""
    monkeypatch.setattr(passwords, "METHOD", "scrypt")
    one, two = hash_chosen("secret"), hash_chosen("secret")
    assert one != two
    method, cost, block = one.split("$")[0].split(":")[:3]
    assert method == "scrypt"
    assert 128 * int(cost) * int(block) >= 16 * 1024 * 1024


def test_checks() -> None:
    """Both stored forms accept their secret and nothing else; nothing stored accepts nothing."""
    checker = SecretChecker()
    secret = generate_secret()
    for stored in (hash_generated(secret), hash_chosen(secret)):
        for _ in range(2):
            assert checker.check(stored, secret)
            assert not checker.check(stored, secret + "x")
            assert not checker.check(stored, "")
        assert secret not in stored
    assert not checker.check(None, secret)
    assert not checker.check(hash_chosen("a"), "\ud800")


def test_only_successful_slow_checks_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A right password is hashed once; a wrong one, and one for a changed hash, each time. The memory is bounded."""
    slow: list[str] = []

    def counted(stored: str, given: str) -> bool:
        slow.append(given)
        return check_password_hash(stored, given)

    monkeypatch.setattr(passwords, "check_password_hash", counted)
    checker = SecretChecker(capacity=2)
    first, second, third = (hash_chosen("right") for _ in range(3))
    assert [checker.check(first, "right") for _ in range(3)] == [True] * 3
    assert slow == ["right"]
    assert [checker.check(first, "wrong") for _ in range(2)] == [False] * 2
    assert slow == ["right", "wrong", "wrong"]
    assert checker.check(second, "right")
    assert checker.check(third, "right")
    slow.clear()
    assert checker.check(second, "right")
    assert slow == []
    assert checker.check(first, "right")
    assert slow == ["right"]


def test_digests_take_any_text() -> None:
    """Also what isn't valid Unicode, which no token is."""
    assert len(digest("\ud800")) == 64
