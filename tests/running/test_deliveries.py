"""The record of deliveries: what a killed run leaves half written is removed by the next run of the same manifest."""

from __future__ import annotations

from pathlib import Path

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.running.deliveries import Deliveries

SHOP = Address(Kind.CLIENT, "shop", "login")
OTHER = Address(Kind.CLIENT, "other", "login")


def recorded(folder: Path, address: Address) -> Path:
    """The file of a client's record."""
    before = set(folder.glob("*.json"))
    Deliveries(folder, "shop").record(
        address, "out/secret.env", Secret("s3cret-canary", "server"), "2026-01-01T00:00:00Z"
    )
    (made,) = set(folder.glob("*.json")) - before
    return made


def test_half_a_record_is_removed_and_whole_ones_stay(tmp_path: Path) -> None:
    """Those of clients that the manifest does not deliver to are not touched: another run may be writing them."""
    mine, others = recorded(tmp_path, SHOP), recorded(tmp_path, OTHER)
    halves = [file.with_name(f".{file.name}.{'a' * 32}") for file in (mine, others)]
    for half in halves:
        half.write_text("{")
    Deliveries(tmp_path, "shop").clear_leftovers([SHOP])
    assert [half.exists() for half in halves] == [False, True]
    assert mine.exists()
    assert Deliveries(tmp_path, "shop").of(SHOP) is not None


def test_a_folder_that_is_not_there_has_nothing_left(tmp_path: Path) -> None:
    """Before the first delivery, and where no records are kept."""
    for folder in (tmp_path / "none", None):
        Deliveries(folder, "shop").clear_leftovers([SHOP])
    assert list(tmp_path.iterdir()) == []
