"""Secret sinks: who may read the file, what it holds, and what is never done."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.core import files
from oauthdeploy.core.delivery_bounds import DeliveryBounds
from oauthdeploy.core.errors import DeliveryFailed
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import DeliverTo
from oauthdeploy.running.deliveries import Deliveries
from oauthdeploy.running.secret_sinks import LocalSinks, _dotenv, clear_leftovers
from tests.running.kit import at

CANARY = "canary-4e1b7c"
SECRET = Secret(CANARY, "server")
SHOP = at("client/web-shop@login")


def deliver(
    secret: Secret,
    target: DeliverTo,
    *,
    base: Path,
    client_id: str,
    allowed: Path | None = None,
    overwrite: bool = False,
) -> str:
    """Deliver as a run does that keeps its records beside the manifest's folder."""
    bounds = DeliveryBounds(base, (allowed,) if allowed else ())
    records = Deliveries(base.parent / f"{base.name}.records", "shop")
    return LocalSinks(bounds, records, overwrite).deliver(secret, target, SHOP, client_id=client_id)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_dotenv_file_holds_id_and_secret_for_its_owner_alone(tmp_path: Path) -> None:
    """Mode 0600, whatever the umask, folders made on the way, nothing else left behind."""
    old = os.umask(0)
    try:
        place = deliver(SECRET, DeliverTo(file="out/web-shop.env"), base=tmp_path, client_id="web-shop")
    finally:
        os.umask(old)
    path = tmp_path / "out" / "web-shop.env"
    assert place == str(path)
    assert path.read_text() == f"CLIENT_ID=web-shop\nCLIENT_SECRET={CANARY}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert names(path.parent) == ["web-shop.env"]


def test_a_json_file_holds_any_secret(tmp_path: Path) -> None:
    """What dotenv can't hold, JSON can."""
    odd = "line\nbreak 'and' \"quotes\" \\ $HOME é"
    target = DeliverTo(file=str(tmp_path / "s.json"), format="json")
    deliver(Secret(odd, "server"), target, base=tmp_path / "elsewhere", client_id="a b", allowed=tmp_path)
    assert json.loads((tmp_path / "s.json").read_text()) == {"client_id": "a b", "client_secret": odd}


def test_a_file_that_stands_there_is_replaced_in_one_step_and_loses_its_loose_mode(tmp_path: Path) -> None:
    """A reader that has the old file open keeps it whole; the new one is for its owner alone."""
    path = tmp_path / "s.env"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as reader:
        deliver(SECRET, DeliverTo(file="s.env"), base=tmp_path, client_id="x", overwrite=True)
        assert reader.read() == "old"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert CANARY in path.read_text()


def test_a_failed_write_leaves_the_old_file_and_no_part_of_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs nothing that was there, and the message holds no secret."""
    (tmp_path / "s.env").write_text("old")

    def full(_descriptor: int, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_all", full)
    with pytest.raises(DeliveryFailed) as caught:
        deliver(SECRET, DeliverTo(file="s.env"), base=tmp_path, client_id="x", overwrite=True)
    assert "No space left" in caught.value.detail
    assert CANARY not in repr((caught.value.args, caught.value.detail, caught.value.fix))
    assert (tmp_path / "s.env").read_text() == "old"
    assert names(tmp_path) == ["s.env"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_what_a_killed_run_left_beside_a_file_is_cleared_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    """The part of a file may hold the secret: it goes once its writer is dead, and nothing else in the folder does."""
    program = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from oauthdeploy.core.secrets import Secret\n"
        "from oauthdeploy.model.objects import DeliverTo\n"
        "from oauthdeploy.core.delivery_bounds import DeliveryBounds\n"
        "from oauthdeploy.core.addresses import Address\n"
        "from oauthdeploy.running.secret_sinks import LocalSinks\n"
        "def stuck(_descriptor):\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n"
        "os.fsync = stuck\n"
        "sinks = LocalSinks(DeliveryBounds(Path(sys.argv[1])), overwrite=True)\n"
        "shop = Address.parse('client/shop@login')\n"
        "sinks.deliver(Secret(sys.argv[2], 'server'), DeliverTo(file='out/s.env'), shop, client_id='x')\n"
    )
    out, others = tmp_path / "out", {f".other.env.{'a' * 32}", ".s.env.backup", "s.env"}
    out.mkdir()
    for name in others:
        (out / name).write_text("mine")
    targets = [DeliverTo(file="out/s.env"), DeliverTo(file="not/there.env"), DeliverTo(keyring="a/b")]
    command = [sys.executable, "-c", program, str(tmp_path), CANARY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        clear_leftovers(targets, base=tmp_path)
        (left,) = set(names(out)) - others
        assert CANARY in (out / left).read_text()
        writer.kill()
    clear_leftovers(targets, base=tmp_path)
    assert set(names(out)) == others


def test_a_symbolic_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """A relative path stays in the manifest's folder; links within it are fine."""
    base, outside = tmp_path / "base", tmp_path / "outside"
    (base / "real").mkdir(parents=True)
    outside.mkdir()
    (base / "out").symlink_to(outside)
    (base / "in").symlink_to(base / "real")
    with pytest.raises(DeliveryFailed, match="cannot be delivered") as caught:
        deliver(SECRET, DeliverTo(file="out/s.env"), base=base, client_id="x")
    assert "symbolic link" in caught.value.detail
    assert names(outside) == []
    deliver(SECRET, DeliverTo(file="in/s.env"), base=base, client_id="x")
    assert names(base / "real") == ["s.env"]


def test_only_a_plain_file_is_replaced(tmp_path: Path) -> None:
    """Folders, pipes and links stand for something else that somebody put there, also where everything may be replaced."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    (tmp_path / "one").write_text("")
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "link", "pipe", "two"):
        with pytest.raises(DeliveryFailed) as caught:
            LocalSinks(DeliveryBounds(tmp_path), overwrite=True).check(DeliverTo(file=name), SHOP)
        assert "not a regular file" in caught.value.detail or "hard links" in caught.value.detail
    assert names(tmp_path) == ["folder", "link", "one", "pipe", "two"]


@pytest.mark.parametrize("file", ["", ".", "..", "out/", "/", "s.env/x", "nul\0byte", "a" * 300])
def test_paths_that_are_no_file_are_refused_before_anything_is_sent(tmp_path: Path, file: str) -> None:
    """`check` finds what `deliver` would fail on."""
    (tmp_path / "s.env").write_text("")
    with pytest.raises(DeliveryFailed):
        LocalSinks(DeliveryBounds(tmp_path)).check(DeliverTo(file=file), SHOP)


@pytest.mark.parametrize("absolute", [True, False])
def test_another_folder_takes_secrets_only_where_the_operator_allows_it(tmp_path: Path, absolute: bool) -> None:
    """Neither `..` nor an absolute path of the manifest's author leads out of its folder."""
    base, other = tmp_path / "base", tmp_path / "other"
    base.mkdir()
    other.mkdir()
    target = DeliverTo(file=str(other / "s.env") if absolute else "../other/s.env")
    with pytest.raises(DeliveryFailed) as caught:
        deliver(SECRET, target, base=base, client_id="x")
    assert "outside" in caught.value.detail
    assert names(other) == []
    deliver(SECRET, target, base=base, client_id="x", allowed=other)
    assert CANARY in (other / "s.env").read_text()


def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    """Ours is what a record says; the refusal names the owner where another client is, and holds nothing of the file."""
    (tmp_path / "s.env").write_text("KEEP=me\n")
    target = DeliverTo(file="s.env")
    with pytest.raises(DeliveryFailed) as caught:
        deliver(SECRET, target, base=tmp_path, client_id="x")
    assert "did not write it" in caught.value.detail
    assert "--overwrite" in caught.value.fix
    assert (tmp_path / "s.env").read_text() == "KEEP=me\n"
    deliver(SECRET, target, base=tmp_path, client_id="x", overwrite=True)
    deliver(Secret("the second one", "server"), DeliverTo(file="./s.env"), base=tmp_path, client_id="x")
    assert "the second one" in (tmp_path / "s.env").read_text()
    other = LocalSinks(
        DeliveryBounds(tmp_path),
        Deliveries(tmp_path.parent / f"{tmp_path.name}.records", "shop", {"login": "https://b"}),
    )
    with pytest.raises(DeliveryFailed) as owned:
        other.check(target, SHOP)
    assert "client/web-shop@login of shop" in owned.value.detail


def test_a_record_knows_its_secret_and_holds_nothing_of_it(tmp_path: Path) -> None:
    """Mode 0600, a digest with a salt of its own; a record that is no record is none."""
    records = Deliveries(tmp_path / "records", "shop", {"login": "https://a.example"})
    records.record(SHOP, "command x", SECRET, "2026-11-20T12:00:00Z")
    (file,) = (tmp_path / "records").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert CANARY not in file.read_text()
    found = records.of(SHOP)
    assert found is not None
    assert found.is_of(Secret(CANARY, "elsewhere"))
    assert not found.is_of(Secret("another", "server"))
    for damage in ("", "[]", "{}", file.read_text().replace('"v": 1', '"v": 2'), '{"v": 1, "manifest": 3}'):
        file.write_text(damage)
        assert records.of(SHOP) is None


def test_what_was_delivered_is_read_back(tmp_path: Path) -> None:
    """In either form, whatever the secret holds; an empty file, another form and no file hold none."""
    sinks = LocalSinks(DeliveryBounds(tmp_path))
    for form, secret in (("dotenv", "it's"), ("dotenv", "plain"), ("json", 'line\n"break"')):
        target = DeliverTo(file=f"{len(secret)}.{form}", format=form)
        sinks.deliver(Secret(secret, "server"), target, SHOP, client_id="a b")
        assert sinks.in_file(target) == ("a b", Secret(secret, "server"))
    (tmp_path / "empty").write_text("")
    (tmp_path / "odd").write_bytes(b"\xff\xfe{")
    for name in ("empty", "odd", "missing"):
        with pytest.raises(DeliveryFailed):
            sinks.in_file(DeliverTo(file=name))


def test_dotenv_refuses_what_its_readers_disagree_on(tmp_path: Path) -> None:
    """A secret that would be read differently by shells and by libraries is an error that names the way out."""
    for odd in ("two\nlines", "both ' and $", "tab\there"):
        with pytest.raises(DeliveryFailed) as caught:
            deliver(Secret(odd, "server"), DeliverTo(file="s.env"), base=tmp_path, client_id="x")
        assert "format: json" in caught.value.detail
        assert odd not in caught.value.detail
    assert names(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126)), min_size=1, max_size=8))
def test_a_shell_reads_back_what_dotenv_holds(values: list[str]) -> None:
    """Whatever is written without an error has the same value in a POSIX shell."""
    written = [(value, text) for value in values if (text := _dotenv(value)) is not None]
    script = "".join(f"V={text}\nprintf '%s\\0' \"$V\"\n" for _, text in written)
    out = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout.decode()
    assert out.split("\0")[:-1] == [value for value, _ in written]
