"""The Python client of Hiloop Hub: agents ask people, end-to-end encrypted.

`HiloopClient` blocks, `AsyncHiloopClient` has the same methods for asyncio.
"""

from ._async.client import AsyncHiloopClient
from ._sync.client import HiloopClient
from .components import approval, button_group
from .decision import Decision, Respondent
from .errors import (
    ConfigurationError,
    HiloopError,
    InvalidAnswer,
    KeyChanged,
    UnreachableError,
    Unverified,
    WaitTimeoutError,
)
from .keys import KeyPair
from .models import Event, FeedItem, GuestToken, Interaction, Message, Page, Participant, Session
from .opened import Opened
from .receipts import VerifiedReceipt, verify_receipt
from .respondent import Question


def generate_secret_key() -> str:
    """New private keys of an agent, for `secret_key` or `HILOOP_SECRET_KEY`."""
    return KeyPair.generate().to_text()


__all__ = [
    "AsyncHiloopClient",
    "ConfigurationError",
    "Decision",
    "Event",
    "FeedItem",
    "GuestToken",
    "HiloopClient",
    "HiloopError",
    "Interaction",
    "InvalidAnswer",
    "KeyChanged",
    "Message",
    "Opened",
    "Page",
    "Participant",
    "Question",
    "Respondent",
    "Session",
    "UnreachableError",
    "Unverified",
    "VerifiedReceipt",
    "WaitTimeoutError",
    "approval",
    "button_group",
    "generate_secret_key",
    "verify_receipt",
]
__version__ = "0.1.0"
