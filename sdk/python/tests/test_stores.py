"""Key files, pins, and the ids that follow from the key of a question."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from hiloop import storage
from hiloop.codec import b64encode, format_time, now
from hiloop.errors import ConfigurationError, KeyChanged
from hiloop.keyfile import KeyFile, OwnKeys, file_stem
from hiloop.keys import Entry, KeyPair, attestation_message
from hiloop.pins import FolderPins, MemoryPins, Pins, PinStore, SpaceKey
from hiloop.questions import QuestionKey, uuid7

HUB = "http://127.0.0.1:8080"
ANN = "01a21d32-c970-743d-b0b5-651d39807841"
SPACE = "01a21d32-0000-743d-b0b5-651d39807841"
HOUR = 3_600_000
NOW = 1_774_432_200_000


def test_a_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    made: list[OwnKeys] = []
    threads = [
        threading.Thread(target=lambda: made.append(KeyFile(HUB, ANN, tmp_path).load_or_create())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({keys.current.key_id for keys in made}) == 1
    path = KeyFile(HUB, ANN, tmp_path).path
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [child.name for child in path.parent.iterdir()] == [f"{file_stem(HUB, ANN)}.json"]
    content = json.loads(path.read_text())
    assert list(content) == ["hub", "agentId", "secretKey", "createdAt", "earlier"]
    assert (content["hub"], content["agentId"]) == (HUB, ANN)


def test_the_name_of_a_file_ignores_v1_and_slashes() -> None:
    assert len({file_stem(url, ANN) for url in (HUB, HUB + "/", HUB + "/v1", HUB + "/v1/")}) == 1
    assert file_stem(HUB, ANN) != file_stem(HUB, SPACE)
    assert len(file_stem(HUB, ANN)) == 32


def test_rotated_keys_stay(tmp_path: Path) -> None:
    file = KeyFile(HUB, ANN, tmp_path)
    first, second = file.load_or_create().current, KeyPair.generate()
    file.rotate(second)
    keys = KeyFile(HUB, ANN, tmp_path).load_or_create()
    assert keys.current.key_id == second.key_id
    assert set(keys.by_id()) == {first.key_id, second.key_id}


def test_one_process_at_a_time_rotates(tmp_path: Path) -> None:
    lock = KeyFile(HUB, ANN, tmp_path).lock
    # Clients in other languages create the same file.
    assert lock.name == f"{file_stem(HUB, ANN)}.json.lock"
    with storage.try_lock(lock) as is_free, storage.try_lock(lock) as is_free_again:
        assert (is_free, is_free_again) == (True, False)
    assert not lock.exists()
    lock.touch()
    os.utime(lock, (time.time() - 121,) * 2)
    with storage.try_lock(lock) as is_free:
        assert not is_free, "it is removed first"
    with storage.try_lock(lock) as is_free:
        assert is_free


@pytest.mark.parametrize("text", ["", "{", "[]", '{"agentId":"x"}', f'{{"agentId":"{ANN}","secretKey":"AA"}}'])
def test_a_damaged_key_file_is_an_error(tmp_path: Path, text: str) -> None:
    file = KeyFile(HUB, ANN, tmp_path)
    file.load_or_create()
    file.path.write_text(text)
    with pytest.raises(ConfigurationError, match="damaged"):
        file.load_or_create()


def entry(pair: KeyPair, previous: KeyPair | None = None, **members: Any) -> dict[str, Any]:
    return {**Entry.make(ANN, pair, previous).to_json(), **members}


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> PinStore:
    return FolderPins(HUB, SPACE, tmp_path) if request.param == "folder" else MemoryPins()


def test_the_first_entry_is_pinned_and_chained_changes_follow(store: PinStore) -> None:
    one, two, three = (KeyPair.generate() for _ in range(3))
    pins = Pins(store)
    pins.observe(ANN, [None])
    assert pins.recipient(ANN) is None
    pins.observe(ANN, [entry(one)])
    assert pins.recipient(ANN) == one.public
    pins.observe(ANN, [entry(one), entry(two, one), entry(three, two)])
    assert Pins(store).recipient(ANN) == three.public
    assert pins.find(ANN, one.key_id) == one.public
    assert pins.changed(ANN) is None


def test_other_changes_wait_for_trust(store: PinStore) -> None:
    one, two = KeyPair.generate(), KeyPair.generate()
    pins = Pins(store)
    pins.observe(ANN, [entry(one)])
    pins.observe(ANN, [entry(two)])
    changed = pins.changed(ANN)
    assert isinstance(changed, KeyChanged)
    assert (changed.principal_id, changed.key_id) == (ANN, two.key_id)
    assert pins.recipient(ANN) is None
    assert pins.find(ANN, two.key_id) is None
    assert pins.find(ANN, one.key_id) == one.public
    with pytest.raises(ConfigurationError):
        pins.trust(ANN, one.key_id)
    pins.trust(ANN, two.key_id)
    assert pins.recipient(ANN) == two.public
    assert pins.find(ANN, one.key_id) == one.public


def test_a_hub_that_returns_to_the_pinned_entry_changes_nothing(store: PinStore) -> None:
    one, two = KeyPair.generate(), KeyPair.generate()
    pins = Pins(store)
    for key in (one, two, one):
        pins.observe(ANN, [entry(key)])
    assert pins.changed(ANN) is None
    assert pins.recipient(ANN) == one.public


def test_a_chain_forged_by_the_hub_is_not_followed(store: PinStore) -> None:
    one, two, three = (KeyPair.generate() for _ in range(3))
    pins = Pins(store)
    pins.observe(ANN, [entry(one)])
    pins.observe(ANN, [entry(two, three)])
    assert pins.changed(ANN) is not None


def test_an_entry_that_does_not_verify_is_not_pinned(store: PinStore) -> None:
    pins = Pins(store)
    pins.observe(ANN, [entry(KeyPair.generate(), keyId=KeyPair.generate().key_id)])
    assert pins.recipient(ANN) is None


def test_with_a_space_key_attested_entries_alone_are_pinned(store: PinStore) -> None:
    owner, pair = KeyPair.generate(), KeyPair.generate()
    pins = Pins(store, SpaceKey(owner.public.signing, SPACE))

    def attested(not_after: str) -> dict[str, Any]:
        signature = owner.sign(attestation_message(SPACE, ANN, pair.key_id, not_after))
        return entry(pair, attestation={"notAfter": not_after, "signature": b64encode(signature)})

    for value in (entry(pair), attested("2020-01-01T00:00:00.000Z"), entry(pair, attestation={"notAfter": "x"})):
        pins.observe(ANN, [value])
        assert pins.recipient(ANN) is None
    pins.observe(ANN, [attested(format_time(now().replace(year=2100)))])
    assert pins.recipient(ANN) == pair.public


def test_the_file_of_a_pin(tmp_path: Path) -> None:
    one, two = KeyPair.generate(), KeyPair.generate()
    store = FolderPins(HUB, SPACE, tmp_path)
    Pins(store).observe(ANN, [entry(one)])
    Pins(store).observe(ANN, [entry(two, one)])
    path = tmp_path / "pins" / file_stem(HUB, SPACE) / f"{ANN}.json"
    content = json.loads(path.read_text())
    assert list(content) == ["principalId", "keyId", "publicKey", "signingKey", "pinnedAt", "earlier"]
    assert content["keyId"] == two.key_id
    assert content["earlier"] == [
        {"keyId": one.key_id, "publicKey": b64encode(one.public.kem), "signingKey": b64encode(one.public.signing)}
    ]
    path.write_text("{}")
    with pytest.raises(ConfigurationError, match="damaged"):
        Pins(store).recipient(ANN)


def test_ids_follow_from_the_key() -> None:
    key = QuestionKey(ANN, None, "deploy")
    assert QuestionKey(ANN, None, "deploy").session(NOW) == key.session(NOW)
    others = [QuestionKey(SPACE, None, "deploy"), QuestionKey(ANN, SPACE, "deploy"), QuestionKey(ANN, None, "other")]
    assert len({key.mark, *(other.mark for other in others)}) == 4
    assert key.idempotency_key == f"question-{key.mark}"
    for hours in range(100):
        session = uuid.UUID(key.session(NOW + hours * HOUR))
        assert session.version == 7
        assert abs((session.int >> 80) - NOW - hours * HOUR) <= 18 * HOUR
    opened = key.session(NOW)
    for hours in range(-12, 7 * 24):
        assert opened in list(key.sessions(NOW + hours * HOUR))


def test_random_ids_are_of_version_7() -> None:
    assert uuid.UUID(uuid7()).version == 7
    assert uuid7() != uuid7()
