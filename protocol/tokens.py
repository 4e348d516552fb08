"""A guess at how many tokens a request has, from its length alone. The CLI has no call that counts, and clients only
want to know whether something is going to fit. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import json

if TYPE_CHECKING:
    from protocol.turnrequest import Block, TurnRequest

BYTES_PER_TOKEN = 3.5
"""UTF-8 bytes of a token: English has about 4, source code 3, Chinese 3 for a character of about one token."""

MESSAGE_TOKENS = 4
"""What a message takes besides its text."""

IMAGE_TOKENS = 1600
"""An image of the largest size that is not scaled down (docs of the Messages API, "Vision")."""

DOCUMENT_TOKENS = 3000
"""A page of a document, the upper end of what the docs say ("PDF support"); as many as come to its size."""

DOCUMENT_BYTES = 60_000
"""Base64 of a page with a little of everything."""

_encode = json.Encoder().encode


def estimate_tokens(request: TurnRequest) -> int:
    """The tokens of a request: system prompt, tools, messages. What the CLI adds of its own is not among them."""
    size = len((request.system or "").encode("utf-8", "replace"))
    for tool in request.tools:
        size += len(tool.name) + len(tool.description.encode("utf-8", "replace")) + len(_encode(tool.input_schema))
    tokens = 0.0
    for message in request.messages:
        tokens += MESSAGE_TOKENS + sum(_block_tokens(block) for block in message.content)
    return max(1, round(tokens + size / BYTES_PER_TOKEN))


def _block_tokens(block: Block) -> float:
    kind = block["type"]
    if kind == "text":
        return len(block["text"].encode("utf-8", "replace")) / BYTES_PER_TOKEN
    if kind == "image":
        return IMAGE_TOKENS
    if kind == "document":
        data = block["source"].get("data")
        return DOCUMENT_TOKENS * max(1, len(data) // DOCUMENT_BYTES) if isinstance(data, str) else DOCUMENT_TOKENS
    if kind == "tool_use":
        return len(_encode(block["input"])) / BYTES_PER_TOKEN
    content = block["content"]
    inner = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return sum(_block_tokens(each) for each in inner)
