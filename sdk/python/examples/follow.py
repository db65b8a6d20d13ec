"""Follows a session: prints its messages as they come, through lost connections.

HILOOP_API_KEY=hlp_… python examples/follow.py SESSION-ID
"""

from __future__ import annotations

import asyncio
import sys

from hiloop import AsyncHiloopClient


async def main() -> None:
    async with AsyncHiloopClient() as client:
        async for event in client.events(sys.argv[1]):
            if event.message is None:
                print(event.seq, event.type)
                continue
            message = event.message
            said = message.text or message.action or message.opened.reason or "(components)"
            print(event.seq, message.state, message.sender_name, said)
            if message.opened.may_be_missing:
                print("  something before this message may be missing")


if __name__ == "__main__":
    asyncio.run(main())
