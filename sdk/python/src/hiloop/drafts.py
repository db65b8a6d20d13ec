"""Messages that are to be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from . import components as nodes
from .codec import now, parse_deadline
from .errors import ConfigurationError
from .forms import form as form_node

Deadline = str | float | timedelta | datetime
Components = Mapping[str, Any] | Sequence[Mapping[str, Any]]
FormDefinition = Mapping[str, Any] | Sequence[Mapping[str, Any]]
_PRIORITIES = ("Low", "Medium", "High", "Urgent")


@dataclass(frozen=True)
class Draft:
    """A message before it is sealed."""

    content: dict[str, Any] = field(repr=False)
    components: dict[str, Any] | None = field(repr=False)
    response_required: bool = False
    priority: str | None = None
    deadline: datetime | None = None
    answerers: tuple[str, ...] | None = None
    """Ids or e-mail addresses; None is everyone who takes part."""
    in_reply_to: str | None = None
    recipients: tuple[str, ...] | None = None
    """The ids of those it is sealed for; None is everyone who takes part."""

    @property
    def plain(self) -> dict[str, Any]:
        """The plaintext."""
        plain: dict[str, Any] = {}
        if self.content or self.components is None:
            plain["content"] = self.content
        if self.components is not None:
            plain["components"] = self.components
        return plain


def message_draft(
    text: str | None,
    components: Components | None,
    *,
    response_required: bool | None,
    priority: str | None,
    deadline: Deadline | None,
    answerers: Sequence[str] | None,
    in_reply_to: str | None,
) -> Draft:
    """A message; a question where its components ask something, unless `response_required` says otherwise."""
    node = nodes.as_node(components) if components is not None else None
    if text is None and node is None:
        raise ConfigurationError("a message needs text or components")
    required = nodes.asks(node) if response_required is None else response_required
    return Draft(
        {} if text is None else {"text": text},
        node,
        required,
        check_priority(priority),
        None if deadline is None else deadline_of(deadline),
        None if answerers is None else tuple(answerers),
        in_reply_to,
    )


def question_draft(
    title: str,
    text: str | None,
    *,
    components: Components | None,
    choices: Sequence[str | Mapping[str, Any]] | None,
    form: FormDefinition | None,
    mark: Mapping[str, str],
    priority: str | None,
    deadline: datetime | None,
    answerers: Sequence[str] | None,
) -> Draft:
    """A question. Without components of its own it brings an approval, buttons of `choices`, or a form."""
    if sum(part is not None for part in (components, choices, form)) > 1:
        raise ConfigurationError("components, choices and form exclude each other")
    node = nodes.as_node(components) if components is not None else None
    if choices is not None:
        if not choices:
            raise ConfigurationError("choices is empty")
        node = nodes.button_group(choices)
    elif form is not None:
        node = form_node(form)
    node = nodes.approval(title) if node is None else nodes.titled(title, node)
    content: dict[str, Any] = {**({} if text is None else {"text": text}), **mark}
    return Draft(
        content, node, True, check_priority(priority), deadline, None if answerers is None else tuple(answerers)
    )


def deadline_of(deadline: Deadline) -> datetime:
    """The instant of a deadline, in whole milliseconds."""
    try:
        at = parse_deadline(deadline, now())
    except ValueError as error:
        raise ConfigurationError(f"deadline: {error}") from None
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def check_priority(priority: str | None) -> str | None:
    """A priority of the hub; case is ignored."""
    if priority is None:
        return None
    named = priority.capitalize()
    if named not in _PRIORITIES:
        raise ConfigurationError(f"priority must be one of {', '.join(_PRIORITIES)} (got {priority!r})")
    return named
