"""What the admin API refuses, and with which status."""

from __future__ import annotations


class AdminError(Exception):
    """A request that is refused; the message goes to the client as `{"message": ...}`.

    The status codes behind the published `4XX` aren't public. Chosen here: 400 invalid, 401 and 403,
    404 missing, 409 duplicate or in use.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def invalid(message: str) -> AdminError:
    """The request's content breaks a rule."""
    return AdminError(400, message)


def missing(what: str, name: str) -> AdminError:
    """The object that the path names doesn't exist."""
    return AdminError(404, f"There is no {what} {shown(name)}.")


def conflict(message: str) -> AdminError:
    """The request contradicts what is there: a duplicate, or an object in use."""
    return AdminError(409, message)


def shown(value: object) -> str:
    """A value as it may stand in a message: quoted, and cut when it is long."""
    text = str(value)
    return f"'{text[:97]}...'" if len(text) > 100 else f"'{text}'"
