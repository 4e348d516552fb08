"""A tiny MCP server over stdio: one tool, `add`, and one that tells its environment, `environment`.

Run as a program by the real CLI in tests. Speaks just enough of the Model Context Protocol (JSON-RPC 2.0, one message
a line) for tools to be listed and called. Standard library only.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

TOOLS = [
    {
        "name": "add",
        "description": "Adds two numbers",
        "inputSchema": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
    },
    {
        "name": "environment",
        "description": "Tells the value of a variable",
        "inputSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
]


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The result of a request."""
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "demo", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        given = params["arguments"]
        text = str(given["a"] + given["b"]) if params["name"] == "add" else os.environ.get(given["name"], "unset")
        return {"content": [{"type": "text", "text": text}]}
    return {}


def main() -> None:
    """Serve until the end of input."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            result = answer(message["method"], message.get("params") or {})
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


if __name__ == "__main__":
    main()
