"""The tables. Times are whole seconds since the epoch; tokens, codes and secrets are stored only as hashes."""

from __future__ import annotations

from sqlalchemy import JSON, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

CONFIDENTIAL = "Confidential"
PUBLIC = "Public"


class Base(DeclarativeBase):
    """Root of the tables."""

    type_annotation_map = {list[str]: JSON}  # noqa: RUF012 - SQLAlchemy reads it from the class


class Settings(Base):
    """The global OAuth settings: one row."""

    __tablename__ = "settings"
    id: Mapped[int] = mapped_column(primary_key=True)
    require_https: Mapped[bool]
    require_pkce: Mapped[bool]
    auth_code_lifetime: Mapped[int]
    access_token_lifetime: Mapped[int]
    token_endpoint_auth: Mapped[str]
    auth_server_alias: Mapped[str]


class Scope(Base):
    """A scope and what it gives access to on a resource server."""

    __tablename__ = "scope"
    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str | None]
    resources: Mapped[list[str]]
    url_templates: Mapped[list[str]]


class Client(Base):
    """A registered client; its scopes are in ClientScope."""

    __tablename__ = "client"
    __table_args__ = (UniqueConstraint("name", "version"),)
    client_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[str]
    version_is_number: Mapped[bool]
    type: Mapped[str]
    description: Mapped[str | None]
    redirect_uris: Mapped[list[str]]
    authorization_code_grant: Mapped[bool]
    implicit_grant: Mapped[bool]
    client_credentials_grant: Mapped[bool]
    password_grant: Mapped[bool]
    token_lifetime: Mapped[int]
    refresh_count: Mapped[int]
    enabled: Mapped[bool]
    registration_client_uri: Mapped[str | None]
    registration_access_token: Mapped[str | None]
    secret_hash: Mapped[str | None]


class ClientPkce(Base):
    """The "Require PKCE" of a client (10.15): 0 no, 1 yes; a client without a row follows the settings."""

    __tablename__ = "client_pkce"
    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id", ondelete="CASCADE"), primary_key=True)
    required: Mapped[int]


class ClientScope(Base):
    """An association: this client may request this scope."""

    __tablename__ = "client_scope"
    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id", ondelete="CASCADE"), primary_key=True)
    scope: Mapped[str] = mapped_column(ForeignKey("scope.name", ondelete="RESTRICT"), primary_key=True, index=True)
    position: Mapped[int]


class ExternalServer(Base):
    """An external authorization server, queried by introspection."""

    __tablename__ = "external_server"
    name: Mapped[str] = mapped_column(primary_key=True)
    introspection_endpoint: Mapped[str]
    client_id: Mapped[str]
    client_secret: Mapped[str | None]
    user: Mapped[str]
    keystore_alias: Mapped[str | None]
    key_alias: Mapped[str | None]
    truststore_alias: Mapped[str | None]
    default_scope: Mapped[str | None]


class RemoteServer(Base):
    """Another Integration Server, which can be the authorization server of this one."""

    __tablename__ = "remote_server"
    alias: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    port: Mapped[int]
    user: Mapped[str]
    password: Mapped[str | None]
    ssl: Mapped[str]
    keystore_alias: Mapped[str | None]
    key_alias: Mapped[str | None]
    acl: Mapped[str | None]
    keep_alive: Mapped[str | None]
    timeout: Mapped[str | None]
    retry_server: Mapped[str | None]


class User(Base):
    """A user: resource owner, administrator or resource server."""

    __tablename__ = "user"
    name: Mapped[str] = mapped_column(primary_key=True)
    password_hash: Mapped[str]
    enabled: Mapped[bool]


class ClientAccount(Base):
    """The user account of a confidential client, created and removed with it."""

    __tablename__ = "client_account"
    user: Mapped[str] = mapped_column(ForeignKey("user.name", ondelete="CASCADE"), primary_key=True)


class ServerParameter(Base):
    """A server parameter (`watt.*`) that was set; the others have their defaults."""

    __tablename__ = "server_parameter"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Group(Base):
    """A group that was made by the admin API; others are built in, or come with the users of the seed."""

    __tablename__ = "user_group"
    name: Mapped[str] = mapped_column(primary_key=True)


class Membership(Base):
    """A user's place in a group."""

    __tablename__ = "membership"
    user: Mapped[str] = mapped_column(ForeignKey("user.name", ondelete="CASCADE"), primary_key=True)
    group: Mapped[str] = mapped_column(primary_key=True)


class Code(Base):
    """An authorization code. Used ones stay for a while, so that a second use is noticed."""

    __tablename__ = "code"
    hash: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id", ondelete="CASCADE"), index=True)
    redirect_uri: Mapped[str | None]
    scope: Mapped[str]
    owner: Mapped[str]
    challenge: Mapped[str | None]
    challenge_method: Mapped[str | None]
    expires_at: Mapped[int]
    used: Mapped[bool]


class Token(Base):
    """An access token with its refresh token, if any. A refresh renews the row and keeps its ids.

    `scope` is what the access token gives access to; `granted_scope` what the owner granted, which a refresh may narrow but
    never widen. `remaining` is -1 for unlimited, and None without a refresh token from the start.
    """

    __tablename__ = "token"
    __table_args__ = (Index("token_by_client", "client_id"), Index("token_by_code", "code_hash"))
    access_id: Mapped[str] = mapped_column(primary_key=True)
    refresh_id: Mapped[str | None] = mapped_column(unique=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id", ondelete="CASCADE"))
    owner: Mapped[str]
    grant_type: Mapped[str]
    scope: Mapped[str]
    granted_scope: Mapped[str]
    access_hash: Mapped[str] = mapped_column(unique=True)
    refresh_hash: Mapped[str | None] = mapped_column(unique=True)
    remaining: Mapped[int | None]
    created_at: Mapped[int]
    issued_at: Mapped[int]
    refreshed_at: Mapped[int | None]
    expires_at: Mapped[int | None]
    code_hash: Mapped[str | None]


class SpentRefreshToken(Base):
    """A refresh token that was already exchanged; if it is used again, somebody else has a copy."""

    __tablename__ = "spent_refresh_token"
    hash: Mapped[str] = mapped_column(primary_key=True)
    access_id: Mapped[str] = mapped_column(ForeignKey("token.access_id", ondelete="CASCADE"), index=True)
