"""The configuration of a server: its role, its data directory, and its initial users."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from oauthdeploy.server.config_error import ConfigError
from oauthdeploy.server.profile import Profile, effective, read_document

Role = Literal["authorization", "resource", "both"]

ADMINISTRATORS = "Administrators"
READ_ONLY_ADMINISTRATORS = "ReadOnlyAdministrators"
RESOURCE_SERVERS = "ResourceServers"
BUILT_IN_GROUPS = (ADMINISTRATORS, READ_ONLY_ADMINISTRATORS, RESOURCE_SERVERS)

#: Where a generated password of the first administrator is written, below the data directory.
ADMINISTRATOR_PASSWORD_FILE = "administrator.password"


class SeedUser(Struct, frozen=True):
    """A user that exists once the server runs.

    An existing user is left alone, except for the password, which follows the seed.
    """

    name: str
    password: str
    groups: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"SeedUser({self.name!r}, groups={self.groups!r})"


class ServerConfig(Struct, frozen=True):
    """Everything a server needs to start; see each field.

    Args:
        role: which endpoints are served. The admin API is served on every role.
        data_dir: directory for the database, keys and certificates; created if it does not exist.
        host: address to listen on.
        port: TCP port, 0 for a free one.
        strict: accept and return only the literal shapes of the published OpenAPI document.
        profile: how the server answers where the documents are silent.
        accept_client_id: let a client's creator choose `client_id` and `client_secret`.
        tls: serve HTTPS with a certificate generated for this data directory.
        seed_file: TOML or JSON file (by suffix) with `users` and `services`.
        users: further users to seed.
        services: names (`folder.path:service`) of the protected services; None means that every name exists.
        ca_file: PEM file with certificate authorities to trust, besides the public ones, for introspection
            calls to other servers.
        threads: number of requests that are processed at the same time.
    """

    role: Role
    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 0
    strict: bool = False
    profile: Profile = field(default_factory=Profile)
    accept_client_id: bool = False
    tls: bool = False
    seed_file: Path | None = None
    users: tuple[SeedUser, ...] = ()
    services: tuple[str, ...] | None = None
    ca_file: Path | None = None
    threads: int = 10

    def __post_init__(self) -> None:
        if self.role not in ("authorization", "resource", "both"):
            raise ConfigError(f"The role must be authorization, resource or both, not {self.role!r}.")
        if self.threads < 1:
            raise ConfigError("A server needs at least one thread.")

    @property
    def answers(self) -> Profile:
        """The server's answers to open questions: from the profile, then from its mode."""
        return effective(self.profile, strict=self.strict)

    @property
    def is_authorization_server(self) -> bool:
        """Whether the OAuth endpoints are served."""
        return self.role in ("authorization", "both")

    @property
    def is_resource_server(self) -> bool:
        """Whether protected services are served."""
        return self.role in ("resource", "both")


class Seed(Struct, frozen=True):
    """The initial users and services of a server, from the seed file and the configuration."""

    users: tuple[SeedUser, ...]
    services: tuple[str, ...] | None


def load_seed(config: ServerConfig) -> Seed:
    """Read the seed file, if any, and add what the configuration names.

    Raises:
        ConfigError: the file cannot be read, has another shape, or names an unset environment variable.
    """
    users: list[SeedUser] = []
    services = None if config.services is None else list(config.services)
    if config.seed_file is not None:
        document = read_document(config.seed_file, "seed")
        where = str(config.seed_file)
        unknown = sorted(set(document) - {"users", "services"})
        if unknown:
            raise ConfigError(f"{where}: unknown key {unknown[0]!r}; known are users and services.")
        users.extend(
            _seed_user(item, f"{where}, users[{index}]") for index, item in enumerate(_list(document, "users", where))
        )
        if "services" in document:
            services = [*(services or []), *_texts(document, "services", where)]
    users.extend(config.users)
    for user in users:
        if not user.name or not user.password:
            raise ConfigError("A seeded user needs a name and a password.")
        if ":" in user.name:
            raise ConfigError(f"The user name {user.name!r} contains a colon, which HTTP Basic cannot carry.")
    return Seed(tuple(users), None if services is None else tuple(dict.fromkeys(services)))


def _list(document: Mapping[str, object], key: str, where: str) -> list[object]:
    value = document.get(key, [])
    if not isinstance(value, list):
        raise ConfigError(f"{where}: {key} must be a list.")
    return value


def _texts(document: Mapping[str, object], key: str, where: str) -> list[str]:
    texts = [item for item in _list(document, key, where) if isinstance(item, str)]
    if len(texts) != len(_list(document, key, where)):
        raise ConfigError(f"{where}: {key} must be a list of strings.")
    return texts


def _seed_user(item: object, where: str) -> SeedUser:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise ConfigError(f"{where} must have a name.")
    unknown = sorted(set(item) - {"name", "password", "groups"})
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}; known are name, password and groups.")
    return SeedUser(item["name"], _password(item.get("password"), where), tuple(_texts(item, "groups", where)))


def _password(value: object, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and set(value) == {"env"} and isinstance(value["env"], str):
        password = os.environ.get(value["env"])
        if not password:
            raise ConfigError(f"{where}: the environment variable {value['env']} is not set.")
        return password
    raise ConfigError(f'{where}: password must be a string or {{env = "NAME"}}.')
