"""Every way in which a command ends: exit code, streams, and what is never shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from oauthdeploy import __version__, workflow
from oauthdeploy.core import errors
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.schemas import SCHEMAS
from tests.cli.conftest import Runner, process
from tests.reports import samples

CANARY = samples.CANARY


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plam"], "Did you mean 'plan'?"),
        (["prevew"], "Did you mean 'preview'?"),
        (["plan", "--detailed-exitcodes"], "Did you mean '--detailed-exitcode'?"),
        (["plan", "extra"], "extra"),
        (
            ["plan", "-o", "yaml"],
            "'yaml' is not a format of this command; the formats are text, json, ndjson, markdown,",
        ),
        (["plan", "-o", "htlm=x"], "Did you mean 'html'?"),
        (["plan", "-o", "json="], "names no file"),
        (["plan", "-o", "json", "-o", "text"], "two reports go to standard output"),
        (["plan", "-o", "json=a", "-o", "text=a"], "two reports go to a"),
        (["plan", "--var", "novalue"], "write NAME=VALUE"),
        (["plan", "--var", "a=1", "--var", "a=2"], "'a' is given twice"),
        (["plan", "--parallelism", "0"], "0 is not in the range"),
        (["plan", "--max-deletes", "many"], "a share such as 30%"),
        (["plan", "--error", "x", "--ignore", "x"], "two severities"),
        (
            ["plan", "--ignore", "client-acount-missing"],
            "--ignore: There is no rule 'client-acount-missing'. Did you mean",
        ),
        (["plan", "--allow", "undoes-cutoff"], "Did you mean 'undoes-cut-off'?"),
        (["revoke", "x", "--allow", "password-grant"], "The rule 'password-grant' is not a safety stop"),
        (["plan", "--warn", "too-many-deletes"], "safety stop, which cannot be ignored. Lift it for one run: --allow"),
        (["plan", "--ignore", "unknown-key"], "part of reading a manifest"),
        (["plan", "--ignore", "change-not-kept"], "says what happened in a run"),
        (["apply", "--lock-timeout", "soon"], "write a duration such as 90s"),
        (["apply", "--input", "perhaps"], "perhaps"),
        (["serve", "--role", "user"], "user"),
        (["completion", "tcsh"], "tcsh"),
        (["show"], "PLANFILE"),
    ],
)
def test_wrong_usage_is_64_and_says_what_is_right(oauthdeploy: Runner, arguments: list[str], said: str) -> None:
    """2 means "changes", so that a typo must never give it."""
    found = oauthdeploy(*arguments)
    assert found.code == 64
    assert found.out == ""
    assert said in found.err
    assert "[usage]" in found.err
    assert "--help" in found.err


def test_no_command_shows_the_help(oauthdeploy: Runner) -> None:
    """A bare call is wrong usage, answered with what there is."""
    found = oauthdeploy()
    assert (found.code, found.out) == (64, "")
    assert "Commands:" in found.err


def test_a_variable_with_a_wrong_value_is_named(oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mistake is in the environment, and that is where to look."""
    monkeypatch.setenv("OAUTHDEPLOY_PARALLELISM", "lots")
    found = oauthdeploy("plan")
    assert found.code == 64
    assert "--parallelism" in found.err


@pytest.mark.parametrize(("name", "meant"), [("TARGETS", "TARGET"), ("EXCLUDES", "EXCLUDE"), ("VARS", "VAR")])
def test_a_misspelt_variable_is_told(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    """Without a word, a run that was to change one client would change all of them."""
    monkeypatch.setenv(f"OAUTHDEPLOY_{name}", "client/web-shop")
    monkeypatch.setenv("OAUTHDEPLOY_MY_PASSWORD", "x")
    found = oauthdeploy("plan")
    assert f"warning: OAUTHDEPLOY_{name} has no effect on `plan`. Did you mean OAUTHDEPLOY_{meant}?" in found.err
    assert "MY_PASSWORD" not in found.err


ERRORS = {
    errors.OAuthDeployError("x"): 1,
    errors.UsageError("x"): 64,
    errors.Unreachable("x", server="orders"): 8,
    errors.Unauthorized("x", server="orders"): 8,
    errors.Forbidden("x", server="orders"): 8,
    errors.Rejected("x", server="orders"): 8,
    errors.UnexpectedAnswer("x", server="orders"): 8,
    errors.ServerError("x", server="orders"): 8,
    errors.ServersFailed([errors.NotFound("x", server="a"), errors.Unreachable("y", server="b")]): 8,
    errors.ManifestInvalid(Diagnostics((samples.ERROR,))): 3,
    errors.SafetyStop("x"): 5,
    errors.StalePlan("x"): 6,
    errors.LockBusy("x"): 7,
}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_of_ours_gives_the_code_of_its_class(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch, error: errors.OAuthDeployError
) -> None:
    """Each in the form of all errors, on standard error; where JSON was asked for, also as a document."""

    def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(workflow, "make_plan", fail)
    found = oauthdeploy("plan")
    assert (found.code, found.out) == (ERRORS[error], "")
    assert found.err.startswith("error: ")
    asked = oauthdeploy("plan", "-o", "json", "-o", "text=unused.txt")
    assert asked.code == ERRORS[error]
    assert json.loads(asked.out)["error"]["rule"] == error.rule
    assert json.loads(asked.out)["error"]["exit_code"] == error.exit_code
    oauthdeploy("plan", "-o", "json=error.json")
    assert json.loads(Path("error.json").read_text())["format"] == "oauthdeploy/error"


def test_a_bug_is_owned_and_shows_no_value(oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback, no message (it could hold a secret), how to report it; exit 1."""

    def fail(*_arguments: object) -> None:
        raise ValueError(f"the password {CANARY} is wrong")

    monkeypatch.setattr(workflow, "make_plan", fail)
    found = oauthdeploy("plan")
    assert found.code == 1
    assert "This is a bug in oauthdeploy." in found.err
    assert "ValueError in oauthdeploy.cli" in found.err
    assert "oauthdeploy version -o json" in found.err
    assert CANARY not in found.err
    assert "Traceback" not in found.err
    monkeypatch.setenv("OAUTHDEPLOY_DEBUG", "1")
    found = oauthdeploy("plan")
    assert "Traceback" in found.err
    assert "builtins.ValueError" in found.err
    assert CANARY not in found.err


@pytest.mark.parametrize("raised", [KeyboardInterrupt, click.Abort])
def test_an_interrupt_before_any_write_is_130(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch, raised: type[BaseException]
) -> None:
    """As shells expect it of a program that was stopped."""

    def fail(*_arguments: object) -> None:
        raise raised

    monkeypatch.setattr(workflow, "make_plan", fail)
    found = oauthdeploy("plan")
    assert (found.code, found.out, found.err) == (130, "", "\nInterrupted.\n")


def test_a_missing_manifest_is_3_in_a_process_of_its_own(tmp_path: Path) -> None:
    """The exit code of the process is the one of the command."""
    found = process("validate", cwd=tmp_path)
    assert (found.code, found.out) == (3, "")
    assert "oauthdeploy.yaml" in found.err


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """`oauthdeploy schema | head -1` is quiet, and so is `--help`."""
    for arguments in ("schema", "plan --help", "validate -o json"):
        done = subprocess.run(
            [
                "bash",
                "-c",
                f"set -o pipefail; {sys.executable} -m oauthdeploy {arguments} | true; echo ${{PIPESTATUS[0]}}",
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.stdout.strip() in ("0", "3"), done
        assert "Broken" not in done.stderr
        assert "Exception" not in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["schema", "version"])
def test_a_full_disk_is_an_error(command: str, unbuffered: str) -> None:
    """A report that could not be written is never a success, whether it fills the buffer or not; that is all that is said."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "oauthdeploy", command],
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "error: The output could not be written: No space left on device [output-not-written]\n"


def test_closed_streams_are_no_error() -> None:
    """A daemon may start us without streams."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m oauthdeploy version >&- 2>&-; echo $?"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "0"


def test_a_stream_that_lacks_a_character_gets_an_escape(tmp_path: Path) -> None:
    """An old locale must not end an apply."""
    (tmp_path / "prüfung.yaml").write_text("version: 1\n")
    found = process("validate", "-f", "prüfung.yaml", cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert found.code == 3
    assert "pr\\xfcfung.yaml" in found.err


def test_the_version_is_printed_for_people_and_for_bug_reports(oauthdeploy: Runner) -> None:
    """JSON holds what a maintainer asks for first."""
    assert oauthdeploy("version").out == f"oauthdeploy {__version__}\n"
    assert oauthdeploy("--version").out == f"oauthdeploy {__version__}\n"
    document = json.loads(oauthdeploy("version", "-o", "json").out)
    assert document["version"] == __version__
    assert document["libraries"]["pydantic"]
    assert document["python"].startswith("3.")


HEAVY = {
    "difflib",
    "html",
    "rich",
    "pydantic",
    "requests",
    "ruamel",
    "yaml",
    "deepdiff",
    "jsonschema",
    "tenacity",
    "flask",
    "oauthdeploy.workflow",
}


def test_version_imports_nothing_heavy() -> None:
    """Start-up is fast because nothing is loaded that isn't needed."""
    code = (
        "import sys; from oauthdeploy.cli.entrypoint import run; run(sys.argv[1:]); "
        "print(*sorted(n for n in sys.modules if n in " + repr(HEAVY) + "))"
    )
    for arguments in (["version"], ["--help"], ["--version"], ["plan", "--help"]):
        assert process(*arguments, code=code).out.splitlines()[-1] == "", arguments
    assert process("plam", code=code).out.splitlines()[-1] == "difflib"


OFFLINE = HEAVY - {"difflib", "pydantic", "yaml", "oauthdeploy.workflow"} | {
    "oauthdeploy.drivers.http",
    "oauthdeploy.drivers.keycloak",
    "oauthdeploy.drivers.opa",
    "oauthdeploy.manifest.editing",
    "oauthdeploy.planning.diff",
    "oauthdeploy.planning.plan",
    "oauthdeploy.running",
    "oauthdeploy.reports.html",
    "sqlite3",
    "ssl",
}


def test_a_check_of_a_manifest_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    """No server, plan or journal is at hand, and of the drivers only the facts of those that the manifest names."""
    text = (Path(__file__).parents[2] / "examples" / "quickstart" / "oauthdeploy.yaml").read_text(encoding="utf-8")
    (tmp_path / "oauthdeploy.yaml").write_text(text, encoding="utf-8")
    code = (
        "import sys; from oauthdeploy.cli.entrypoint import run; run(sys.argv[1:]); "
        "print(*sorted(n for n in sys.modules if n in " + repr(OFFLINE) + "))"
    )
    found = process("validate", "--allow-unset", code=code, cwd=tmp_path)
    assert "is valid" in found.out
    assert found.out.splitlines()[-1] == ""


@pytest.mark.parametrize(("chosen", "loaded"), [({}, False), ({"PYDANTIC_DISABLE_PLUGINS": "another"}, True)])
def test_plugins_of_pydantic_see_no_value_unless_their_user_wants_it(
    tmp_path: Path, chosen: dict[str, str], loaded: bool
) -> None:
    """They would be handed every value that is validated, secrets included."""
    (tmp_path / "spy.py").write_text("from pathlib import Path\nPath('loaded').touch()\nspy = None\n")
    (tmp_path / "spy-1.dist-info").mkdir()
    (tmp_path / "spy-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: spy\nVersion: 1\n")
    (tmp_path / "spy-1.dist-info" / "entry_points.txt").write_text("[pydantic]\nspy = spy\n")
    text = (Path(__file__).parents[2] / "examples" / "quickstart" / "oauthdeploy.yaml").read_text(encoding="utf-8")
    (tmp_path / "oauthdeploy.yaml").write_text(text, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    process("validate", "--allow-unset", cwd=tmp_path, env={**os.environ, **chosen, "PYTHONPATH": path})
    assert (tmp_path / "loaded").exists() == loaded


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_and_completes(oauthdeploy: Runner, shell: str) -> None:
    """The script asks the program, which answers with commands and flags."""
    found = oauthdeploy("completion", shell)
    assert found.code == 0
    assert "_OAUTHDEPLOY_COMPLETE" in found.out
    asked = {**os.environ, "_OAUTHDEPLOY_COMPLETE": "bash_complete", "COMP_LINE": "oauthdeploy va"}
    assert process(env=asked).out == "plain,validate\n"
    asked |= {"COMP_LINE": "oauthdeploy plan --det"}
    assert process(env=asked).out == "plain,--detailed-exitcode\n"


def test_every_schema_is_printed_as_it_is_published(oauthdeploy: Runner) -> None:
    """The file in schemas/ is what users see, each of them by its name; the manifest's where none is named."""
    folder = Path(__file__).parents[2] / "schemas"
    names = {path.name.partition(".")[0]: path for path in folder.glob("*.json")}
    for name, path in names.items():
        found = oauthdeploy("schema", name)
        assert (found.code, found.out) == (0, path.read_text(encoding="utf-8"))
    assert oauthdeploy("schema").out == oauthdeploy("schema", "manifest").out
    assert oauthdeploy("help", "schema").out.count("\n") > len(names)
    assert names.keys() == SCHEMAS.keys()
