"""The examples with agent frameworks, where those are installed: a fake model, the offline hub."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from hiloop import AsyncHiloopClient, HiloopClient

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("answer", "shipped"), [("approve", True), ("reject", False), ("expire", False)])
def test_langgraph(answer: Any, shipped: bool) -> None:
    pytest.importorskip("langgraph")
    assert example("langgraph_interrupt").run(HiloopClient.offline(answer), "4.2")["shipped"] is shipped


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("answer", "said"), [("approve", "old-logs is gone"), ("reject", "not approved")])
def test_openai_agents(answer: Any, said: str) -> None:
    agents = pytest.importorskip("agents")
    from agents.items import ModelResponse
    from agents.models.interface import Model
    from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

    agents.set_tracing_disabled(True)

    class FakeModel(Model):  # type: ignore[misc]
        async def get_response(self, *args: Any, **kwargs: Any) -> Any:
            given = kwargs["input"] if "input" in kwargs else args[1]
            outputs = [i for i in given if isinstance(i, dict) and i.get("type") == "function_call_output"]
            if outputs:
                text = ResponseOutputText(text=str(outputs[-1]["output"]), type="output_text", annotations=[])
                item: Any = ResponseOutputMessage(
                    id="m", type="message", role="assistant", status="completed", content=[text]
                )
            else:
                item = ResponseFunctionToolCall(
                    call_id="c", type="function_call", name="delete_bucket", arguments='{"name":"old-logs"}'
                )
            return ModelResponse(output=[item], usage=agents.Usage(), response_id=None)

        def stream_response(self, *args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError

    module = example("openai_agents_approval")
    run = module.run(AsyncHiloopClient.offline(answer), module.build(FakeModel()), "Delete old-logs.")
    assert said in asyncio.run(run)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("answer", "said"), [("approve", "old-logs is gone"), ("reject", "A person refused.")])
def test_pydantic_ai(answer: Any, said: str) -> None:
    pytest.importorskip("pydantic_ai")
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
    from pydantic_ai.models.function import FunctionModel

    def fake(messages: Any, _: Any) -> Any:
        returned = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
        if returned:
            return ModelResponse(parts=[TextPart(str(returned[-1].content))])
        return ModelResponse(parts=[ToolCallPart("delete_bucket", json.dumps({"name": "old-logs"}))])

    module = example("pydantic_ai_approval")
    run = module.run(AsyncHiloopClient.offline(answer), module.build(FunctionModel(fake)), "Delete old-logs.")
    assert asyncio.run(run) == said
