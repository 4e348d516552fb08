"""A prompt of the Agent Client Protocol as a message of ours. Pure.

Text and images go through as they are. What the user points at becomes a link in the text, in the form that models of
this kind know from other editors, and embedded text follows at the end, so that the question stays readable.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

from protocol.wire.acp import BadParams, read_text

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
Block = dict[str, Any]

_IMAGES: Final = {kind: kind for kind in ("image/png", "image/jpeg", "image/gif", "image/webp")} | {
    "image/jpg": "image/jpeg"
}
"""The types of images that the model's API takes, by what clients call them. Any other one would stay in the
conversation, and the API would refuse every message after it."""

_CONTEXT: Final = re.compile(r"\s*<context ref=.*?(</context>|$)", re.DOTALL)
_LINK: Final = re.compile(r"\[(@[^\]\n]+)\]\([^)\s]*\)")


def parse_prompt(given: Any) -> str | list[Block]:
    """The message: a string where it is text alone (a slash command must be), else a list of blocks.

    Raises:
        BadParams: it is empty, or a block is of a kind or form that cannot be used.
    """
    if not isinstance(given, list) or not given:
        raise BadParams("prompt", "must be a list of content blocks that is not empty")
    blocks: list[Block] = []
    contexts: list[Block] = []
    for at, block in enumerate(given):
        path = f"prompt.{at}"
        kind = block.get("type") if isinstance(block, dict) else None
        read = _READERS.get(kind) if isinstance(kind, str) else None
        if read is None:
            raise BadParams(f"{path}.type", f"{kind!r} is not supported here")
        read(block, path, blocks, contexts)
    blocks += contexts
    if all(block["type"] == "text" for block in blocks):
        text = "".join(block["text"] for block in blocks)
        if not text.strip():
            raise BadParams("prompt", "is empty")
        return text
    return [block for block in blocks if block["type"] != "text" or block["text"]]


def plain_title(prompt: str) -> str:
    """A message that was made here, maybe cut off, as the title of its session: without what was embedded, and of each
    link the name."""
    return " ".join(_LINK.sub(r"\1", _CONTEXT.sub("", prompt)).split()) or prompt


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _image(media_type: str, data: str, path: str, type_path: str) -> Block:
    if media_type not in _IMAGES:
        raise BadParams(type_path, f"{media_type!r} is not supported here; these are: {', '.join(_IMAGES)}")
    return _media("image", _IMAGES[media_type], data, path)


def _media(kind: str, media_type: str, data: str, path: str) -> Block:
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise BadParams(path, "must be base64") from None
    return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}


def _read_text(block: Block, path: str, blocks: list[Block], contexts: list[Block]) -> None:
    text = block.get("text")
    if not isinstance(text, str):
        raise BadParams(f"{path}.text", "must be a string")
    blocks.append(_text(text))


def _read_image(block: Block, path: str, blocks: list[Block], contexts: list[Block]) -> None:
    data, uri = block.get("data"), block.get("uri")
    if not data and isinstance(uri, str) and uri.startswith(("https://", "http://")):
        blocks.append({"type": "image", "source": {"type": "url", "url": uri}})
    else:
        media_type = read_text(block, "mimeType", path)
        blocks.append(_image(media_type, read_text(block, "data", path), f"{path}.data", f"{path}.mimeType"))


def _read_link(block: Block, path: str, blocks: list[Block], contexts: list[Block]) -> None:
    uri = read_text(block, "uri", path)
    name = block.get("name")
    blocks.append(_link(uri, name if isinstance(name, str) else ""))


def _read_resource(block: Block, path: str, blocks: list[Block], contexts: list[Block]) -> None:
    resource = block.get("resource")
    if not isinstance(resource, dict):
        raise BadParams(f"{path}.resource", "must be an object")
    uri = read_text(resource, "uri", f"{path}.resource")
    text, blob = resource.get("text"), resource.get("blob")
    media_type = resource.get("mimeType")
    blocks.append(_link(uri, ""))
    if isinstance(text, str):
        contexts.append(_text(f'\n<context ref="{uri}">\n{text}\n</context>'))
    elif isinstance(blob, str):
        contexts += _blob(uri, media_type if isinstance(media_type, str) else "", blob, f"{path}.resource")
    else:
        raise BadParams(f"{path}.resource", "must have text or blob")


def _blob(uri: str, media_type: str, blob: str, path: str) -> list[Block]:
    if media_type.startswith("image/"):
        return [_image(media_type, blob, f"{path}.blob", f"{path}.mimeType")]
    if media_type == "application/pdf":
        return [_media("document", media_type, blob, f"{path}.blob")]
    if media_type.startswith("text/") or media_type == "application/json":
        try:
            text = base64.b64decode(blob, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            raise BadParams(f"{path}.blob", "must be base64") from None
        return [_text(f'\n<context ref="{uri}">\n{text}\n</context>')]
    raise BadParams(
        f"{path}.blob", f"content of the type {media_type or 'unknown'} is not supported here; link to it instead"
    )


def _link(uri: str, name: str) -> Block:
    """`[@name](uri)`, the name being the last part of the path where the client gave none."""
    return _text(f"[@{name or uri.rstrip('/').rpartition('/')[2] or uri}]({uri})")


_READERS: dict[str, Callable[[Block, str, list[Block], list[Block]], None]] = {
    "text": _read_text,
    "image": _read_image,
    "resource_link": _read_link,
    "resource": _read_resource,
}
"""`audio` is missing on purpose: no provider takes it, and `initialize` says so."""
