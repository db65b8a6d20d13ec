"""What `ask` seals, the ids of keys, the files of notes: the same in every language, so that an agent may change it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hiloop.codec import b64decode, dump_json, parse_time
from hiloop.drafts import question_draft
from hiloop.errors import HiloopError, Unverified
from hiloop.keyfile import file_stem
from hiloop.keys import KeyPair
from hiloop.questions import MARK, QuestionKey
from hiloop.sent import FolderNotes, Sent

FILE = Path(__file__).resolve().parents[3] / "tests" / "vectors" / "questions.json"
GOLDEN: dict[str, Any] = json.loads(FILE.read_text())


@pytest.mark.parametrize("golden", GOLDEN["questions"], ids=[golden["name"] for golden in GOLDEN["questions"]])
def test_what_a_question_seals(golden: dict[str, Any]) -> None:
    ask = {"text": None, "components": None, "choices": None, "form": None, **golden["ask"]}
    mark = {} if golden["mark"] is None else {MARK: golden["mark"]}
    draft = question_draft(**ask, mark=mark, priority=None, deadline=None, answerers=None)
    # The order of members, too.
    assert dump_json(draft.plain) == dump_json(golden["plain"])


@pytest.mark.parametrize("golden", GOLDEN["keys"])
def test_the_ids_of_a_key(golden: dict[str, Any]) -> None:
    secret = None if golden["secretKey"] is None else KeyPair.from_text(golden["secretKey"]).seed
    key = QuestionKey(golden["agentId"], golden["session"], golden["key"], secret)
    assert (key.mark, key.idempotency_key) == (golden["mark"], golden["idempotencyKey"])
    assert list(key.sessions(golden["now"])) == golden["sessions"]


def test_the_files_of_notes(tmp_path: Path) -> None:
    hub, principal, notes = GOLDEN["files"]["hub"], GOLDEN["files"]["principalId"], GOLDEN["notes"]
    assert file_stem(hub, principal) == GOLDEN["files"]["name"]
    question, answer, person, space = (notes[kind] for kind in ("question", "answer", "person", "space"))
    # Written here, and then as another language has written them.
    for folder in (tmp_path / "own", tmp_path / "other"):
        if folder.name == "other":
            for name, text in notes["files"].items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text)
        sent = Sent(FolderNotes(hub, principal, folder))
        sent.question(question["message"], question["session"], question["digest"])
        assert sent.first_seen(answer["digest"], parse_time(answer["at"])) == parse_time(answer["at"])
        assert sent.principal(person["address"], person["id"]) == person["id"]
        sent.space(b64decode(space["key"]), space["id"])
        written = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.json")}
        assert written == notes["files"]
        with pytest.raises(Unverified):
            sent.question(question["message"], question["session"], answer["digest"])
        with pytest.raises(Unverified):
            sent.question(space["id"], question["session"], question["digest"])
        with pytest.raises(HiloopError, match="another principal"):
            sent.principal(person["address"].upper(), space["id"])
        with pytest.raises(HiloopError, match="space"):
            sent.space(b64decode(space["key"]), person["id"])
        later = parse_time("2026-03-26T00:00:00.000Z")
        assert sent.first_seen(answer["digest"], later) == parse_time(answer["at"])


def test_notes_in_the_form_of_before_are_read(tmp_path: Path) -> None:
    hub, principal, notes = GOLDEN["files"]["hub"], GOLDEN["files"]["principalId"], GOLDEN["notes"]
    question, person = notes["question"], notes["person"]
    before = tmp_path / "sent" / file_stem(hub, principal)
    before.mkdir(parents=True)
    text = json.dumps({"session": question["session"], "digest": question["digest"]})
    (before / f"envelope-{question['message']}").write_text(text)
    (before / f"envelope-{question['digest']}").write_text(question["message"])
    address = Path(next(name for name in notes["files"] if "/people/" in name)).stem
    (before / f"address-{address}").write_text(person["id"])
    sent = Sent(FolderNotes(hub, principal, tmp_path))
    sent.question(question["message"], question["session"], question["digest"])
    assert sent.known_principal(person["address"]) == person["id"]
    with pytest.raises(Unverified):
        sent.question(question["message"], person["id"], question["digest"])
    with pytest.raises(Unverified):
        sent.message(person["id"], question["digest"])
