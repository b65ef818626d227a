"""The errors of the admin API, with their status codes."""

from __future__ import annotations


class AdminError(Exception):
    """A refused request; the message goes to the client as `{"message": ...}`.

    The status codes behind the published `4XX` are not public. Chosen here: 400 invalid, 401 and 403, 404 missing, 409
    duplicate or in use.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def invalid(message: str) -> AdminError:
    """The request's content breaks a rule."""
    return AdminError(400, message)


def missing(what: str, name: str) -> AdminError:
    """The object that the path names does not exist."""
    return AdminError(404, f"There is no {what} {shown(name)}.")


def conflict(message: str) -> AdminError:
    """The request conflicts with existing objects: a duplicate, or an object in use."""
    return AdminError(409, message)


def shown(value: object) -> str:
    """A value for a message: quoted, and shortened if it is long."""
    text = str(value)
    return f"'{text[:97]}...'" if len(text) > 100 else f"'{text}'"
