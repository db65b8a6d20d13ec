"""The official Python client, 1.x, as a driver: see mcp_clients.py."""

import asyncio
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from driver import drive, hiloop_environment


async def main() -> None:
    server = StdioServerParameters(command=sys.argv[1], args=["mcp"], env=hiloop_environment(os.environ))
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        hello = await session.initialize()

        async def call(tool, arguments, progress=None):
            result = await session.call_tool(tool, arguments, progress_callback=progress)
            return result.isError, result.content[0].text, result.structuredContent

        tools = [tool.name for tool in (await session.list_tools()).tools]
        await drive(call, tools, hello.protocolVersion, sys.argv[2:])


asyncio.run(main())
