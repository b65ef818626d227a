"""`${...}` in values: text from the environment, a variable, a file, a keyring or a command.

    ${env:NAME}  ${env:NAME:-default}  ${var:NAME}  ${file:PATH}  ${keyring:service/name}  ${command:program argument}

`$${` is a literal `${`. The default of `${env:NAME:-default}` applies if the variable is unset or empty, as in a shell. There
is no nesting, there are no functions, and no references in keys. A string without a reference stays a plain `str`; any other
becomes a `SourcedText` that remembers the references (without their defaults), never their values.

A value is secret because of its origin, not because of its field: everything from outside the manifest is secret, unless it
comes from a variable that the manifest declares as not sensitive, or belongs to the connection of a server.
"""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path as FilePath
from typing import Any, Final

from msgspec import Struct, field

from oauthdeploy.core.diagnostics import Diagnostic, Path
from oauthdeploy.core.disclosure import KNOWN
from oauthdeploy.core.extras import ExtraMissing, needs_extra
from oauthdeploy.core.secrets import SourcedText
from oauthdeploy.manifest.external_values import read_value_file, run_command
from oauthdeploy.manifest.secret_paths import is_secret_path
from oauthdeploy.manifest.suggestions import did_you_mean

COMMAND_SECONDS: Final = 30
MAX_FILE_BYTES: Final = 1024 * 1024
MAX_MADE: Final = 64 * 1024 * 1024
"""The total length of all references' values in a manifest: the same as the limit of its files."""
SOURCES: Final = ("env", "var", "file", "keyring", "command")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_TOKEN = re.compile(r"\$\$\{|\$\{")


class Unresolved(Exception):
    """A reference has no value. The message contains names, never values."""

    def __init__(self, rule: str, summary: str, detail: str, fix: str) -> None:
        super().__init__(summary)
        self.rule = rule
        self.summary = summary
        self.detail = detail
        self.fix = fix

    def diagnostic(self, path: Path) -> Diagnostic:
        """The finding about the value at `path`."""
        return Diagnostic(self.rule, self.summary, self.detail, self.fix, path=path)


def _malformed(detail: str, fix: str) -> Unresolved:
    return Unresolved("wrong-value", "A reference is not valid", detail, fix)


Found = tuple[str, bool]
"""A string, and whether its origin makes it secret."""

CONNECTION: Final = frozenset(
    {"url", "tls", "credentials", "options", "introspection", "limits", "proxy", "issuer", "jwks_uri"}
)
"""The parts of a server entry that say how to reach the server: values from outside are allowed there, and outputs show the
reference.
"""


def is_connection(path: Path) -> bool:
    """Whether a path of the composed manifest is about how to reach a server, including URLs that prove a cut-off."""
    if path[:1] == ("revocations",):
        return path[2:4] == ("proof", "urls")
    return path[:1] == ("servers",) and len(path) > 2 and path[2] in CONNECTION


STAND_IN: Final = "https://unset.invalid"
"""What stands for a variable that is not set, where a manifest is checked without its values: a URL (RFC 2606 section 2), since
most variables without a secret are URLs. Where a driver refuses a URL, a plain word stands for it (`driver_sections`).
"""


class Resolver(Struct):
    """Looks references up; `variables` returns the value of a variable or raises Unresolved, and gets this resolver for the
    references in its default. Each is looked up once.

    `unset_env` replaces environment variables that are not set and have no default, unless it is "". `allow_env` are the names
    or globs of the environment variables that may be read (None: any); `allow_files` the folders other than `base` from which a
    file may be read into a field that is not secret. `written` are the texts of the manifest's files. `files` are those that
    references named. `confined`: not even a secret is read from a file elsewhere, nor from a keyring.
    """

    environ: Mapping[str, str]
    base: FilePath
    variables: Callable[[str, Resolver], Found]
    allow_commands: bool = False
    unset_env: str = ""
    allow_env: tuple[str, ...] | None = None
    allow_files: tuple[FilePath, ...] = ()
    written: tuple[str, ...] = ()
    confined: bool = False
    files: set[FilePath] = field(default_factory=set)
    _known: dict[str, Found | Unresolved] = field(default_factory=dict)
    _made: int = 0

    def __repr__(self) -> str:
        # What it has found may be secret.
        return f"Resolver({str(self.base)!r})"

    def text(self, written: str, path: Path = (), *, public: bool = False) -> str:
        """Replace the references in a string at `path` of the manifest. Raises Unresolved.

        `public`: the manifest declares that everyone may read the result.
        """
        parts: list[str] = []
        origins: list[str] = []
        sensitive = False
        end = 0
        while match := _TOKEN.search(written, end):
            parts.append(written[end : match.start()])
            if match[0] == "$${":
                parts.append("${")
                end = match.end()
                continue
            close = written.find("}", match.end())
            body = written[match.end() : close]
            if close < 0:
                raise _malformed(
                    "A reference starts with ${ but has no closing }.", "Add the }, or write $${ for a literal ${."
                )
            if "${" in body:
                raise _malformed(
                    "A reference is inside another one.", "Use a single reference, or a variable for the inner one."
                )
            if body.startswith("file:") and (self.confined or not is_secret_path(path)):
                # Before the file is read: the error must not reveal whether it exists.
                self._require_allowed_file(body)
            text, secret = self._lookup(body)
            self._made += len(text)
            if self._made > MAX_MADE:
                raise Unresolved(
                    "too-large",
                    "The manifest is too large",
                    "The values of references have more than 64 MiB.",
                    "Refer to long values less often, or shorten them.",
                )
            parts.append(text)
            origins.append("${" + body.partition(":-")[0] + "}")
            if public:
                secret = False
            elif secret and is_connection(path) and not is_secret_path(path):
                secret = False
                # What the manifest itself contains, such as its own name, is not secret, and addresses of objects must stay
                # readable.
                if not self._is_default(body) and not any(text in source for source in self.written):
                    KNOWN.add_reference(text, origins[-1])
            elif secret and not self._is_default(body):
                KNOWN.add_secret(text)
            sensitive = sensitive or secret
            end = close + 1
        parts.append(written[end:])
        joined, origin = "".join(parts), "".join(origins)
        if origin == written:
            origin = written  # One object for every use of the reference.
        return SourcedText(joined, origin, sensitive=sensitive) if origins else joined

    def _is_default(self, body: str) -> bool:
        """Whether a reference has the value that the manifest itself gives as its default."""
        source, _, rest = body.partition(":")
        name, has_default, _default = rest.partition(":-")
        return source == "env" and bool(has_default) and not self.environ.get(name)

    def _require_allowed_file(self, body: str) -> None:
        rest = body.removeprefix("file:")
        try:
            place = (self.base / rest).resolve()
        except (OSError, ValueError):
            return  # Such a name is refused when the file is read.
        if not any(place.is_relative_to(folder.resolve()) for folder in (self.base, *self.allow_files)):
            raise Unresolved(
                "file-not-allowed",
                "A file outside the manifest's folder, or a keyring, is read where that is not allowed",
                f"{rest} is outside the manifest's folder, and anyone who edits the manifest could make "
                f"oauthdeploy read any file.",
                "Move the file into the manifest's folder, or allow its folder: --allow-files DIR.",
            )

    def _lookup(self, body: str) -> Found:
        if body not in self._known:
            try:
                self._known[body] = self._resolve(body)
            except Unresolved as problem:
                self._known[body] = problem
        known = self._known[body]
        if isinstance(known, Unresolved):
            raise known
        return known

    def _resolve(self, body: str) -> Found:
        source, colon, rest = body.partition(":")
        if not colon or source not in SOURCES:
            if _NAME.match(body):
                fix = f"Write ${{env:{body}}} for an environment variable or ${{var:{body}}} for a variable."
                raise _malformed(f"${{{body}}} does not say where the value comes from.", fix)
            name = source if _NAME.match(source) else "the reference"
            raise _malformed(f"'{name}' is not a source of values.", did_you_mean(source, SOURCES, what="Sources are"))
        if not rest:
            raise _malformed(
                f"${{{source}:}} names nothing.", f"Write a name after {source}:, or $${{ for a literal ${{."
            )
        found: Found = getattr(self, f"_from_{source}")(rest)
        return found

    def _from_env(self, rest: str) -> Found:
        name, has_default, default = rest.partition(":-")
        if not _NAME.match(name):
            raise _malformed(
                "The name of an environment variable may contain only letters, digits and _.",
                "Write ${env:NAME} or ${env:NAME:-default}.",
            )
        if self.allow_env is not None and not any(fnmatchcase(name, pattern) for pattern in self.allow_env):
            raise Unresolved(
                "env-not-allowed",
                "The manifest reads an environment variable that is not allowed",
                f"--allow-env does not list {name}.",
                f"Remove the reference, or allow it: --allow-env {name}.",
            )
        value = self.environ.get(name)
        if value:
            return value, True
        if has_default:
            return default, True
        if value is None and self.unset_env:
            return self.unset_env, True
        if value is None:
            raise Unresolved(
                "undefined-variable",
                "A value is not defined",
                f"The environment variable {name} is not set.",
                f"Set {name}, or give a default: ${{env:{name}:-...}}. To check a manifest without its secrets, run "
                "`oauthdeploy validate --allow-unset`.",
            )
        return value, True

    def _from_var(self, rest: str) -> Found:
        if not _NAME.match(rest):
            raise _malformed(
                "The name of a variable may contain only letters, digits and _.",
                "Put the default in the variables section.",
            )
        return self.variables(rest, self)

    def _from_file(self, rest: str) -> Found:
        self.files.add(self.base / rest)
        try:
            data = read_value_file(self.base / rest, MAX_FILE_BYTES)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "the name is not valid"
            raise Unresolved(
                "file-unreadable",
                "A file cannot be read",
                f"{rest}: {reason}.",
                "Paths are relative to the manifest's folder; check the path and the permissions.",
            ) from None
        if len(data) > MAX_FILE_BYTES:
            raise Unresolved("too-large", "A value is too large", f"{rest} has more than 1 MiB.", "Name another file.")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Unresolved(
                "file-unreadable", "A file cannot be read", f"{rest} is not UTF-8.", "Save it as UTF-8."
            ) from None
        return _without_newline(text), True

    def _from_keyring(self, rest: str) -> Found:
        if self.confined:
            raise Unresolved(
                "file-not-allowed",
                "A file outside the manifest's folder, or a keyring, is read where that is not allowed",
                f"{rest} is in the keyring of a machine whose user did not write the manifest.",
                "Take the value from the environment: ${env:NAME}.",
            )
        service, slash, name = rest.rpartition("/")
        if not slash or not service or not name:
            raise _malformed(f"${{keyring:{rest}}} does not name an entry.", "Write ${keyring:service/name}.")
        try:
            with needs_extra("keyring", "${keyring:...}"):
                keyring = importlib.import_module("keyring")
        except ExtraMissing as error:
            raise Unresolved("undefined-variable", "A value is not defined", f"{error.summary}.", error.fix) from None
        try:
            value = keyring.get_password(service, name)
        except Exception as error:  # noqa: BLE001 - backends raise what they like; the user needs the entry's name
            detail = f"The keyring could not be read for {service}/{name}: {type(error).__name__}."
            raise Unresolved(
                "undefined-variable", "A value is not defined", detail, "Unlock the keyring, or choose its backend."
            ) from None
        if value is None:
            raise Unresolved(
                "undefined-variable",
                "A value is not defined",
                f"The keyring has no entry {service}/{name}.",
                f"Add it: keyring set {service} {name}.",
            )
        return value, True

    def _from_command(self, rest: str) -> Found:
        if not self.allow_commands:
            raise Unresolved(
                "command-not-allowed",
                "The manifest runs a command",
                "${command:...} runs a program on this machine, with your rights, each time the manifest is read.",
                "Read the command; if you trust it, pass --allow-commands.",
            )
        try:
            words = shlex.split(rest)
        except ValueError:
            raise _malformed("The command's quotes do not match.", "Check its quotes; no shell is involved.") from None
        if not words:
            raise _malformed("The command is empty.", "Write a program and its arguments.")
        return _without_newline(self._run(words)), True

    def _run(self, words: list[str]) -> str:
        program = words[0]
        try:
            status, output = run_command(words, self.base, self.environ, COMMAND_SECONDS, MAX_FILE_BYTES)
            text = output.decode("utf-8")
        except TimeoutError:
            raise _failed(f"{program} took longer than {COMMAND_SECONDS} seconds.") from None
        except UnicodeDecodeError:
            raise _failed(f"{program} wrote output that is not UTF-8.") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it has characters that are not allowed"
            raise _failed(f"{program} cannot be run: {reason}.") from None
        if len(output) > MAX_FILE_BYTES:
            raise Unresolved("too-large", "A value is too large", f"{program} wrote more than 1 MiB.", "Write less.")
        if status != 0:
            # Its output may contain the secret, so only the status is reported.
            raise _failed(f"{program} ended with status {status}.")
        return text


def _failed(detail: str) -> Unresolved:
    return Unresolved(
        "undefined-variable", "A value is not defined", detail, "Run the command yourself to see its output."
    )


def _without_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def interpolate(
    tree: dict[str, Any], resolver: Resolver, *, skip: frozenset[str]
) -> tuple[list[Diagnostic], list[tuple[Path, str]], list[tuple[Path, str]]]:
    """Replace the references in all values of `tree`, in place; sections in `skip` stay as they are.

    Returns the findings, the places (path and origin) of values whose origin makes them secret, and those of values from
    variables that the manifest declares as not sensitive.

    A value whose reference has no value becomes an `Unknown`, so that it is not reported a second time for its type.
    """
    walk = _Walk(resolver)
    walk.visit(tree, [(section, value) for section, value in tree.items() if section not in skip])
    return walk.problems, walk.secrets, walk.public


class _Walk:
    """Walks a tree, replaces its references, and collects the findings."""

    def __init__(self, resolver: Resolver) -> None:
        self.problems: list[Diagnostic] = []
        self.secrets: list[tuple[Path, str]] = []
        self.public: list[tuple[Path, str]] = []
        self._resolver = resolver
        # Aliases share lists and mappings; each is replaced once, or `$${` would be replaced twice, and its secrets are
        # recorded at every place. The tree keeps them all alive.
        self._holds_secrets: dict[int, bool] = {}
        self._way: list[str | int] = []

    def visit(self, node: Any, items: Iterable[tuple[str | int, Any]]) -> None:
        """Replace the references in the values of a list or mapping."""
        holds_secrets, way, secrets = self._holds_secrets, self._way, self.secrets
        for key, value in items:
            kind = value.__class__
            if kind is str:
                if "${" in value:
                    node[key] = self._replaced(value, (*way, key))
            elif kind is dict or kind is list:
                known = holds_secrets.get(id(value))
                if known is None:
                    before = len(secrets)
                    holds_secrets[id(value)] = False
                    way.append(key)
                    self.visit(value, value.items() if kind is dict else enumerate(value))
                    way.pop()
                    if len(secrets) > before:
                        holds_secrets[id(value)] = True
                elif known:
                    self._note_again(value, (*way, key))

    def _note_again(self, value: Any, path: Path) -> None:
        if isinstance(value, dict | list):
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
                self._note_again(inner, (*path, key))
        elif isinstance(value, SourcedText) and value.sensitive:
            self.secrets.append((path, value.origin))

    def _replaced(self, written: str, path: Path) -> Any:
        try:
            replacement = self._resolver.text(written, path)
        except Unresolved as problem:
            self.problems.append(problem.diagnostic(path))
            return Unknown(written)
        if isinstance(replacement, SourcedText):
            (self.secrets if replacement.sensitive else self.public).append((path, replacement.origin))
        return replacement


class Unknown:
    """The placeholder for a value that could not be found and is reported already; `written` is the text that asked for it."""

    __slots__ = ("written",)

    def __init__(self, written: str) -> None:
        self.written = written

    def __repr__(self) -> str:
        return "(unknown)"
