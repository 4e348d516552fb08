"""A Model Context Protocol server as a pure translator: one message in, one reply or one call out.

Offers the parent's tools and nothing else. Knows no transport and waits for nothing: who runs the tool answers a
`ToolCall` later with `result` or not at all. Requests of methods that it does not know get -32601, so that no client
waits for ever. Imported by codecs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from protocol.errors import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from protocol.tools import ParentTool, ToolResult

Json = dict[str, Any]

PROTOCOL_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""The revisions whose tools part is served, newest first. What is used of it is the same in all of them."""

LATEST = PROTOCOL_VERSIONS[0]


class McpReply(Struct, kw_only=True):
    """The server's message to the client."""

    message: Json


class McpNoted(Struct, kw_only=True):
    """A notification: nothing is to be said. `cancelled` is the id of a call that nobody waits for any more."""

    cancelled: Any = None


class McpToolCall(Struct, kw_only=True):
    """The client calls a tool; `id` is that of its request."""

    id: Any
    tool: str
    arguments: Json
    meta: Json


class McpServer:
    """Serves a list of tools.

    Args:
        name: the server's.
        version: of the server.
        tools: in the order in which they are listed.
        meta: the `_meta` that each tool is listed with: what only some clients understand.
    """

    def __init__(self, name: str, version: str, tools: Sequence[ParentTool], meta: Json) -> None:
        self._info = {"name": name, "version": version}
        self._meta = meta
        self._tools = {tool.name: tool for tool in tools}

    def receive(self, message: Any) -> McpReply | McpNoted | McpToolCall:
        """Take one message of the client's."""
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            return _error(None, INVALID_REQUEST, "Invalid Request")
        id, method, params = message.get("id"), message["method"], message.get("params")
        params = {} if params is None else params
        if "id" not in message:
            cancelled = method == "notifications/cancelled" and isinstance(params, dict)
            return McpNoted(cancelled=params.get("requestId") if cancelled else None)
        if not isinstance(params, dict):
            return _error(id, INVALID_PARAMS, "params must be an object")
        if method == "tools/call":
            return self._call(id, params)
        result = self._answer(method, params)
        if result is None:
            return _error(id, METHOD_NOT_FOUND, f"Method not found: {method}")
        return McpReply(message=_response(id, result))

    def result(self, id: Any, result: ToolResult) -> Json:
        """The message that answers a call."""
        content = [_block(block) for block in result.content]
        return _response(id, {"content": content, "isError": result.is_error})

    def _answer(self, method: str, params: Json) -> Json | None:
        if method == "initialize":
            asked = params.get("protocolVersion")
            version = asked if asked in PROTOCOL_VERSIONS else LATEST
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": self._info}
        if method == "tools/list":
            return {"tools": [{**_listed(tool), "_meta": self._meta} for tool in self._tools.values()]}
        return {} if method == "ping" else None

    def _call(self, id: Any, params: Json) -> McpReply | McpToolCall:
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(name, str) or name not in self._tools:
            return _error(id, INVALID_PARAMS, f"Unknown tool: {name}")
        arguments = {} if arguments is None else arguments
        if not isinstance(arguments, dict):
            return _error(id, INVALID_PARAMS, "arguments must be an object")
        meta = params.get("_meta")
        return McpToolCall(id=id, tool=name, arguments=arguments, meta=meta if isinstance(meta, dict) else {})


def _listed(tool: ParentTool) -> Json:
    return {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "annotations": {"readOnlyHint": tool.read_only},
    }


def _block(block: Json) -> Json:
    if block["type"] == "image":
        source = block["source"]
        return {"type": "image", "data": source["data"], "mimeType": source["media_type"]}
    return {"type": "text", "text": block["text"]}


def _response(id: Any, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": id, "result": result}


def _error(id: Any, code: int, text: str) -> McpReply:
    return McpReply(message={"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}})
