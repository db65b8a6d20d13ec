"""What the hub returns, with envelopes opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .opened import Opened

T = TypeVar("T")
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list."""

    data: list[T]
    total: int
    page: int
    page_size: int

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    @property
    def has_more(self) -> bool:
        """Whether there are pages after this one."""
        return self.page * self.page_size < self.total


@dataclass(frozen=True)
class Session:
    """A conversation."""

    id: str
    title: str | None = field(repr=False)
    """The title in clear, or the sealed one where it verifies."""
    title_state: str
    status: str
    priority: str
    metadata: Any
    last_seq: int
    pending_count: int
    created_at: str
    updated_at: str
    raw: Json = field(repr=False)

    @classmethod
    def read(cls, raw: Json, title: Opened) -> Session:
        """Reads the hub's object."""
        return cls(
            id=raw["id"],
            title=title.text if title.text is not None else raw.get("title"),
            title_state="plain" if title.state == "empty" else title.state,
            status=raw["status"],
            priority=raw["priority"],
            metadata=raw.get("metadata"),
            last_seq=raw["lastSeq"],
            pending_count=raw["pendingCount"],
            created_at=raw["createdAt"],
            updated_at=raw["updatedAt"],
            raw=raw,
        )


@dataclass(frozen=True)
class Message:
    """A message of a session, opened."""

    id: str
    session_id: str
    seq: int
    sender_type: str
    sender_id: str | None
    """The principal that sent it, as the hub says; proved where `state` is `verified`."""
    sender_name: str | None
    response_required: bool
    status: str
    priority: str
    deadline_at: str | None
    in_reply_to: str | None
    acknowledged_at: str | None
    created_at: str
    opened: Opened = field(repr=False)
    raw: Json = field(repr=False)

    @classmethod
    def read(cls, raw: Json, opened: Opened) -> Message:
        """Reads the hub's object."""
        return cls(
            id=raw["id"],
            session_id=raw["sessionId"],
            seq=raw["seq"],
            sender_type=raw["senderType"],
            sender_id=sender_of(raw),
            sender_name=raw.get("senderName"),
            response_required=raw["responseRequired"],
            status=raw["status"],
            priority=raw["priority"],
            deadline_at=raw.get("deadlineAt"),
            in_reply_to=raw.get("inReplyTo"),
            acknowledged_at=raw.get("acknowledgedAt"),
            created_at=raw["createdAt"],
            opened=opened,
            raw=raw,
        )

    @property
    def state(self) -> str:
        """Whether what it says is proved; see `Opened`."""
        return self.opened.state

    @property
    def text(self) -> str | None:
        """The text of the message."""
        return self.opened.text

    @property
    def action(self) -> str | None:
        """The action of the pressed button."""
        return self.opened.action

    @property
    def components(self) -> dict[str, Any] | None:
        """The components of the message, one node."""
        return self.opened.components

    @property
    def sealed_for(self) -> str | None:
        """Who can open it, such as `3 of 4`."""
        sealed_for = self.opened.sealed_for
        return f"{sealed_for[0]} of {sealed_for[1]}" if sealed_for else None


def sender_of(raw: Json) -> str | None:
    """The principal that the hub names as the sender of a message."""
    return raw.get("senderAgentId") or raw.get("senderGuestId") or raw.get("senderHumanId")


@dataclass(frozen=True)
class Participant:
    """A participant of a session: an agent, a human or a guest."""

    id: str
    session_id: str
    type: str
    principal_id: str
    name: str
    role: str
    online: bool
    has_key: bool
    invited_by: Json | None
    raw: Json = field(repr=False)

    @classmethod
    def read(cls, raw: Json) -> Participant:
        """Reads the hub's object."""
        return cls(
            id=raw["id"],
            session_id=raw["sessionId"],
            type=raw["type"],
            principal_id=raw.get("agentId") or raw.get("guestId") or raw.get("humanId") or "",
            name=raw["name"],
            role=raw["role"],
            online=bool(raw.get("online")),
            has_key=raw.get("key") is not None,
            invited_by=raw.get("invitedBy"),
            raw=raw,
        )


@dataclass(frozen=True)
class Event:
    """One entry of a timeline. `message` is the opened message of `message.created`."""

    session_id: str
    seq: int
    type: str
    at: str
    actor: Json
    data: Json = field(repr=False)
    message: Message | None = field(repr=False)

    @classmethod
    def read(cls, raw: Json, message: Message | None) -> Event:
        """Reads the hub's object."""
        return cls(raw["sessionId"], raw["seq"], raw["type"], raw["at"], raw["actor"], raw["data"], message)


@dataclass(frozen=True)
class FeedItem:
    """One event of any session, without content."""

    session_id: str
    seq: int
    event: str
    pending_count: int
    at: str

    @classmethod
    def read(cls, raw: Json) -> FeedItem:
        """Reads the hub's frame."""
        return cls(raw["sessionId"], raw["seq"], raw["event"], raw["pendingCount"], raw["at"])


@dataclass(frozen=True)
class GuestToken:
    """A link for a guest. Its `repr` hides the secret."""

    id: str
    token: str = field(repr=False)
    url: str = field(repr=False)
    expires_at: str
    participant: Participant

    @classmethod
    def read(cls, raw: Json) -> GuestToken:
        """Reads the hub's object."""
        return cls(raw["id"], raw["token"], raw["url"], raw["expiresAt"], Participant.read(raw["participant"]))


@dataclass(frozen=True)
class Interaction:
    """A question in a session of its own, under the older names."""

    id: str
    session_id: str
    message_id: str
    type: str
    title: str | None
    status: str
    priority: str
    deadline_at: str | None
    acknowledged_at: str | None
    opened: Opened = field(repr=False)
    blocks: list[Opened] = field(repr=False)
    raw: Json = field(repr=False)
