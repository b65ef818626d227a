"""References: what they are replaced by, what they remember, and how each failure is told."""

from __future__ import annotations

import os
import stat
import sys
import types
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauthdeploy.core.secrets import SourcedText
from oauthdeploy.manifest import interpolate as module
from oauthdeploy.manifest.interpolate import Resolver, Unresolved, interpolate


def variables(name: str, _resolver: Resolver) -> tuple[str, bool]:
    values = {"tier": ("gold", False), "pin": ("1234", True)}
    if name not in values:
        raise Unresolved("undefined-variable", "s", f"no {name}", "f")
    return values[name]


def resolver(folder: Path = Path(), *, commands: bool = False, **environ: str) -> Resolver:
    return Resolver(environ, folder, variables, commands)


@pytest.mark.parametrize(
    ("written", "text", "origin"),
    [
        ("${env:A}", "x", "${env:A}"),
        ("https://${env:A}:${env:B}/p", "https://x:y/p", "${env:A}${env:B}"),
        ("${env:NONE:-d}", "d", "${env:NONE}"),
        ("${env:EMPTY:-d}", "d", "${env:EMPTY}"),
        ("${env:A:-d}", "x", "${env:A}"),
        ("${env:NONE:-}", "", "${env:NONE}"),
        ("${env:NONE:-https://127.0.0.1:5501}", "https://127.0.0.1:5501", "${env:NONE}"),
        ("${env:EMPTY}", "", "${env:EMPTY}"),
        ("${var:tier}", "gold", "${var:tier}"),
        ("$${env:A} ${env:A}", "${env:A} x", "${env:A}"),
    ],
)
def test_references_become_sourced_texts(written: str, text: str, origin: str) -> None:
    """A reference is replaced, and the text remembers the references without their defaults."""
    made = resolver(A="x", B="y", EMPTY="").text(written)
    assert isinstance(made, SourcedText)
    assert (str(made), made.origin, made.sensitive) == (text, origin, "${env:" in origin)


@given(st.text().filter(lambda text: "${" not in text))
@settings(deadline=None)
def test_a_text_without_reference_stays_what_it_is(text: str) -> None:
    """Without `${` nothing changes, and the text stays a plain str."""
    made = resolver().text(text)
    assert made == text
    assert type(made) is str


@given(st.text())
@settings(deadline=None)
def test_an_escaped_text_comes_back_literally(text: str) -> None:
    """Writing `$${` for every `${` gives the text itself, whatever it is."""
    if text.replace("${", "") and "$${" in text:
        return  # an escape in the text itself would be read as one
    made = resolver().text(text.replace("${", "$${"))
    assert made == text


@given(st.text(alphabet="${}:-envarfilAB_./ \\\"'", max_size=40))
@settings(max_examples=500, deadline=None)
def test_no_text_is_a_traceback(text: str) -> None:
    """Any text is replaced or refused with what, why and how."""
    try:
        resolver(A="x").text(text)
    except Unresolved as problem:
        assert problem.rule in {"wrong-value", "undefined-variable", "file-unreadable"}
        assert problem.summary
        assert problem.detail


@pytest.mark.parametrize(
    ("written", "rule", "part"),
    [
        ("${env:NONE}", "undefined-variable", "NONE is not set"),
        ("${var:tire}", "undefined-variable", "tire"),
        ("${A}", "wrong-value", "where the value comes from"),
        ("${evn:A}", "wrong-value", "not a source"),
        ("${env:}", "wrong-value", "names nothing"),
        ("${env:A-B}", "wrong-value", "letters"),
        ("${env:A:-${env:B}}", "wrong-value", "inside another"),
        ("${env:A", "wrong-value", "no closing"),
        ("${}", "wrong-value", "not a source"),
        ("${var:tier:-x}", "wrong-value", "letters"),
        ("${file:nowhere.txt}", "file-unreadable", "No such file"),
        ("${file:.}", "file-unreadable", "."),
        ("${file:a\0b}", "file-unreadable", "not valid"),
        ("${keyring:nothing}", "wrong-value", "entry"),
        ("${command:id}", "command-not-allowed", "runs a program"),
    ],
)
def test_failures_say_what_and_how_to_fix_it(written: str, rule: str, part: str) -> None:
    """Each failure has its rule, names what is missing and says what to do."""
    with pytest.raises(Unresolved) as caught:
        resolver(A="x").text(written)
    assert caught.value.rule == rule
    assert part in caught.value.detail
    assert caught.value.fix


def test_files_are_read_from_the_manifests_folder_without_their_last_newline(tmp_path: Path) -> None:
    """`${file:}` starts from the manifest's folder; one trailing line end is dropped, others stay."""
    (tmp_path / "a").write_bytes(b"one\n\n")
    (tmp_path / "b").write_bytes(b"two\r\n")
    (tmp_path / "c").write_bytes(b"\xff")
    (tmp_path / "d").write_bytes(b"x" * (1024 * 1024 + 1))
    made = resolver(tmp_path)
    assert made.text("${file:a}|${file:b}") == "one\n|two"
    for name, rule in (("c", "file-unreadable"), ("d", "too-large")):
        with pytest.raises(Unresolved) as caught:
            made.text(f"${{file:{name}}}")
        assert caught.value.rule == rule


def test_sensitive_sources_mark_the_text() -> None:
    """A sensitive variable makes the whole text sensitive, and its representation doesn't show it."""
    made = resolver(A="x").text("${env:A}-${var:pin}")
    assert isinstance(made, SourcedText)
    assert made.sensitive
    assert "1234" not in repr(made)


def test_commands_run_without_a_shell_when_they_are_allowed(tmp_path: Path) -> None:
    """Arguments are split like a shell does, nothing is expanded, and the output is sensitive."""
    made = resolver(tmp_path, commands=True, PATH="/usr/bin:/bin").text("${command:echo 'a b' $HOME;ls}")
    assert made == "a b $HOME;ls"
    assert isinstance(made, SourcedText)
    assert made.sensitive


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("false", "ended with status 1"),
        ("no-such-program-xyz", "cannot be run"),
        ("'a", "quotes"),
        ("printf \\\\377", "not UTF-8"),
    ],
)
def test_failing_commands_are_told_without_their_output(command: str, part: str, tmp_path: Path) -> None:
    """A command that fails gives its name and status; what it wrote may be a secret and is not told."""
    with pytest.raises(Unresolved) as caught:
        resolver(tmp_path, commands=True, PATH="/usr/bin:/bin").text(f"${{command:{command}}}")
    assert part in caught.value.detail


def test_a_failing_commands_output_is_not_told(tmp_path: Path) -> None:
    """What a failing command wrote to either stream is in no message."""
    script = tmp_path / "leak"
    script.write_text("#!/bin/sh\necho canary-out\necho canary-err >&2\nexit 3\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(Unresolved) as caught:
        resolver(tmp_path, commands=True, PATH="/usr/bin:/bin").text("${command:./leak}")
    assert "canary" not in caught.value.detail + caught.value.fix + caught.value.summary


def test_a_slow_command_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that takes too long is ended and reported."""
    monkeypatch.setattr(module, "COMMAND_SECONDS", 0.1)
    with pytest.raises(Unresolved, match="A value is not defined") as caught:
        resolver(tmp_path, commands=True, PATH="/usr/bin:/bin").text("${command:sleep 5}")
    assert "longer than" in caught.value.detail


def test_a_keyring_is_asked_once_per_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """`${keyring:service/name}` is sensitive and looked up once, however often it is written."""
    asked: list[tuple[str, str]] = []

    def get_password(service: str, name: str) -> str | None:
        asked.append((service, name))
        return "word" if name == "me" else None

    fake = types.ModuleType("keyring")
    fake.get_password = get_password  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", fake)
    made = resolver()
    assert made.text("${keyring:a/b/me}${keyring:a/b/me}") == "wordword"
    assert asked == [("a/b", "me")]
    with pytest.raises(Unresolved) as caught:
        made.text("${keyring:a/b/you}")
    assert "no entry a/b/you" in caught.value.detail


def test_a_missing_keyring_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the optional package the message says what to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(Unresolved) as caught:
        resolver().text("${keyring:a/b}")
    assert "[keyring]" in caught.value.fix


def test_shared_values_are_replaced_once() -> None:
    """A list that several aliases share is replaced once, so that an escape isn't read a second time as a reference."""
    shared = ["$${env:A}", "${env:A}"]
    tree = {"skip": {"a": "${env:NONE}"}, "a": shared, "b": {"c": shared}, "d": "${env:A}"}
    problems, secrets, _ = interpolate(tree, resolver(A="x"), skip=frozenset({"skip"}))
    assert problems == []
    assert {path for path, _ in secrets} == {("a", 1), ("b", "c", 1), ("d",)}
    assert tree == {"skip": {"a": "${env:NONE}"}, "a": ["${env:A}", "x"], "b": {"c": ["${env:A}", "x"]}, "d": "x"}


def test_every_undefined_reference_is_reported_with_its_path() -> None:
    """All failures of a document are reported in one pass."""
    tree = {"a": ["${env:X}", {"b": "${env:Y}"}], "c": "${var:pin}"}
    problems, secrets, _ = interpolate(tree, resolver(), skip=frozenset())
    assert [item.path for item in problems] == [("a", 0), ("a", 1, "b")]
    assert secrets == [(("c",), "${var:pin}")]


def test_a_pipe_without_a_writer_is_told_at_once(tmp_path: Path) -> None:
    """Reading a file that never answers would hang."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unresolved) as found:
        resolver(tmp_path).text("${file:pipe}")
    assert found.value.rule == "file-unreadable"
    assert "without a writer" in found.value.detail


def test_a_command_that_never_stops_writing_is_stopped(tmp_path: Path) -> None:
    """What a command writes is read up to a limit."""
    with pytest.raises(Unresolved) as found:
        resolver(tmp_path, commands=True, PATH=os.environ["PATH"]).text("${command:cat /dev/zero}")
    assert found.value.rule == "too-large"


def test_what_a_command_leaves_behind_does_not_hold_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that keeps the pipe open after the limit of time is a finding, not a hang."""
    monkeypatch.setattr(module, "COMMAND_SECONDS", 0.3)
    with pytest.raises(Unresolved) as found:
        resolver(tmp_path, commands=True, PATH=os.environ["PATH"]).text("${command:sh -c 'echo x; sleep 3 & exit 0'}")
    assert "took longer" in found.value.detail


def test_references_bring_a_bounded_amount_of_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many references to one long text are refused before they fill the memory, each with its place."""
    monkeypatch.setattr(module, "MAX_MADE", 2_500)
    tree = {"a": ["${env:A}"] * 4}
    problems, _, _ = interpolate(tree, resolver(A="x" * 1000), skip=frozenset())
    assert [(item.rule, item.path) for item in problems] == [("too-large", ("a", 2)), ("too-large", ("a", 3))]


def test_a_secret_in_a_shared_value_is_noted_at_every_place() -> None:
    """An alias carries a secret to a second place, which may be one that is shown."""
    shared = {"x": ["${var:pin}"], "y": "$${"}
    _, secrets, _ = interpolate({"a": shared, "b": {"c": shared}}, resolver(), skip=frozenset())
    assert [path for path, _ in secrets] == [("a", "x", 0), ("b", "c", "x", 0)]
    assert shared["y"] == "${"
