"""`oauthdeploy fmt`: which files, what is written where, and how it ends."""

from __future__ import annotations

import io
import os
import stat
import sys
from pathlib import Path

import pytest

from oauthdeploy.manifest.editing.files import FileNotWritten, create_file, replace_file
from tests.cli.conftest import Runner, process

MESSY = (
    "name:   'shop'\nversion: 1 # first\nservers: {login: {url: 'https://x', driver: external, role: authorization}}\n"
)
TIDY = """\
version: 1  # first
name: shop

servers: {login: {role: authorization, driver: external, url: https://x}}
"""


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    path = tmp_path / "oauthdeploy.yaml"
    path.write_text(MESSY, encoding="utf-8")
    return path


def test_the_manifest_of_the_folder_is_formatted(oauthdeploy: Runner, messy: Path) -> None:
    """Without arguments it is the file that every command reads; the second run has nothing to do."""
    done = oauthdeploy("fmt")
    assert (done.code, done.out, done.err) == (0, "", "formatted: oauthdeploy.yaml\n")
    assert messy.read_text(encoding="utf-8") == TIDY
    before = messy.stat()
    done = oauthdeploy("fmt")
    assert (done.code, done.out, done.err) == (0, "", "1 file in canonical form.\n")
    assert messy.stat().st_mtime_ns == before.st_mtime_ns


def test_check_writes_nothing_and_says_so_by_its_code(oauthdeploy: Runner, messy: Path) -> None:
    """For pipelines: 1 and the names where a file would change, 0 where none would."""
    done = oauthdeploy("fmt", "--check")
    assert (done.code, done.out, done.err) == (1, "", "would change: oauthdeploy.yaml\n")
    assert messy.read_text(encoding="utf-8") == MESSY
    oauthdeploy("fmt")
    assert oauthdeploy("fmt", "--check").code == 0
    assert oauthdeploy("fmt", "--check", "-q").err == ""


def test_diff_shows_what_would_change_and_writes_nothing(oauthdeploy: Runner, messy: Path) -> None:
    """A unified diff on standard output; with --check the code tells too."""
    done = oauthdeploy("fmt", "--diff")
    assert done.code == 0
    assert done.out == (
        "--- oauthdeploy.yaml\n+++ oauthdeploy.yaml (formatted)\n@@ -1,3 +1,4 @@\n-name:   'shop'\n-version: 1 # first\n"
        "-servers: {login: {url: 'https://x', driver: external, role: authorization}}\n"
        "+version: 1  # first\n+name: shop\n+\n"
        "+servers: {login: {role: authorization, driver: external, url: https://x}}\n"
    )
    assert oauthdeploy("fmt", "--diff", "--check").code == 1
    assert messy.read_text(encoding="utf-8") == MESSY


def test_a_diff_shows_no_secret_and_no_control_character(oauthdeploy: Runner, messy: Path) -> None:
    """Secrets that stand in the file are masked as everywhere."""
    messy.write_text("servers: {a: {credentials: {password: 'hunter2', username: 'x\u202ey'}}}\n", encoding="utf-8")
    out = oauthdeploy("fmt", "--diff").out
    assert "hunter2" not in out
    assert "password: ***" in out
    assert "\u202e" not in out


def test_a_diff_tells_line_ends(oauthdeploy: Runner, messy: Path) -> None:
    """A file that differs in what can't be seen has a diff that can be seen."""
    messy.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2")
    out = oauthdeploy("fmt", "--diff").out
    assert out.split("\n")[2:] == [
        "@@ -1,2 +1,2 @@", "-a: 1\\r", "-b: 2", "\\ No newline at end of file", "+a: 1", "+b: 2",
        "\\ The byte order mark at the start is removed", "",
    ]  # fmt: skip


def test_windows_line_ends_and_a_byte_order_mark_go(oauthdeploy: Runner, messy: Path) -> None:
    """The canonical form is UTF-8 with LF; the mark alone makes a file change."""
    messy.write_bytes(b"\xef\xbb\xbf" + TIDY.encode())
    assert oauthdeploy("fmt", "--check").code == 1
    messy.write_bytes(b"\xef\xbb\xbf" + MESSY.replace("\n", "\r\n").encode())
    assert oauthdeploy("fmt").code == 0
    assert messy.read_bytes() == TIDY.encode()


def test_broken_files_are_reported_and_the_others_formatted(oauthdeploy: Runner, tmp_path: Path, messy: Path) -> None:
    """3, with the loader's findings; a file that cannot be read is left byte by byte as it is."""
    (tmp_path / "twice.yaml").write_bytes(b"a: 1\r\na: 2\r\n")
    (tmp_path / "broken.yml").write_bytes(b"a: [\n")
    for arguments in (["--check"], []):
        done = oauthdeploy("fmt", str(tmp_path), "missing.yaml", *arguments)
        assert done.code == 3
        assert [rule in done.err for rule in ("duplicate-key", "yaml-syntax", "file-unreadable")] == [True] * 3
        assert f"oauthdeploy.yaml{os.linesep}" in done.err
    assert (tmp_path / "twice.yaml").read_bytes() == b"a: 1\r\na: 2\r\n"
    assert (tmp_path / "broken.yml").read_bytes() == b"a: [\n"
    assert messy.read_text(encoding="utf-8") == TIDY


def test_standard_input_goes_to_standard_output(tmp_path: Path) -> None:
    """As a filter of an editor: UTF-8 in, UTF-8 out whatever the locale says, and nothing where the text is broken."""
    text = MESSY.replace("shop", "sh\u00f6p \u65e5")
    wanted = TIDY.replace("shop", "sh\u00f6p \u65e5")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = process_with_input("fmt", "-", stdin=text.encode(), env=environment)
    assert (done[0], done[1], done[2]) == (0, wanted.encode(), b"")
    done = process_with_input("fmt", "-", "--check", stdin=text.encode(), env=environment)
    assert (done[0], done[1]) == (1, b"")
    done = process_with_input("fmt", "-", stdin=b"a: [", env=environment)
    assert (done[0], done[1]) == (3, b"")


def process_with_input(*arguments: str, stdin: bytes, env: dict[str, str]) -> tuple[int, bytes, bytes]:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "oauthdeploy", *arguments],
        input=stdin,
        env=env,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_tidy_text_on_standard_input_is_given_out_too(oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that gave nothing for a text in good form would empty the editor."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TIDY.encode())))
    assert oauthdeploy("fmt", "-").out == TIDY


def test_mode_and_link_are_kept(oauthdeploy: Runner, tmp_path: Path, messy: Path) -> None:
    """The file behind a symbolic link is replaced, and keeps its rights."""
    target = tmp_path / "real" / "estate.yaml"
    target.parent.mkdir()
    messy.rename(target)
    target.chmod(0o640)
    messy.symlink_to(target)
    assert oauthdeploy("fmt").code == 0
    assert messy.is_symlink()
    assert target.read_text(encoding="utf-8") == TIDY
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(os.listdir(target.parent)) == ["estate.yaml"]


def test_the_variable_of_files_names_the_files(
    oauthdeploy: Runner, tmp_path: Path, messy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OAUTHDEPLOY_FILE holds for fmt as for others; paths on the command line win; naming files twice is a mistake."""
    other = tmp_path / "other.yaml"
    other.write_text(MESSY, encoding="utf-8")
    monkeypatch.setenv("OAUTHDEPLOY_FILE", "other.yaml")
    assert oauthdeploy("fmt").err == "formatted: other.yaml\n"
    assert oauthdeploy("fmt", "oauthdeploy.yaml").err == "formatted: oauthdeploy.yaml\n"
    assert oauthdeploy("fmt", "-f", "other.yaml", "oauthdeploy.yaml").code == 64


def test_what_cannot_be_written_is_an_error_and_the_others_are_written(
    oauthdeploy: Runner, tmp_path: Path, messy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1, with the name and the reason."""
    other = tmp_path / "other.yaml"
    other.write_text(MESSY, encoding="utf-8")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK or Path(path).name != "other.yaml")
    done = oauthdeploy("fmt", "other.yaml", "oauthdeploy.yaml")
    assert done.code == 1
    assert "formatted: oauthdeploy.yaml\n" in done.err
    assert "[file-not-written]" in done.err
    assert "other.yaml: It is write-protected." in done.err
    assert other.read_text(encoding="utf-8") == MESSY


def test_a_file_that_has_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """What somebody saved between reading and writing is not lost."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"new")
    with pytest.raises(FileNotWritten, match="cannot be written") as caught:
        replace_file(str(path), b"old", b"formatted")
    assert "changed" in caught.value.detail
    assert path.read_bytes() == b"new"


def test_replacing_fails_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half file, no file of ours left behind, for folders, missing files, loops of links and full disks."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"old")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("", "missing", "loop"):
        with pytest.raises(FileNotWritten):
            replace_file(str(tmp_path / name), b"", b"new")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileNotWritten) as caught:
        replace_file(str(path), b"old", b"new")
    assert "No space left on device" in caught.value.detail
    assert path.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["loop", "x.yaml"]


def test_a_new_file_never_replaces_another(tmp_path: Path) -> None:
    """Also where it appeared after the question whether it is there."""
    path = tmp_path / "x.yaml"
    create_file(str(path), b"one")
    with pytest.raises(FileExistsError):
        create_file(str(path), b"two")
    with pytest.raises(FileNotWritten):
        create_file(str(tmp_path / "no" / "x.yaml"), b"two")
    assert path.read_bytes() == b"one"


def test_it_runs_as_a_program(messy: Path) -> None:
    """From the shell, as from here."""
    done = process("fmt", "--check", str(messy))
    assert (done.code, done.out) == (1, "")
