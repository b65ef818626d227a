"""A secret can be compared and sent, and shown by nothing."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from oauthdeploy.core.secrets import Secret, SourcedText
from oauthdeploy.model.fields import Text

CANARY = "c4n4ry-5ecret"


class Holder(BaseModel):
    secret: Secret
    text: Annotated[Text, "shown"] = ""


def test_no_way_of_printing_shows_the_text(caplog: pytest.LogCaptureFixture) -> None:
    """str, repr, format, f-strings, %-formatting, logging, JSON and model dumps hold the origin at most."""
    secret = Secret(CANARY, "env:X")
    holder = Holder(secret=secret)
    logging.getLogger("t").warning("%s %r", secret, holder)
    shown = [
        str(secret),
        repr(secret),
        f"{secret:>30}",
        "%s" % secret,  # noqa: UP031
        repr([secret]),
        repr(holder),
        str(holder),
        holder.model_dump_json(),
        json.dumps(holder.model_dump()),
        caplog.text,
    ]
    assert not any(CANARY in text for text in shown)
    assert "env:X" in holder.model_dump_json()


def test_a_traceback_through_a_frame_with_the_secret_does_not_show_it() -> None:
    """Errors raised while a secret is at hand hold its mask."""
    secret = Secret(CANARY, "env:X")
    try:
        raise ValueError(f"cannot send {secret}")
    except ValueError:
        assert CANARY not in traceback.format_exc()


def test_a_secret_is_not_pickled() -> None:
    """Pickling would write the text somewhere; it is refused. Copies are the value itself."""
    secret = Secret(CANARY, "env:X")
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


@given(st.text(), st.text())
def test_secrets_compare_by_their_text_alone(one: str, two: str) -> None:
    """Equality and hash follow the text; the origin doesn't count."""
    assert (Secret(one, "a") == Secret(two, "b")) == (one == two)
    assert hash(Secret(one, "a")) == hash(Secret(one, "b"))
    assert Secret(one, "a") != one


def test_fingerprints_differ_by_key() -> None:
    """A fingerprint means nothing outside the run that made its key."""
    secret = Secret(CANARY, "env:X")
    assert secret.fingerprint(b"1") == Secret(CANARY, "other").fingerprint(b"1")
    assert secret.fingerprint(b"1") != secret.fingerprint(b"2")


def test_a_field_takes_a_text_and_remembers_where_it_came_from() -> None:
    """A reference keeps its written form as origin, a literal is from the manifest, anything else is refused unnamed."""
    assert Holder(secret=SourcedText(CANARY, "${env:X}")).secret.origin == "${env:X}"
    assert Holder.model_validate({"secret": CANARY}).secret.origin == "manifest"
    with pytest.raises(ValidationError) as caught:
        Holder.model_validate({"secret": [CANARY]})
    assert "a secret must be a string" in str(caught.value)


def test_a_sensitive_text_may_only_reach_a_secret() -> None:
    """What came from a source of secrets is refused by a field that reports show."""
    with pytest.raises(ValidationError, match="is secret"):
        Holder.model_validate({"secret": "x", "text": SourcedText(CANARY, "${keyring:a/b}", sensitive=True)})
    assert CANARY not in repr(SourcedText(CANARY, "${keyring:a/b}", sensitive=True))


class Loose(BaseModel):
    """A model with a field for anything, as the overlays of a manifest are."""

    anything: dict[str, Any]


def test_a_dump_of_a_field_for_anything_holds_the_origin() -> None:
    """Where no type tells that a value is secret, the value does; nothing is raised and nothing shown."""
    holder = Loose(anything={"credentials": [Secret(CANARY, "env:X")]})
    shown = {"anything": {"credentials": [{"secret": "env:X"}]}}
    assert json.loads(holder.model_dump_json()) == holder.model_dump(mode="json") == holder.model_dump() == shown
    assert CANARY not in repr(holder) + str(holder) + holder.model_dump_json()
