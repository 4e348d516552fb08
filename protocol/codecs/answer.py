"""The pieces of an answer, collected: the whole answer as content blocks, and what the client will say that it got.

Joins texts once, at the end, so that an answer of a hundred thousand deltas costs no more than its length. Pure; the
bodies of all three APIs are made from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol.codecs.reply import Break, End, Text, Thinking, ToolUse, Whole
from protocol.events import TurnUsage
from protocol.httperrors import Failure
from protocol.turnrequest import Said

if TYPE_CHECKING:
    from protocol.codecs.reply import Piece

_MEMBER: dict[type[Text | Thinking], str] = {Text: "text", Thinking: "thinking"}


class Answer:
    """Collects the pieces of one answer."""

    def __init__(self) -> None:
        self._blocks: list[dict[str, Any]] = []
        self._kind: type[Text | Thinking] | None = None
        self._texts: list[str] = []
        self.end: End | None = None
        self.failure: Failure | None = None

    def add(self, piece: Piece) -> None:
        """Take the next piece."""
        if isinstance(piece, Text | Thinking):
            if type(piece) is not self._kind:
                self._close()
                self._kind = type(piece)
            self._texts.append(piece.text)
            return
        self._close()
        if isinstance(piece, Whole):
            self._blocks.append(piece.block)
        elif isinstance(piece, ToolUse):
            self._blocks.append({"type": "tool_use", "id": piece.id, "name": piece.name, "input": piece.input})
        elif isinstance(piece, End):
            self.end = piece
        elif isinstance(piece, Failure):
            self.failure = piece
        elif not isinstance(piece, Break):
            raise TypeError(piece)

    def add_all(self, pieces: list[Piece]) -> Answer:
        """Take pieces; itself."""
        for piece in pieces:
            self.add(piece)
        return self

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The content, in the Messages API's shape. An answer without any has one empty text: clients look at the
        first block."""
        self._close()
        return self._blocks or [{"type": "text", "text": ""}]

    @property
    def texts(self) -> list[str]:
        """The text blocks."""
        return [block["text"] for block in self.blocks if block["type"] == "text"]

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The calls that the client is to run."""
        return [block for block in self.blocks if block["type"] == "tool_use"]

    @property
    def usage(self) -> TurnUsage:
        """The tokens, as far as they are known."""
        return self.end.usage if self.end is not None else TurnUsage()

    @property
    def said(self) -> Said:
        """The answer as it will come back in the client's next request."""
        return Said("assistant", [block for block in self.blocks if block["type"] in ("text", "tool_use")])

    def _close(self) -> None:
        if self._kind is not None:
            text = "".join(self._texts)
            more = {"signature": ""} if self._kind is Thinking else {}
            kind = _MEMBER[self._kind]
            if text:
                self._blocks.append({"type": kind, kind: text, **more})
        self._kind, self._texts = None, []
