"""The audit trail and its published schema."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from oauthdeploy.core.diagnostics import Diagnostics, SourceSpan
from oauthdeploy.planning.revocation.audit_schema import AskedRecord, AuditRecord, FoundRecord, ServerRecord
from oauthdeploy.running.audit import (
    AuditFailed,
    append,
    audit_document,
    audit_schema,
    recorded_cut_offs,
    require_writable,
    schema_text,
)

SCHEMA_FILE = Path(__file__).parents[2] / "schemas" / "audit.v1.schema.json"


def record(**more: object) -> AuditRecord:
    return AuditRecord(
        version=1,
        format="oauthdeploy/audit",
        type="started",
        id="4f",
        at=datetime(2026, 11, 20, 8, tzinfo=UTC),
        command="revoke",
        tool="oauthdeploy 0",
        manifest="shop",
        environment=None,
        who="alice",
        account="root",
        host="box",
        reason="a\nb\u2028\ud83d\ude00",
        ticket=None,
        asked=(
            AskedRecord(id="INC-7", client="mobile", tokens=True, owner=None, scope=None, issued_before=None, block=()),
        ),
        servers=(),
        result=None,
        seconds=None,
        journal=None,
    ).model_copy(update=more)


def test_the_published_schema_is_the_one_of_the_code() -> None:
    """Whoever reads the trail gets what is written. `running.audit.schema_text()` is the new text."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()
    Draft202012Validator.check_schema(audit_schema())


def test_every_field_is_explained() -> None:
    """A trail is read years later."""
    schema = audit_schema()
    for part in (schema, *schema["$defs"].values()):
        for name, inner in part["properties"].items():
            assert "description" in inner, name


def test_records_fit_the_schema_one_to_a_line(tmp_path: Path) -> None:
    """Whatever people typed stays in its line; nothing is null."""
    server = ServerRecord(
        server="login",
        revocation="INC-7",
        role="authorization",
        state="cut-off",
        found=FoundRecord(client=True, identity="m", enabled=True, active_tokens=3, tokens=4),
        done=("Client disabled.",),
        seconds=0.1,
        verified=True,
        proved=(),
        problems=(),
    )
    path = tmp_path / "new" / "audit.jsonl"
    append(path, record())
    append(path, record(type="finished", servers=(server,), result="done", seconds=1.0))
    lines = path.read_bytes().splitlines()
    assert len(lines) == 2
    check = Draft202012Validator(audit_schema(), format_checker=FormatChecker())
    for line in lines:
        check.validate(json.loads(line))
        assert b"null" not in line
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Exception, match="is not one of"):
        check.validate(audit_document(record()) | {"type": "changed"})


def test_two_that_append_at_a_time_tear_no_line(tmp_path: Path) -> None:
    """The trail is shared by all runs on a machine."""
    path = tmp_path / "audit.jsonl"
    long = record(reason="x" * 20_000)

    def write() -> None:
        for _ in range(10):
            append(path, long)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [json.loads(line)["reason"] == "x" * 20_000 for line in path.read_text().splitlines()] == [True] * 40


def test_a_trail_that_can_not_be_written_is_known_before(tmp_path: Path) -> None:
    """Asking leaves no file behind; what is in the way is named."""
    path = tmp_path / "audit.jsonl"
    require_writable(path)
    assert not path.exists()
    path.write_text("")
    with pytest.raises(AuditFailed, match="cannot be written"):
        require_writable(path / "more.jsonl")
    assert os.listdir(tmp_path) == ["audit.jsonl"]


def blocking(**more: object) -> AuditRecord:
    """The last record of a cut-off that disabled `mobile` on `login`."""
    return record(
        type="finished",
        asked=(AskedRecord(id="INC-7", client="mobile", tokens=True, block=("authorization",)),),
        servers=(
            ServerRecord(
                server="login",
                revocation="INC-7",
                role="authorization",
                state="cut-off",
                found=FoundRecord(client=True, identity="4711"),
                verified=True,
            ),
        ),
        **more,
    )


def test_what_was_recorded_is_read_back_until_it_is_lifted(tmp_path: Path) -> None:
    """Client, server, the server's own id, the ticket and the day; a record of the first kind says nothing yet."""
    trail = tmp_path / "audit.jsonl"
    append(trail, record())
    assert recorded_cut_offs(trail) == ((), Diagnostics(()))
    append(trail, blocking(ticket="CASE-1"))
    (cut,), problems = recorded_cut_offs(trail)
    assert (cut.server, cut.client, cut.identity, cut.record, cut.name) == (
        "login",
        "mobile",
        "4711",
        "CASE-1, 2026-11-20",
        "INC-7",
    )
    append(trail, blocking().model_copy(update={"type": "lifted"}))
    assert recorded_cut_offs(trail) == ((), problems)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "not a JSON document"),
        (b"\xff", "not a JSON document"),
        (b"[" * 100_000, "not a JSON document"),
        (b"[]", "$: must be object"),
        (b'{"version": 2}', "$.version: must be at most 1"),
        ({"asked": "mobile"}, "$.asked: must be array"),
        ({"servers": [{"server": "login"}]}, "$.servers[0]: the key revocation is missing"),
        ({"type": "begun"}, "$.type: must be one of started, finished, lifted"),
    ],
)
def test_a_line_that_is_no_record_is_a_finding_with_its_place(
    tmp_path: Path, line: bytes | dict[str, Any], why: str
) -> None:
    """The published schema decides; the lines around it count all the same, and what stands in the line isn't quoted."""
    trail = tmp_path / "audit.jsonl"
    append(trail, blocking())
    with trail.open("ab") as file:
        file.write(line if isinstance(line, bytes) else json.dumps({**audit_document(blocking()), **line}).encode())
        file.write(b"\n")
    append(trail, blocking().model_copy(update={"id": "5a"}))
    cuts, problems = recorded_cut_offs(trail)
    assert [cut.client for cut in cuts] == ["mobile"]
    (problem,) = problems
    assert problem.rule == "audit-unread"
    assert problem.span == SourceSpan(str(trail), 2, 1)
    assert f"line 2 is not an audit record ({why})" in problem.detail
    assert problem.fix


def test_a_record_of_a_newer_release_may_say_more(tmp_path: Path) -> None:
    """A trail outlives releases: what else a record says doesn't keep its cut-off from being known."""
    trail = tmp_path / "audit.jsonl"
    document = {**audit_document(blocking()), "approved_by": ["bob"]}
    trail.write_text(json.dumps(document) + "\n\n")
    (cut,), problems = recorded_cut_offs(trail)
    assert (cut.client, len(problems)) == ("mobile", 0)
