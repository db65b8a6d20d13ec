"""A simulated model on loopback for tests of coding agents: it requests one command, and ends with its result.

It answers the Messages API for Claude Code and the Responses API for Codex.
"""

import http.server
import json
import threading
from collections.abc import Iterable
from typing import Any

DONE = "All done."


class Model:
    """Serves on a port of its own until `stop`. `results` are the results of the command, as the model got them."""

    def __init__(self, command: str, *, escalated: bool = False) -> None:
        self.command, self.escalated = command, escalated
        self.results: list[str] = []
        model = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def reply(self, body: str, kind: str = "application/json") -> None:
                data = body.encode()
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_HEAD(self) -> None:
                self.reply("")

            def do_GET(self) -> None:
                self.reply(json.dumps({"data": [], "models": []}))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.path.endswith("/responses"):
                    self.reply(model.response(json.loads(body)), "text/event-stream")
                elif "/messages" in self.path and "count_tokens" not in self.path:
                    query = json.loads(body)
                    content, reason = model.message(query)
                    if query.get("stream"):
                        self.reply(message_stream(query["model"], content, reason), "text/event-stream")
                    else:
                        self.reply(json.dumps(message(query["model"], content, reason)))
                else:
                    self.reply(json.dumps({"input_tokens": 1}))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def message(self, query: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """The content block of a reply of the Messages API, and its stop reason."""
        results = [
            block
            for said in query["messages"]
            if isinstance(said["content"], list)
            for block in said["content"]
            if block["type"] == "tool_result"
        ]
        self.results += [json.dumps(block) for block in results]
        if results or not any(tool.get("name") == "Bash" for tool in query.get("tools", [])):
            return {"type": "text", "text": DONE}, "end_turn"
        use = {"command": self.command, "description": "Write a file"}
        return {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": use}, "tool_use"

    def response(self, query: dict[str, Any]) -> str:
        """A reply of the Responses API, as events."""
        results = [item for item in query["input"] if item.get("type") == "function_call_output"]
        self.results += [json.dumps(item) for item in results]
        item: dict[str, Any]
        if results or not query.get("tools"):
            content = [{"type": "output_text", "text": DONE}]
            item = {"type": "message", "role": "assistant", "id": "msg_1", "content": content}
        else:
            call = {"cmd": self.command}
            if self.escalated:
                call |= {"sandbox_permissions": "require_escalated", "justification": "It writes a file"}
            item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "exec_command"}
            item["arguments"] = json.dumps(call)
        usage = {"input_tokens": 1, "input_tokens_details": None, "output_tokens": 1}
        usage |= {"output_tokens_details": None, "total_tokens": 2}
        return events(
            [
                ("response.created", {"response": {"id": "resp_1"}}),
                ("response.output_item.done", {"output_index": 0, "item": item}),
                ("response.completed", {"response": {"id": "resp_1", "usage": usage}}),
            ]
        )


def message(model: str, content: dict[str, Any] | None, reason: str | None) -> dict[str, Any]:
    """A message of the Messages API."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [content] if content else [],
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def message_stream(model: str, content: dict[str, Any], reason: str) -> str:
    """A message of the Messages API, as events."""
    if content["type"] == "text":
        start, delta = content | {"text": ""}, {"type": "text_delta", "text": content["text"]}
    else:
        start = content | {"input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(content["input"])}
    return events(
        [
            ("message_start", {"message": message(model, None, None)}),
            ("content_block_start", {"index": 0, "content_block": start}),
            ("content_block_delta", {"index": 0, "delta": delta}),
            ("content_block_stop", {"index": 0}),
            ("message_delta", {"delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": 1}}),
            ("message_stop", {}),
        ]
    )


def events(all_events: Iterable[tuple[str, dict[str, Any]]]) -> str:
    """Server-Sent Events."""
    return "".join(f"event: {name}\ndata: {json.dumps(data | {'type': name})}\n\n" for name, data in all_events)
