"""A plain HTTP client for the model server, and the requests and answers its tests need.

Owns no test and talks to no real CLI. Only the model server's own tests import it.
"""

import contextlib
import http.client
import json
from collections.abc import Iterator
from typing import Any

from tests.support.model_server import ModelServer

# Everything happens on this machine within milliseconds; this only keeps a broken server from hanging the run.
TIMEOUT = 20.0


def said(*texts: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


def called(*tool_ids: str) -> list[dict[str, Any]]:
    """An assistant message with these tool calls, and their results."""
    calls = [{"type": "tool_use", "id": tool_id, "name": "Bash", "input": {}} for tool_id in tool_ids]
    results = [{"type": "tool_result", "tool_use_id": tool_id, "content": f"out {tool_id}"} for tool_id in tool_ids]
    return [{"role": "assistant", "content": calls}, {"role": "user", "content": results}]


def body_of(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": "m", "stream": True, "tools": [{"name": "Bash"}], "messages": list(messages), **more}


@contextlib.contextmanager
def asked(
    server: ModelServer, body: object, path: str = "/v1/messages?beta=true"
) -> Iterator[http.client.HTTPConnection]:
    """A connection on which the request was sent and the answer is still to be read."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=TIMEOUT)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        yield connection
    finally:
        connection.close()


def ask(server: ModelServer, body: object, path: str = "/v1/messages?beta=true") -> tuple[int, bytes]:
    with asked(server, body, path) as connection:
        response = connection.getresponse()
        return response.status, response.read()


def events(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in data.splitlines() if line.startswith(b"data: ")]


def prompt(server: ModelServer, text: str, *more: dict[str, Any]) -> list[dict[str, Any]]:
    status, data = ask(server, body_of(said(text), *more))
    assert status == 200
    return events(data)


def text_of(stream: list[dict[str, Any]]) -> str:
    return "".join(event["delta"].get("text", "") for event in stream if event["type"] == "content_block_delta")


def tools_of(stream: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Name and complete input of each streamed tool call."""
    names: dict[int, str] = {}
    inputs: dict[int, str] = {}
    for event in stream:
        if event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use":
            names[event["index"]] = event["content_block"]["name"]
        if event["type"] == "content_block_delta":
            inputs[event["index"]] = inputs.get(event["index"], "") + event["delta"].get("partial_json", "")
    return [(name, json.loads(inputs[index])) for index, name in names.items()]
