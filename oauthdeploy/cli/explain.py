"""`oauthdeploy explain`: explain a rule, a field or an object of the manifest."""

from __future__ import annotations

from collections.abc import Iterable

import click

from oauthdeploy.cli import complete
from oauthdeploy.cli.command import command
from oauthdeploy.cli.options import Source, manifest_options, output_options
from oauthdeploy.cli.output import Output, as_json
from oauthdeploy.core.addresses import AddressError
from oauthdeploy.core.errors import ManifestInvalid, UsageError


@command(
    examples=(
        ("oauthdeploy explain clients.redirect_uris", "a field"),
        ("oauthdeploy explain client/web-shop@login", "where the values of an object come from"),
    ),
    main=("file", "environment", "sinks"),
)
@click.argument("subject", metavar="ADDRESS|FIELD|RULE", shell_complete=complete.subjects)
@manifest_options
@output_options("text", "json")
def explain(subject: str, source: Source, output: Output) -> None:
    """Explain a rule, a field of the manifest, or one of your objects.

    \b
    A rule, by the id in a finding or an error:   redirect-uri-not-https
    A field, without the object's name:           clients.redirect_uris
    An object, on one server or on all of them:   client/web-shop@login

    Shows a rule with its reason, source and examples, and a field with its type, default, drivers and rules. Shows an object
    with each value and the file, overlay, variable or reference that sets it, the servers that it is deployed to, and why it
    is not deployed to the others. Only an object needs a manifest.
    """
    if "/" in subject or "@" in subject:
        _explain_object(subject, source, output)
    else:
        _explain_language(subject, output)


def _explain_language(subject: str, output: Output) -> None:
    from oauthdeploy.drivers.registry import driver_facts
    from oauthdeploy.manifest.explaining.fields import all_fields, find_field, near_fields
    from oauthdeploy.manifest.explaining.notices import all_notices
    from oauthdeploy.manifest.explaining.rules import all_rules
    from oauthdeploy.manifest.suggestions import closest
    from oauthdeploy.reports.explain import render_fields, render_rule
    from oauthdeploy.reports.explain_json import fields_document, rule_document

    drivers = driver_facts()
    rules = {**all_notices(drivers), **all_rules()}
    rule = rules.get(subject)
    if rule is not None:
        output.emit({"text": lambda look: render_rule(rule, look), "json": as_json(lambda: rule_document(rule))})
        return
    book = all_fields(drivers)
    path = find_field(book, subject)
    if path is None:
        # Rules are written with hyphens, fields with dots and underscores.
        rule_like = closest(subject, rules) if "." not in subject and "_" not in subject else None
        near = () if rule_like is not None and "-" in subject else near_fields(book, subject)
        _refuse(subject, "rule or field", near or ([rule_like] if rule_like is not None else []))
        return
    fields = book[path]
    output.emit({"text": lambda look: render_fields(fields, look), "json": as_json(lambda: fields_document(fields))})


def _explain_object(subject: str, source: Source, output: Output) -> None:
    from oauthdeploy import workflow
    from oauthdeploy.drivers.registry import driver_facts
    from oauthdeploy.manifest.explaining.objects import ObjectBook
    from oauthdeploy.manifest.suggestions import closest
    from oauthdeploy.reports.explain import render_object
    from oauthdeploy.reports.explain_json import object_document

    manifest, findings = workflow.validate(source.request())
    if manifest is None:
        raise ManifestInvalid(findings)
    book = ObjectBook(manifest, driver_facts())
    try:
        facts = book.explain(subject, findings)
    except AddressError as error:
        message = str(error).replace(f"{subject}@-", subject)
        raise UsageError("The address is not valid", detail=f"{message}.") from None
    if facts is None:
        guess = closest(subject, book.addresses)
        _refuse(subject, "object of the manifest", [guess] if guess is not None else [])
        return
    output.emit({"text": lambda look: render_object(facts, look), "json": as_json(lambda: object_document(facts))})


def _refuse(subject: str, what: str, near: Iterable[str]) -> None:
    from oauthdeploy.reports.explain import not_found

    raise UsageError(f"There is no {what} '{subject}'", fix=not_found(near))
