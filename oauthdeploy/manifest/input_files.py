"""From the user's arguments (files, folders, globs, standard input) to texts; every refusal is a finding."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.manifest.api import DEFAULT_FILE, ManifestRequest
from oauthdeploy.manifest.source import Source

MAX_BYTES: Final = 64 * 1024 * 1024
STDIN: Final = "-"
_SUFFIXES = (".yaml", ".yml")
_SHOWN: Final = 3
"""How many files of a folder without a manifest are named."""
_ENCODINGS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_UNMARKED = ((re.compile(rb"[^\0]\0[^\0]\0"), "UTF-16"), (re.compile(rb"\0[^\0]\0[^\0]"), "UTF-16"))
"""How ASCII text in UTF-16 without a byte order mark starts."""


def read_sources(request: ManifestRequest) -> tuple[tuple[Source, ...], tuple[Diagnostic, ...]]:
    """Read every file that the request names, each once, in the order given."""
    sources: list[Source] = []
    problems: list[Diagnostic] = []
    budget = MAX_BYTES
    for name in dict.fromkeys(_names(request.files, problems)):
        stdin = (request.stdin or "").encode("utf-8", "surrogatepass")
        read = _decode(STDIN, stdin) if name == STDIN else read_text(name, budget)
        if isinstance(read, Source):
            sources.append(read)
            budget -= len(read.text)
        else:
            problems.append(read)
    return tuple(sources), tuple(problems)


def base_folder(request: ManifestRequest) -> str:
    """The folder that relative paths in the manifest start from: that of the first named file, or the current one."""
    for name in request.files:
        if name == STDIN:
            continue
        path = Path(name)
        if path.is_dir():
            return str(path)
        found = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) and not path.exists() else [name]
        return str(Path(found[0] if found else name).parent)
    return "."


def read_text(name: str, limit: int = MAX_BYTES) -> Source | Diagnostic:
    """Read one UTF-8 file of at most `limit` bytes, or return a finding. A byte order mark is dropped."""
    try:
        with Path(name).open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        return _unreadable(name, "The file does not exist.", _instead_of(name))
    except IsADirectoryError:
        return _unreadable(name, "It is a folder.", "Name a file.")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return _unreadable(name, f"{reason or 'It could not be read'}.", "Check the name and its permissions.")
    if len(data) > limit:
        mib = MAX_BYTES // (1024 * 1024)
        return Diagnostic(
            "too-large",
            "The manifest is too large",
            f"{name} and the files before it have more than {mib} MiB.",
            "Split the estate into several manifests.",
        )
    return _decode(name, data)


def _instead_of(name: str) -> str:
    """What to do about a file that is not there; for the manifest that is looked for by default, what lies near it."""
    if name != DEFAULT_FILE:
        return "Check the name, or name the manifest with -f FILE."
    here = sorted(entry.name for entry in Path().iterdir() if _is_yaml(entry))
    above = [folder for folder in Path.cwd().parents if (folder / DEFAULT_FILE).is_file()]
    fix = "`oauthdeploy init` writes a first manifest; -f FILE names another one."
    if here:
        shown = ", ".join(here[:_SHOWN]) + (" ..." if len(here) > _SHOWN else "")
        fix += f" This folder has {shown}: -f . reads all YAML files of the folder."
    elif above:
        fix += f" There is one in a folder above: -f {os.path.relpath(above[0] / DEFAULT_FILE)}"
    return fix


def _is_yaml(entry: Path) -> bool:
    return entry.name.lower().endswith(_SUFFIXES) and not entry.name.startswith(".") and entry.is_file()


def _decode(name: str, data: bytes) -> Source | Diagnostic:
    for mark, encoding in _ENCODINGS:
        if data.startswith(mark):
            return _unreadable(name, f"The file is written in {encoding}.", "Save it as UTF-8.")
    for start, encoding in _UNMARKED:
        if start.match(data):
            return _unreadable(name, f"The file seems to be written in {encoding}.", "Save it as UTF-8.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _unreadable(name, f"Line {line} has bytes that are not UTF-8.", "Save the file as UTF-8.")
    return Source(name, text.removeprefix("\ufeff"))


def _unreadable(name: str, detail: str, fix: str) -> Diagnostic:
    return Diagnostic("file-unreadable", "A file cannot be read", f"{name}: {detail}", fix)


def _names(files: Iterable[str], problems: list[Diagnostic]) -> Iterator[str]:
    """Expand folders (their .yaml and .yml files in any case, without subfolders) and globs, each in sorted order."""
    for name in files:
        if name == STDIN or not name:
            yield name or "."
        elif os.path.isdir(name):
            found = sorted(
                entry for entry in os.listdir(name) if entry.lower().endswith(_SUFFIXES) and not entry.startswith(".")
            )
            if not found:
                problems.append(_unreadable(name, "The folder has no .yaml or .yml file.", "Name another folder."))
            yield from (os.path.join(name, entry) for entry in found)
        elif glob.has_magic(name) and not os.path.exists(name):
            matches = sorted(match for match in glob.glob(name, recursive=True) if os.path.isfile(match))
            if not matches:
                problems.append(_unreadable(name, "No file matches the pattern.", "Check the pattern."))
            yield from matches
        else:
            yield name
