"""What became of a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from .accept import Accepted, Refused
from .codec import parse_time
from .components import find, offered_actions, says, title_in
from .envelopes import SCHEME, open_plain
from .errors import HiloopError, Unverified
from .forms import check_values
from .models import Message
from .opened import Opened, split
from .receipts import make_receipt
from .vault import Vault

# The seconds after a deadline that the hub has to settle a question.
_GRACE = 10
ReceiptOf = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Respondent:
    """Who answered. The id is proved by the signature, the name is what the hub calls them."""

    id: str
    type: str
    name: str


@dataclass(frozen=True)
class Question:
    """What was asked, by the envelope that this agent signed."""

    title: str | None
    text: str | None
    components: dict[str, Any] | None
    digest: str | None
    """The digest of the envelope; None with `encryption="off"`."""


@dataclass(frozen=True)
class Decision:
    """What became of a question. Act on `approved` and on nothing else."""

    status: Literal["answered", "expired", "cancelled"]
    outcome: str | None = None
    """`Approved`, `Rejected` or `Answered`; None without an answer."""
    approved: bool = False
    rejected: bool = False
    action: str | None = None
    """The action of the pressed button."""
    text: str | None = field(default=None, repr=False)
    values: dict[str, Any] = field(default_factory=dict, repr=False)
    """The values of a form, checked against its fields."""
    respondent: Respondent | None = None
    responded_at: str | None = None
    question: Question | None = field(default=None, repr=False)
    """What was asked, verified: what an approval approves."""
    message: Message | None = field(default=None, repr=False)
    """The question, as the hub has it. None where it could not be asked before its deadline."""
    warning: str | None = None
    """Where the hub contradicts what is proved, in words for a log. The decision is what is proved."""
    _receipt: ReceiptOf | None = field(default=None, repr=False, compare=False)

    @property
    def response(self) -> str | dict[str, Any] | None:
        """The action of the pressed button, else the text, else the values of the form."""
        return self.action or self.text or self.values or None

    def receipt(self) -> dict[str, Any]:
        """The proof of this decision, as JSON; check it with `verify_receipt`."""
        if self._receipt is None:
            raise HiloopError("only an encrypted answer has a receipt", code="NO_RECEIPT")
        return self._receipt()


@dataclass(frozen=True)
class Asked:
    """A question that was asked: where, and what exactly."""

    session_id: str
    message_id: str
    accepted: Accepted | None = field(repr=False)
    """Its envelope; None in mode `off`."""
    content: Mapping[str, Any] = field(repr=False)
    components: dict[str, Any] | None = field(repr=False)

    @property
    def deadline_at(self) -> str | None:
        """The deadline that this client sealed."""
        return self.accepted.header.deadline_at if self.accepted else None

    @property
    def question(self) -> Question:
        """What was asked."""
        text = self.content.get("text")
        return Question(
            title_in(self.components),
            text if isinstance(text, str) else None,
            self.components,
            self.accepted.digest if self.accepted else None,
        )

    def is_overdue(self, at: datetime) -> bool:
        """Whether the sealed deadline is past, and the hub had time to say so."""
        return self.deadline_at is not None and (at - parse_time(self.deadline_at)).total_seconds() > _GRACE

    def hold(self, longest: int, at: datetime) -> int:
        """How many seconds a long-poll may take: not far beyond the deadline."""
        if self.deadline_at is None:
            return longest
        left = (parse_time(self.deadline_at) - at).total_seconds()
        return max(1, min(longest, int(left + _GRACE) + 1))

    @property
    def opened(self) -> Opened:
        """The question as an opened message."""
        state: Literal["verified", "plain"] = "verified" if self.accepted else "plain"
        return Opened(state, content=self.content, components=self.components, accepted=self.accepted)


def decide(vault: Vault, asked: Asked, raw: Mapping[str, Any], at: datetime) -> Decision | None:
    """The decision of a question as the hub has it; None while it is pending.

    Raises `Unverified`, `KeyChanged` or `InvalidAnswer` where the hub says that it was answered and that is not proved.
    """
    status = raw.get("status")
    message = Message.read(raw, asked.opened)
    if status in ("Expired", "Cancelled"):
        return Decision("expired" if status == "Expired" else "cancelled", question=asked.question, message=message)
    if status != "Completed":
        return None
    response = raw.get("response")
    if not isinstance(response, Mapping):
        raise Unverified("no answer", "the hub calls the question completed and has no answer")
    by = response.get("respondedBy")
    by = by if isinstance(by, Mapping) else {}
    sender = str(by.get("id") or "")
    if asked.accepted is None:
        content, receipt = _plain_content(response), None
    else:
        answer = _verified_answer(vault, asked, asked.accepted, response, sender, at)
        content, _ = split(answer.plain)
        receipt = _receipt_of(vault, asked.accepted, answer)
    said = says(content, asked.components)
    form = find(asked.components, "form")
    values = content.get("values")
    if form is not None and not said.rejected:
        values = check_values(form, values)
    text, action = content.get("text"), content.get("action")
    hub_outcome = response.get("outcome") if asked.accepted else None
    return Decision(
        "answered",
        outcome=said.outcome,
        approved=said.approved,
        rejected=said.rejected,
        action=action if isinstance(action, str) else None,
        text=text if isinstance(text, str) else None,
        values=dict(values) if isinstance(values, Mapping) else {},
        respondent=Respondent(sender, str(by.get("type") or ""), str(by.get("name") or "")),
        responded_at=response.get("respondedAt"),
        question=asked.question,
        message=message,
        warning=_contradiction(hub_outcome, said.outcome),
        _receipt=receipt,
    )


def overdue(asked: Asked) -> Decision:
    """The decision of a question that the hub lists as pending after the deadline that was sealed."""
    warning = "the hub lists the question as pending after its deadline: it may withhold an answer"
    return Decision("expired", question=asked.question, warning=warning)


def _contradiction(hub: object, signed: str | None) -> str | None:
    """What the hub says in clear, if that is not what was signed. `Answered` stands for no word as well."""
    if hub not in ("Approved", "Rejected") or hub == signed:
        return None
    return f"the hub says {hub}, the signed answer says {signed}, which counts"


def _verified_answer(
    vault: Vault, asked: Asked, question: Accepted, response: Mapping[str, Any], sender: str, at: datetime
) -> Accepted:
    known = vault.answer_to(question.digest)
    if known is not None and known.header.sender.id == sender:
        return known
    try:
        answer = vault.accept(
            response.get("encryptedContent"),
            sender=sender,
            session=asked.session_id,
            message_id=str(response.get("messageId")),
        )
    except Refused as refused:
        changed = vault.pins.changed(sender, vault.name_of(asked.session_id, sender))
        if refused.reason == "not pinned" and changed is not None:
            raise changed from refused
        raise Unverified(refused.reason, f"the answer does not verify: {refused}") from refused
    vault.check_answer(answer, question, offered_actions(asked.components), at)
    vault.keep_answer(question.digest, answer)
    return answer


def _plain_content(response: Mapping[str, Any]) -> Mapping[str, Any]:
    envelope = response.get("encryptedContent")
    if not isinstance(envelope, Mapping):
        return {}
    if envelope.get("scheme") == SCHEME:
        raise Unverified("scheme", 'the answer is encrypted and this client has encryption="off"')
    try:
        content = open_plain(envelope)
    except ValueError as error:
        raise Unverified("scheme", f"the answer can't be opened: {error}") from error
    return content if isinstance(content, Mapping) else {"text": str(content)}


def _receipt_of(vault: Vault, question: Accepted, answer: Accepted) -> ReceiptOf:
    def receipt() -> dict[str, Any]:
        entries = [(party.header.sender.id, vault.entry_of(party.header.sender)) for party in (question, answer)]
        return make_receipt(question, answer, [(id_, entry) for id_, entry in entries if entry is not None])

    return receipt
