"""What the vendors' own Python clients make of an endpoint: the same scenes as `tests/foreign/*_client.mjs` with the
clients for Node, told in the same words.

Owns the scenes. Refuses to judge them: the tests do. Imported by the tests of the HTTP face.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anthropic
import openai

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.support.daemon import Json
    from tests.support.http_daemon import HttpDaemon

MODEL = "claude-cli/sonnet"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}
DESCRIPTION = "How high the water is"
SLOW = "SC:slow 1000 ms=20"


def user(content: Any) -> Any:
    """A message of the user's."""
    return {"role": "user", "content": content}


def calling(tool: str) -> str:
    """A prompt by which the agent calls the client's tool."""
    return f'SC:tool {tool} {{"at": "noon"}}'


async def failure(made: Awaitable[Any]) -> Json | None:
    """How a call failed; None where it did not."""
    try:
        await made
    except (anthropic.APIError, openai.APIError) as error:
        body = error.body if isinstance(error.body, dict) else {}
        return {"status": getattr(error, "status_code", None), "type": body.get("error", body).get("type")}
    return None


class AnthropicTalk:
    """One conversation, as a client keeps it: the whole of it goes out each time."""

    tools: Any = ({"name": "tide", "description": DESCRIPTION, "input_schema": SCHEMA},)

    def __init__(self, client: anthropic.AsyncAnthropic) -> None:
        self._client = client
        self._base: Json = {"model": MODEL, "max_tokens": 1000, "tools": self.tools}
        self._said: list[Any] = []

    async def say(self, content: Any, *, stream: bool = False) -> Any:
        """Say something; the answer."""
        self._said.append(user(content))
        if stream:
            async with self._client.messages.stream(**self._base, messages=self._said) as streamed:
                message: Any = await streamed.get_final_message()
        else:
            message = await self._client.messages.create(**self._base, messages=self._said)
        self._said.append({"role": "assistant", "content": message.content})
        return message

    async def leave(self, content: str) -> None:
        """Say something, and go with the first piece of the answer."""
        self._said.append(user(content))
        async with self._client.messages.stream(**self._base, messages=self._said) as left:
            partial = await anext(aiter(left.text_stream))
        self._said.append({"role": "assistant", "content": partial})


def text(message: Any) -> str:
    """The text of a message of the Messages API."""
    return "".join(getattr(block, "text", "") for block in message.content)


async def anthropic_scenes(server: HttpDaemon, tool: str) -> Json:
    """The scenes with `anthropic`."""
    seen: Json = {}
    async with anthropic.AsyncAnthropic(base_url=server.url, api_key=server.token) as client:
        talk = AnthropicTalk(client)
        whole = await talk.say("SC:hello")
        seen["whole"] = {
            "text": text(whole), "type": whole.type, "role": whole.role, "stop_reason": whole.stop_reason,
            "output_tokens": whole.usage.output_tokens, "request_id": whole._request_id,
        }  # fmt: skip
        streamed = await talk.say("SC:two", stream=True)
        seen["streamed"] = {"text": text(streamed), "stop_reason": streamed.stop_reason}
        merged = await talk.say("SC:saybash echo hi", stream=True)
        types = [block.type for block in merged.content]
        seen["merged"] = {"text": text(merged), "stop_reason": merged.stop_reason, "types": types}
        seen["goes_on"] = text(await talk.say("SC:echo"))
        call = await talk.say(calling(tool))
        use = next((block for block in call.content if block.type == "tool_use"), None)
        seen["tool_call"] = {"stop_reason": call.stop_reason, "name": use and use.name, "input": use and use.input}
        result = {"type": "tool_result", "tool_use_id": use and use.id, "content": "high water"}
        told = await talk.say([result], stream=True)
        seen["tool_told"] = {"text": text(told), "stop_reason": told.stop_reason}
        await talk.leave(SLOW)
        seen["after_leaving"] = text(await talk.say("SC:echo"))
        seen |= await _anthropic_failures(client)
        seen["tokens"] = (await client.messages.count_tokens(model=MODEL, messages=[user("How many?")])).input_tokens
        seen["models"] = [model.id async for model in client.models.list()]
    return seen


async def _anthropic_failures(client: anthropic.AsyncAnthropic) -> Json:
    base: Any = {"model": MODEL, "max_tokens": 1000}

    async def stream() -> Any:
        async with client.messages.stream(**base, messages=[user("SC:error 529")]) as streamed:
            return await streamed.get_final_message()

    wrong = client.with_options(api_key="wrong")
    return {
        "wrong_token": await failure(wrong.messages.create(**base, messages=[user("SC:hello")])),
        "no_messages": await failure(client.messages.create(**base, messages=[])),
        "failed_stream": await failure(stream()),
    }


class ChatTalk:
    """The same over Chat Completions."""

    tools: Any = ({"type": "function", "function": {"name": "tide", "description": DESCRIPTION, "parameters": SCHEMA}},)

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._completions = client.chat.completions
        self._said: list[Any] = []

    async def say(self, message: Any, *, stream: bool = False) -> Any:
        """Say something; the answer."""
        self._said.append(user(message) if isinstance(message, str) else message)
        asked: Json = {"model": MODEL, "tools": self.tools, "messages": self._said}
        if stream:
            async with self._completions.stream(**asked, stream_options={"include_usage": True}) as streamed:
                completion: Any = await streamed.get_final_completion()
        else:
            completion = await self._completions.create(**asked)
        self._said.append(completion.choices[0].message.model_dump(exclude_none=True))
        return completion

    async def leave(self, content: str) -> None:
        """Say something, and go with the first piece of the answer."""
        self._said.append(user(content))
        left: Any = await self._completions.create(
            model=MODEL, tools=self.tools, messages=list(self._said), stream=True
        )
        async for chunk in left:
            if chunk.choices and (partial := chunk.choices[0].delta.content):
                break
        await left.close()
        self._said.append({"role": "assistant", "content": partial})


def told(completion: Any) -> Json:
    """What a chat completion says."""
    choice = completion.choices[0]
    return {"text": choice.message.content, "finish_reason": choice.finish_reason}


async def openai_scenes(server: HttpDaemon, tool: str) -> Json:
    """The scenes with `openai`: chat completions and responses."""
    seen: Json = {}
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.token) as client:
        talk = ChatTalk(client)
        whole = await talk.say("SC:hello from another client")
        usage = whole.usage
        is_sum = usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        is_named = whole._request_id is not None
        seen["whole"] = {**told(whole), "object": whole.object, "total_is_sum": is_sum, "is_named": is_named}
        streamed = await talk.say("SC:two", stream=True)
        seen["streamed"] = {**told(streamed), "usage": streamed.usage.completion_tokens > 0}
        seen["merged"] = told(await talk.say("SC:saybash echo hi", stream=True))
        seen["goes_on"] = told(await talk.say("SC:echo"))["text"]
        call = (await talk.say(calling(tool))).choices[0]
        use = call.message.tool_calls[0] if call.message.tool_calls else None
        given = use and json.loads(use.function.arguments)
        seen["tool_call"] = {"finish_reason": call.finish_reason, "name": use and use.function.name, "input": given}
        result = {"role": "tool", "tool_call_id": use and use.id, "content": "high water"}
        seen["tool_told"] = told(await talk.say(result, stream=True))
        await talk.leave(SLOW)
        seen["after_leaving"] = told(await talk.say("SC:echo"))["text"]
        seen |= await _responses(client, calling(tool))
        seen |= await _chat_failures(client)
        seen["models"] = [model.id async for model in client.models.list()]
    return seen


async def _responses(client: openai.AsyncOpenAI, call: str) -> Json:
    tools: Any = [
        {"type": "function", "name": "tide", "description": DESCRIPTION, "parameters": SCHEMA, "strict": False}
    ]
    base: Any = {"model": MODEL, "tools": tools}
    response: Any = await client.responses.create(**base, input="SC:hello")
    async with client.responses.stream(**base, input="SC:echo", previous_response_id=response.id) as streamed:
        following: Any = await streamed.get_final_response()
    called: Any = await client.responses.create(**base, input=call, previous_response_id=following.id)
    wanted = next((item for item in called.output if item.type == "function_call"), None)
    output: Any = [{"type": "function_call_output", "call_id": wanted and wanted.call_id, "output": "low water"}]
    after: Any = await client.responses.create(**base, input=output, previous_response_id=called.id)
    return {
        "response": {"text": response.output_text, "status": response.status},
        "response_goes_on": {"text": following.output_text, "status": following.status},
        "response_tool": {"name": wanted and wanted.name, "text": after.output_text},
    }


async def _chat_failures(client: openai.AsyncOpenAI) -> Json:
    async def stream() -> Any:
        async with client.chat.completions.stream(model=MODEL, messages=[user("SC:error 529")]) as streamed:
            return await streamed.get_final_completion()

    wrong = client.with_options(api_key="wrong").chat.completions
    return {
        "wrong_token": await failure(wrong.create(model=MODEL, messages=[user("x")])),
        "no_messages": await failure(client.chat.completions.create(model=MODEL, messages=[])),
        "failed_stream": await failure(stream()),
    }
