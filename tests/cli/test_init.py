"""`oauthdeploy init`: flags, questions, refusals, and a manifest that the other commands take."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Runner, process

FLAGS = (
    "--no-input", "--name", "payments", "--authorization-url", "https://login.example.com:5543",
    "--resource-url", "orders=https://orders.example.com:5543", "--client", "web-shop", "--client", "no",
    "--scope", "orders.read",
)  # fmt: skip
VARIABLES = (
    "LOGIN_USERNAME", "LOGIN_PASSWORD", "LOGIN_INTROSPECTION_USERNAME", "LOGIN_INTROSPECTION_PASSWORD", "ORDERS_USERNAME",
    "ORDERS_PASSWORD",
)  # fmt: skip


def test_the_manifest_validates_and_is_in_canonical_form(
    oauthdeploy: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the variables that it names, `validate` finds no error, `fmt --check` nothing to do, `graph` its objects."""
    done = oauthdeploy("init", *FLAGS)
    assert (done.code, done.out) == (0, "")
    assert oauthdeploy("fmt", "--check").code == 0
    assert oauthdeploy("validate").code == 3
    for name in VARIABLES:
        assert f"export {name}=..." in done.err
        monkeypatch.setenv(name, "x")
    checked = oauthdeploy("validate")
    assert checked.code == 0, checked.err
    assert "2 servers, 1 scope, 2 clients, 2 associations" in checked.out
    assert '  "no":\n' in (tmp_path / "oauthdeploy.yaml").read_text(encoding="utf-8")


def test_the_next_steps_can_be_copied(oauthdeploy: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is a command that works as it stands, also for awkward file names; the last one is the next to type."""
    (tmp_path / "my estate").mkdir()
    done = oauthdeploy("init", "my estate", *FLAGS)
    assert done.code == 0
    first, _, following = done.err.partition("First:\n")[2].partition("\nNext:\n")
    commands = [shlex.split(line, comments=True) for line in first.splitlines()]
    assert [words[:2] for words in commands[-3:]] == [
        ["oauthdeploy", word] for word in ("schema", "validate", "export")
    ]
    assert commands[-3][2:] == [">", "my estate/manifest.v1.schema.json"]
    assert shlex.split(following, comments=True) == ["oauthdeploy", "plan", "-f", "my estate/oauthdeploy.yaml"]
    for name in VARIABLES:
        monkeypatch.setenv(name, "x")
    assert oauthdeploy(*commands[-2][1:]).code == 0


def test_a_file_that_is_there_stays(oauthdeploy: Runner, tmp_path: Path) -> None:
    """1 and the flag that would replace it; a link that leads nowhere counts as a file."""
    path = tmp_path / "oauthdeploy.yaml"
    path.write_bytes(b"mine")
    done = oauthdeploy("init", *FLAGS)
    assert done.code == 1
    assert "[file-exists]" in done.err
    assert "--force" in done.err
    assert path.read_bytes() == b"mine"
    (tmp_path / "link.yaml").symlink_to("nowhere.yaml")
    assert oauthdeploy("init", "link.yaml", *FLAGS).code == 1
    assert not (tmp_path / "nowhere.yaml").exists()


def test_force_replaces_it(oauthdeploy: Runner, tmp_path: Path) -> None:
    """And keeps its rights."""
    path = tmp_path / "oauthdeploy.yaml"
    path.write_bytes(b"mine")
    path.chmod(0o600)
    assert oauthdeploy("init", "--force", *FLAGS).code == 0
    assert path.read_bytes().startswith(b"# yaml-language-server")
    assert path.stat().st_mode & 0o777 == 0o600


def test_standard_output_takes_the_manifest_alone(oauthdeploy: Runner, tmp_path: Path) -> None:
    """`init -` writes no file, and its talk goes to standard error."""
    done = oauthdeploy("init", "-", *FLAGS)
    assert done.code == 0
    assert done.out.startswith("# yaml-language-server")
    assert "Next:" not in done.out
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Give --authorization-url URL"),
        (("--authorization-driver", "external"), "Give --introspection-endpoint URL"),
        (("--authorization-url", "login.example.com"), "such as https://"),
        (("--authorization-url", "https://["), "such as https://"),
        (("--authorization-url", "https://x", "--resource-url", "a=b"), "such as https://"),
        (("--authorization-url", "https://x", "--name", "a b"), "letters, digits"),
        (("--authorization-url", "https://x", "--authorization-driver", "keyclock"), "no driver 'keyclock'"),
        (("--authorization-url", "https://x", "--resource-driver", "external"), "not for resource servers"),
        (("--authorization-url", "https://x", "--authorization-driver", "opa"), "not for authorization servers"),
        (("--authorization-url", "https://x", "--client", " "), "The name is empty"),
        (("--authorization-url", "https://x", "--introspection-endpoint", "https://y"), "Describe an external server with"),
        (
            ("--authorization-driver", "webmethods", "--authorization-url", "https://x", "--introspection-endpoint", "https://y"),
            "needs --authorization-driver external",
        ),
    ],
)  # fmt: skip
def test_wrong_answers_are_wrong_usage(
    oauthdeploy: Runner, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    """64, what is wrong, and no file."""
    done = oauthdeploy("init", "--no-input", *arguments)
    assert done.code == 64
    assert words in done.err
    assert os.listdir(tmp_path) == []


def test_a_name_that_the_driver_refuses_is_said_before_anything_is_written(oauthdeploy: Runner, tmp_path: Path) -> None:
    """3 with the driver's rule: a manifest with an error is never written."""
    done = oauthdeploy("init", *FLAGS, "--client", "a: b", "--scope", "a b")
    assert done.code == 3
    assert "name-not-accepted" in done.err
    assert "warning" not in done.err
    assert os.listdir(tmp_path) == []


def test_an_external_server_is_only_trusted(
    oauthdeploy: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its endpoint is enough; there are no settings and no associations then."""
    endpoint = "https://idp.example/introspect"
    done = oauthdeploy(
        "init", "--no-input", "--introspection-endpoint", endpoint, "--resource-url", "https://rs.example", "--scope", "a"
    )  # fmt: skip
    assert done.code == 0, done.err
    text = (tmp_path / "oauthdeploy.yaml").read_text(encoding="utf-8")
    assert "driver: external" in text
    assert "# settings:\n" not in text
    assert "associations:\n" not in text
    for name in ("LOGIN_CLIENT_ID", "LOGIN_CLIENT_SECRET", "RS_USERNAME", "RS_PASSWORD"):
        monkeypatch.setenv(name, "x")
    assert oauthdeploy("validate").code == 0


def test_variables_answer_as_flags_do(oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipeline nothing needs to be typed."""
    monkeypatch.setenv("OAUTHDEPLOY_NO_INPUT", "1")
    monkeypatch.setenv("OAUTHDEPLOY_INIT_AUTHORIZATION_URL", "https://login.example.com")
    monkeypatch.setenv("OAUTHDEPLOY_INIT_SCOPE", "a\nb.c")
    done = oauthdeploy("init", "-")
    assert "  a:\n" in done.out
    assert "  b.c:\n" in done.out


def test_the_name_comes_from_the_folder(oauthdeploy: Runner, tmp_path: Path) -> None:
    """As far as it can be a name."""
    folder = tmp_path / "-My Estate! \u00fc"
    folder.mkdir()
    oauthdeploy("init", str(folder), "--no-input", "--authorization-url", "https://x.example")
    assert "\nname: My-Estate-\n" in (folder / "oauthdeploy.yaml").read_text(encoding="utf-8")


TYPED = "bad name\nshop\nnope\nwebmethods\nftp://x\nhttps://login.example.com\nrs=https://rs.example\n\n\nn\nweb\n\norders.read\n\n"


def test_a_person_is_asked_and_asked_again(
    oauthdeploy: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal: questions on standard error, wrong answers are explained and asked for again."""
    answers = iter(TYPED.split("\n"))
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt="": next(answers))
    monkeypatch.setattr("oauthdeploy.cli.streams.is_terminal", lambda stream: stream is sys.stdin)
    done = oauthdeploy("init")
    assert (done.code, done.out) == (0, "")
    assert done.err.count("Error: ") == 3
    text = (tmp_path / "oauthdeploy.yaml").read_text(encoding="utf-8")
    for line in ("name: shop", "  rs:", "  web:", "  orders.read:", "    url: https://rs.example"):
        assert f"\n{line}\n" in text


def test_without_a_terminal_nobody_is_asked() -> None:
    """A pipeline doesn't hang."""
    done = process("init", "-")
    assert done.code == 64


def test_a_driver_of_one_side_alone_is_no_default_for_the_other(oauthdeploy: Runner, tmp_path: Path) -> None:
    """Beside an authorization server whose driver holds no resource servers, those get a driver that does."""
    done = oauthdeploy(
        "init", "--no-input", "--name", "x", "--authorization-driver", "keycloak",
        "--authorization-url", "https://login.example.com/realms/shop", "--resource-url", "https://orders.example.com",
    )  # fmt: skip
    assert (done.code, done.out) == (0, "")
    text = (tmp_path / "oauthdeploy.yaml").read_text(encoding="utf-8")
    assert text.index("driver: keycloak") < text.index("driver: webmethods")


def test_nothing_is_invented_that_would_be_tried_on_a_server(oauthdeploy: Runner, tmp_path: Path) -> None:
    """No account and no setting: accounts come from variables, settings are a comment."""
    for driver in ("webmethods", "keycloak"):
        oauthdeploy("init", *FLAGS, "--authorization-driver", driver, "--force")
        text = (tmp_path / "oauthdeploy.yaml").read_text(encoding="utf-8")
        tree = yaml.safe_load(text)
        assert "settings" not in tree
        assert "# settings:" in text
        for server in tree["servers"].values():
            assert all(value.startswith("${env:") for value in server["credentials"].values())
            assert all(value.startswith("${env:") for value in server.get("introspection", {}).values())


def test_who_has_servers_is_led_to_export(oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a flag and by an answer; then nobody is asked for clients, which the servers know."""
    done = oauthdeploy("init", "--no-input", "--authorization-url", "https://x.example", "--existing")
    assert done.err.splitlines()[-1].startswith("  oauthdeploy export --write ")
    answers = iter(["shop", "webmethods", "https://login.example.com", "", "y"])
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt="": next(answers))
    monkeypatch.setattr("oauthdeploy.cli.streams.is_terminal", lambda stream: stream is sys.stdin)
    done = oauthdeploy("init", "--force")
    assert done.code == 0
    assert done.err.splitlines()[-1].startswith("  oauthdeploy export --write ")
    assert next(answers, None) is None
