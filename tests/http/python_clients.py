"""What the vendors' own Python clients make of an endpoint: the same scenes as `tests/foreign/*_client.mjs` with the
clients for Node, told in the same words.

Owns the scenes. Refuses to judge them: the tests do. Imported by the tests of the HTTP face.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import openai

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.support.daemon import Json
    from tests.support.http_daemon import HttpDaemon

MODEL = "claude-cli/sonnet"
SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}
DESCRIPTION = "How high the water is"


def user(content: Any) -> Any:
    """A message of the user's."""
    return {"role": "user", "content": content}


def text(message: Any) -> str:
    """The text of a message of the Messages API."""
    return "".join(getattr(block, "text", "") for block in message.content)


async def failure(made: Awaitable[Any]) -> Json | None:
    """How a call failed; None where it did not."""
    try:
        await made
    except (anthropic.APIError, openai.APIError) as error:
        body = error.body if isinstance(error.body, dict) else {}
        kind = body.get("error", body).get("type")
        return {"name": type(error).__name__, "status": getattr(error, "status_code", None), "type": kind}
    return None


async def anthropic_scenes(server: HttpDaemon, tool_name: str) -> Json:
    """The scenes with `anthropic`."""
    seen: Json = {}
    base: Json = {"model": MODEL, "max_tokens": 1000}
    tool: Json = {"name": "tide", "description": DESCRIPTION, "input_schema": SCHEMA}
    async with anthropic.AsyncAnthropic(base_url=server.url, api_key=server.token) as client:

        async def create(*messages: Any, **more: Any) -> Any:
            return await client.messages.create(**base, messages=messages, **more)

        async def stream(*messages: Any, **more: Any) -> Any:
            async with client.messages.stream(**base, messages=messages, **more) as streamed:
                return await streamed.get_final_message()

        whole = await create(user("SC:hello whole"))
        seen["whole"] = {
            "text": text(whole), "type": whole.type, "role": whole.role, "stop_reason": whole.stop_reason,
            "output_tokens": whole.usage.output_tokens, "request_id": whole._request_id,
        }  # fmt: skip
        streamed = await stream(user("SC:hello streamed"))
        seen["streamed"] = {"text": text(streamed), "stop_reason": streamed.stop_reason}
        merged = await stream(user("SC:saybash echo hi"))
        types = [block.type for block in merged.content]
        seen["merged"] = {"text": text(merged), "stop_reason": merged.stop_reason, "types": types}
        first = [user("SC:hello conversation"), {"role": "assistant", "content": "Hello there, friend."}]
        await create(first[0])
        seen["goes_on"] = text(await create(*first, user("SC:echo")))
        await _anthropic_tool(seen, create, stream, tool, user(f'SC:tool {tool_name} {{"at": "noon"}}'))
        wrong = client.with_options(api_key="wrong")
        seen["wrong_token"] = await failure(wrong.messages.create(**base, messages=[user("SC:hello")]))
        seen["no_messages"] = await failure(create())
        seen["failed"] = await failure(create(user("SC:error 400")))
        seen["failed_stream"] = await failure(stream(user("SC:error 403")))
        async with client.messages.stream(**base, messages=[user("SC:slow 1000 ms=20")]) as left:
            async for _ in left.text_stream:
                break
        seen["tokens"] = (await client.messages.count_tokens(model=MODEL, messages=[user("How many?")])).input_tokens
        seen["models"] = [model.id async for model in client.models.list()]
    return seen


async def _anthropic_tool(seen: Json, create: Any, stream: Any, tool: Json, asked: Any) -> None:
    """A tool of the client's: called, run, told."""
    call = await create(asked, tools=[tool])
    use = next((block for block in call.content if block.type == "tool_use"), None)
    seen["tool_call"] = {"stop_reason": call.stop_reason, "name": use and use.name, "input": use and use.input}
    result = {"type": "tool_result", "tool_use_id": use and use.id, "content": "high water"}
    told = await stream(asked, {"role": "assistant", "content": call.content}, user([result]), tools=[tool])
    seen["tool_told"] = {"text": text(told), "stop_reason": told.stop_reason}


async def openai_scenes(server: HttpDaemon, tool_name: str) -> Json:
    """The scenes with `openai`: chat completions and responses."""
    seen: Json = {}
    asked = user(f'SC:tool {tool_name} {{"at": "noon"}}')
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.token) as client:

        async def create(*messages: Any, **more: Any) -> Any:
            return await client.chat.completions.create(model=MODEL, messages=list(messages), **more)

        async def stream(*messages: Any, **more: Any) -> Any:
            async with client.chat.completions.stream(model=MODEL, messages=messages, **more) as streamed:
                return await streamed.get_final_completion()

        whole = await create(user("SC:hello whole"))
        choice, usage = whole.choices[0], whole.usage
        seen["whole"] = {
            "text": choice.message.content, "finish_reason": choice.finish_reason, "object": whole.object,
            "total_is_sum": usage.total_tokens == usage.prompt_tokens + usage.completion_tokens,
        }  # fmt: skip
        final = await stream(user("SC:hello streamed"), stream_options={"include_usage": True})
        choice = final.choices[0]
        seen["streamed"] = {
            "text": choice.message.content, "finish_reason": choice.finish_reason,
            "usage": final.usage.completion_tokens > 0,
        }  # fmt: skip
        choice = (await stream(user("SC:saybash echo hi"))).choices[0]
        seen["merged"] = {"text": choice.message.content, "finish_reason": choice.finish_reason}
        await _chat_tool(seen, create, stream, asked)
        await _responses(seen, client, asked)
        wrong = client.with_options(api_key="wrong")
        seen["wrong_token"] = await failure(wrong.chat.completions.create(model=MODEL, messages=[user("x")]))
        seen["no_messages"] = await failure(create())
        seen["failed"] = await failure(create(user("SC:error 400")))
        seen["failed_stream"] = await failure(stream(user("SC:error 403")))
        left = await create(user("SC:slow 1000 ms=20"), stream=True)
        async for chunk in left:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        await left.close()
        seen["models"] = [model.id async for model in client.models.list()]
    return seen


async def _chat_tool(seen: Json, create: Any, stream: Any, asked: Any) -> None:
    import json

    tools = [{"type": "function", "function": {"name": "tide", "description": DESCRIPTION, "parameters": SCHEMA}}]
    call = (await create(asked, tools=tools)).choices[0]
    use = call.message.tool_calls[0] if call.message.tool_calls else None
    given = use and json.loads(use.function.arguments)
    seen["tool_call"] = {"finish_reason": call.finish_reason, "name": use and use.function.name, "input": given}
    result = {"role": "tool", "tool_call_id": use and use.id, "content": "high water"}
    message = call.message.model_dump(exclude_none=True)
    told = (await stream(asked, message, result, tools=tools)).choices[0]
    seen["tool_told"] = {"text": told.message.content, "finish_reason": told.finish_reason}


async def _responses(seen: Json, client: openai.AsyncOpenAI, asked: Any) -> None:
    response: Any = await client.responses.create(model=MODEL, input="SC:hello response")
    seen["response"] = {"text": response.output_text, "status": response.status}
    async with client.responses.stream(model=MODEL, input="SC:echo", previous_response_id=response.id) as streamed:
        following = await streamed.get_final_response()
    seen["response_goes_on"] = {"text": following.output_text, "status": following.status}
    tools: Any = [
        {"type": "function", "name": "tide", "description": DESCRIPTION, "parameters": SCHEMA, "strict": False}
    ]
    called: Any = await client.responses.create(model=MODEL, input=[asked], tools=tools)
    wanted = next((item for item in called.output if item.type == "function_call"), None)
    output: Any = [{"type": "function_call_output", "call_id": wanted and wanted.call_id, "output": "low water"}]
    after: Any = await client.responses.create(model=MODEL, input=output, previous_response_id=called.id, tools=tools)
    seen["response_tool"] = {"name": wanted and wanted.name, "text": after.output_text}
