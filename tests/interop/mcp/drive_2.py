"""The official Python client, 2.x, as a driver: see mcp_clients.py."""

import asyncio
import os
import sys

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from driver import drive, hiloop_environment


async def main() -> None:
    server = StdioServerParameters(command=sys.argv[1], args=["mcp"], env=hiloop_environment(os.environ))
    async with Client(server, mode="auto") as client:

        async def call(tool, arguments, progress=None):
            result = await client.call_tool(tool, arguments, progress_callback=progress)
            return result.is_error, result.content[0].text, result.structured_content

        tools = [tool.name for tool in (await client.list_tools()).tools]
        await drive(call, tools, client.protocol_version, sys.argv[2:])


asyncio.run(main())
