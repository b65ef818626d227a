"""What values the fields of the model take, and what they make of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from oauthdeploy.core.secrets import Secret, SourcedText
from oauthdeploy.model.fields import (
    FreeText,
    Model,
    NaturalKey,
    SecretsAmongTexts,
    SetLike,
    Text,
    WriteOnly,
    format_duration,
    managed,
    marked,
    parse_date,
    parse_duration,
    parse_integer,
    parse_time,
)
from oauthdeploy.model.objects import Client, ClientTokens, Scope, Settings


@given(st.integers(0, 10**9))
def test_durations_round_trip(seconds: int) -> None:
    """The written form of a duration is read as the same number of seconds."""
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("12h", 43200), ("30d", 2592000), ("PT1H", 3600), ("P1DT2H3M4S", 93784), ("P2W", 1209600),
     ("0", 0), ("007", 7), (45, 45)],
)  # fmt: skip
def test_durations_are_read_as_documented(text: Any, seconds: int) -> None:
    """Short forms, ISO 8601 and whole seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1 hour", "1.5h", "-5", "P1Y", "PT", "P", "1H", "h", True, None, 1.5, [1]])
def test_what_is_no_duration_is_refused(text: Any) -> None:
    """Months and years have no fixed length; negative, fractional and empty ones are no durations."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.text(max_size=30))
def test_no_text_breaks_the_readers(text: str) -> None:
    """Every reader gives a value or a ValueError with words."""
    for read in (parse_duration, parse_integer, parse_time, parse_date):
        try:
            read(text)
        except ValueError as error:
            assert str(error)


def test_times_need_a_zone_and_are_given_in_utc() -> None:
    """RFC 3339; a time without a zone could be anybody's."""
    assert parse_time("2026-11-20T09:00:00+01:00") == datetime(2026, 11, 20, 8, tzinfo=UTC)
    with pytest.raises(ValueError, match="zone"):
        parse_time("2026-11-20T08:00:00")
    with pytest.raises(ValueError, match="date and time"):
        parse_time("2026-11-20")
    assert parse_date("2027-01-31") == date(2027, 1, 31)


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "1", "0", "", "y", 1, 0, None])
def test_only_true_and_false_are_booleans(word: Any) -> None:
    """YAML 1.2 knows no other; null is allowed by the model as the server's default."""
    if word is None:
        assert Client.model_validate({"enabled": None}).enabled is None
        return
    with pytest.raises(ValueError, match="write true or false"):
        Client.model_validate({"enabled": word})


def test_unset_null_and_empty_are_three_things() -> None:
    """managed() gives what was written: nothing, None, or an empty list."""
    assert dict(managed(Scope())) == {}
    assert dict(managed(Scope.model_validate({"resources": None}))) == {"resources": None}
    assert dict(managed(Scope.model_validate({"resources": []}))) == {"resources": ()}


def test_nested_fields_have_dotted_paths() -> None:
    """A nested model is entered; one that is null as a whole is one field."""
    client = Client.model_validate({"tokens": {"access_lifetime": "inherit"}, "secret": None})
    assert dict(managed(client)) == {"tokens.access_lifetime": "inherit", "secret": None}
    assert client.tokens == ClientTokens(access_lifetime="inherit")


def test_words_stand_beside_numbers() -> None:
    """Lifetimes and counts take their words, and say them when they refuse."""
    settings = Settings.model_validate({"access_token_lifetime": "never"})
    assert settings.access_token_lifetime == "never"
    with pytest.raises(ValueError, match="or never"):
        Settings.model_validate({"access_token_lifetime": "forever"})
    with pytest.raises(ValueError, match="unlimited"):
        Client.model_validate({"tokens": {"refresh_count": "many"}})


def test_marks_are_found_through_unions_and_nesting() -> None:
    """The marks decide how a field is compared, so none may be overlooked."""
    assert marked(Client, SetLike) == {"redirect_uris", "grants", "contacts", "groups"}
    assert marked(Client, WriteOnly) == {"secret.value"}
    assert marked(Client, NaturalKey) == {"name", "version"}


class Free(Model):
    """Options with a server's own names."""

    texts: Annotated[Mapping[Text, FreeText | None], SecretsAmongTexts] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("name", "value", "origin"),
    [
        ("note", SourcedText("canary", "${env:A}"), "${env:A}"),
        ("note", SourcedText("canary", "${file:a}"), "${file:a}"),
        ("note", SourcedText("canary", "${var:a}", sensitive=True), "${var:a}"),
        ("note", SourcedText("canary", "${keyring:a/b}", sensitive=True), "${keyring:a/b}"),
        ("note", SourcedText("canary", "${var:a}${env:B}"), "${var:a}${env:B}"),
        ("crm.password", SourcedText("canary", "${var:a}"), "${var:a}"),
        ("crm.password", "canary", "manifest"),
        ("note", Secret("canary", "server"), "server"),
        ("note", SourcedText("shown", "${var:a}"), ""),
        ("note", SourcedText("shown", "${var:a}${var:b}"), ""),
        ("note", "shown", ""),
        ("crm.password", "true", ""),
        ("crm.password", None, ""),
    ],
)
def test_among_free_texts_source_and_name_make_a_secret(name: str, value: Any, origin: str) -> None:
    """What comes from outside, and what is named so; a variable that isn't sensitive may be shown. Read again it is the same."""
    made = Free.model_validate({"texts": {name: value}})
    found = made.texts[name]
    assert (found.origin if isinstance(found, Secret) else "") == origin
    assert isinstance(found, Secret) or found == value
    assert "canary" not in repr(made) + made.model_dump_json()
    assert Free.model_validate({"texts": made.texts}) == made


@pytest.mark.parametrize("value", [1, True, ["canary"], {"a": "canary"}, SourcedText("canary\udcff", "${env:A}")])
def test_what_is_no_text_is_refused_without_being_quoted(value: Any) -> None:
    """Numbers, lists and mappings; and what the environment holds that is no UTF-8."""
    with pytest.raises(ValidationError) as caught:
        Free.model_validate({"texts": {"note": value}})
    assert "canary" not in str(caught.value)


def test_objects_that_write_the_same_share_one_set_and_a_copy_changes_its_own() -> None:
    """Of very many objects few sets differ; none may change with a copy of another object."""
    one, other = Scope(description="a"), Scope(description="b")
    assert one.model_fields_set is other.model_fields_set
    copy = one.model_copy(update={"resources": ("orders",)})
    assert copy.model_fields_set == {"description", "resources"}
    assert one.model_fields_set == other.model_fields_set == {"description"}
    assert Scope.model_construct({"description"}, description="c").model_fields_set == {"description"}
