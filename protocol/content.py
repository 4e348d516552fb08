"""What a message to an agent may hold: text, or a list of content blocks in the Messages API's shape. Pure.

A block that the model's API refuses would stay in the conversation and make every later turn fail (measured with claude
2.1.197: a PDF without data), so what is broken is refused here. Whether a picture is one is not looked at.
"""

from __future__ import annotations

import binascii
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag

from protocol.model import Params, Text


def _is_base64(data: str) -> str:
    try:
        binascii.a2b_base64(data.encode("ascii"), strict_mode=True)
    except ValueError as error:
        raise ValueError(f"not base64: {error}") from None
    return data


def _is_web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must be an http or https address")
    return url


Base64 = Annotated[Text, AfterValidator(_is_base64)]
WebAddress = Annotated[Text, AfterValidator(_is_web_address)]


class ImageData(Params):
    """An image itself."""

    type: Literal["base64"]
    media_type: Literal["image/png", "image/jpeg", "image/gif", "image/webp"]
    data: Base64


class PdfData(Params):
    """A PDF document itself."""

    type: Literal["base64"]
    media_type: Literal["application/pdf"]
    data: Base64


class PlainText(Params):
    """A document that is plain text."""

    type: Literal["text"]
    media_type: Literal["text/plain"]
    data: Text


class Link(Params):
    """Where an image or a PDF is; the model's API fetches it."""

    type: Literal["url"]
    url: WebAddress


class TextBlock(Params):
    """Plain text."""

    type: Literal["text"]
    text: str


class ImageBlock(Params):
    """An image. Further members are passed on."""

    model_config = ConfigDict(extra="allow", strict=True)
    type: Literal["image"]
    source: Annotated[ImageData | Link, Field(discriminator="type")]


class DocumentBlock(Params):
    """A document. Further members (`title`, `context`, …) are passed on."""

    model_config = ConfigDict(extra="allow", strict=True)
    type: Literal["document"]
    source: Annotated[PdfData | PlainText | Link, Field(discriminator="type")]


ContentBlock = Annotated[TextBlock | ImageBlock | DocumentBlock, Field(discriminator="type")]


def _not_empty(message: str | list[Any]) -> str | list[Any]:
    if not message or (isinstance(message, str) and not message.strip()):
        raise ValueError("an empty message")
    return message


MessageContent = Annotated[
    Annotated[str, Tag("text")] | Annotated[list[ContentBlock], Tag("blocks")],
    Discriminator(lambda message: "text" if isinstance(message, str) else "blocks"),
    AfterValidator(_not_empty),
]
"""The `message` of `send_message`."""
