"""Drift, live: by class, with a baseline, and what a schedule needs of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.live.conftest import Pair, PairFactory

pytestmark = pytest.mark.live


@pytest.fixture
def estate(pair: Pair) -> Pair:
    """An applied quick start with one difference of each class that counts."""
    assert pair.run("apply", "--yes").code == 0
    pair.admin(pair.login, "POST", "/admin/oauth/client", {"name": "By Hand", "version": "1", "type": "Public"})
    pair.admin(pair.login, "PATCH", "/admin/oauth/client/web-shop", {"description": "changed", "tokenLifetime": 60})
    pair.admin(pair.orders, "DELETE", "/admin/oauth/scope/orders.read")
    return pair


def counting(pair: Pair, *flags: str) -> list[tuple[str, str]]:
    result = pair.run("drift", "-o", "json", *flags)
    found = [(one["class"], one["address"]) for one in result.json["items"] if one["class"] != "cannot-compare"]
    accepted = [(one["class"], one["address"]) for one in result.json["items"] if one["accepted"]]
    left = [one for one in found if one not in accepted]
    assert result.code == (2 if left else 0), result.err
    return left


def test_every_class_is_told_and_nothing_is_written(estate: Pair) -> None:
    """Also what nobody wrote into the manifest; a plan leaves that alone, and a drift report doesn't."""
    estate.writes()
    assert counting(estate) == [
        ("missing", "scope/orders.read@orders"),
        ("sides-disagree", "scope/orders.read@orders"),
        ("unexpected", "client/By Hand (1)@login"),
        ("sides-disagree", "client/By Hand (1)@orders"),
        ("changed", "client/web-shop@login"),
    ]
    assert estate.writes() == []
    assert not any("By Hand" in address for _, address in counting(estate, "--unnamed", "ignore"))
    assert "that the manifest does not name" in " ".join(estate.run("drift", "--unnamed=ignore").out.split())


def test_a_baseline_is_written_used_and_outlived(estate: Pair) -> None:
    """Written with owner and reason, it makes the next run clean; what comes later counts; what goes is to be removed."""
    known = estate.folder / "known.yaml"
    flags = ("--baseline", "known.yaml")
    written = estate.run(
        "drift", *flags, "--write-baseline", "--owner", "ops", "--reason", "OPS-12", "--expires", "30d"
    )
    assert written.code == 0, written.err
    assert "Added 5 entries to known.yaml" in written.err
    assert counting(estate, *flags) == []
    assert "No drift beyond what the baseline accepts." in estate.run("drift", *flags).out

    known.write_text("# reviewed\n" + known.read_text())
    estate.admin(estate.orders, "PATCH", "/admin/oauth/client/web-shop", {"enabled": False})
    assert counting(estate, *flags) == [("sides-disagree", "client/web-shop@orders")]
    estate.run("drift", *flags, "--write-baseline", "--owner", "ops", "--reason", "OPS-13")
    assert known.read_text().startswith("# reviewed\n")
    assert counting(estate, *flags) == []

    assert estate.run("apply", "--yes").code == 0
    rules = [item["rule"] for item in estate.run("drift", *flags, "-o", "json").json["diagnostics"]]
    assert rules.count("baseline-unused") == 3  # what an apply could put right


WRITE = ("--write-baseline", "--owner", "ops", "--reason", "OPS-12")


def test_a_baseline_of_other_servers_is_refused(make_pair: PairFactory) -> None:
    """What is accepted on one server says nothing about another of the same name: 6, also for a watch, until somebody says that
    it has moved; then the file can be written anew."""
    here, there = make_pair(), make_pair()
    for pair in (here, there):
        pair.admin(pair.login, "POST", "/admin/oauth/client", {"name": "By Hand", "version": "1", "type": "Public"})
    assert here.run("drift", "--baseline", "known.yaml", *WRITE).code == 0
    (there.folder / "known.yaml").write_bytes((here.folder / "known.yaml").read_bytes())
    flags = ("drift", "--baseline", "known.yaml")
    for more in ((), ("--watch", "1h"), ("--metrics-file", "drift.prom"), WRITE):
        refused = there.run(*flags, *more)
        assert refused.code == 6, refused.out + refused.err
        assert "[server-moved]" in refused.err
        assert f"login: its address was {here.login.url}, and is " in refused.err
    assert there.run(*flags, "--allow", "server-moved").code == 0
    again = there.run(*flags, *WRITE, "--allow", "server-moved")
    assert again.code == 0, again.err
    assert "known.yaml is now about login, orders." in again.err
    assert there.run(*flags).code == 0


def test_a_baseline_of_another_environment_is_refused(estate: Pair) -> None:
    """`drift --env prod --baseline dev.yaml` accepts nothing."""
    with (estate.folder / "oauthdeploy.yaml").open("a") as manifest:
        manifest.write("\nenvironments: {dev: {}, prod: {}}\n")
    assert estate.run("drift", "--env", "dev", "--baseline", "dev.yaml", *WRITE).code == 0
    assert estate.run("drift", "--env", "dev", "--baseline", "dev.yaml").code == 0
    refused = estate.run("drift", "--env", "prod", "--baseline", "dev.yaml")
    assert refused.code == 6
    assert "environment: it was dev, and is prod now." in refused.err


def test_a_baseline_without_servers_is_refused_until_it_has_them(estate: Pair) -> None:
    """Nobody knows of which servers it accepts something; --write-baseline writes them, and keeps the rest."""
    known = estate.folder / "known.yaml"
    assert estate.run("drift", "--baseline", "known.yaml", *WRITE).code == 0
    whole = known.read_text()
    known.write_text(f"# ours\n{whole[: whole.index('servers:')]}{whole[whole.index('accepted:') :]}")
    refused = estate.run("drift", "--baseline", "known.yaml")
    assert refused.code == 6, refused.out
    assert "[servers-not-recorded]" in refused.err
    assert "--write-baseline" in refused.err
    assert estate.run("drift", "--baseline", "known.yaml", "--allow", "servers-not-recorded").code == 0
    written = estate.run("drift", "--baseline", "known.yaml", "--write-baseline")
    assert written.code == 0, written.err
    assert "known.yaml is now about login, orders." in written.err
    assert known.read_text().startswith("# ours\n")
    assert estate.run("drift", "--baseline", "known.yaml").code == 0
    assert estate.login.url in known.read_text()


def test_an_expired_entry_counts_again_and_is_not_renewed(estate: Pair) -> None:
    """The report names it; writing the baseline again leaves the decision to people, and says so."""
    flags = ("--baseline", "known.yaml")
    assert estate.run("drift", *flags, "--write-baseline", "--owner=o", "--reason=r", "--expires=2026-01-01").code == 0
    assert len(counting(estate, *flags)) == 5
    assert "baseline-expired" in estate.run("drift", *flags).out
    again = estate.run("drift", *flags, "--write-baseline", "--owner", "o", "--reason", "r")
    assert again.code == 2
    assert "their entries have expired" in again.err


def test_a_baseline_without_owner_is_refused_until_somebody_fills_it_in(estate: Pair) -> None:
    """With the place of each gap, and exit code 3."""
    assert "Add an owner and a reason" in estate.run("drift", "--baseline", "known.yaml", "--write-baseline").err
    refused = estate.run("drift", "--baseline", "known.yaml")
    assert refused.code == 3
    lines = (estate.folder / "known.yaml").read_text().splitlines()
    first = next(number for number, line in enumerate(lines, start=1) if 'owner: ""' in line)
    assert f"known.yaml:{first}:" in refused.err
    assert "The baseline is not valid" in refused.err
    assert estate.run("drift", "--baseline", "none.yaml").code == 3
    assert estate.run("drift", "--write-baseline").code == 64
    assert estate.run("drift", "--baseline=new.yaml", "--write-baseline", "--expires=soon").code == 64


def test_what_can_not_be_looked_at_is_no_drift(estate: Pair, tmp_path: Path) -> None:
    """A server that is down is exit code 8, and what a server doesn't tell is none."""
    assert estate.run("apply", "--yes").code == 0
    result = estate.run("drift", "--unnamed=ignore", "-o", f"json={tmp_path / 'drift.json'}")
    assert result.code == 0
    assert json.loads((tmp_path / "drift.json").read_text())["summary"]["cannot-compare"] == 2
    estate.orders.stop()
    assert estate.run("drift").code == 8
