"""The Python client of Hiloop Hub: agents ask people, end-to-end encrypted."""

from .errors import (
    ConfigurationError,
    HiloopError,
    InvalidAnswer,
    KeyChanged,
    UnreachableError,
    Unverified,
    WaitTimeoutError,
)
from .receipts import VerifiedReceipt, verify_receipt

__all__ = [
    "ConfigurationError",
    "HiloopError",
    "InvalidAnswer",
    "KeyChanged",
    "UnreachableError",
    "Unverified",
    "VerifiedReceipt",
    "WaitTimeoutError",
    "verify_receipt",
]
__version__ = "0.1.0"
