"""The writer of whole files: on disk when it returns, old or new for readers, and nothing left behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from oauthdeploy.core.files import create_file, replace_file


def test_the_file_and_its_folder_are_on_disk_before_the_writer_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut after the return loses neither the bytes nor the name."""
    synced: list[bool] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    replace_file(tmp_path / "a", b"new")
    create_file(tmp_path / "b", b"new")
    assert synced == [False, True, False, True]


def test_mode_is_given_kept_or_left_to_the_umask(tmp_path: Path) -> None:
    """A secret is private from its first byte; a file that stands keeps its mode; a new one gets what the umask leaves."""
    path = tmp_path / "a"
    former = os.umask(0o027)
    try:
        replace_file(path, b"1")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        replace_file(path, b"2")
        assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o604, b"2")
        replace_file(path, b"3", mode=0o600)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(former)


@pytest.mark.parametrize("write", [replace_file, create_file])
def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: object
) -> None:
    """On a full disk there is the old file or none, and no part of the new one."""

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "a", b"new")  # type: ignore[operator]
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_never_replaces_another(tmp_path: Path) -> None:
    """Two that make the same file at a time don't both get it."""
    create_file(tmp_path / "a", b"1")
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "a", b"2")
    assert (tmp_path / "a").read_bytes() == b"1"
