"""Pydantic AI: a tool that requires an approval asks a person through the hub."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, ToolDenied

from hiloop import AsyncHiloopClient


def build(model: Any) -> Agent[None, Any]:
    agent = Agent(model, output_type=[str, DeferredToolRequests])

    @agent.tool_plain(requires_approval=True)
    def delete_bucket(name: str) -> str:
        """Deletes a storage bucket."""
        return f"{name} is gone"

    return agent


async def run(client: AsyncHiloopClient, agent: Agent[None, Any], request: str) -> str:
    result = await agent.run(request)
    while isinstance(result.output, DeferredToolRequests):
        answers = DeferredToolResults()
        for call in result.output.approvals:
            decision = await client.ask(f"Run {call.tool_name}?", text=f"`{call.args}`", deadline="1h")
            answers.approvals[call.tool_call_id] = decision.approved or ToolDenied(decision.text or "A person refused.")
        result = await agent.run(message_history=result.all_messages(), deferred_tool_results=answers)
    return str(result.output)


async def main() -> None:
    async with AsyncHiloopClient() as client:
        print(await run(client, build("openai:gpt-5"), "Delete the bucket old-logs."))


if __name__ == "__main__":
    asyncio.run(main())
