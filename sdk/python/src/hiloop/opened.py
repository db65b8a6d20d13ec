"""What a client knows about a message: what it says, and whether that is proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .accept import Accepted

State = Literal["verified", "plain", "not_authenticated", "cannot_open", "empty"]


@dataclass(frozen=True)
class Opened:
    """The content of an envelope.

    `verified`: signed by a pinned key. `plain`: readable by the hub, which also names the sender.
    `not_authenticated`: it breaks a rule, or is plain in an encrypted session; nothing of it is shown.
    `cannot_open`: not sealed for this client. `empty`: there is no envelope.
    """

    state: State
    reason: str | None = None
    """Why it is not verified; a stable word first."""
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    components: dict[str, Any] | None = field(default=None, repr=False)
    accepted: Accepted | None = field(default=None, repr=False)
    sealed_for: tuple[int, int] | None = None
    """How many of how many participants can open it."""
    may_be_missing: bool = False
    """Its sender had seen a message that this client has not: the hub may withhold something."""

    @property
    def text(self) -> str | None:
        """The text of the message."""
        text = self.content.get("text")
        return text if isinstance(text, str) else None

    @property
    def action(self) -> str | None:
        """The action of the pressed button."""
        action = self.content.get("action")
        return action if isinstance(action, str) else None

    @property
    def digest(self) -> str | None:
        """The digest of the envelope."""
        return self.accepted.digest if self.accepted else None


def split(plain: object) -> tuple[Mapping[str, Any], dict[str, Any] | None]:
    """Content and components of a plaintext; anything malformed counts as absent."""
    if not isinstance(plain, Mapping):
        return {}, None
    content, components = plain.get("content"), plain.get("components")
    return (
        content if isinstance(content, Mapping) else {},
        dict(components) if isinstance(components, Mapping) else None,
    )
