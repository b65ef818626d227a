"""What holds for every command and every flag."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict

import click
import pytest
from click.testing import CliRunner

from oauthdeploy.cli.app import ALIASES, COMMANDS, app
from oauthdeploy.cli.command import TaskCommand
from oauthdeploy.cli.flags import REPORT_FORMATS, Flag
from oauthdeploy.core.errors import ManifestInvalid

CONTEXT = click.Context(app)


def command(name: str) -> click.Command:
    found = app.get_command(CONTEXT, name)
    assert isinstance(found, click.Command)
    return found


def options(name: str) -> list[click.Option]:
    return [parameter for parameter in command(name).params if isinstance(parameter, click.Option)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_has_help_and_a_variable(name: str) -> None:
    """Whatever can be typed can be set in a pipeline's environment, and is explained."""
    for option in options(name):
        assert option.help, option.opts
        assert isinstance(option.envvar, str), option.opts
        assert option.envvar.startswith("OAUTHDEPLOY_")


def test_one_place_lists_the_variables_of_all_flags() -> None:
    """`help environment`, so that no help has to repeat them."""
    shown = CliRunner().invoke(app, ["help", "environment"], terminal_width=200)
    assert shown.exit_code == 0
    for name in COMMANDS:
        for option in options(name):
            assert f" {option.envvar} " in shown.output


def every_command() -> list[list[str]]:
    inner = [
        [name, each] for name in COMMANDS if isinstance(found := command(name), click.Group) for each in found.commands
    ]
    return [[], *([name] for name in COMMANDS), *inner]


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_the_help_of_a_command_fits_a_screen(words: list[str]) -> None:
    """Purpose, two examples, the flags that matter, the names of the rest: within 24 lines of 80 columns, none torn."""
    lines = CliRunner().invoke(app, [*words, "--help"], terminal_width=80).output.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert not any("env var" in line for line in lines)
    found = command(words[0]) if words else app
    if len(words) == 2 and isinstance(found, click.Group):
        found = found.commands[words[1]]
    if isinstance(found, click.Group):
        return
    assert isinstance(found, TaskCommand)
    assert len(found.examples) == 2
    assert all(line.startswith(("oauthdeploy ", "source <(oauthdeploy ")) for line, _ in found.examples)
    text = "\n".join(lines)
    full = CliRunner().invoke(app, ["help", *words], terminal_width=200).output
    for option in (param for param in found.params if isinstance(param, click.Option)):
        assert option.opts[-1] in text, "named at least"
        assert option.opts[-1] in full


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_the_examples_of_a_help_are_parsed(words: list[str]) -> None:
    """Whoever copies one meets no unknown flag and no missing argument."""
    found = command(words[0]) if words else app
    if len(words) == 2 and isinstance(found, click.Group):
        found = found.commands[words[1]]
    for line, _ in found.examples if isinstance(found, TaskCommand) else ():
        inside = re.sub(r"^source <\((.*)\)$", r"\1", line)
        arguments = shlex.split(re.split(r" [|>] ", inside)[0])[1 + len(words) :]
        found.make_context(words[-1], arguments, resilient_parsing=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_the_command_says(name: str) -> None:
    """The list is a table, so that it is shown without importing the commands; both must agree."""
    text = command(name).help
    assert text is not None
    assert text.replace("\n", " ").startswith(COMMANDS[name].rstrip("."))


def test_the_help_lists_every_command_and_its_other_names() -> None:
    """Nothing is hidden."""
    shown = CliRunner().invoke(app, ["--help"]).output
    for name in (*COMMANDS, *ALIASES):
        assert re.search(rf"(^|[\s]){name}([\s,.]|$)", shown), name
    every = CliRunner().invoke(app, ["help", "commands"]).output
    assert all(f"{name} " in every for name in (*COMMANDS, *ALIASES))


def test_aliases_are_the_command() -> None:
    """`diff` and `preview` take what `plan` takes."""
    for alias, name in ALIASES.items():
        assert command(alias) is command(name)


def test_a_variable_means_the_same_for_every_command() -> None:
    """Two flags of one variable are one flag."""
    flags = defaultdict(set)
    for name in COMMANDS:
        for option in options(name):
            flags[option.envvar].add(option.opts[0])
    assert {variable: found for variable, found in flags.items() if len(found) > 1} == {}


@pytest.mark.parametrize("name", sorted({"validate", "plan", "apply", "drift", "ping"}))
def test_commands_that_read_a_manifest_take_the_flags_of_the_manifest(name: str) -> None:
    """What works for `plan` works for the others."""
    known = {flag for option in options(name) for flag in option.opts}
    wanted = {"-f", "--file", "--env", "--var", "--var-file", "--allow-commands", "--error", "--warn", "--ignore"}
    assert wanted | {"-o", "--no-color", "-q", "-v"} <= known


@pytest.mark.parametrize("name", ["plan", "apply", "drift"])
def test_commands_that_plan_can_be_narrowed(name: str) -> None:
    """A selection means the same for the plan and for what is made of it."""
    known = {flag for option in options(name) for flag in option.opts}
    assert {"--server", "--target", "--exclude", "--parallelism", "--max-deletes", "--allow"} <= known


def test_apply_has_both_names_of_yes_and_both_of_no_input() -> None:
    """Fingers know either."""
    known = {flag for option in options("apply") for flag in (*option.opts, *option.secondary_opts)}
    assert {"--yes", "--auto-approve", "--input", "--no-input", "--lock-timeout", "--no-verify"} <= known


def test_a_variable_of_a_repeatable_flag_has_one_value_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values have blanks, commas and colons; none has a line break, so that is what separates them, for every flag."""
    monkeypatch.setenv("OAUTHDEPLOY_FILE", "a b.yaml\nc:d.yaml\n")
    monkeypatch.setenv("OAUTHDEPLOY_VAR", "name=Web Shop, the new one\r\n\nurl=https://shop.example.com")
    monkeypatch.setenv("OAUTHDEPLOY_EXCLUDE", "client/Web Shop\nscope/*")
    context = command("plan").make_context("plan", [])
    assert context.params["file"] == ("a b.yaml", "c:d.yaml")
    assert context.params["var"] == (("name", "Web Shop, the new one"), ("url", "https://shop.example.com"))
    assert context.params["exclude"] == ("client/Web Shop", "scope/*")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_repeatable_flag_separates_by_lines(name: str) -> None:
    """One rule for all of them; whoever adds a flag gets it from `flags.option`."""
    for option in options(name):
        assert not option.multiple or isinstance(option, Flag), option.opts


@pytest.mark.parametrize("words", [each for each in every_command() if each], ids=" ".join)
@pytest.mark.parametrize("form", REPORT_FORMATS)
def test_a_format_in_the_environment_breaks_no_command(
    words: list[str], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is set once for a pipeline; a command that has no such format reports as it does without."""
    found = command(words[0])
    if len(words) == 2 and isinstance(found, click.Group):
        found = found.commands[words[1]]
    monkeypatch.setenv("OAUTHDEPLOY_OUTPUT", f"{form}\n{form}=report.{form}" if words != ["graph"] else form)
    context = None if _needs(found) else found.make_context(words[-1], [])
    option = next((param for param in found.params if param.name == "sinks"), None)
    if context is not None and option is not None:
        assert {sink.format for sink in context.params["sinks"]} <= {form}


def _needs(found: click.Command) -> bool:
    """Whether the command can't be called without an argument."""
    return any(param.required for param in found.params) or isinstance(found, click.Group)


def test_a_misspelt_format_in_the_environment_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only formats of other commands are let pass."""
    monkeypatch.setenv("OAUTHDEPLOY_OUTPUT", "jsn")
    with pytest.raises(click.BadParameter, match="Did you mean 'json'"):
        command("ping").make_context("ping", [])


def test_an_export_prints_its_manifest_whatever_the_environment_wants_reports_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Standard output is for the manifest: the variable means reports, the flag would be a mistake."""
    monkeypatch.setenv("OAUTHDEPLOY_OUTPUT", "json")
    with pytest.raises(ManifestInvalid):  # there is none, and it is looked for
        command("export").main(["-f", "none.yaml"], standalone_mode=False)
    with pytest.raises(click.UsageError, match="Standard output is for the manifest"):
        command("export").main(["-o", "json"], standalone_mode=False)
