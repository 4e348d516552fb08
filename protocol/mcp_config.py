"""The MCP servers of a session's config, in the CLI ecosystem's own shape: checked as far as that shape is known. Pure.

What is not known here is kept and passed on. Whether a server can be reached, only the CLI finds out.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    field_validator,
)

from protocol.model import Text

Url = Annotated[str, StringConstraints(pattern=r"^(https?|wss?)://[^\s/]+")]


class _Server(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, defer_build=True)


class StdioServer(_Server):
    """A program that the CLI starts, and talks to over its stdin and stdout."""

    type: Literal["stdio"] = "stdio"
    command: Text
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] = Field(default_factory=dict)

    @field_validator("command", "args", "env")
    @classmethod
    def _can_be_started(cls, value: Any) -> Any:
        texts = [value] if isinstance(value, str) else [*value, *(value.values() if isinstance(value, dict) else ())]
        if any("\0" in text for text in texts):
            raise ValueError("cannot hold a NUL character")
        return value


class RemoteServer(_Server):
    """A server that the CLI connects to."""

    type: Literal["http", "sse", "ws"]
    url: Url
    headers: dict[str, str] = Field(default_factory=dict)

    @field_validator("headers")
    @classmethod
    def _fit_a_line(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not name or any(character in name + value for character in "\r\n\0"):
                raise ValueError(f"{name!r} cannot be a header")
        return headers


def _is_object(server: Any) -> Any:
    if not isinstance(server, dict | _Server):
        raise ValueError("must be an object")
    return server


def _shape(server: Any) -> str:
    """A server without a type is a program; one with a `url` alone is not understood by every version of the CLI."""
    kind = server.get("type", "stdio") if isinstance(server, dict) else server.type
    return "stdio" if kind == "stdio" else "remote"


McpServerConfig = Annotated[
    Annotated[StdioServer, Tag("stdio")] | Annotated[RemoteServer, Tag("remote")],
    Discriminator(_shape),
    BeforeValidator(_is_object),
]
McpServers = dict[Text, McpServerConfig]


def dump_servers(servers: McpServers) -> dict[str, Any]:
    """The servers as they were given."""
    return {name: server.model_dump(exclude_unset=True) for name, server in servers.items()}
