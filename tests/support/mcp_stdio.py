"""A tiny MCP server over stdio, for tests: tools that add, tell the environment, and ask the user.

Run as a program by the real CLI in tests. Speaks just enough of the Model Context Protocol (JSON-RPC 2.0, one message
a line) for tools to be listed and called, and for a tool to elicit something before it answers. Standard library only.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

NUMBERS = {"a": {"type": "number"}, "b": {"type": "number"}}
TOOLS = [
    {
        "name": "add",
        "description": "Adds two numbers",
        "inputSchema": {"type": "object", "properties": NUMBERS},
    },
    {
        "name": "environment",
        "description": "Tells the value of a variable",
        "inputSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
    {"name": "ask", "description": "Asks the user for a name", "inputSchema": {"type": "object", "properties": {}}},
    {"name": "visit", "description": "Sends the user to a page", "inputSchema": {"type": "object", "properties": {}}},
]
NAME = {"type": "object", "properties": {"name": {"type": "string", "title": "Name"}}, "required": ["name"]}
FORM = {"mode": "form", "message": "Which ship?", "requestedSchema": NAME}
PAGE = {"mode": "url", "message": "Log in, please.", "url": "https://example.com/login", "elicitationId": "e-1"}


def say(message: dict[str, Any]) -> None:
    """Send a message."""
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def elicit(params: dict[str, Any]) -> dict[str, Any]:
    """Ask the user something; the client's result, or its error."""
    say({"id": "elicitation", "method": "elicitation/create", "params": params})
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("id") == "elicitation":
            return message.get("result") or {"error": message.get("error")}
    return {}


def call(name: str, given: dict[str, Any]) -> str:
    """Run a tool; its text."""
    if name == "add":
        return str(given["a"] + given["b"])
    if name == "environment":
        return os.environ.get(given["name"], "unset")
    result = elicit(FORM if name == "ask" else PAGE)
    if name == "visit" and result.get("action") == "accept":
        say({"method": "notifications/elicitation/complete", "params": {"elicitationId": PAGE["elicitationId"]}})
    return f"The user's answer: {json.dumps(result)}"


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
        return {"content": [{"type": "text", "text": call(params["name"], params["arguments"])}]}
    return {}


def main() -> None:
    """Serve until the end of input."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            say({"id": message["id"], "result": answer(message["method"], message.get("params") or {})})


if __name__ == "__main__":
    main()
