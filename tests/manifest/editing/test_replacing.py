"""Replacing several files: all of them or none, and never what somebody else wrote in between."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

import pytest

from oauthdeploy.manifest.editing.files import FileNotWritten, bytes_as_read, replace_files


def test_where_one_can_not_be_written_none_is(tmp_path: Path) -> None:
    """The second was changed by somebody else: it stays theirs, and the first gets back what it held."""
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_bytes(b"a")
    second.write_bytes(b"theirs")
    with pytest.raises(FileNotWritten, match="cannot be written") as caught:
        replace_files([(str(first), b"a", b"A"), (str(second), b"b", b"B")])
    assert "b.yaml: It was changed" in caught.value.detail
    assert (first.read_bytes(), second.read_bytes()) == (b"a", b"theirs")


def test_a_file_that_can_not_be_put_back_is_named(tmp_path: Path) -> None:
    """Nobody may think that nothing was written."""
    first, second, third = (tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml"))
    for path in (first, second):
        path.write_bytes(b"old")

    def files() -> Iterator[tuple[str, bytes, bytes]]:
        yield str(first), b"old", b"new"
        yield str(second), b"old", b"new"
        first.write_bytes(b"theirs")
        yield str(third), b"old", b"new"

    with pytest.raises(FileNotWritten) as caught:
        replace_files(files())
    assert "c.yaml" in caught.value.detail
    assert caught.value.detail.endswith(f"not restored: {first}.")
    assert (first.read_bytes(), second.read_bytes()) == (b"theirs", b"old")


@pytest.mark.parametrize("mark", [b"", BOM_UTF8])
def test_the_bytes_that_were_read_are_those_of_the_text_and_its_mark(tmp_path: Path, mark: bytes) -> None:
    """What the file holds by now is another matter: taking that for what was read would overwrite it."""
    path = tmp_path / "a.yaml"
    path.write_bytes(mark + b"a")
    assert bytes_as_read(str(path), "a") == mark + b"a"
    path.write_bytes(mark + b"theirs")
    assert bytes_as_read(str(path), "a") == b"a"
    path.unlink()
    assert bytes_as_read(str(path), "a") == b"a"
