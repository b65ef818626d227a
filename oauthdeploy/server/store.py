"""The database: sessions for reading and writing, the settings row, and the users."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, create_engine, delete, event, select
from sqlalchemy.orm import Session

from oauthdeploy.server.config import (
    ADMINISTRATOR_PASSWORD_FILE,
    ADMINISTRATORS,
    SeedUser,
)
from oauthdeploy.server.config_error import ConfigError
from oauthdeploy.server.models import Base, Client, ClientScope, Membership, Settings, User
from oauthdeploy.server.passwords import SecretChecker, hash_chosen
from oauthdeploy.server.private_files import write_private

LOCAL = "local"
_BUSY_SECONDS = 15
_WRITE = "oauthdeploy_write"


class Identity(Struct, frozen=True):
    """A user with a correct password, and the user's groups.

    `stamp` changes with the password, so that a session can end with it.
    """

    name: str
    groups: frozenset[str]
    stamp: str


class Store:
    """One SQLite database: WAL, every commit on disk before the response, foreign keys enforced.

    Reads see one snapshot. Writes take the write lock at their start, so a rule that was checked inside one still holds when it
    commits.
    """

    def __init__(self, path: Path, threads: int) -> None:
        if not path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        self.engine = create_engine(
            f"sqlite:///{path}",
            pool_size=threads + 2,
            connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
        )
        event.listen(self.engine, "connect", _set_up_connection)
        event.listen(self.engine, "begin", _begin)
        self._writer = self.engine.execution_options(**{_WRITE: True})
        self._write_lock = threading.Lock()
        with self._writer.begin() as connection:
            Base.metadata.create_all(connection)
        with self.write() as session:
            if session.get(Settings, 1) is None:
                session.add(default_settings())

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session on one snapshot, for reading."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits when its block ends, and rolls back if the block raises."""
        with self._write_lock, Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _set_up_connection(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def default_settings() -> Settings:
    """The settings of a fresh server: the documented defaults, trusting itself."""
    return Settings(
        id=1,
        require_https=True,
        require_pkce=False,
        auth_code_lifetime=600,
        access_token_lifetime=3600,
        token_endpoint_auth="session",
        auth_server_alias=LOCAL,
    )


def get_settings(session: Session) -> Settings:
    """The settings row, which always exists."""
    return session.get_one(Settings, 1)


def scopes_by_client(session: Session) -> dict[str, list[str]]:
    """The scopes of every client, in one query; a client without any is missing."""
    found: dict[str, list[str]] = {}
    rows = session.execute(
        select(ClientScope.client_id, ClientScope.scope).order_by(ClientScope.client_id, ClientScope.position)
    )
    for client_id, scope in rows:
        found.setdefault(client_id, []).append(scope)
    return found


def scopes_of(session: Session, client_id: str) -> list[str]:
    """The scopes of one client, in the order in which they were given."""
    rows = select(ClientScope.scope).where(ClientScope.client_id == client_id).order_by(ClientScope.position)
    return list(session.scalars(rows))


def set_scopes(session: Session, client_id: str, scopes: list[str]) -> None:
    """Make `scopes` the whole list of a client; each of them must exist."""
    session.flush()
    session.execute(delete(ClientScope).where(ClientScope.client_id == client_id))
    session.add_all(
        ClientScope(client_id=client_id, scope=scope, position=position) for position, scope in enumerate(scopes)
    )


def find_client(session: Session, name: str, version: str) -> Client | None:
    """The client with this name and version, which together are unique."""
    return session.scalar(select(Client).where(Client.name == name, Client.version == version))


def groups_of(session: Session, user: str) -> frozenset[str]:
    """The groups of a user."""
    return frozenset(session.scalars(select(Membership.group).where(Membership.user == user)))


def identify(session: Session, name: str) -> Identity | None:
    """The identity of an enabled user, without asking for a password."""
    user = session.get(User, name)
    if user is None or not user.enabled:
        return None
    return Identity(name, groups_of(session, name), user.password_hash)


def log_in(store: Store, checker: SecretChecker, name: str, password: str) -> Identity | None:
    """The identity behind a user name and password, or None when either is wrong or the user disabled."""
    with store.read() as session:
        identity = identify(session, name)
    right = checker.check(None if identity is None else identity.stamp, password)
    return identity if right else None


def seed_users(store: Store, checker: SecretChecker, users: tuple[SeedUser, ...], data_dir: Path) -> None:
    """Create missing users, and ensure that there is an administrator.

    An existing user keeps groups and state; the password follows the seed. If there is no administrator, `Administrator` is
    created with a generated password, which is written to the data directory.

    Raises:
        ConfigError: nobody is an administrator and the name `Administrator` is taken.
    """
    password_file = data_dir / ADMINISTRATOR_PASSWORD_FILE
    with store.write() as session:
        for seeded in users:
            user = session.get(User, seeded.name)
            if user is None:
                session.add(User(name=seeded.name, password_hash=hash_chosen(seeded.password), enabled=True))
                session.flush()
                session.add_all(Membership(user=seeded.name, group=group) for group in dict.fromkeys(seeded.groups))
            elif not checker.check(user.password_hash, seeded.password):
                user.password_hash = hash_chosen(seeded.password)
                if seeded.name == "Administrator":
                    password_file.unlink(missing_ok=True)
        session.flush()
        administrators = select(Membership.user).where(Membership.group == ADMINISTRATORS).limit(1)
        if session.scalar(administrators) is not None:
            return
        if session.get(User, "Administrator") is not None:
            raise ConfigError(
                f"Nobody is in the group {ADMINISTRATORS}, and the user Administrator exists already. "
                f"Seed a user with groups = [{ADMINISTRATORS!r}]."
            )
        password = secrets.token_urlsafe(18)
        write_private(password_file, f"{password}\n".encode())
        session.add(User(name="Administrator", password_hash=hash_chosen(password), enabled=True))
        session.flush()
        session.add(Membership(user="Administrator", group=ADMINISTRATORS))
