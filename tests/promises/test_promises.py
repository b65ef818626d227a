"""Green is a promise: what is not known, half done, without effect or out of date never ends with 0 and a word of success.

Each cell of `docs/promises.yaml` is run here: a command in a situation, its exit code and what it says last. `docs/promises.md`
is made from the same file. `PROMISES=write` writes what the commands do now into it; read the difference before you commit it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.core.errors import Rejected, Unreachable
from oauthdeploy.planning.changes import Change
from tests.promises.world import OWNER, Ended, World, world_in

BOOK = Path(__file__).parents[2] / "docs" / "promises.yaml"
WRITES = os.environ.get("PROMISES") == "write"
STATE = ("--state-dir", "state")
SHOP, HALL = "description: The shop", "description: The kiosk in the hall"


def nothing(_world: World) -> None:
    pass


# -- situations -------------------------------------------------------------------------------------------------------


def waits(world: World) -> None:
    """A change of the manifest waits for an apply."""
    world.edit(SHOP, "description: The new shop")


def stopped(world: World) -> None:
    """The change that waits is more than the policy allows."""
    waits(world)
    with (world.folder / "oauthdeploy.yaml").open("a", encoding="utf-8") as file:
        file.write("policy: {limits: {max_updates: '0', minimum_population: 0}}\n")


def orphaned(world: World) -> None:
    world.by_hand("client/old-shop@login", name="Old Shop")
    world.login.owners[Address.parse("client/old-shop@login")] = OWNER


def unexpected(world: World) -> None:
    world.by_hand("client/by-hand@login", name="By Hand")


def unreadable(world: World) -> None:
    why = Diagnostic(
        "permission-denied", "The account may not read the clients", "GET /clients answered 403.", "", Severity.WARNING
    )
    world.login.unreadable = dict.fromkeys((Kind.CLIENT, Kind.ASSOCIATION, Kind.REVOCATION), why)


def hidden(world: World) -> None:
    why = Diagnostic(
        "list-filtered", "The account does not see everything", "Some may be hidden.", severity=Severity.WARNING
    )
    world.login.hidden = {Kind.CLIENT: why}


def down(world: World) -> None:
    error = Unreachable("Server 'login' does not answer", server="login", method="GET", path="/")
    world.login.check_error = world.login.read_error = error


def changed_since(world: World) -> None:
    """Somebody changed by hand what the plan or the run was about."""
    for server in ("login", "orders"):
        world.by_hand(f"client/web-shop@{server}", description="By hand")
        world.by_hand(f"client/kiosk@{server}", description="By hand")


def refuses(world: World) -> None:
    """One of the servers refuses a change."""

    def refuse(change: Change) -> None:
        raise Rejected("The server refuses the change", server="orders", status=422)

    world.orders.before = refuse


def accepted_until_yesterday(world: World) -> None:
    unexpected(world)
    entry = ("--owner", "ops", "--reason", "OPS-12", "--expires", "2020-01-31")
    assert world.run("drift", "--baseline", "known.yaml", "--write-baseline", *entry).code == 0


@dataclass(frozen=True)
class Situation:
    """`before` happens before a plan is saved or a run is made, `then` after it."""

    before: Callable[[World], None] = nothing
    then: Callable[[World], None] = nothing


SITUATIONS: Final[Mapping[str, Situation]] = {
    "equal": Situation(),
    "differs": Situation(waits),
    "orphaned": Situation(then=orphaned),
    "unexpected": Situation(then=unexpected),
    "unreadable": Situation(waits, unreadable),
    "hidden": Situation(waits, hidden),
    "down": Situation(waits, down),
    "stop": Situation(stopped),
    "stale": Situation(waits, changed_since),
    "partial": Situation(waits, refuses),
    "no-effect": Situation(),
    "expired": Situation(then=accepted_until_yesterday),
    "other-environment": Situation(waits),
}

# -- commands ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    """`ready` makes what the command needs, such as a saved plan, between the two halves of a situation."""

    run: Callable[[World, str], Ended]
    situations: Collection[str]
    ready: Callable[[World, str], None] = lambda _world, _situation: None


def plainly(
    *arguments: str, pointless: tuple[str, ...] = ("--target", "client/nobody")
) -> Callable[[World, str], Ended]:
    return lambda world, situation: world.run(*arguments, *(pointless if situation == "no-effect" else ()))


def environment_in(situation: str) -> str:
    return "test" if situation == "other-environment" else ""


def drift(world: World, situation: str) -> Ended:
    if situation == "no-effect":
        return world.run("drift", "--target", "client/nobody")
    known = ("--baseline", "known.yaml") if situation in ("expired", "other-environment") else ()
    return world.run("drift", *known, env=environment_in(situation))


def drift_ready(world: World, situation: str) -> None:
    """A baseline of another environment."""
    if situation == "other-environment":
        entry = ("--owner", "ops", "--reason", "OPS-12")
        assert world.run("drift", "--baseline", "known.yaml", "--write-baseline", *entry).code == 0


def compare_ready(world: World, situation: str) -> None:
    if situation == "differs":
        world.by_hand("client/web-shop@orders", description="By hand")


def save_plan(world: World, situation: str) -> None:
    if situation == "no-effect":
        waits(world)
    made = world.run("plan", "--out", "plan.json")
    assert made.code == 0, made.err
    if situation == "no-effect":
        assert world.run("apply", "--yes", *STATE).code == 0


def apply_saved(world: World, situation: str) -> Ended:
    return world.run("apply", "plan.json", *STATE, env=environment_in(situation))


def check_saved(world: World, situation: str) -> Ended:
    return world.run("show", "plan.json", "--check", env=environment_in(situation))


def begin_run(world: World, situation: str) -> None:
    """A run that one server cut short, in every situation; where nothing is left, it has been continued."""
    if situation == "no-effect":
        waits(world)
    refuses(world)
    assert world.run("apply", "--yes", *STATE, *allowed(situation)).code == 4
    world.orders.before = lambda _change: None
    if situation == "no-effect":
        assert world.run("apply", "--yes", "--resume", *STATE).code == 0


def allowed(situation: str) -> tuple[str, ...]:
    return ("--allow", "too-many-updates") if situation == "stop" else ()


def resume(world: World, situation: str) -> Ended:
    return world.run("apply", "--yes", "--resume", str(world.journals()[-1]), *STATE, env=environment_in(situation))


def undo_once(world: World, situation: str) -> None:
    if situation == "no-effect":
        assert world.run("rollback", str(world.journals()[1]), "--yes", *STATE).code == 0


def rollback(world: World, situation: str) -> Ended:
    return world.run("rollback", str(world.journals()[1]), "--yes", *STATE, env=environment_in(situation))


def revoke(world: World, situation: str) -> Ended:
    client = "nobody" if situation == "no-effect" else "kiosk"
    return world.run("revoke", client, "--yes", "--reason", "leaked", "--no-write", *STATE)


def adopt_ready(world: World, situation: str) -> None:
    if situation == "no-effect":
        assert world.run("adopt", "--yes").code == 0


LOOKS: Final = ("equal", "differs", "orphaned", "unexpected", "unreadable", "hidden", "down", "stop", "no-effect")
RUNS: Final = (*LOOKS, "partial")
COMMANDS: Final[Mapping[str, Command]] = {
    "validate": Command(plainly("validate"), ("equal",)),
    "validate --online": Command(plainly("validate", "--online"), tuple(name for name in LOOKS if name != "no-effect")),
    "plan": Command(plainly("plan"), LOOKS),
    "plan --detailed-exitcode": Command(plainly("plan", "--detailed-exitcode"), LOOKS),
    "show --check PLANFILE": Command(
        check_saved,
        ("equal", "differs", "orphaned", "unreadable", "hidden", "down", "stale", "no-effect", "other-environment"),
        save_plan,
    ),
    "apply": Command(plainly("apply", "--yes", *STATE), RUNS),
    "apply PLANFILE": Command(apply_saved, (*RUNS, "stale", "other-environment"), save_plan),
    "apply --resume": Command(
        resume,
        ("differs", "unreadable", "hidden", "down", "stop", "stale", "partial", "no-effect", "other-environment"),
        begin_run,
    ),
    "rollback": Command(
        rollback,
        ("equal", "unreadable", "hidden", "down", "stale", "partial", "no-effect", "other-environment"),
        undo_once,
    ),
    "revoke": Command(revoke, ("equal", "unreadable", "down", "partial", "no-effect")),
    "drift": Command(drift, (*LOOKS, "expired", "other-environment"), drift_ready),
    "compare": Command(
        plainly("compare", "login", "orders"), ("equal", "differs", "unreadable", "hidden", "down"), compare_ready
    ),
    "export": Command(plainly("export"), ("equal", "differs", "unreadable", "hidden", "down")),
    "adopt": Command(
        plainly("adopt", "--yes", pointless=()),
        ("equal", "differs", "unreadable", "down", "no-effect"),
        adopt_ready,
    ),
    "ping": Command(plainly("ping"), ("equal", "unreadable", "hidden", "down")),
    "tokens list": Command(plainly("tokens", "list"), ("equal", "unreadable", "down")),
}
CELLS: Final = [(name, place) for name, command in COMMANDS.items() for place in command.situations]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world to copy, since it takes as long to make as most cells to run."""
    with world_in(World(tmp_path_factory.mktemp("deployed"))) as world:
        world.deploy()
    return world


def ended(made: World, folder: Path, name: str, place: str) -> Ended:
    command, situation = COMMANDS[name], SITUATIONS[place]
    with world_in(made.copy(folder)) as world:
        situation.before(world)
        command.ready(world, place)
        situation.then(world)
        return command.run(world, place)


def last_of(name: str, found: Ended) -> str:
    """An export prints the manifest, and says everything else on standard error."""
    return Ended(found.code, "", found.err or "(nothing but the manifest)").last if name == "export" else found.last


@pytest.fixture(scope="module")
def book() -> Iterator[Mapping[str, Any]]:
    made: dict[str, Any] = yaml.safe_load(BOOK.read_text(encoding="utf-8"))
    yield made
    if WRITES:
        told = made["commands"]
        made["commands"] = {
            name: {place: told[name][place] for place in command.situations if place in told.get(name, {})}
            for name, command in COMMANDS.items()
        }
        written = yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=1000)
        BOOK.write_text(written, encoding="utf-8")


@pytest.mark.parametrize(("name", "place"), CELLS, ids=[f"{name}-{place}" for name, place in CELLS])
def test_a_command_ends_as_the_table_says(
    name: str, place: str, deployed: World, tmp_path: Path, book: Mapping[str, Any]
) -> None:
    """The exit code, and what stands last; for an error its first line."""
    found = ended(deployed, tmp_path / "world", name, place)
    told = {"code": found.code, "last": last_of(name, found)}
    if WRITES:
        book["commands"].setdefault(name, {})[place] = told
        return
    assert told == book["commands"][name][place], found.out + found.err
    assert "Traceback" not in found.err


def test_the_table_has_every_cell_and_no_other(book: Mapping[str, Any]) -> None:
    """What a command is not run in is `–` in the table, and nothing in the file is left without a test."""
    if WRITES:
        return
    assert [(name, place) for name, cells in book["commands"].items() for place in cells] == CELLS
    assert list(book["situations"]) == list(SITUATIONS)


NOT_KNOWN: Final = ("unreadable", "hidden", "down")


@pytest.mark.parametrize("place", NOT_KNOWN)
def test_what_is_not_known_never_ends_with_0(place: str, book: Mapping[str, Any]) -> None:
    """8 for a command that only looks; 8 or 4 for one that writes, and 4 for one that the rest doesn't stop."""
    for name, cells in book["commands"].items():
        if place in cells:
            writes = name.startswith(("apply", "rollback", "revoke", "adopt", "tokens"))
            assert cells[place]["code"] in ((4, 8) if writes else (8,)), (name, place, cells[place])
