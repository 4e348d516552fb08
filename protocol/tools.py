"""The parent's own tools (SPEC.md, "The parent's tools"): how they are declared, the question `call_tool`, its answer.

Pure. Validated here, once, for every face. How a CLI comes to know of them is the codec's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, StringConstraints, field_validator

from protocol.model import Params, Result

OWN_SERVER = "parent"
"""What a CLI that knows MCP calls the server of the parent's tools."""

MAX_TOOL_NAME = 64
"""Characters of a tool's name: what every model API takes, and what leaves room for the name that the CLI gives it."""

TOOL_FAILED = "The tool could not be run: "
TOOL_WITHHELD = "Plan mode: this tool may change something, so it is not run until the plan is approved."


class ParentTool(Params):
    """A tool that the parent runs when the agent calls it."""

    name: Annotated[str, StringConstraints(pattern=rf"^[a-zA-Z0-9_-]{{1,{MAX_TOOL_NAME}}}$")]
    description: str
    input_schema: dict[str, JsonValue] = Field(description="JSON Schema of the input, an object.")
    read_only: bool = Field(False, description="It changes nothing: it may be called in plan mode, and beside others.")

    @field_validator("input_schema")
    @classmethod
    def _is_object(cls, schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if schema.get("type") != "object":
            raise ValueError('must be a schema with "type": "object"')
        if not isinstance(schema.get("properties", {}), dict):
            raise ValueError("properties must be an object")
        return schema


def check_tools(tools: list[ParentTool]) -> list[ParentTool]:
    """The same tools.

    Raises:
        ValueError: two of them have one name.
    """
    names = [tool.name for tool in tools]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two tools are called {twice[0]!r}")
    return tools


class ToolCallParams(Result):
    """Params of the daemon's request `call_tool`. `name` is the one that the parent declared."""

    session_id: str
    turn_id: str | None
    tool_call_id: str | None
    name: str
    input: dict[str, Any]


class ImageSource(Params):
    """An image's bytes."""

    type: Literal["base64"]
    media_type: str
    data: str


class ToolTextBlock(Params):
    """Text of a tool's result."""

    type: Literal["text"]
    text: str


class ToolImageBlock(Params):
    """An image of a tool's result."""

    type: Literal["image"]
    source: ImageSource


class ToolCallAnswer(Params):
    """The parent's answer to `call_tool`."""

    content: str | list[Annotated[ToolTextBlock | ToolImageBlock, Field(discriminator="type")]]
    is_error: bool | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave: blocks of the contract's shape, `text` and `image`."""

    content: list[dict[str, Any]]
    is_error: bool = False


def failed_tool(reason: str) -> ToolResult:
    """The result of a call that went wrong: the agent is told why."""
    return ToolResult([{"type": "text", "text": reason}], is_error=True)


def parse_tool_result(answer: Any) -> ToolResult:
    """The parent's answer to `call_tool`.

    Raises:
        ValueError: it is not of the contract's form; the message says where.
    """
    if not isinstance(answer, dict):
        raise ValueError("the answer must be an object")
    unknown = set(answer) - {"content", "is_error"}
    if unknown:
        raise ValueError(f"unknown members: {', '.join(sorted(unknown))}")
    is_error = answer.get("is_error")
    if not isinstance(is_error, bool | None):
        raise ValueError("is_error must be true or false")
    content = answer.get("content")
    if isinstance(content, str):
        return ToolResult([{"type": "text", "text": content}], bool(is_error))
    if not isinstance(content, list):
        raise ValueError("content must be a string or a list of blocks")
    for at, block in enumerate(content):
        _check_block(f"content.{at}", block)
    return ToolResult(content, bool(is_error))


def _check_block(path: str, block: Any) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "text":
        if not isinstance(block.get("text"), str):
            raise ValueError(f"{path}.text must be a string")
    elif kind == "image":
        source = block.get("source")
        if not isinstance(source, dict) or source.get("type") != "base64":
            raise ValueError(f'{path}.source must be an object with "type": "base64"')
        for name in ("media_type", "data"):
            if not isinstance(source.get(name), str) or not source[name]:
                raise ValueError(f"{path}.source.{name} must be a string")
    else:
        raise ValueError(f'{path} must be a block of type "text" or "image"')
