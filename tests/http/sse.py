"""Reads server-sent events, and holds a stream of the Messages API against its rules. Tests may import it."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]


def read_events(data: bytes | str) -> list[tuple[str | None, Any]]:
    """The events of a stream: name and decoded data; comments are left out."""
    text = data.decode() if isinstance(data, bytes) else data
    events = []
    for part in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in part.splitlines() if line and not line.startswith(":"))
        if "data" in lines:
            value = lines["data"] if lines["data"] == "[DONE]" else json.loads(lines["data"])
            events.append((lines.get("event"), value))
    return events


def read_message(data: bytes | str) -> Json:
    """The message that a stream of the Messages API builds; fails where the stream breaks a rule of that API."""
    message: Json = {}
    open_at: int | None = None
    ended = False
    for name, event in read_events(data):
        assert name == event["type"]
        assert not ended, f"{name} after the end"
        if name == "ping":
            continue
        if name == "message_start":
            assert not message, "two beginnings"
            message = dict(event["message"])
            assert message["content"] == []
            continue
        assert message, f"{name} before message_start"
        if name == "content_block_start":
            assert open_at is None, "a block begins in another"
            assert event["index"] == len(message["content"]), "blocks are not numbered one by one"
            open_at = event["index"]
            message["content"].append(dict(event["content_block"]))
        elif name == "content_block_delta":
            assert event["index"] == open_at
            _apply(message["content"][-1], event["delta"])
        elif name == "content_block_stop":
            assert event["index"] == open_at
            open_at = None
            if "partial" in message["content"][-1]:
                message["content"][-1]["input"] = json.loads(message["content"][-1].pop("partial"))
        elif name == "message_delta":
            assert open_at is None
            message |= event["delta"]
            message["usage"] |= event["usage"]
        else:
            assert name in ("message_stop", "error"), name
            ended = True
            if name == "error":
                message["error"] = event["error"]
    assert ended, "the stream has no end"
    return message


def _apply(block: Json, delta: Json) -> None:
    if delta["type"] == "text_delta":
        block["text"] += delta["text"]
    elif delta["type"] == "thinking_delta":
        block["thinking"] += delta["thinking"]
    elif delta["type"] == "input_json_delta":
        block["partial"] = block.get("partial", "") + delta["partial_json"]
    else:
        raise AssertionError(delta)
