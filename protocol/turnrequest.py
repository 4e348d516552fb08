"""What a request over HTTP asks for, whichever API it came by: the conversation so far, its last message, and how to
answer.

Contents are blocks in the Messages API's shape. Refuses what no agent can honour. Made by `wire/messages_api.py`,
`wire/chat_api.py` and `wire/responses_api.py`; used by the HTTP face.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from protocol.content import DocumentBlock, ImageBlock
from protocol.httperrors import Api, invalid
from protocol.tools import MAX_TOOL_NAME

Block = dict[str, Any]

MODEL_PREFIX = "claude-cli/"
"""Routers name our models so; the CLI does not know the prefix."""

_TOOL_NAME = re.compile(rf"[a-zA-Z0-9_-]{{1,{MAX_TOOL_NAME}}}")

_MEDIA: dict[str, type[ImageBlock | DocumentBlock]] = {"image": ImageBlock, "document": DocumentBlock}

_DEFAULT_MODELS = frozenset({"", "*", "default"})


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a conversation."""

    role: Literal["user", "assistant"]
    content: list[Block]

    @property
    def text(self) -> str:
        """Its text blocks, joined."""
        return "\n".join(block["text"] for block in self.content if block["type"] == "text")


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool that the client runs."""

    name: str
    description: str
    input_schema: dict[str, Any]


@dataclass(slots=True)
class TurnRequest:
    """A request for a turn.

    Attributes:
        api: which API it came by.
        model_name: as the client wrote it.
        messages: alternating, the last one the user's.
        system: added to the CLI's own system prompt.
        tools: those that the client runs.
        stream: whether to answer in pieces.
        shows_thinking: whether the client asked for the model's thinking.
        thinking_budget: in tokens; None for the CLI's default.
        output_schema: JSON Schema that the answer has to fit.
        effort: how hard to think.
        user: the client's name for whoever asks; conversations of two never meet.
        previous: the id of the answer that this goes on from (Responses API).
        include_usage: whether a stream of chat completions tells the usage.
        ignored: members of the request that change nothing.
    """

    api: Api
    model_name: str
    messages: list[Said]
    system: str | None = None
    tools: list[ToolOffer] = field(default_factory=list)
    stream: bool = False
    shows_thinking: bool = False
    thinking_budget: int | None = None
    output_schema: dict[str, Any] | None = None
    effort: str | None = None
    user: str | None = None
    previous: str | None = None
    include_usage: bool = False
    ignored: list[str] = field(default_factory=list)

    @property
    def model(self) -> str | None:
        """The model's name for the CLI; None for its default."""
        name = self.model_name.removeprefix(MODEL_PREFIX)
        return None if name in _DEFAULT_MODELS else name

    @property
    def last(self) -> Said:
        """What the user says now."""
        return self.messages[-1]


def alternate(messages: list[Said]) -> list[Said]:
    """Join neighbouring messages of one role, as the APIs do."""
    joined: list[Said] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            joined[-1] = Said(message.role, [*joined[-1].content, *message.content])
        else:
            joined.append(message)
    return joined


def finish(request: TurnRequest, *, may_end_anyhow: bool = False) -> TurnRequest:
    """Put the messages in order, and check what has to hold in every API.

    Args:
        request: as it was read.
        may_end_anyhow: the last message need not be the user's.

    Raises:
        HttpError: the conversation does not end with the user, or a tool's result answers no call.
    """
    request.messages = alternate([message for message in request.messages if message.content])
    if not request.messages:
        raise invalid("at least one message with content is needed", "messages")
    if request.last.role == "assistant" and not may_end_anyhow:
        raise invalid(
            "the last message must be the user's: an agent cannot go on in the middle of an answer", "messages"
        )
    called: set[str] = set()
    for at, message in enumerate(request.messages):
        if message.role == "assistant":
            called = {block["id"] for block in message.content if block["type"] == "tool_use"}
            continue
        stray = [block["tool_use_id"] for block in message.content if block["type"] == "tool_result"]
        unknown = [id for id in stray if id not in called]
        if unknown and not (at == 0 and request.previous):
            raise invalid(f"the result of {unknown[0]!r} answers no tool call of the message before it", "messages")
    _check_tools(request.tools)
    _check_media(request.last)
    return request


def _check_media(said: Said) -> None:
    """What the user says now: a broken image would make every later turn of the conversation fail."""
    for block in said.content:
        if (model := _MEDIA.get(block["type"])) is not None:
            try:
                model.model_validate(block)
            except ValidationError as error:
                first = error.errors()[0]
                source, *rest = first["loc"]
                place = ".".join(
                    map(str, [source, *rest[1:]])
                )  # after it comes the model's own name for the kind of source
                why = first["msg"].removeprefix("Value error, ")
                raise invalid(f"a broken {block['type']}: {place}: {why}", "messages") from None


def _check_tools(tools: list[ToolOffer]) -> None:
    names: set[str] = set()
    for at, tool in enumerate(tools):
        if not _TOOL_NAME.fullmatch(tool.name):
            raise invalid(f"must be 1 to {MAX_TOOL_NAME} letters, digits, _ or -", f"tools.{at}.name")
        if tool.name in names:
            raise invalid(f"two tools have the name {tool.name!r}", f"tools.{at}.name")
        names.add(tool.name)
        if tool.input_schema.setdefault("type", "object") != "object":
            raise invalid("must describe an object", f"tools.{at}.input_schema.type")
