"""The request of OpenAI's Chat Completions API (`POST /v1/chat/completions`), read into a `TurnRequest`.

The same rule as for the Messages API: what would change the answer and cannot be honoured is refused, what only tunes
the model is passed over and named. Imported by the HTTP face.
"""

from __future__ import annotations

from typing import Any

from protocol.httperrors import invalid
from protocol.turnrequest import Block, Said, TurnRequest, finish
from protocol.wire.fields import Fields
from protocol.wire.openai_parts import (
    allows_tools,
    call_block,
    effort_of,
    file_block,
    function_offer,
    image_block,
    output_schema,
    result_block,
    text_block,
)


def read_chat_request(body: Any) -> TurnRequest:
    """Read a request.

    Raises:
        HttpError: 400, with the path of what is wrong.
    """
    fields = Fields(body)
    model = fields.text("model")
    system: list[str] = []
    messages: list[Said] = []
    for at, each in enumerate(fields.items("messages")):
        _read_message(Fields(each, f"messages.{at}"), system, messages)
    _refuse(fields)
    tools = [_read_tool(Fields(each, f"tools.{at}")) for at, each in enumerate(fields.items("tools"))]
    options = fields.object("stream_options")
    return finish(
        TurnRequest(
            api="chat",
            model_name=model,
            messages=messages,
            system="\n\n".join(system) or None,
            tools=tools if allows_tools(fields.take("tool_choice")) else [],
            stream=fields.flag("stream"),
            output_schema=output_schema(fields.object("response_format"), "json_schema"),
            effort=effort_of(fields.maybe_text("reasoning_effort")),
            user=fields.maybe_text("safety_identifier") or fields.maybe_text("user"),
            include_usage=options.flag("include_usage") if options is not None else False,
            ignored=fields.unread(),
        )
    )


def _refuse(fields: Fields) -> None:
    fields.refuse("stop", "an agent cannot be stopped at a text; leave it out")
    fields.refuse("functions", "use tools, which took their place")
    fields.refuse("logprobs", "the CLI does not tell probabilities")
    fields.refuse("audio", "the agent does not speak")
    if fields.whole("n") not in (None, 1):
        raise invalid("an agent gives one answer", "n")
    if set(fields.items("modalities")) - {"text"}:
        raise invalid("the agent writes text only", "modalities")


def _read_tool(fields: Fields) -> Any:
    if fields.text("type") != "function":
        raise invalid('must be "function"', fields.at("type"))
    function = fields.object("function")
    if function is None:
        raise invalid("is needed", fields.at("function"))
    return function_offer(function)


def _read_message(fields: Fields, system: list[str], messages: list[Said]) -> None:
    role = fields.text("role")
    if role in ("system", "developer"):
        system.append("\n".join(block["text"] for block in _read_content(fields) if block["type"] == "text"))
    elif role == "user":
        messages.append(Said("user", _read_content(fields)))
    elif role == "assistant":
        messages.append(Said("assistant", [*_read_content(fields), *_read_calls(fields)]))
    elif role == "tool":
        content: str | list[Block] = _read_content(fields)
        messages.append(Said("user", [result_block(fields.text("tool_call_id"), content)]))
    else:
        raise invalid('must be "system", "developer", "user", "assistant" or "tool"', fields.at("role"))


def _read_content(fields: Fields) -> list[Block]:
    content = fields.take("content")
    if content is None or isinstance(content, str):
        return [text_block(content)] if content else []
    if not isinstance(content, list):
        raise invalid("must be a string or a list of parts", fields.at("content"))
    return [_read_part(Fields(part, f"{fields.at('content')}.{at}")) for at, part in enumerate(content)]


def _read_part(fields: Fields) -> Block:
    kind = fields.text("type")
    if kind in ("text", "refusal"):
        return text_block(fields.text(kind))
    if kind == "image_url" and (image := fields.object("image_url")) is not None:
        return image_block(image.text("url"), image.at("url"))
    if kind == "file" and (file := fields.object("file")) is not None:
        return file_block(file)
    raise invalid(f"parts of type {kind!r} cannot be given to the agent", fields.at("type"))


def _read_calls(fields: Fields) -> list[Block]:
    calls = []
    for at, each in enumerate(fields.items("tool_calls")):
        call = Fields(each, f"{fields.at('tool_calls')}.{at}")
        function = call.object("function")
        if function is None:
            raise invalid("is needed", call.at("function"))
        path = function.at("arguments")
        calls.append(call_block(call.text("id"), function.text("name"), function.text("arguments", ""), path))
    return calls
