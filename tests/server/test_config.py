"""The configuration and the seed file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oauthdeploy.server import ConfigError, SeedUser, ServerConfig
from oauthdeploy.server.config import load_seed

TOML = """
services = ["orders.v1:getOrder"]
[[users]]
name = "Administrator"
password = "plain"
groups = ["Administrators"]
[[users]]
name = "alice"
password = {env = "ALICE_PASSWORD"}
"""


def write(tmp_path: Path, name: str, text: str) -> ServerConfig:
    (tmp_path / name).write_text(text)
    return ServerConfig(role="both", data_dir=tmp_path / "data", seed_file=tmp_path / name)


def test_toml_and_json_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both formats give the same; a password may come from the environment."""
    monkeypatch.setenv("ALICE_PASSWORD", "from-env")
    users = [
        {"name": "Administrator", "password": "plain", "groups": ["Administrators"]},
        {"name": "alice", "password": {"env": "ALICE_PASSWORD"}},
    ]
    seeds = [
        load_seed(write(tmp_path, "seed.toml", TOML)),
        load_seed(write(tmp_path, "seed.json", json.dumps({"services": ["orders.v1:getOrder"], "users": users}))),
    ]
    assert seeds[0] == seeds[1]
    assert seeds[0].users == (
        SeedUser("Administrator", "plain", ("Administrators",)),
        SeedUser("alice", "from-env"),
    )
    assert seeds[0].services == ("orders.v1:getOrder",)


def test_no_seed_means_every_service(tmp_path: Path) -> None:
    """Services are unlimited unless the configuration or the seed lists some; both lists count together."""
    assert load_seed(ServerConfig(role="both", data_dir=tmp_path)).services is None
    assert load_seed(ServerConfig(role="both", data_dir=tmp_path, services=())).services == ()
    (tmp_path / "seed.json").write_text('{"services": ["a:b"]}')
    config = ServerConfig(role="both", data_dir=tmp_path, services=("c:d",), seed_file=tmp_path / "seed.json")
    assert load_seed(config).services == ("c:d", "a:b")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("seed.toml", "users = [", "cannot be parsed"),
        ("seed.json", "{", "cannot be parsed"),
        ("seed.json", "[]", "must contain an object"),
        ("seed.yaml", "", "must end in"),
        ("seed.json", '{"user": []}', "unknown key 'user'"),
        ("seed.json", '{"users": {}}', "users must be a list"),
        ("seed.json", '{"users": [{}]}', "must have a name"),
        ("seed.json", '{"users": [{"name": "a"}]}', "password must be"),
        ("seed.json", '{"users": [{"name": "a", "password": 5}]}', "password must be"),
        ("seed.json", '{"users": [{"name": "a", "password": {"env": "NOT_SET_ANYWHERE"}}]}', "NOT_SET_ANYWHERE"),
        ("seed.json", '{"users": [{"name": "a", "password": "x", "group": []}]}', "unknown key 'group'"),
        ("seed.json", '{"users": [{"name": "a", "password": "x", "groups": [1]}]}', "list of strings"),
        ("seed.json", '{"users": [{"name": "", "password": "x"}]}', "needs a name"),
        ("seed.json", '{"users": [{"name": "a:b", "password": "x"}]}', "colon"),
        ("seed.json", '{"services": "a:b"}', "services must be a list"),
    ],
)
def test_broken_seeds_are_named(tmp_path: Path, name: str, text: str, reason: str) -> None:
    """A seed that cannot be used says where and why."""
    with pytest.raises(ConfigError, match=reason):
        load_seed(write(tmp_path, name, text))


def test_a_missing_seed_file(tmp_path: Path) -> None:
    """It is an error, not an empty seed."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load_seed(ServerConfig(role="both", data_dir=tmp_path, seed_file=tmp_path / "none.toml"))


def test_broken_configurations(tmp_path: Path) -> None:
    """Role and threads are checked."""
    with pytest.raises(ConfigError, match="role"):
        ServerConfig(role="master", data_dir=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="thread"):
        ServerConfig(role="both", data_dir=tmp_path, threads=0)


def test_passwords_are_not_shown() -> None:
    """Not even in a representation of the configuration."""
    assert "hidden" not in repr(SeedUser("a", "hidden"))
