"""Keys and pins in files: private, found by ids alone, one writer at a time."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from hiloop import (
    ConfigurationError,
    HiloopClient,
    storage,
)
from hiloop.bounded import Bounded
from hiloop.keyfile import hub_of
from hiloop.keys import KeyPair
from hiloop.pins import FolderPins, Pin
from hiloop.questions import uuid7
from lying_hub import LyingHub


def test_pins_are_read_by_ids_alone(tmp_path: Any) -> None:
    mine, other, person = FolderPins("http://h", uuid7(), tmp_path), FolderPins("http://i", uuid7(), tmp_path), uuid7()
    other.first(Pin(person, (KeyPair.generate().public,), "t"))
    assert mine.load(f"../{other.folder.name}/{person}") is None
    (mine.folder / f"{(wrong := uuid7())}.json").write_text((other.folder / f"{person}.json").read_text())
    with pytest.raises(ConfigurationError, match="another principal"):
        mine.load(wrong)


def test_two_processes_rotate_the_keys_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = LyingHub()
    transport = httpx.MockTransport(hub.reply)
    one, two = (HiloopClient(hub.api_key, base_url=hub.base_url, transport=transport) for _ in range(2))
    first = [client._secrets().own.current.key_id for client in (one, two)]
    assert first[0] == first[1]
    second = one.rotate_keys()
    third = two.rotate_keys()
    published = hub.keys[hub.agent]
    assert published is not None
    assert (published["keyId"], published["previous"]["keyId"]) == (third, second)
    later = HiloopClient(hub.api_key, base_url=hub.base_url, transport=transport)._secrets().own
    assert list(later.by_id()) == [first[0], second, third]


def test_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        storage.create_once(tmp_path / "c" / "hiloop" / "keys" / "a.json", "x")
    finally:
        os.umask(before)
    for folder in ("c", "c/hiloop", "c/hiloop/keys"):
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700


def test_a_hub_has_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = ("https://hub.example", "https://HUB.example/", "https://hub.example:443/v1", "https://hub.example/?x=1")
    assert {hub_of(url) for url in urls} == {"https://hub.example"}
    assert hub_of("http://[::1]:8080/v1/") == "http://[::1]:8080"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert storage.config_folder().is_absolute()


def test_temporary_files_of_killed_processes_go(tmp_path: Path) -> None:
    old, new = tmp_path / ".a.json.1.00.tmp", tmp_path / ".a.json.2.00.tmp"
    for path in (old, new):
        path.write_text("{")
    os.utime(old, (time.time() - 3600, time.time() - 3600))
    storage.create_once(tmp_path / "b.json", "{}")
    assert sorted(path.name for path in tmp_path.iterdir()) == [new.name, "b.json"]


def test_maps_forget_their_oldest_entries() -> None:
    known: Bounded[int, int] = Bounded(3)
    for number in range(5):
        known[number] = number
    assert known == {2: 2, 3: 3, 4: 4}
    assert known.setdefault(4, 0) == 4
    assert known.setdefault(5, 0) == 0
    assert list(known) == [3, 4, 5]
