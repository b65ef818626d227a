"""A report as lines of JSON (`schemas/line.v1.schema.json`), for tools that read a stream.

The first line describes the report; servers, items, findings and safety stops follow, and the last line is a summary. An
apply writes its events as they happen instead (`running.event_documents`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from oauthdeploy.core.version import __version__
from oauthdeploy.planning.json_documents import Document, diagnostic_document
from oauthdeploy.reports.document import Item, Report, Server
from oauthdeploy.reports.json import field_words, to_line

VERSION: Final = 1
FORMAT: Final = "oauthdeploy/lines"


def render_ndjson(report: Report) -> str:
    """The report, one document on each line, in ASCII, so that nothing in it can break a line or be interpreted by a
    terminal.
    """
    return "".join(to_line(line) for line in lines_of(report))


def lines_of(report: Report) -> Iterator[Document]:
    """The lines as documents."""
    head = {"format": FORMAT, "tool": __version__, "run": report.run.value, "name": report.name}
    yield _line("version") | head
    for server in report.servers:
        yield _line("server") | _server(server)
    for item in report.items:
        yield _line("item") | _item(item)
    for finding in report.all_findings:
        yield _line("finding") | diagnostic_document(finding)
    for stop in report.stops:
        yield _line("stop") | diagnostic_document(stop.finding) | {"lifted": stop.lifted}
    yield _line("summary") | {
        "verdict": report.verdict.value,
        "headline": report.headline,
        "counts": {count.state.word: count.number for count in report.counts},
        "findings": len(report.all_findings),
        "stops": sum(not stop.lifted for stop in report.stops),
    }


def _line(kind: str) -> Document:
    return {"version": VERSION, "type": kind}


def _server(server: Server) -> Document:
    return {
        "name": server.name,
        "role": server.role,
        "driver": server.driver,
        "product": server.product,
        "url": server.url,
        "reads": server.reads,
        "writes": server.writes,
    }


def _item(item: Item) -> Document:
    return {
        "address": str(item.address),
        "kind": item.address.kind.value,
        "server": item.address.server,
        "state": item.state.word,
        "reason": item.reason,
        "risk": str(item.risk),
        "fields": [field_words(field) for field in item.fields],
        "note": item.note,
        "file": item.place.file if item.place is not None else None,
        "line": item.place.line if item.place is not None else None,
    }
