"""What OpenAI's two APIs have in common: parts of a message, tools as functions, the shape of the output. Read into the
blocks of the Messages API. Imported by `chat_api` and `responses_api`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import DecodeError, json

from protocol.httperrors import invalid
from protocol.turnrequest import Block, ToolOffer

if TYPE_CHECKING:
    from protocol.wire.fields import Fields

_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,(?P<data>.*)", re.DOTALL)

_EFFORTS = {"none": "low", "minimal": "low"}
"""Their levels that the CLI does not know, and the nearest that it does."""


def text_block(text: str) -> Block:
    """A text."""
    return {"type": "text", "text": text}


def image_block(url: str, path: str) -> Block:
    """An image from its URL; one with the data in it is taken apart.

    Raises:
        HttpError: it is neither of the web nor data.
    """
    if (data := _DATA_URL.fullmatch(url)) is not None:
        source = {"type": "base64", "media_type": data["type"] or "image/png", "data": data["data"]}
        return {"type": "image", "source": source}
    if not url.startswith(("http://", "https://")):
        raise invalid("must be an http, https or base64 data URL", path)
    return {"type": "image", "source": {"type": "url", "url": url}}


def file_block(file: Fields) -> Block:
    """A document that comes with its data.

    Raises:
        HttpError: it only has an id at the vendor's, or is no PDF or text.
    """
    data = file.maybe_text("file_data")
    if data is None:
        raise invalid("files at the vendor's cannot be had from here: send file_data", file.at("file_data"))
    found = _DATA_URL.fullmatch(data)
    kind = (found["type"] if found else None) or "application/pdf"
    if kind != "application/pdf":
        raise invalid(f"{kind} is no PDF", file.at("file_data"))
    source = {"type": "base64", "media_type": kind, "data": found["data"] if found else data}
    title = file.maybe_text("filename")
    return {"type": "document", "source": source, **({"title": title} if title else {})}


def function_offer(fields: Fields) -> ToolOffer:
    """A function as a tool.

    Raises:
        HttpError: it is not whole.
    """
    schema = fields.mapping("parameters") or {"type": "object", "properties": {}}
    return ToolOffer(fields.text("name"), fields.text("description", ""), schema)


def call_block(id: str, name: str, arguments: str, path: str) -> Block:
    """A call that the agent made, as it comes back.

    Raises:
        HttpError: its arguments are no JSON object.
    """
    try:
        input = json.decode(arguments) if arguments.strip() else {}
    except (DecodeError, RecursionError):
        input = None
    if not isinstance(input, dict):
        raise invalid("must be a JSON object in a string", path)
    return {"type": "tool_use", "id": id, "name": name, "input": input}


def result_block(id: str, content: str | list[Block]) -> Block:
    """What a call gave. OpenAI's APIs have no mark for a failure."""
    return {"type": "tool_result", "tool_use_id": id, "content": content, "is_error": False}


def output_schema(format: Fields | None, inner: str | None) -> dict[str, Any] | None:
    """The JSON Schema of the answer.

    Args:
        format: `response_format` or `text.format`.
        inner: the member in which the schema stands, where it does not stand beside the type.

    Raises:
        HttpError: JSON without a schema is asked for, which nobody could hold the agent to.
    """
    if format is None or format.text("type") == "text":
        return None
    if format.text("type") != "json_schema":
        raise invalid('must be "text" or "json_schema"', format.at("type"))
    holder = format.object(inner) if inner is not None else format
    if holder is None:
        raise invalid("is needed", format.at(inner or "schema"))
    schema = holder.mapping("schema")
    if schema is None:
        raise invalid("is needed", holder.at("schema"))
    return schema


def effort_of(name: str | None) -> str | None:
    """A reasoning effort in the CLI's words."""
    return None if name is None else _EFFORTS.get(name, name)


def allows_tools(choice: Any, path: str = "tool_choice") -> bool:
    """Whether tools may be called.

    Raises:
        HttpError: one has to be.
    """
    if choice not in (None, "auto", "none"):
        raise invalid('an agent cannot be made to call a tool: only "auto" and "none"', path)
    return bool(choice != "none")
