"""What each driver in Python does with its client; driver.mjs does the same in TypeScript.

    DRIVER PROGRAM ask EMAIL KEY      asks twice: waits for one answer, takes a handle for the other; then a bad argument
    DRIVER PROGRAM interrupt EMAIL KEY  asks, and waits to be killed
    DRIVER PROGRAM resume EMAIL KEY   waits for the question that was asked with the key

Each prints JSON lines: {"waiting": true} once a question is asked, and what it saw at the end.
"""

import json
from collections.abc import Mapping


def hiloop_environment(environment: Mapping[str, str]) -> dict[str, str]:
    names = ("HOME", "PATH", "XDG_CONFIG_HOME")
    return {name: value for name, value in environment.items() if name in names or name.startswith("HILOOP_")}


async def drive(call, tools, protocol, arguments) -> None:
    mode, email, key = arguments
    said = {"protocol": protocol, "tools": len(tools)}
    notices = []

    async def progress(progress, total, message) -> None:
        if not notices:
            print(json.dumps({"waiting": True}), flush=True)
        notices.append(message)

    if mode == "resume":
        said |= await answer(call, {"key": key})
    else:
        ask = {"title": f"zebrafish title {key}", "text": "zebrafish text", "to": [email], "key": key}
        failed, text, answered = await call("ask_human", ask, progress)
        if failed:
            raise SystemExit(text)
        said |= {"approved": answered["approved"], "text": answered["text"], "progress": len(notices)}
        _, _, pending = await call("ask_human", ask | {"key": f"{key}-handle", "wait_seconds": 0})
        said["handle"] = pending["state"]
        said["later"] = (await answer(call, pending["next"]["arguments"]))["approved"]
        failed, text, answered = await call("ask_human", {"title": "x", "deadline": "soon"})
        said["problem"] = [failed, text, answered]
    print(json.dumps(said), flush=True)


async def answer(call, arguments) -> dict:
    while True:
        failed, text, answered = await call("await_answer", arguments)
        if failed:
            raise SystemExit(text)
        if answered["state"] != "pending":
            return {"approved": answered["approved"], "text": answered["text"]}
