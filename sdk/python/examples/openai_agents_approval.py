"""OpenAI Agents SDK: a tool that needs an approval asks a person through the hub."""

from __future__ import annotations

import asyncio
from typing import Any

from agents import Agent, Runner, function_tool

from hiloop import AsyncHiloopClient


@function_tool(needs_approval=True)
def delete_bucket(name: str) -> str:
    """Deletes a storage bucket."""
    return f"{name} is gone"


def build(model: Any = None) -> Agent[Any]:
    return Agent(name="ops", instructions="Do what you are asked.", tools=[delete_bucket], model=model)


async def run(client: AsyncHiloopClient, agent: Agent[Any], request: str) -> str:
    result = await Runner.run(agent, request)
    while result.interruptions:
        state = result.to_state()
        for call in result.interruptions:
            decision = await client.ask(
                f"Run {call.name}?",
                components=[
                    {"type": "code", "data": {"language": "json", "content": str(call.arguments)}},
                    {"type": "approval", "data": {"title": f"Run {call.name}?"}},
                ],
                deadline="1h",
            )
            if decision.approved:
                state.approve(call)
            else:
                state.reject(call)
        result = await Runner.run(agent, state)
    return str(result.final_output)


async def main() -> None:
    async with AsyncHiloopClient() as client:
        print(await run(client, build(), "Delete the bucket old-logs."))


if __name__ == "__main__":
    asyncio.run(main())
