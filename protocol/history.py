"""Conversations as their messages show them: a digest for each beginning, and an earlier conversation told in words.

Two requests belong to one conversation where one begins with all that was said in the other. Digests are chained, so
that a long history is read once. What clients change without meaning anything by it (white space in the agent's
answers, its thinking, the blocks of its own tools) does not count; what the user said counts to the letter. Pure.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec import json

if TYPE_CHECKING:
    from protocol.turnrequest import Block, Said

DIGEST_SIZE = 16
"""Bytes: far more than it takes to tell a few thousand conversations apart, also against somebody who tries."""

ROOT = b"\0" * DIGEST_SIZE
"""The digest of a conversation in which nothing was said."""

_encode = json.Encoder(order="deterministic").encode

_INTRODUCTION = (
    "This conversation began before you joined it. What was said so far follows; it is over, so do not answer it or "
    "repeat what was done in it.\n\n<conversation>\n"
)
_NOW = "\n</conversation>\n\nThe user says now:\n\n"


def chain(messages: list[Said], start: bytes = ROOT) -> list[bytes]:
    """The digest of each beginning of a conversation: after its first message, its second, and so on."""
    digests = []
    for message in messages:
        start = extend(start, message)
        digests.append(start)
    return digests


def extend(digest: bytes, message: Said) -> bytes:
    """The digest of a conversation after one more message."""
    state = blake2b(digest, digest_size=DIGEST_SIZE)
    state.update(message.role.encode())
    if message.role == "assistant":
        text = "".join(block["text"] for block in message.content if block["type"] == "text")
        state.update("".join(text.split()).encode("utf-8", "surrogatepass"))
        for block in message.content:
            if block["type"] == "tool_use":
                state.update(b"\0" + block["id"].encode("utf-8", "surrogatepass"))
        return state.digest()
    for block in message.content:
        if block["type"] == "text":
            state.update(b"\n" + block["text"].encode("utf-8", "surrogatepass"))
        else:
            state.update(b"\0" + _encode(block))
    return state.digest()


def tell(earlier: list[Said], last: Said) -> list[Block]:
    """What a new session is given for a conversation that began elsewhere: all of it, and the last message."""
    if not earlier:
        return without_results(last.content)
    blocks: list[Block] = []
    texts = [_INTRODUCTION]
    for message in earlier:
        texts.append("User:\n" if message.role == "user" else "Assistant:\n")
        for block in message.content:
            _tell_block(block, texts, blocks)
        texts.append("\n")
    texts.append(_NOW)
    for block in last.content:
        _tell_block(block, texts, blocks)
    _flush(texts, blocks)
    return blocks


def without_results(content: list[Block]) -> list[Block]:
    """The same content, with the results of tools told in words: for a session that does not wait for them."""
    blocks: list[Block] = []
    for block in content:
        if block["type"] != "tool_result":
            blocks.append(block)
            continue
        texts = [f"(call {block['tool_use_id']}) "]
        _tell_block(block, texts, blocks)
        _flush(texts, blocks)
    return blocks


def _tell_block(block: Block, texts: list[str], blocks: list[Block]) -> None:
    kind = block["type"]
    if kind == "text":
        texts.append(block["text"] + "\n")
    elif kind == "tool_use":
        texts.append(f"(called the tool {block['name']} with {_encode(block['input']).decode()})\n")
    elif kind == "tool_result":
        texts.append("(the tool failed:\n" if block["is_error"] else "(the tool gave:\n")
        content = block["content"]
        for each in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            _tell_block(each, texts, blocks)
        texts.append(")\n")
    else:
        _flush(texts, blocks)
        blocks.append(block)


def _flush(texts: list[str], blocks: list[Block]) -> None:
    text = "".join(texts)
    texts.clear()
    if text:
        blocks.append({"type": "text", "text": text})
