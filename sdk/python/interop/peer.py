"""One side of a conversation as a program, with the same command line in every language of the SDKs.

    peer.py ask --title T [--text X] --to EMAIL [--session ID] [--key K] [--deadline 60s]
    peer.py follow --session ID --count N
    peer.py person --email E --password P --action approve|reject|… [--text X] [--count N]
    peer.py verify-receipt < receipt.json

Each prints JSON lines. Settings come from the environment: HILOOP_BASE_URL, HILOOP_API_KEY, HILOOP_AGENT_NAME,
XDG_CONFIG_HOME.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from hiloop import HiloopClient, HiloopError, verify_receipt
from hiloop.testing import Person

WAIT = 300.0


def main() -> int:
    arguments = parse()
    try:
        if arguments.command == "ask":
            ask(arguments)
        elif arguments.command == "follow":
            follow(arguments)
        elif arguments.command == "person":
            answer(arguments)
        else:
            show_receipt()
    except HiloopError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="peer", description="One side of a conversation.")
    commands = parser.add_subparsers(dest="command", required=True)
    asking = commands.add_parser("ask")
    asking.add_argument("--title", required=True)
    asking.add_argument("--text")
    asking.add_argument("--to", required=True)
    asking.add_argument("--key")
    asking.add_argument("--session")
    asking.add_argument("--deadline")
    asking.add_argument("--receipt", action="store_true", help="show the receipt too")
    following = commands.add_parser("follow", help="show the messages of a session as they come")
    following.add_argument("--session", required=True)
    following.add_argument("--count", type=int, required=True)
    person = commands.add_parser("person")
    person.add_argument("--email", required=True)
    person.add_argument("--password", required=True)
    person.add_argument("--action", required=True)
    person.add_argument("--text")
    person.add_argument("--count", type=int, default=1)
    commands.add_parser("verify-receipt")
    return parser.parse_args()


def ask(arguments: argparse.Namespace) -> None:
    with HiloopClient() as client:
        decision = client.ask(
            arguments.title,
            text=arguments.text,
            to=[arguments.to],
            session=arguments.session,
            key=arguments.key,
            deadline=arguments.deadline,
            timeout=WAIT,
        )
    receipt = {"receipt": decision.receipt()} if arguments.receipt and decision.status == "answered" else {}
    show({
        "status": decision.status,
        "approved": decision.approved,
        "outcome": decision.outcome,
        "action": decision.action,
        "text": decision.text,
        "values": decision.values or None,
        "respondent": decision.respondent.name if decision.respondent else None,
        "warning": decision.warning,
        "session": decision.message.session_id if decision.message else None,
        **receipt,
    })  # fmt: skip


def follow(arguments: argparse.Namespace) -> None:
    left = arguments.count
    with HiloopClient() as client:
        for event in client.events(arguments.session):
            if event.message is not None:
                show({"state": event.message.state, "text": event.message.text})
                left -= 1
            if left == 0:
                return


def answer(arguments: argparse.Namespace) -> None:
    url = os.environ.get("HILOOP_BASE_URL", "http://127.0.0.1:8080")
    with Person(url, email=arguments.email, password=arguments.password, key_file=True) as person:
        for _ in range(arguments.count):
            question = person.next_question(WAIT)
            person.answer(question, arguments.action, text=arguments.text)
            show({
                "session": question.session_id,
                "title": question.title,
                "text": question.text,
                "action": arguments.action,
            })  # fmt: skip


def show_receipt() -> None:
    receipt = verify_receipt(sys.stdin.read())
    show({
        "approved": receipt.approved,
        "outcome": receipt.outcome,
        "action": receipt.answer.get("action"),
        "text": receipt.answer.get("text"),
        "askedBy": receipt.asked_by,
        "answeredBy": receipt.answered_by,
        "answeredAt": receipt.answered_at,
        "session": receipt.session,
    })  # fmt: skip


def show(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
