"""The request of the Messages API (`POST /v1/messages`, `anthropic-version: 2023-06-01`), read into a `TurnRequest`.

What would change the answer and cannot be honoured is refused with 400: an agent has no prefill, no stop sequences, no
forced tool, no tools of the vendor's server. What only tunes the model (`max_tokens`, `temperature`, …) is passed over
and named in the answer's headers. Imported by the HTTP face; shared with `chat_api` and `responses_api` for blocks.
"""

from __future__ import annotations

from typing import Any

from protocol.httperrors import invalid
from protocol.turnrequest import Block, Said, ToolOffer, TurnRequest, finish
from protocol.wire.fields import Fields

_MEDIA_MEMBERS = ("type", "source", "title", "context")
"""What of an image or a document goes to the CLI: not `cache_control`, of which the CLI sets its own, and an API call
may only have four."""

_BILLING_LINE = "x-anthropic-billing-header:"
"""How Claude Code as a client begins a block of its system prompt that changes with each request."""


def read_messages_request(body: Any, *, may_end_anyhow: bool = False) -> TurnRequest:
    """Read a request.

    Args:
        body: the decoded body.
        may_end_anyhow: the last message need not be the user's: it is only counted.

    Raises:
        HttpError: 400, with the path of what is wrong.
    """
    fields = Fields(body)
    model = fields.text("model")
    messages = [_read_message(Fields(each, f"messages.{at}")) for at, each in enumerate(fields.items("messages"))]
    fields.refuse("stop_sequences", "an agent cannot be stopped at a text; leave it out")
    fields.refuse("mcp_servers", "configure MCP servers for the CLI instead")
    fields.refuse("container", "the agent runs on this machine, in no container of the vendor's")
    tools = [read_tool(Fields(each, f"tools.{at}")) for at, each in enumerate(fields.items("tools"))]
    shows_thinking, budget = _read_thinking(fields.object("thinking"))
    effort, schema = _read_output(fields)
    metadata = fields.object("metadata")
    return finish(
        TurnRequest(
            api="messages",
            model_name=model,
            messages=messages,
            system=_read_system(fields),
            tools=tools if _allows_tools(fields.object("tool_choice")) else [],
            stream=fields.flag("stream"),
            shows_thinking=shows_thinking,
            thinking_budget=budget,
            output_schema=schema,
            effort=effort,
            user=metadata.maybe_text("user_id") if metadata is not None else None,
            ignored=fields.unread(),
        ),
        may_end_anyhow=may_end_anyhow,
    )


def _read_message(fields: Fields) -> Said:
    role = fields.text("role")
    if role not in ("user", "assistant"):
        raise invalid('must be "user" or "assistant"', fields.at("role"))
    content = fields.take("content")
    if isinstance(content, str):
        return Said(role, [{"type": "text", "text": content}] if content else [])  # type: ignore[arg-type]
    if not isinstance(content, list):
        raise invalid("must be a string or a list of blocks", fields.at("content"))
    read = _read_assistant_block if role == "assistant" else read_user_block
    blocks = [read(Fields(block, f"{fields.at('content')}.{at}")) for at, block in enumerate(content)]
    return Said(role, [block for block in blocks if block is not None])  # type: ignore[arg-type]


def _read_assistant_block(fields: Fields) -> Block | None:
    """Thinking and the blocks of the agent's own tools need not come back: the CLI has them."""
    kind = fields.text("type")
    if kind == "text":
        return {"type": "text", "text": fields.text("text")}
    if kind == "tool_use":
        call = {"id": fields.text("id"), "name": fields.text("name"), "input": fields.mapping("input") or {}}
        return {"type": "tool_use", **call}
    return None


def read_user_block(fields: Fields) -> Block:
    """A block of a user's message.

    Raises:
        HttpError: it is of no kind that a CLI takes.
    """
    kind = fields.text("type")
    if kind == "text":
        return {"type": "text", "text": fields.text("text")}
    if kind in ("image", "document"):
        source = fields.object("source")
        if source is None:
            raise invalid("is needed", fields.at("source"))
        source.text("type")
        block = {name: fields.take(name) for name in _MEDIA_MEMBERS}
        return {name: value for name, value in block.items() if value is not None}
    if kind == "tool_result":
        return {
            "type": "tool_result",
            "tool_use_id": fields.text("tool_use_id"),
            "content": _read_result(fields),
            "is_error": fields.flag("is_error"),
        }
    raise invalid(f"blocks of type {kind!r} cannot be given to the agent", fields.at("type"))


def _read_result(fields: Fields) -> str | list[Block]:
    content = fields.take("content")
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise invalid("must be a string or a list of blocks", fields.at("content"))
    blocks = [read_user_block(Fields(block, f"{fields.at('content')}.{at}")) for at, block in enumerate(content)]
    for at, block in enumerate(blocks):
        if block["type"] not in ("text", "image"):
            raise invalid("only text and images can be a tool's result", f"{fields.at('content')}.{at}")
    return blocks


def read_tool(fields: Fields) -> ToolOffer:
    """A tool that the client runs.

    Raises:
        HttpError: it is one of the vendor's server, or not whole.
    """
    kind = fields.maybe_text("type")
    if kind not in (None, "custom"):
        raise invalid(f"{kind!r} runs at the vendor's, or in clients that the agent does not know", fields.at("type"))
    schema = fields.mapping("input_schema")
    if schema is None:
        raise invalid("is needed", fields.at("input_schema"))
    name = fields.text("name")
    if not name:
        raise invalid("must not be empty", fields.at("name"))
    return ToolOffer(name, fields.text("description", ""), schema)


def _allows_tools(choice: Fields | None) -> bool:
    if choice is None:
        return True
    kind = choice.text("type")
    if kind not in ("auto", "none"):
        raise invalid('an agent cannot be made to call a tool: only "auto" and "none"', choice.at("type"))
    return kind == "auto"


def _read_system(fields: Fields) -> str | None:
    system = fields.take("system")
    if system is None or isinstance(system, str):
        return system or None
    if not isinstance(system, list):
        raise invalid("must be a string or a list of text blocks", "system")
    texts = [Fields(block, f"system.{at}").text("text") for at, block in enumerate(system)]
    return "\n".join(text for text in texts if not text.startswith(_BILLING_LINE)) or None


def _read_thinking(fields: Fields | None) -> tuple[bool, int | None]:
    """Whether thinking is shown, and how many tokens it may have."""
    if fields is None:
        return False, None
    kind = fields.text("type")
    if kind == "disabled":
        return False, 0
    return True, fields.whole("budget_tokens")


def _read_output(fields: Fields) -> tuple[str | None, dict[str, Any] | None]:
    """`output_config`, and `output_format`, as structured output was asked for before it."""
    config = fields.object("output_config")
    effort = config.maybe_text("effort") if config is not None else None
    format = config.object("format") if config is not None else None
    format = format or fields.object("output_format")
    if format is None:
        return effort, None
    if format.text("type") != "json_schema":
        raise invalid('must be "json_schema"', format.at("type"))
    schema = format.mapping("schema")
    if schema is None:
        raise invalid("is needed", format.at("schema"))
    return effort, schema
