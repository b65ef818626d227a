"""`/admin/group`: the groups with their users. Groups are built in, come with the users of the seed, or are made here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask import request
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from oauthdeploy.server.admin.api import Api
from oauthdeploy.server.admin.errors import conflict, invalid, shown
from oauthdeploy.server.admin.fields import Field, Value, check_name, patch_of, read_body, read_fields
from oauthdeploy.server.admin.users import answer_list, pick_named
from oauthdeploy.server.config import BUILT_IN_GROUPS
from oauthdeploy.server.models import Group, Membership, User
from oauthdeploy.server.profile import Profile
from oauthdeploy.server.state import State

PATH = "/admin/group/"
FORBIDDEN = "/\\"


def fields_of(profile: Profile) -> tuple[Field, Field]:
    """The fields of a group; no page of the guides names them."""
    return (
        Field("name", "name", "text", "Name of the group.", required=True),
        Field(profile.group_members, "members", "texts", "Users in the group."),
    )


def register(api: Api) -> None:
    """Serve groups: list, create, read, update."""
    state = api.state
    fields = fields_of(state.profile)

    @api.operation("GET", PATH, summary="List the groups", tag="group", answer="GroupList", expandable=True)
    def list_groups() -> object:
        return answer_list("groups", _rows(state), PATH)

    @api.operation("GET", PATH + "{name}", summary="Read a group", tag="group", answer="Group")
    def read_group(name: str) -> object:
        return pick_named(_rows(state), "group", name)

    @api.operation("POST", PATH, summary="Create a group", tag="group", body="Group", answer="Group", status=201)
    def create_group() -> object:
        values = read_fields(read_body(request), fields, strict=state.strict)
        name = str(values["name"])
        check_name("name", name, FORBIDDEN)
        if any(row["name"] == name for row in _rows(state)):
            raise conflict(f"A group named {shown(name)} exists.")
        with state.store.write() as session:
            session.add(Group(name=name))
            _set_members(session, name, values)
        return pick_named(_rows(state), "group", name)

    @api.operation("PATCH", PATH + "{name}", summary="Update a group", tag="group", body="Group", answer="Group")
    def update_group(name: str) -> object:
        pick_named(_rows(state), "group", name)
        body, partial = patch_of(state.profile, read_body(request, merge_patch=True), {}, partial=True)
        values = read_fields({"name": name, **body}, fields, strict=state.strict, partial=partial)
        if values["name"] != name:
            raise invalid("Field 'name' cannot be changed.")
        with state.store.write() as session:
            if name not in BUILT_IN_GROUPS and session.get(Group, name) is None:
                # A group that came with a user of the seed stays when its last user leaves.
                session.add(Group(name=name))
            _set_members(session, name, values)
        return pick_named(_rows(state), "group", name)


def _rows(state: State) -> list[dict[str, object]]:
    with state.store.read() as session:
        memberships = session.execute(select(Membership.group, Membership.user).order_by(Membership.user)).all()
        made = session.scalars(select(Group.name)).all()
    members: dict[str, list[str]] = {name: [] for name in (*BUILT_IN_GROUPS, *made)}
    for group, user in memberships:
        members.setdefault(group, []).append(user)
    return [{"name": name, state.profile.group_members: members[name]} for name in sorted(members)]


def _set_members(session: Session, group: str, values: Mapping[str, Value]) -> None:
    if "members" not in values:
        return
    members = cast("list[str]", values["members"])
    for name in members:
        if session.get(User, name) is None:
            raise invalid(f"There is no user named {shown(name)}.")
    session.execute(delete(Membership).where(Membership.group == group))
    session.add_all(Membership(user=name, group=group) for name in members)
