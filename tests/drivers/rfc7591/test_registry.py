"""The registry: encrypted, replaced in one step, and shared by machines that lose no entry of each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from oauthdeploy.core.errors import Conflict
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.rfc7591.client_registry import SPARE_LINES, UPDATE, ClientRegistry, Entry
from oauthdeploy.drivers.rfc7591.errors import RegistryFailed

ISSUER = "https://login.example.com"
KEY = Secret(Fernet.generate_key().decode(), "test")
OTHER = Secret(Fernet.generate_key().decode(), "test")
TOKEN = "a-registration-access-token-5f"


def registry(folder: Path, *keys: Secret, ended: tuple[str, ...] = ()) -> ClientRegistry:
    return ClientRegistry("login", folder / "team" / "clients.registry", keys or (KEY,), ended)


def entry(client_id: str = "c-1", token: str = TOKEN, **more: object) -> Entry:
    return Entry(client_id, f"{ISSUER}/register/{client_id}", Secret(token, "test"), **more)  # type: ignore[arg-type]


def put_ten(own: ClientRegistry, number: int) -> None:
    for one in range(10):
        own.put(ISSUER, f"thread-{number}-{one}", entry(f"{number}-{one}"))


def test_what_it_stores_it_gives_back_and_nothing_of_it_can_be_read(tmp_path: Path) -> None:
    """Not the token, and not the clients either; nobody but the owner of the file reads it."""
    assert registry(tmp_path).read(ISSUER).exists is False
    registry(tmp_path).put(ISSUER, "web-shop", entry(owner="shop", revision=3))
    book = registry(tmp_path).read(ISSUER)
    assert book.exists
    assert book.entries == {"web-shop": entry(owner="shop", revision=3)}
    assert registry(tmp_path).read("https://other.example.com").entries == {}
    path = tmp_path / "team" / "clients.registry"
    for word in (TOKEN, "web-shop", "login.example.com"):
        assert word.encode() not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_can_be_replaced(tmp_path: Path) -> None:
    """The new key reads what the former one encrypted, and the next write is the new one's alone."""
    registry(tmp_path).put(ISSUER, "web-shop", entry())
    registry(tmp_path, OTHER, KEY).put(ISSUER, "batch", entry("c-2"))
    assert set(registry(tmp_path, OTHER).read(ISSUER).entries) == {"web-shop", "batch"}
    with pytest.raises(RegistryFailed, match="another key"):
        registry(tmp_path).read(ISSUER)


def test_a_file_that_is_not_the_registry_is_refused_and_stays(tmp_path: Path) -> None:
    """Nothing is written over what cannot be read: it may be the only copy of tokens."""
    path = tmp_path / "team" / "clients.registry"
    path.parent.mkdir()
    for content in (b"", b"not encrypted", Fernet(KEY.reveal()).encrypt(b'{"format": "another"}')):
        path.write_bytes(content)
        with pytest.raises(RegistryFailed) as caught:
            registry(tmp_path).put(ISSUER, "web-shop", entry())
        assert "clients.registry" in caught.value.fix
        assert path.read_bytes() == content


def test_a_key_of_the_wrong_form_is_named_with_a_command_that_makes_one(tmp_path: Path) -> None:
    """And the key is not shown."""
    with pytest.raises(RegistryFailed) as caught:
        registry(tmp_path, Secret("too-short-a-key", "test"))
    assert "openssl rand" in caught.value.fix
    assert "too-short" not in str(vars(caught.value))


def test_an_intent_stands_until_it_is_known_what_became_of_it(tmp_path: Path) -> None:
    """A registration that succeeded or was refused leaves nothing; one without an answer stays, until it is said to be over."""
    one = registry(tmp_path)
    done = one.begin(ISSUER, "web-shop", "Web Shop", "2026-11-30T10:00:00+00:00", None)
    assert one.read(ISSUER).lost[done].name == "Web Shop"
    one.finish(ISSUER, done, "web-shop", entry())
    refused = one.begin(ISSUER, "batch", "Batch", "2026-11-30T10:00:01+00:00", None)
    one.cancel(ISSUER, refused)
    assert one.read(ISSUER).lost == {}
    lost = one.begin(ISSUER, "batch", "Batch", "2026-11-30T10:00:02+00:00", None)
    assert set(one.read(ISSUER).lost) == {lost}
    registry(tmp_path, ended=(lost,)).put(ISSUER, "other", entry("c-3"))
    assert one.read(ISSUER).lost == {}


def test_a_client_that_another_machine_registered_meanwhile_is_not_registered_twice(tmp_path: Path) -> None:
    """Its entry is newer than what was read."""
    registry(tmp_path).put(ISSUER, "web-shop", entry("theirs"))
    with pytest.raises(Conflict, match="Another run has registered 'web-shop'"):
        registry(tmp_path).begin(ISSUER, "web-shop", "Web Shop", "", None)
    assert registry(tmp_path).read(ISSUER).lost == {}


def test_a_client_whose_new_token_was_lost_is_named_once_it_is_registered_anew(tmp_path: Path) -> None:
    """The old one may still work at the server."""
    one = registry(tmp_path)
    former = entry("c-old", pending=UPDATE)
    one.put(ISSUER, "web-shop", former)
    record = one.begin(ISSUER, "web-shop", "Web Shop", "2026-11-30T10:00:00+00:00", former)
    one.finish(ISSUER, record, "web-shop", entry("c-new", "another-token-77"))
    book = one.read(ISSUER)
    assert book.entries["web-shop"].client_id == "c-new"
    assert [lost.client_id for lost in book.lost.values()] == ["c-old"]


def test_threads_and_processes_lose_no_entry_of_each_other(tmp_path: Path) -> None:
    """Each change starts from what the file then has."""
    script = (
        "import sys; from pathlib import Path; from oauthdeploy.core.secrets import Secret;"
        "from oauthdeploy.drivers.rfc7591.client_registry import ClientRegistry, Entry;"
        "r = ClientRegistry('login', Path(sys.argv[1]), (Secret(sys.argv[2], 'test'),));"
        f"[r.put('{ISSUER}', f'{{sys.argv[3]}}-{{n}}', Entry(f'{{sys.argv[3]}}-{{n}}')) for n in range(20)]"
    )
    path = tmp_path / "team" / "clients.registry"
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(path), KEY.reveal(), name], env=dict(os.environ))
        for name in ("first", "second")
    ]
    own = registry(tmp_path)
    threads = [threading.Thread(target=put_ten, args=(own, n)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(own.read(ISSUER).entries) == 2 * 20 + 3 * 10


def test_the_encrypted_document_has_a_version(tmp_path: Path) -> None:
    """So that a later version can be told from a broken file."""
    registry(tmp_path).put(ISSUER, "web-shop", entry())
    sealed = (tmp_path / "team" / "clients.registry").read_bytes()
    document = json.loads(Fernet(KEY.reveal()).decrypt(sealed))
    assert document["format"] == "oauthdeploy/client-registry"
    document["format_version"] = "2.0"
    (tmp_path / "team" / "clients.registry").write_bytes(Fernet(KEY.reveal()).encrypt(json.dumps(document).encode()))
    with pytest.raises(RegistryFailed, match="later version"):
        registry(tmp_path).read(ISSUER)


def test_a_change_adds_one_line_whatever_the_number_of_clients(tmp_path: Path) -> None:
    """And a file that has grown is replaced by one that tells the same."""
    own, path = registry(tmp_path), tmp_path / "team" / "clients.registry"
    own.put(ISSUER, "first", entry())
    for number in range(30):
        own.put(ISSUER, f"client-{number}", entry(f"c-{number}"))
    before = path.stat().st_size
    own.amend(ISSUER, "client-7", pending=UPDATE)
    assert 0 < path.stat().st_size - before < 1000
    for number in range(120):
        own.amend(ISSUER, "client-7", revision=number)
    assert len(path.read_bytes().splitlines()) < 2 * 31 + SPARE_LINES
    own.remove(ISSUER, "first")
    own.rename(ISSUER, "client-8", "renamed")
    for reader in (own, registry(tmp_path)):
        entries = reader.read(ISSUER).entries
        assert len(entries) == 30
        assert (entries["client-7"].pending, entries["client-7"].revision) == (UPDATE, 119)
        assert not {"first", "client-8"} & entries.keys()
    assert path.stat().st_mode & 0o777 == 0o600


def test_half_a_line_of_a_run_that_was_killed_is_not_read_and_goes(tmp_path: Path) -> None:
    """What stood before is whole, and the next change writes all of it anew."""
    own, path = registry(tmp_path), tmp_path / "team" / "clients.registry"
    own.put(ISSUER, "web-shop", entry())
    own.put(ISSUER, "batch", entry("c-2"))
    whole = path.read_bytes()
    for cut in (1, 30):
        path.write_bytes(whole[:-cut])
        assert set(registry(tmp_path).read(ISSUER).entries) == {"web-shop"}
    registry(tmp_path).put(ISSUER, "robot", entry("c-3"))
    assert set(own.read(ISSUER).entries) == {"web-shop", "robot"}
    path.write_bytes(whole + b"gAAAA-not-a-line\n")
    with pytest.raises(RegistryFailed, match="changed by hand"):
        own.read(ISSUER)


def test_a_file_that_is_put_back_from_a_backup_is_read_again(tmp_path: Path) -> None:
    """Also by a run that has read the later one."""
    own, path = registry(tmp_path), tmp_path / "team" / "clients.registry"
    own.put(ISSUER, "web-shop", entry())
    backup = path.read_bytes()
    own.put(ISSUER, "batch", entry("c-2"))
    path.write_bytes(backup)
    assert set(own.read(ISSUER).entries) == {"web-shop"}


def test_a_file_of_a_former_version_is_read_and_kept(tmp_path: Path) -> None:
    """It is one line without an end, and its clients have one token."""
    own, path = registry(tmp_path), tmp_path / "team" / "clients.registry"
    own.put(ISSUER, "web-shop", entry())
    document = json.loads(Fernet(KEY.reveal()).decrypt(path.read_bytes().strip()))
    del document["servers"][ISSUER]["clients"]["web-shop"]["former"]
    path.write_bytes(Fernet(KEY.reveal()).encrypt(json.dumps(document).encode()))
    fresh = registry(tmp_path)
    assert fresh.read(ISSUER).entries == {"web-shop": entry()}
    fresh.put(ISSUER, "batch", entry("c-2"))
    assert set(registry(tmp_path).read(ISSUER).entries) == {"web-shop", "batch"}
