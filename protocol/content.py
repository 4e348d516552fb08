"""What a message to an agent may hold: text, or a list of content blocks. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, JsonValue, Tag

from protocol.model import Params


class TextBlock(Params):
    """Plain text."""

    type: Literal["text"]
    text: str


class MediaBlock(Params):
    """An image or a document, in the Messages API's shape (`source` with `type`, `media_type`, `data` or `url`)."""

    model_config = ConfigDict(extra="allow", strict=True)
    type: Literal["image", "document"]
    source: dict[str, JsonValue]


ContentBlock = Annotated[TextBlock | MediaBlock, Field(discriminator="type")]


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
