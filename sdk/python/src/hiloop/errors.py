"""The errors of the client. None of them is an answer."""

from __future__ import annotations

from typing import Any


class HiloopError(Exception):
    """An error of the hub, or of the client (`status` 0)."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "ERROR",
        request_id: str | None = None,
        details: Any = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        """The HTTP status; 0 where the hub did not reply."""
        self.code = code
        """A stable code for programs, such as `SESSION_CLOSED`."""
        self.request_id = request_id
        """The `X-Request-Id` of the reply, under which the hub's log has the request."""
        self.details = details
        """What the hub adds to some codes."""
        self.retry_after: float | None = None
        """The seconds of `Retry-After`, where the reply has it."""

    def __str__(self) -> str:
        status = f"{self.status} " if self.status else ""
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{status}{self.code}: {self.message}{request}"


class UnreachableError(HiloopError):
    """The hub could not be reached for as long as the call may take."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="UNREACHABLE")


class WaitTimeoutError(HiloopError, TimeoutError):
    """The time to wait is over and there is no answer yet. It is no denial; the question stays pending."""

    def __init__(self, message: str = "the question has no answer yet") -> None:
        super().__init__(message, code="TIMEOUT")


class Unverified(HiloopError):  # noqa: N818 (a name of the public API)
    """An answer or a receipt that does not verify. `reason` says which rule it breaks."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message, code="UNVERIFIED", details={"reason": reason})
        self.reason = reason
        """A stable word for programs, such as `signature`."""


class KeyChanged(HiloopError):  # noqa: N818 (a name of the public API)
    """The hub names other keys of a principal than the pinned ones, and the pinned ones did not sign them."""

    def __init__(self, principal_id: str, key_id: str, name: str | None = None) -> None:
        whose = f"{name} ({principal_id})" if name else principal_id
        super().__init__(
            f"the keys of {whose} have changed and are not signed by the keys before them; compare the safety number, "
            f"then trust({principal_id!r}, {key_id!r})",
            code="KEY_CHANGED",
            details={"principalId": principal_id, "keyId": key_id},
        )
        self.principal_id = principal_id
        self.key_id = key_id


class InvalidAnswer(HiloopError):  # noqa: N818 (a name of the public API)
    """A verified answer whose values do not fit the form."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"field {field!r}: {problem}", code="INVALID_ANSWER", details={"field": field})
        self.field = field


class ConfigurationError(HiloopError, ValueError):
    """A setting or an argument is not valid."""

    def __init__(self, message: str, code: str = "VALIDATION_ERROR") -> None:
        super().__init__(message, code=code)
