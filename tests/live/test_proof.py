"""A cut-off is proved by a token that worked before it: by introspection, and by what the resource server answers."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
import requests

from tests.live.conftest import SECRET, Pair

ENTRY = """
version: 1
name: quickstart
revocations:
  - id: CUT-1
    client: nightly-batch
    tokens: {tokens}
    block: {block}
    proof:
      token: "${{env:LEAKED_TOKEN}}"
      urls: [{urls}]
"""
BOTH = ("-f", "oauthdeploy.yaml", "-f", "cut.yaml")


def _token(pair: Pair) -> str:
    answer = requests.post(
        f"{pair.login.url}/invoke/pub.oauth/getToken",
        data={"grant_type": "client_credentials"},
        auth=("nightly-batch", SECRET),
        verify=str(pair.login.ca_file),
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def _write(pair: Pair, *, tokens: str = "all", block: str = "[]", urls: str | None = None) -> None:
    where = urls if urls is not None else f"{pair.orders.url}/invoke/reports/daily"
    (pair.folder / "cut.yaml").write_text(ENTRY.format(tokens=tokens, block=block, urls=where))


def _said(report: dict[str, list[dict[str, str]]]) -> list[tuple[str, str, str]]:
    return [(item["rule"], item["severity"], item["address"]) for item in report["verification"]]


def test_a_dead_token_proves_the_cut_off_on_both_sides(pair: Pair) -> None:
    """The authorization server calls it inactive, the resource server refuses it; the token is nowhere in what is said."""
    assert pair.run("apply", "--yes").code == 0
    token = _token(pair)
    _write(pair, block="[resource]")
    done = pair.run("apply", "--yes", *BOTH, "-o", "json", env={"LEAKED_TOKEN": token})
    assert done.code == 0, done.err
    assert _said(done.json) == [
        ("cut-off-proved", "info", "revocation/CUT-1@login"),
        ("cut-off-proved", "info", "revocation/CUT-1@orders"),
    ]
    assert token not in done.out + done.err
    assert [item["detail"].rpartition("/")[2] for item in done.json["verification"]] == [
        "login no longer calls the token active.",
        "daily no longer accepts the token.",
    ]
    again = pair.run("apply", "--yes", *BOTH, env={"LEAKED_TOKEN": token})
    assert "No changes" in again.out


def test_the_proof_stands_in_the_report(pair: Pair) -> None:
    """What was tried is said beside the second look, which stays a good one."""
    assert pair.run("apply", "--yes").code == 0
    token = _token(pair)
    _write(pair)
    done = pair.run("apply", "--yes", *BOTH, env={"LEAKED_TOKEN": token})
    assert "Verified: the servers were read again" in done.out
    assert "Proved by a token: login no longer calls the token active." in " ".join(done.out.split())


def test_a_token_that_still_works_is_an_incomplete_cut_off(pair: Pair) -> None:
    """A token that the entry doesn't reach stays good on both sides: the run says so and ends with 4."""
    assert pair.run("apply", "--yes").code == 0
    _token(pair)
    time.sleep(1.1)
    moment = datetime.now(UTC).replace(microsecond=0)
    later = _token(pair)
    _write(pair, tokens=f"{{issued_before: {moment.isoformat()}}}")
    done = pair.run("apply", "--yes", *BOTH, "-o", "json", env={"LEAKED_TOKEN": later})
    assert done.code == 4, done.out + done.err
    assert {item["detail"] for item in done.json["verification"]} == {
        "login still calls the token active.",
        f"{pair.orders.url}/invoke/reports/daily still accepts the token.",
    }


@pytest.mark.parametrize("url", ["https://127.0.0.1:1/x", "http://127.0.0.1:1/x"])
def test_what_can_not_be_asked_is_not_verified(pair: Pair, url: str) -> None:
    """A dead address proves nothing, and is said to prove nothing."""
    assert pair.run("apply", "--yes").code == 0
    _write(pair, urls=url)
    done = pair.run("apply", "--yes", *BOTH, "-o", "json", env={"LEAKED_TOKEN": _token(pair)})
    assert done.code == 4
    assert ("not-verified", "warning", "revocation/CUT-1@login") in _said(done.json)
