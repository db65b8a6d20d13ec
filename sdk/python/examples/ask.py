"""Asks people to approve something, and acts only on an approval.

HILOOP_API_KEY=hlp_… python examples/ask.py "Ship 4.2 to production?"
"""

from __future__ import annotations

import sys

from hiloop import HiloopClient


def main() -> int:
    title = sys.argv[1] if len(sys.argv) > 1 else "Ship 4.2 to production?"
    with HiloopClient() as client:
        decision = client.ask(title, text="All **412** tests pass.", deadline="30m", key=f"example: {title}")
    who = decision.respondent.name if decision.respondent else "no one"
    print(f"{decision.outcome or decision.status} by {who}")
    if decision.approved:
        print("shipping")
    return 0 if decision.approved else 1


if __name__ == "__main__":
    sys.exit(main())
