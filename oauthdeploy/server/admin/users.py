"""`/admin/user` and `/admin/group`: users and groups, read-only. Users come from the seed."""

from __future__ import annotations

from sqlalchemy import select

from oauthdeploy.server.admin.api import Api, expanding, listing
from oauthdeploy.server.admin.errors import missing
from oauthdeploy.server.admin.fields import Field
from oauthdeploy.server.config import BUILT_IN_GROUPS
from oauthdeploy.server.models import Membership, User

USER_PATH = "/admin/user/"
GROUP_PATH = "/admin/group/"

USER_FIELDS = (
    Field("name", "", "text", "Name of the user."),
    Field("enabled", "", "boolean", "Whether the user can sign in."),
    Field("groups", "", "texts", "Groups that the user is in."),
)
GROUP_FIELDS = (
    Field("name", "", "text", "Name of the group."),
    Field("members", "", "texts", "Users in the group."),
)


def register(api: Api) -> None:
    """Serve users and groups: list and read."""
    state = api.state

    def users() -> list[dict[str, object]]:
        with state.store.read() as session:
            memberships = session.execute(select(Membership.user, Membership.group).order_by(Membership.group)).all()
            rows = session.scalars(select(User).order_by(User.name)).all()
        groups: dict[str, list[str]] = {}
        for user, group in memberships:
            groups.setdefault(user, []).append(group)
        return [{"name": row.name, "enabled": row.enabled, "groups": groups.get(row.name, [])} for row in rows]

    def groups() -> list[dict[str, object]]:
        with state.store.read() as session:
            memberships = session.execute(select(Membership.group, Membership.user).order_by(Membership.user)).all()
        members: dict[str, list[str]] = {name: [] for name in BUILT_IN_GROUPS}
        for group, user in memberships:
            members.setdefault(group, []).append(user)
        return [{"name": name, "members": members[name]} for name in sorted(members)]

    def answer(wrapper: str, rows: list[dict[str, object]], path: str) -> object:
        if expanding():
            return {wrapper: rows}
        return listing(wrapper, [(str(row["name"]), str(row["name"])) for row in rows], path)

    def pick(rows: list[dict[str, object]], what: str, name: str) -> object:
        for row in rows:
            if row["name"] == name:
                return row
        raise missing(what, name)

    @api.operation("GET", USER_PATH, summary="List the users", tag="user", answer="UserList", expandable=True)
    def list_users() -> object:
        return answer("users", users(), USER_PATH)

    @api.operation("GET", USER_PATH + "{name}", summary="Read a user", tag="user", answer="User")
    def read_user(name: str) -> object:
        return pick(users(), "user", name)

    @api.operation("GET", GROUP_PATH, summary="List the groups", tag="group", answer="GroupList", expandable=True)
    def list_groups() -> object:
        return answer("groups", groups(), GROUP_PATH)

    @api.operation("GET", GROUP_PATH + "{name}", summary="Read a group", tag="group", answer="Group")
    def read_group(name: str) -> object:
        return pick(groups(), "group", name)
