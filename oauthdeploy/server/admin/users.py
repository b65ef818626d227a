"""`/admin/user`: the users, read-only. They come from the seed, and with confidential clients."""

from __future__ import annotations

from sqlalchemy import select

from oauthdeploy.server.admin.api import Api, expanding, listing
from oauthdeploy.server.admin.errors import missing
from oauthdeploy.server.admin.fields import Field
from oauthdeploy.server.models import Membership, User

USER_PATH = "/admin/user/"

USER_FIELDS = (
    Field("name", "", "text", "Name of the user."),
    Field("enabled", "", "boolean", "Whether the user can sign in."),
    Field("groups", "", "texts", "Groups that the user is in."),
)


def register(api: Api) -> None:
    """Serve users: list and read."""
    state = api.state

    def users() -> list[dict[str, object]]:
        with state.store.read() as session:
            memberships = session.execute(select(Membership.user, Membership.group).order_by(Membership.group)).all()
            rows = session.scalars(select(User).order_by(User.name)).all()
        groups: dict[str, list[str]] = {}
        for user, group in memberships:
            groups.setdefault(user, []).append(group)
        return [{"name": row.name, "enabled": row.enabled, "groups": groups.get(row.name, [])} for row in rows]

    @api.operation("GET", USER_PATH, summary="List the users", tag="user", answer="UserList", expandable=True)
    def list_users() -> object:
        return answer_list("users", users(), USER_PATH)

    @api.operation("GET", USER_PATH + "{name}", summary="Read a user", tag="user", answer="User")
    def read_user(name: str) -> object:
        return pick_named(users(), "user", name)


def answer_list(wrapper: str, rows: list[dict[str, object]], path: str) -> object:
    """A list of rows, each with a name: whole if asked for."""
    if expanding():
        return {wrapper: rows}
    return listing(wrapper, [(str(row["name"]), str(row["name"])) for row in rows], path)


def pick_named(rows: list[dict[str, object]], what: str, name: str) -> dict[str, object]:
    """The row of this name, or a 404."""
    for row in rows:
        if row["name"] == name:
            return row
    raise missing(what, name)
