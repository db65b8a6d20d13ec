"""A person's side without the network: opens questions and seals answers. For tests, bots and the offline mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .components import offered_actions, title_in
from .errors import Unverified
from .models import Message, sender_of
from .vault import Vault

_OUTCOMES = {"approve": "Approved", "reject": "Rejected"}


@dataclass(frozen=True)
class Question:
    """A question as the person sees it."""

    session_id: str
    message_id: str
    title: str | None = field(repr=False)
    text: str | None = field(repr=False)
    components: dict[str, Any] | None = field(repr=False)
    actions: frozenset[str]
    digest: str = field(repr=False)
    message: Message = field(repr=False)


class Respondent:
    """Opens what agents ask and seals what a person says."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault

    def open(self, raw: Mapping[str, Any], session_title: str | None = None) -> Question:
        """Opens a question; `Unverified` if it does not verify."""
        opened = self.vault.open(
            raw.get("encryptedContent"),
            raw.get("encryptedComponents"),
            sender=sender_of(raw),
            session=raw["sessionId"],
            message_id=raw["id"],
            seq=raw["seq"],
            kinds=frozenset({"question"}),
        )
        if opened.state != "verified" or opened.digest is None:
            raise Unverified("question", f"the question does not verify: {opened.reason or opened.state}")
        title = title_in(opened.components)
        return Question(
            session_id=raw["sessionId"],
            message_id=raw["id"],
            title=session_title if title is None else title,
            text=opened.text,
            components=opened.components,
            actions=offered_actions(opened.components),
            digest=opened.digest,
            message=Message.read(raw, opened),
        )

    def answer(self, question: Question, content: Mapping[str, Any], to: Iterable[str]) -> dict[str, Any]:
        """The body that answers a question."""
        said = answer_content(content)
        sealed = self.vault.seal(
            {"content": said}, kind="answer", session=question.session_id, to=to, parent=question.digest
        )
        return {
            "encryptedContent": sealed.envelope,
            "inReplyTo": question.message_id,
            "outcome": said["outcome"],
        }

    def remark(self, question: Question, content: Mapping[str, Any], to: Iterable[str]) -> dict[str, Any]:
        """The body of a remark to a question, which stays pending. It can't serve as an answer."""
        sealed = self.vault.seal(
            {"content": dict(content)}, kind="message", session=question.session_id, to=to, parent=question.digest
        )
        return {"encryptedContent": sealed.envelope, "inReplyTo": question.message_id, "settles": False}


def answer_content(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of an answer with its outcome."""
    said = {key: value for key, value in content.items() if value is not None}
    said.setdefault("outcome", _OUTCOMES.get(str(said.get("action")), "Answered"))
    return said
