"""What must hold after a disturbed apply and one more: the same end, a true journal, no secret anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

from deepdiff import DeepDiff

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.planning.run_history import End, history_of
from oauthdeploy.running.journal import JournalContents, read_journal
from tests.faults.manifests import PATIENT
from tests.faults.proxy import CONTENT_FAULTS, SILENT, Fault, Seen, Trap
from tests.faults.site import Ran, Setting, Site, clear, delivered_to, finished

LOST: Final = "secret"
LEFT_OUT: Final = "[server-left-out]"
UNREAD: Final = "Some objects that the manifest manages could not be read"
"""How an apply that made all its changes says that it planned nothing for what a server would not show."""
FIELDS_LOST: Final = "fields-lost"
UNSEEN: Final = "could not be read"
"""How a plan says it; an apply that failed for another reason ends with that reason."""


class Mark(Enum):
    """Requests of an apply that stand for the others; a create, update or removal is known by its method.

    OPA is told of all of them by replacing or patching its document."""

    FIRST_WRITE = "first write"
    CREATE = "create"
    UPDATE = "update"
    REMOVAL = "removal"
    LAST = "last"


@dataclass(frozen=True)
class Undisturbed:
    """The run that nothing disturbed: what each server was asked, and what both held in the end."""

    seen: Mapping[str, tuple[Seen, ...]]
    holdings: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What came of one fault. Without a breach everything held."""

    estate: str
    fault: str
    breaches: Sequence[str] = ()
    """The promises that were broken: `converged`, `told`, `single` or `honest`; see PROMISES."""

    def kept(self, promise: str) -> bool:
        return promise not in self.breaches


PROMISES: Final = {
    "converged": "one more apply ends as if nothing had happened",
    "told": "a secret works where it was delivered, or every later run says that it is lost",
    "single": "nothing is there twice",
    "honest": "journal, exit code and output tell what happened, and show no secret",
}


class Breach(AssertionError):
    """A promise that was broken."""

    def __init__(self, promise: str, story: str) -> None:
        super().__init__(story)
        self.promise = promise


@contextmanager
def _promise(name: str, breaches: list[Breach]) -> Iterator[None]:
    """Note what breaks a promise, and go on with the next."""
    try:
        yield
    except AssertionError as error:
        breaches.append(Breach(name, str(error)))


@dataclass
class Bench:
    """Runs proofs on one site, and counts them."""

    site: Site
    results: list[Result] = field(default_factory=list)
    _undisturbed: dict[Setting, Undisturbed] = field(default_factory=dict)

    def undisturbed(self, setting: Setting) -> Undisturbed:
        """How an apply goes that nothing disturbs; it must be whole, and leave nothing to do."""
        if setting not in self._undisturbed:
            self.site.reset(setting.scenario)
            folder = self.site.folder("undisturbed", self.site.manifest(setting))
            ran = self.site.apply(folder)
            assert ran.code == 0, ran.said
            assert ran.report is not None
            assert ran.report["complete"]
            assert ran.report["verified"]
            seen = {name: tuple(found) for name, found in self.site.seen().items()}
            self._undisturbed[setting] = Undisturbed(seen, self.site.holdings())
            clear(folder)
        return self._undisturbed[setting]

    def positions(self, setting: Setting, server: str, fault: Fault | None = None) -> Sequence[int]:
        """The numbers of the requests that a server gets in an undisturbed run, of those that can meet `fault`."""
        found = self.undisturbed(setting).seen[server]
        return [place for place, seen in enumerate(found, 1) if fault is None or seen.can_meet(fault)]

    def marked(self, setting: Setting, server: str, mark: Mark) -> int:
        """The number of the request that a mark stands for: the last of its sort."""
        found = self.undisturbed(setting).seen[server]
        writes = [place for place, seen in enumerate(found, 1) if seen.writes]
        if mark is Mark.FIRST_WRITE:
            return writes[0]
        if mark is Mark.LAST:
            return len(found)
        method = {Mark.CREATE: "POST", Mark.UPDATE: self.site.updates_by, Mark.REMOVAL: "DELETE"}[mark]
        return ([place for place in writes if found[place - 1].method == method] or writes)[-1]

    def prove_all(self, setting: Setting, traps: Iterable[tuple[str, Trap]], *, code: int | None = None) -> None:
        """Try each trap, and tell of all that were not survived; `code` is the exit code that each must end with."""
        stories, before = [], len(self.results)
        for server, trap in traps:
            try:
                ran = self.prove(setting, server, trap)
                assert code in (None, ran.code), f"{trap}: {ran.said}"
                assert "Traceback" not in ran.err, f"{trap}: {ran.said}"
            except AssertionError as story:
                stories.append(str(story))
        assert stories or len(self.results) > before, "no fault struck, so that nothing is proved"
        assert not stories, f"{len(stories)} faults were not survived\n\n" + "\n\n".join(stories)

    def prove(self, setting: Setting, server: str, trap: Trap) -> Ran:
        """Disturb an apply, apply once more, and hold what must hold. Raises AssertionError with the story."""
        expected = self.undisturbed(setting)
        self.site.reset(setting.scenario)
        folder = self.site.folder("case", self.site.manifest(setting, 1 if trap.fault in SILENT else PATIENT))
        self.site.arm(server, trap)
        disturbed = self._disturbed(folder, trap)
        for proxy in self.site.proxies.values():
            proxy.quiet()
        struck = self.site.proxies[server].struck
        writes = [place for place, seen in enumerate(expected.seen[server], 1) if seen.writes]
        planning = server if trap.at < min(writes, default=trap.at + 1) else ""
        case = _Case(self.site, setting, trap, folder, disturbed, planning)
        story = f"{setting}: {trap} at {server} struck {struck}, case in {folder}\n{disturbed.said}"
        if trap.fault is not Fault.REFUSE and struck is None:
            # Whether a cut-off has to be aligned depends on where a second ends: some runs send fewer requests.
            assert disturbed.code == 0, story
            clear(folder)
            return disturbed
        breaches = case.check(expected)
        broken = sorted({breach.promise for breach in breaches})
        self.results.append(Result(setting.estate, trap.fault.value, broken))
        if breaches:
            words = "\n".join(f"{breach.promise}: {breach}" for breach in breaches)
            raise AssertionError(f"{words}\n--- {story}")
        clear(folder)
        return disturbed

    def _disturbed(self, folder: Path, trap: Trap) -> Ran:
        if "kill" not in trap.fault.value and "SIG" not in trap.fault.value:
            return self.site.apply(folder)
        with self.site.process(folder) as process:
            return finished(process, folder)


@dataclass(frozen=True)
class _Case:
    site: Site
    setting: Setting
    trap: Trap
    folder: Path
    disturbed: Ran
    planning: str = ""
    """The server that was disturbed, if it was before its first write."""

    def check(self, expected: Undisturbed) -> Sequence[Breach]:
        """Apply once more, and say which promises were broken."""
        breaches: list[Breach] = []
        journal = self._journal()
        secrets_before = {client for client in self._generated if delivered_to(self.folder, client).exists()}
        self.site.calm()
        second = self.site.one_more_apply(self.folder)
        said = f"--- one more apply\n{second.said}"
        with _promise("single", breaches):
            twice = [name for name, number in Counter(self.site.names()).items() if number > 1]
            assert twice == [], f"there twice: {twice}\n{said}"
        with _promise("converged", breaches):
            self._check_converged(second, expected, said)
        if second.report is not None:
            with _promise("honest", breaches):
                left = {item["address"] for item in second.report["outcomes"]}
                self._check_journal(journal, left)
                self._check_exit(journal, left)
        with _promise("told", breaches):
            self._check_secrets_kept(second)
            self._check_generated(second, secrets_before)
        with _promise("honest", breaches):
            self._check_traces()
        return breaches

    def _check_converged(self, second: Ran, expected: Undisturbed, said: str) -> None:
        assert second.code == 0, f"one more apply did not converge\n{said}"
        assert second.report is not None
        assert second.report["complete"], said
        assert second.report["verified"], said
        held = self.site.holdings()
        for server in self.site.proxies:
            if server in self._told_losses:
                continue
            for what, value in expected.holdings[server].items():
                assert held[server][what] == value, (
                    f"{what} of {server} ended otherwise than undisturbed\n"
                    f"{DeepDiff(value, held[server][what], ignore_order=True)}\n{said}"
                )
        if second.report["outcomes"]:
            self._check_third()

    # -- the journal -------------------------------------------------------------------------------------------------

    def _journal(self) -> JournalContents | None:
        found = sorted((self.folder / ".oauthdeploy" / "journal").glob("*.jsonl"))
        assert len(found) <= 1, found
        return read_journal(found[0]) if found else None

    def _check_journal(self, journal: JournalContents | None, left: set[str]) -> None:
        """What the journal calls done is there; what it calls failed or skipped is not; what it leaves open is an intent."""
        if journal is None:
            return
        assert not journal.torn or "kill" in self.trap.fault.value
        ended = {record["address"]: record for record in journal.records if record["type"] == "outcome"}
        open_ = {str(entry.address) for entry in history_of(journal.records).of(End.OPEN)}
        planned = {
            item["address"] for record in journal.records if record["type"] == "run" for item in record["planned"]
        }
        if not left - self._never_shown(left) <= planned and "kill" not in self.trap.fault.value:
            told = UNREAD in self.disturbed.err or UNSEEN in self.disturbed.out or not planned
            # What a client may request goes with the client: where that failed, and where a server dropped its scope.
            failed = {address for address, record in ended.items() if record["status"] != "done"}
            told = told or {_client_of(address) for address in left - planned} <= self._found_wanting | failed
            assert self.disturbed.code != 0, "exit code 0, and more to do than was planned"
            assert told, "nobody says why there is more to do than was planned"
        late = self.trap.fault is Fault.ACT_LATE
        done = {address for address, record in ended.items() if record["status"] == "done"}
        for address, record in ended.items():
            match record["status"]:
                case "done":
                    # A later write to the same client may have taken it away: no list finds one whose token is lost.
                    others = {_client_of(one) for one in open_ - {address}}
                    told = address in self._found_wanting or _client_of(address) in others
                    told = told or self._is_half_a_cut_off(address, done)
                    assert address not in left or late or told, f"the journal says that {address} was done; it was not"
                case "failed":
                    # The change was made and something else went: or a server says so, which is believed.
                    beside = self.trap.fault in CONTENT_FAULTS and record["because"]["rule"] == FIELDS_LOST
                    excused = late or beside or ("@login" in address and LOST in str(record["because"]))
                    assert address in left or excused, f"the journal says that {address} failed; it was done"
                case "unknown":
                    pass
                case other:
                    raise AssertionError(f"{address}: {other}")
        for address in planned - set(ended) - open_:
            assert address in left or self._settled_by_another(address), f"{address} came about without an intent"
        if "kill" not in self.trap.fault.value:
            assert not open_, f"a run that ended by itself left intents open: {open_}"

    def _never_shown(self, left: set[str]) -> set[str]:
        """What a server left out of the answer that the plan was made from: nobody could plan to change it."""
        hidden = self.planning if self.trap.fault is Fault.NOT_SHOWN else ""
        return {address for address in left if hidden and address.endswith(f"@{hidden}")}

    @staticmethod
    def _is_half_a_cut_off(address: str, done: set[str]) -> bool:
        """A resource server refuses what was issued before a time of its own; it takes over that of the authorization server
        once that has made the cut-off too."""
        what, _, server = address.rpartition("@")
        return server == "orders" and what.startswith("revocation/") and f"{what}@login" not in done

    @staticmethod
    def _settled_by_another(address: str) -> bool:
        """Associations go with their client; no change of their own is needed then."""
        return address.startswith("association/")

    # -- the exit code -----------------------------------------------------------------------------------------------

    def _check_exit(self, journal: JournalContents | None, left: set[str]) -> None:
        """0 where all was done and looked at, and nowhere else."""
        code, report = self.disturbed.code, self.disturbed.report
        if self.trap.fault in (Fault.KILL_BEFORE, Fault.KILL_AFTER):
            assert code == -9
            return
        assert "internal-error" not in self.disturbed.err + self.disturbed.out
        if report is None:
            assert code in (1, 5, 6, 8, 130), f"exit code {code} without a report"
            assert journal is None or not any(record["type"] == "intent" for record in journal.records)
            return
        statuses = {outcome["status"] for outcome in report["outcomes"]}
        if code == 0:
            assert statuses == {"done"}
            assert report["verified"], "exit code 0 for changes that nobody looked at"
            assert left - self._never_shown(left) <= self._found_wanting, "exit code 0, and nobody says what is not so"
        else:
            assert code == 4, f"exit code {code} with a report"
            told = UNREAD in self.disturbed.err or LEFT_OUT in self.disturbed.out
            whole = statuses == {"done"} and report["verified"] and not _errors(report) and not told
            assert not whole, "exit code 4 where all was done"
        if journal is not None:
            written = {r["address"]: r["status"] for r in journal.records if r["type"] == "outcome"}
            said = {o["address"]: o["status"] for o in report["outcomes"]}
            assert written.items() <= said.items(), "journal and report tell different stories"
            # What could not be looked at just before its write has failed without ever being sent.
            unsent = {said[address] for address in said.keys() - written.keys()}
            assert unsent <= {"failed", "skipped"}, "a change was made that is not in the journal"

    @property
    def _found_wanting(self) -> set[str]:
        """What the disturbed run itself says that it found otherwise than it sent it."""
        report = self.disturbed.report
        return {str(item["address"]) for item in report["verification"]} if report is not None else set()

    @property
    def _told_losses(self) -> set[str]:
        """The servers of which the disturbed run said that they dropped what no manifest names: no later apply can know of it."""
        report = self.disturbed.report
        if self.trap.fault is not Fault.NOT_KEPT or report is None:
            return set()
        failed = [item for item in report["outcomes"] if (item.get("because") or {}).get("rule") == FIELDS_LOST]
        found = [item for item in report["verification"] if item["rule"] == FIELDS_LOST]
        return {str(item["address"]).rpartition("@")[2] for item in (*failed, *found)}

    def _check_third(self) -> None:
        """After the apply that put things right there is nothing left to do."""
        self.site.calm()
        third = self.site.apply(self.folder)
        assert third.code == 0, third.said
        assert third.report is not None
        assert third.report["outcomes"] == [], third.said
        assert not any(seen.writes for found in self.site.seen().values() for seen in found)

    # -- secrets -----------------------------------------------------------------------------------------------------

    @property
    def _generated(self) -> Sequence[str]:
        return self.site.generated(self.setting.scenario)

    def _check_secrets_kept(self, second: Ran) -> None:
        """A secret of the manifest's own works in the end."""
        if self.site.keeps_own_secret(self.setting.scenario):
            assert self.site.token(*self.site.credentials(self.folder, "batch")), second.said

    def _check_generated(self, second: Ran, before: set[str]) -> None:
        """A secret that the server made works where it was delivered; else its loss is told, and the way back is one."""
        for client in self._generated:
            if not delivered_to(self.folder, client).exists():
                third = self.site.apply(self.folder)
                for ran in (second, third):
                    assert _tells_loss(ran.out + ran.err, client), (
                        f"nobody says that the secret of {client} is lost\n{ran.said}"
                    )
                self._take_the_way_back(client)
            elif client in before:
                assert "mode" not in (found := delivered_to(self.folder, client)).name
                assert found.stat().st_mode & 0o777 == 0o600
            client_id, secret = self.site.credentials(self.folder, client)
            assert self.site.token(client_id, secret)

    def _take_the_way_back(self, client: str) -> None:
        """Delete the client and apply again."""
        self.site.remove_client(client)
        again = self.site.apply(self.folder)
        assert again.code == 0, again.said
        assert delivered_to(self.folder, client).exists(), again.said

    def _check_traces(self) -> None:
        """No secret is in what was printed, nor in a file that the tool left, but for those that secrets are delivered to."""
        lock = list((self.folder / ".oauthdeploy").glob("*.lock"))
        assert lock == [], "a lock was left behind"
        delivered = {delivered_to(self.folder, client) for client in self._generated}
        printed = self.disturbed.out + self.disturbed.err
        texts = [("output", printed)]
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path not in delivered:
                texts.append((path.name, path.read_bytes().decode("utf-8", "replace")))
                assert not path.name.startswith("."), f"{path} was left behind"
        for place, text in texts:
            for canary in self.site.canaries:
                assert canary not in text, f"a secret is in {place}"


def _client_of(address: str) -> str:
    """The address of the client that an association is of; any other address as it is."""
    found = Address.parse(address)
    return str(Address(Kind.CLIENT, found.client, found.server)) if found.kind is Kind.ASSOCIATION else address


def _errors(report: Mapping[str, Any]) -> list[Any]:
    return [item for item in report["verification"] if item["severity"] == "error"]


def _tells_loss(text: str, client: str) -> bool:
    """Whether a text says of a client that its secret is lost, and how to get another."""
    plain = " ".join(text.split())
    missing = "lost" in plain or "[secret-not-there]" in plain
    return client in plain.lower() and "secret" in plain and missing and "elete the client" in plain
