"""Asks for values, which come back typed and checked against the form.

HILOOP_API_KEY=hlp_… python examples/form.py
"""

from __future__ import annotations

from hiloop import HiloopClient, InvalidAnswer

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "enum": ["eu", "us"], "title": "Region"},
        "machines": {"type": "integer", "minimum": 1, "maximum": 20, "title": "Machines"},
        "notify": {"type": "boolean", "title": "Tell the customer"},
    },
    "required": ["region", "machines"],
}


def main() -> None:
    with HiloopClient() as client:
        try:
            decision = client.ask("Where does the new cluster run?", form=SCHEMA, deadline="1h")
        except InvalidAnswer as error:
            print(f"the answer does not fit the form: {error}")
            return
    if decision.status == "answered":
        print(f"{decision.values['machines']} machines in {decision.values['region']}")
    else:
        print(decision.status)


if __name__ == "__main__":
    main()
