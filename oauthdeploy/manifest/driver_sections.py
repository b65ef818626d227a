"""The parts of a manifest that belong to a driver: credentials, options, and its own options of settings, scopes and clients."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from msgspec import Struct, field
from pydantic import ValidationError

from oauthdeploy.core.addresses import Kind, object_address
from oauthdeploy.core.diagnostics import Diagnostic, Path, path_text
from oauthdeploy.core.secrets import Secret
from oauthdeploy.manifest.document import ClientEntry, Document, ScopeEntry, SettingsEntry
from oauthdeploy.manifest.interpolate import STAND_IN
from oauthdeploy.manifest.problems import problems_of, secret_in_plain_field
from oauthdeploy.manifest.suggestions import did_you_mean
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import Settings
from oauthdeploy.model.servers import Server


class DriverParts(Struct):
    """The document with its secrets as Secrets, the validated models by server name, and the findings."""

    document: Document
    credentials: dict[str, Model] = field(default_factory=dict)
    options: dict[str, Model] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)


def check_driver_parts(document: Document, drivers: Mapping[str, DriverFacts]) -> DriverParts:
    """Validate every driver's own parts with its models."""
    parts = DriverParts(document)
    servers: dict[str, Server] = {}
    for name, server in document.servers.items():
        facts = drivers.get(server.driver)
        if facts is None:
            servers[name] = server.model_copy(update={"credentials": {}, "options": {}})
            fix = did_you_mean(server.driver, sorted(drivers), what="Drivers are")
            detail = f"There is no driver '{server.driver}'."
            path: Path = ("servers", name, "driver")
            parts.problems.append(Diagnostic("unknown-driver", "The driver is not known", detail, fix, path=path))
            continue
        if server.role not in facts.roles:
            roles = ", ".join(sorted(facts.roles))
            detail = f"The driver '{server.driver}' does not support the role '{server.role}'."
            item = Diagnostic("not-allowed-value", "A value is not allowed", detail, f"Its roles are: {roles}.")
            parts.problems.append(_at(item, ("servers", name, "role")))
        update: dict[str, Any] = {}
        for part, model, found in (
            ("credentials", facts.credentials, parts.credentials),
            ("options", facts.options, parts.options),
        ):
            value = _validate(getattr(server, part), model, ("servers", name, part), parts.problems)
            if value is not None:
                found[name] = value
            update[part] = _guarded(value)
        servers[name] = server.model_copy(update=update)
    checked = _Options(drivers, parts.problems).checked(document)
    parts.document = document.model_copy(update={"servers": servers, **checked})
    return parts


def _at(item: Diagnostic, path: Path) -> Diagnostic:
    return Diagnostic(item.rule, item.summary, item.detail, item.fix, item.severity, item.address, path)


def _validate(raw: Any, model: type[Model], path: Path, problems: list[Diagnostic]) -> Model | None:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        with_words = _with_words(raw, error)
        if with_words is not None:
            return _validate(with_words, model, path, problems)
        problems += problems_of(error, raw, model, path)
        return None


def _with_words(raw: Any, error: ValidationError) -> dict[str, Any] | None:
    """The part with a plain word for each unset variable whose stand-in, which is an address, the model refuses; None if there
    is none.
    """
    refused = [item["loc"][0] for item in error.errors(include_url=False) if item["loc"] and item["input"] == STAND_IN]
    names = [str(name) for name in refused if isinstance(raw, Mapping) and raw.get(name) == STAND_IN]
    return {**raw, **dict.fromkeys(names, "unset")} if names else None


def _guarded(value: Model | None) -> dict[str, Any]:
    """The written fields of a validated part, with secrets as Secrets. Empty for an invalid part."""
    return {} if value is None else {name: getattr(value, name) for name in value.model_fields_set}


_Entry = TypeVar("_Entry", ClientEntry, ScopeEntry, Settings, SettingsEntry)


class _Options(Struct, frozen=True):
    """Validates the `options` of objects, each driver's part with that driver's model."""

    drivers: Mapping[str, DriverFacts]
    problems: list[Diagnostic]

    def checked(self, document: Document) -> dict[str, Any]:
        """The sections of a document in which some object has options, with these validated."""
        values: dict[str, Any] = {}
        for section, kind in (("scopes", Kind.SCOPE), ("clients", Kind.CLIENT)):
            entries: Mapping[str, Any] = getattr(document, section) or {}
            found = {
                name: self._of(entry, kind, (section, name), object_address(kind, name))
                for name, entry in entries.items()
                if entry.options
            }
            if found:
                values[section] = {**entries, **found}
        if document.settings is not None:
            values["settings"] = self._settings(document.settings)
        return values

    def _settings(self, settings: SettingsEntry) -> SettingsEntry:
        whole = self._of(settings, Kind.SETTINGS, ("settings",), "")
        overrides = {
            server: self._of(one, Kind.SETTINGS, ("settings", "overrides", server), f"settings@{server}")
            for server, one in (settings.overrides or {}).items()
        }
        return whole.model_copy(update={"overrides": overrides}) if overrides else whole

    def _of(self, entry: _Entry, kind: Kind, place: Path, address: str) -> _Entry:
        if not entry.options:
            return entry
        options: dict[str, Any] = {}
        for name, raw in entry.options.items():
            path: Path = (*place, "options", name)
            facts = self.drivers.get(name)
            model = facts.own_options(kind) if facts is not None else None
            if model is None:
                self.problems.append(self._no_options(name, kind, facts, address, path))
                continue
            value = _validate(raw, model, path, self.problems)
            options[name] = {} if value is None else _keep_secrets(raw, value)
        return entry.model_copy(update={"options": options})

    def _no_options(self, name: str, kind: Kind, facts: DriverFacts | None, address: str, path: Path) -> Diagnostic:
        able = sorted(other for other, known in self.drivers.items() if known.own_options(kind) is not None)
        what = kind.value if kind is Kind.SETTINGS else f"{kind.value}s"
        detail = f"There is no driver '{name}'." if facts is None else f"The driver '{name}' has no options for {what}."
        fix = did_you_mean(name, able, what="Drivers with such options are")
        return Diagnostic("unknown-driver", "The driver is not known", detail, fix, address=address, path=path)


def _keep_secrets(raw: Any, value: Any) -> Any:
    """The options as they are written, with the driver's secrets as Secrets, at any depth of `value`."""
    if isinstance(value, Secret):
        return value
    if isinstance(raw, Mapping) and isinstance(value, Model):
        names: dict[Any, str] = {info.alias or name: name for name, info in type(value).model_fields.items()}
        return {key: _keep_secrets(given, getattr(value, names.get(key, str(key)), None)) for key, given in raw.items()}
    if isinstance(raw, Mapping) and isinstance(value, Mapping):
        return {key: _keep_secrets(given, value.get(key)) for key, given in raw.items()}
    if isinstance(raw, list) and isinstance(value, list | tuple) and len(raw) == len(value):
        return [_keep_secrets(given, inner) for given, inner in zip(raw, value, strict=True)]
    return raw


def misplaced_secrets(document: Document, secrets: Iterable[tuple[Path, str]]) -> Iterator[Diagnostic]:
    """A finding for every secret (path and origin) that is not in a field for secrets, whatever it was parsed as."""
    for path, origin in secrets:
        value = _value_at(document, path)
        if value is not None and not isinstance(value, Secret):
            yield secret_in_plain_field(path, origin)


_VARIABLE: Final = re.compile(r"\$\{var:([^{}]*)\}")


def shown_and_secret(document: Document, uses: Iterable[tuple[Path, str]]) -> Iterator[Diagnostic]:
    """A finding for every variable that supplies both a secret and a shown value. `uses` are the places (path and origin) of
    the values of variables that the manifest declares as not sensitive.
    """
    secret: dict[str, Path] = {}
    shown: list[tuple[str, Path]] = []
    for path, origin in uses:
        value = _value_at(document, path)
        for name in _VARIABLE.findall(origin):
            if isinstance(value, Secret):
                secret.setdefault(name, path)
            elif value is not None:
                shown.append((name, path))
    declared = document.variables or {}
    for name, path in secret.items():
        if name in declared and "sensitive" in declared[name].model_fields_set:
            yield Diagnostic(
                "public-variable-is-secret",
                "A secret comes from a variable that is not sensitive",
                f"{path_text(path)} is secret, but the variable '{name}' is declared sensitive: false.",
                f"Declare it sensitive: true, or use another source for {path_text(path)}.",
                path=("variables", name, "sensitive"),
            )
    for name, path in shown:
        if name in secret:
            yield secret_in_plain_field(path, f"${{var:{name}}}, which is also used for {path_text(secret[name])},")


def _value_at(value: Any, path: Path) -> Any:
    for part in path:
        if isinstance(value, Model):
            value = getattr(value, str(part), None)
        elif isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value
