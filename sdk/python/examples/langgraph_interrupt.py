"""LangGraph: a node interrupts the graph, a person decides, the graph goes on.

Run with a checkpointer that lasts, and the same thread after a restart asks the same question.
"""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from hiloop import HiloopClient


class State(TypedDict):
    version: str
    shipped: bool


def ship(state: State) -> dict[str, Any]:
    approved = interrupt({"title": f"Ship {state['version']} to production?"})
    return {"shipped": approved}


def build() -> Any:
    graph = StateGraph(State)
    graph.add_node("ship", ship)
    graph.add_edge(START, "ship")
    graph.add_edge("ship", END)
    return graph.compile(checkpointer=InMemorySaver())


def run(client: HiloopClient, version: str) -> State:
    graph, thread = build(), {"configurable": {"thread_id": f"ship-{version}"}}
    result = graph.invoke({"version": version, "shipped": False}, thread)
    while interrupts := result.get("__interrupt__"):
        question = interrupts[0]
        decision = client.ask(question.value["title"], key=f"langgraph {question.id}", deadline="1h")
        result = graph.invoke(Command(resume=decision.approved), thread)
    return result


if __name__ == "__main__":
    with HiloopClient() as hiloop:
        print(run(hiloop, "4.2"))
