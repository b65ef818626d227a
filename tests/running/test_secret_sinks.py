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
from oauthdeploy.core.errors import DeliveryFailed
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import DeliverTo
from oauthdeploy.running.secret_sinks import LocalSinks, _dotenv, check_target, clear_leftovers, deliver

CANARY = "canary-4e1b7c"
SECRET = Secret(CANARY, "server")


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
    deliver(Secret(odd, "server"), target, base=tmp_path / "elsewhere", client_id="a b")
    assert json.loads((tmp_path / "s.json").read_text()) == {"client_id": "a b", "client_secret": odd}


def test_a_file_that_stands_there_is_replaced_in_one_step_and_loses_its_loose_mode(tmp_path: Path) -> None:
    """A reader that has the old file open keeps it whole; the new one is for its owner alone."""
    path = tmp_path / "s.env"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as reader:
        deliver(SECRET, DeliverTo(file="s.env"), base=tmp_path, client_id="x")
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
        deliver(SECRET, DeliverTo(file="s.env"), base=tmp_path, client_id="x")
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
        "from oauthdeploy.running.secret_sinks import deliver\n"
        "def stuck(_descriptor):\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n"
        "os.fsync = stuck\n"
        "deliver(Secret(sys.argv[2], 'server'), DeliverTo(file='out/s.env'), base=Path(sys.argv[1]), client_id='x')\n"
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
    with pytest.raises(DeliveryFailed, match="can't be delivered") as caught:
        deliver(SECRET, DeliverTo(file="out/s.env"), base=base, client_id="x")
    assert "symbolic link" in caught.value.detail
    assert names(outside) == []
    deliver(SECRET, DeliverTo(file="in/s.env"), base=base, client_id="x")
    assert names(base / "real") == ["s.env"]


def test_only_a_plain_file_is_replaced(tmp_path: Path) -> None:
    """Folders, pipes and links stand for something else that somebody put there."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "link", "pipe"):
        with pytest.raises(DeliveryFailed) as caught:
            check_target(DeliverTo(file=name), base=tmp_path)
        assert "not a regular file" in caught.value.detail
    assert names(tmp_path) == ["folder", "link", "pipe"]


@pytest.mark.parametrize("file", ["", ".", "..", "out/", "/", "s.env/x", "nul\0byte", "a" * 300])
def test_paths_that_are_no_file_are_refused_before_anything_is_sent(tmp_path: Path, file: str) -> None:
    """`check` finds what `deliver` would fail on."""
    (tmp_path / "s.env").write_text("")
    with pytest.raises(DeliveryFailed):
        LocalSinks(tmp_path).check(DeliverTo(file=file))


def test_a_path_that_names_a_folder_above_is_taken_as_written(tmp_path: Path) -> None:
    """`..` is the author's own word, not a link that somebody planted."""
    (tmp_path / "base").mkdir()
    LocalSinks(tmp_path / "base").deliver(SECRET, DeliverTo(file="../s.env"), client_id="x")
    assert CANARY in (tmp_path / "s.env").read_text()


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
