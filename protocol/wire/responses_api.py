"""The request of OpenAI's Responses API (`POST /v1/responses`), read into a `TurnRequest`.

`previous_response_id` names the answer that the request goes on from; what was said before it then need not be sent.
The same rule for what cannot be honoured as in the other two. Imported by the HTTP face.
"""

from __future__ import annotations

from typing import Any

from protocol.httperrors import invalid
from protocol.turnrequest import Block, Said, ToolOffer, TurnRequest, finish
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

_TEXTS = frozenset({"input_text", "output_text", "text"})
_SYSTEM_ROLES = frozenset({"system", "developer"})


def read_responses_request(body: Any) -> TurnRequest:
    """Read a request.

    Raises:
        HttpError: 400, with the path of what is wrong.
    """
    fields = Fields(body)
    model = fields.text("model", "")
    system = [text for text in [fields.maybe_text("instructions")] if text]
    messages = _read_input(fields, system)
    fields.refuse("background", "an answer cannot be fetched later; stream it")
    fields.refuse("conversation", "conversations at the vendor's cannot be had from here: use previous_response_id")
    fields.refuse("prompt", "prompts at the vendor's cannot be had from here: send the text")
    text = fields.object("text")
    reasoning = fields.object("reasoning")
    tools = [_read_tool(Fields(each, f"tools.{at}")) for at, each in enumerate(fields.items("tools"))]
    return finish(
        TurnRequest(
            api="responses",
            model_name=model,
            messages=messages,
            system="\n\n".join(system) or None,
            tools=tools if allows_tools(fields.take("tool_choice")) else [],
            stream=fields.flag("stream"),
            output_schema=output_schema(text.object("format"), None) if text is not None else None,
            effort=effort_of(reasoning.maybe_text("effort")) if reasoning is not None else None,
            user=fields.maybe_text("safety_identifier") or fields.maybe_text("user"),
            previous=fields.maybe_text("previous_response_id"),
            ignored=fields.unread(),
        )
    )


def _read_tool(fields: Fields) -> ToolOffer:
    kind = fields.text("type")
    if kind != "function":
        raise invalid(f"{kind!r} runs at the vendor's, or in clients that the agent does not know", fields.at("type"))
    return function_offer(fields)


def _read_input(fields: Fields, system: list[str]) -> list[Said]:
    given = fields.take("input")
    if isinstance(given, str):
        return [Said("user", [text_block(given)])] if given else []
    if not isinstance(given, list):
        raise invalid("must be a string or a list of items", "input")
    messages: list[Said] = []
    for at, each in enumerate(given):
        said = _read_item(Fields(each, f"input.{at}"), system)
        if said is not None:
            messages.append(said)
    return messages


def _read_item(item: Fields, system: list[str]) -> Said | None:
    kind = item.text("type", "message")
    if kind == "message":
        return _read_message(item, system)
    if kind == "function_call":
        path = item.at("arguments")
        return Said("assistant", [call_block(item.text("call_id"), item.text("name"), item.text("arguments"), path)])
    if kind == "function_call_output":
        output = item.take("output")
        content = output if isinstance(output, str) else _read_parts(output, item.at("output"))
        return Said("user", [result_block(item.text("call_id"), content)])
    if kind == "reasoning":
        return None
    raise invalid(f"items of type {kind!r} cannot be given to the agent", item.at("type"))


def _read_message(item: Fields, system: list[str]) -> Said | None:
    role, content = item.text("role"), item.take("content")
    blocks = [text_block(content)] if isinstance(content, str) else _read_parts(content, item.at("content"))
    if role in _SYSTEM_ROLES:
        system.append("\n".join(block["text"] for block in blocks if block["type"] == "text"))
        return None
    if role not in ("user", "assistant"):
        raise invalid('must be "user", "assistant", "system" or "developer"', item.at("role"))
    return Said(role, blocks)  # type: ignore[arg-type]


def _read_parts(parts: Any, path: str) -> list[Block]:
    if not isinstance(parts, list):
        raise invalid("must be a string or a list of parts", path)
    return [_read_part(Fields(part, f"{path}.{at}")) for at, part in enumerate(parts)]


def _read_part(part: Fields) -> Block:
    kind = part.text("type")
    if kind in _TEXTS:
        return text_block(part.text("text"))
    if kind == "refusal":
        return text_block(part.text("refusal"))
    if kind == "input_image":
        return image_block(part.text("image_url"), part.at("image_url"))
    if kind == "input_file":
        return file_block(part)
    raise invalid(f"parts of type {kind!r} cannot be given to the agent", part.at("type"))
