"""The parent's tools as Claude Code sees them: an MCP server that it talks to over the control channel. Pure.

`initialize.sdkMcpServers` names the server, and the CLI sends each MCP message as a control request `mcp_message`
(measured with claude 2.1.197 and 2.1.329). An `initialize` that is not answered would block every turn, so all that
needs no tool is answered at once.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from protocol.codecs.claude_open import Asked, Replied
from protocol.mcp_server import McpNoted, McpReply, McpServer
from protocol.signals import ToolCalled
from protocol.tools import OWN_SERVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from protocol.tools import ParentTool

SERVER = OWN_SERVER
"""The server's name: the CLI calls a tool of it `mcp__parent__` and the parent's own name."""

PREFIX = f"mcp__{SERVER}__"

ALLOW_RULE = f"mcp__{SERVER}"
"""The rule that allows all of the server's tools. Without it claude 2.1.197 has a classifier decide in plan mode."""

MAX_RESULT = 500_000
"""Characters of a tool's text that the model gets to read whole: the most that the CLI allows. Without a word it is
about 100,000, and longer text goes to a file (claude 2.1.197 and 2.1.329: 450,000 pass, 700,000 do not)."""

_META = {"anthropic/alwaysLoad": True, "anthropic/maxResultSizeChars": MAX_RESULT}
"""Without `alwaysLoad` claude 2.1.329 keeps the tools from the model until it has searched for them."""

_CALL_ID = "claudecode/toolUseId"
"""Where the CLI says which tool call an MCP call belongs to (claude 2.1.197 and 2.1.329)."""

_NOTED = {"jsonrpc": "2.0", "id": 0, "result": {}}
"""What answers a notification: the CLI waits for some message (measured with both; any will do)."""


class ToolReader:
    """Serves the parent's tools to one CLI process.

    Args:
        tools: as declared.
    """

    def __init__(self, tools: Sequence[ParentTool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._server = McpServer(SERVER, "1", tools, _META)
        self._started: dict[str, deque[str]] = {}
        self._running: dict[str, str] = {}

    def find(self, name: str) -> ParentTool | None:
        """The parent's tool that the CLI calls by this name."""
        return self._tools.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None

    def note_started(self, tool_call_id: str, name: str) -> None:
        """The CLI has told of a tool call: one that does not say which it is belongs to the oldest of its name."""
        if self.find(name) is not None:
            self._started.setdefault(name.removeprefix(PREFIX), deque(maxlen=100)).append(tool_call_id)

    def read(self, request_id: str, body: dict[str, Any]) -> Asked | Replied:
        """One `mcp_message`."""
        if not self._tools or body["server_name"] != SERVER:
            return Replied(error=f"No MCP server of this name: {body['server_name']}")
        found = self._server.receive(body["message"])
        if isinstance(found, McpReply):
            return Replied({"mcp_response": found.message})
        if isinstance(found, McpNoted):
            calling = self._running.pop(_key(found.cancelled), None) if found.cancelled is not None else None
            noted = {"mcp_response": _NOTED}
            return Replied(noted, withdrawn=calling)
        self._running[_key(found.id)] = request_id

        def render(result: Any) -> dict[str, Any]:
            self._running.pop(_key(found.id), None)
            return {"mcp_response": self._server.result(found.id, result)}

        called = ToolCalled(
            request_id=request_id,
            tool_call_id=self._call_id(found.tool, found.meta),
            name=found.tool,
            input=found.arguments,
            read_only=self._tools[found.tool].read_only,
        )
        return Asked(called, render)

    def _call_id(self, name: str, meta: dict[str, Any]) -> str | None:
        started = self._started.get(name, deque())
        told = meta.get(_CALL_ID)
        if isinstance(told, str):
            if told in started:
                started.remove(told)
            return told
        return started.popleft() if started else None


def _key(id: Any) -> str:
    """A JSON-RPC id as a key: 1 and "1" are two."""
    return repr(id)
