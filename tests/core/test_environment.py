"""The variables that a command adds to its own environment are not those of its user."""

from __future__ import annotations

import os

import pytest

from oauthdeploy.core import environment
from oauthdeploy.core.environment import given_environment, without_plugins

PLUGINS = "PYDANTIC_DISABLE_PLUGINS"


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_added", set())


def test_what_a_command_adds_is_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that it starts may have plugins of its own."""
    monkeypatch.setenv("HOME_OF_TEST", "x")
    monkeypatch.setenv(PLUGINS, "")
    monkeypatch.delenv(PLUGINS)
    before = dict(os.environ)
    without_plugins()
    assert os.environ[PLUGINS]
    assert given_environment() == before


@pytest.mark.parametrize("value", ["1", "true", "__all__", "one,another", ""])
def test_what_the_user_sets_stays(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For this process, and for those that it starts."""
    monkeypatch.setenv(PLUGINS, value)
    without_plugins()
    assert os.environ[PLUGINS] == value
    assert given_environment()[PLUGINS] == value
