"""What questions and answers say: their components, the actions that these offer, the outcome of an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Node = dict[str, Any]


def approval(title: str, description: str | None = None) -> Node:
    """Buttons to approve or reject."""
    data = {"title": title}
    if description is not None:
        data["description"] = description
    return {"type": "approval", "data": data}


def button_group(choices: Sequence[str | Mapping[str, Any]]) -> Node:
    """One button for each choice: a label, or `{"label","action"?,"variant"?,"confirm"?}`."""
    buttons: list[dict[str, Any]] = []
    for choice in choices:
        given = {"label": choice} if isinstance(choice, str) else choice
        label = given.get("label")
        button = {"label": label, "action": given.get("action", label), "variant": given.get("variant", "secondary")}
        if given.get("confirm") is not None:
            button["confirm"] = given["confirm"]
        buttons.append(button)
    return {"type": "button_group", "data": {"buttons": buttons}}


def titled(title: str, node: Node) -> Node:
    """A node below the title of its question, unless it shows one of its own. The title is sealed with it."""
    data = node.get("data")
    if isinstance(data, Mapping) and isinstance(data.get("title"), str):
        return node
    return {"type": "group", "data": {"title": title}, "children": [node]}


def title_in(node: object) -> str | None:
    """The first title among components."""
    for found in nodes_of(node):
        data = found.get("data")
        if isinstance(data, Mapping) and isinstance(data.get("title"), str):
            return str(data["title"])
    return None


def as_node(components: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Node | None:
    """One node: the given one, or a group of those of a list."""
    if isinstance(components, Mapping):
        return dict(components)
    nodes = [dict(node) for node in components]
    if len(nodes) <= 1:
        return nodes[0] if nodes else None
    return {"type": "group", "data": {}, "children": nodes}


def nodes_of(node: object) -> Iterator[Mapping[str, Any]]:
    """A node and all nodes below it."""
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, Mapping):
            yield current
            children = current.get("children")
            stack.extend(reversed(children) if isinstance(children, list) else [])


def find(node: object, kind: str) -> Mapping[str, Any] | None:
    """The data of the first node of this type."""
    for found in nodes_of(node):
        if found.get("type") == kind and isinstance(found.get("data"), Mapping):
            return found["data"]  # type: ignore[no-any-return]
    return None


def asks(node: object) -> bool:
    """Whether the components ask for an answer."""
    return any(found.get("type") in ("approval", "button_group", "form") for found in nodes_of(node))


def offered_actions(node: object) -> frozenset[str]:
    """The actions that an answer may name."""
    actions: set[str] = set()
    for found in nodes_of(node):
        data = found.get("data")
        if found.get("type") == "approval":
            actions |= {"approve", "reject"}
        elif found.get("type") == "form":
            actions.add("submit")
        elif found.get("type") == "button_group" and isinstance(data, Mapping):
            buttons = data.get("buttons")
            for button in buttons if isinstance(buttons, list) else []:
                if isinstance(button, Mapping) and isinstance(button.get("action"), str):
                    actions.add(button["action"])
    return frozenset(actions)


@dataclass(frozen=True)
class Said:
    """What the content of an answer decides."""

    outcome: str | None
    approved: bool
    rejected: bool


def says(content: Mapping[str, Any], components: object) -> Said:
    """Reads what an answer decides. A contradiction between its action and its sealed outcome approves nothing.

    Only an approval can be approved: by its action, or by the sealed outcome of an answer without an action.
    """
    action, outcome = content.get("action"), content.get("outcome")
    outcome = outcome if outcome in ("Approved", "Rejected", "Answered") else None
    is_approval = find(components, "approval") is not None
    by_action = {"approve": "Approved", "reject": "Rejected"}.get(str(action)) if is_approval else None
    if outcome == "Rejected" or by_action == "Rejected":
        return Said("Rejected", approved=False, rejected=True)
    claims = by_action if action is not None else outcome
    approved = is_approval and claims == "Approved" and outcome in (None, "Approved")
    return Said("Approved" if approved else "Answered", approved, rejected=False)
