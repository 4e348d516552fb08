"""The small vocabulary that scenarios are written in: what an answer does, step by step.

Owns the step types only. Pure. Only this package imports it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Text:
    """One text delta; neighbouring ones make up one block."""

    text: str


@dataclass(frozen=True)
class Thinking:
    """One thinking delta; neighbouring ones make up one block."""

    text: str


@dataclass(frozen=True)
class Tool:
    """A whole `tool_use` block."""

    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True)
class EndBlock:
    """The open block ends here."""


@dataclass(frozen=True)
class Pause:
    """Nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Gate:
    """Nothing until the test releases the gate of that name."""

    name: str


@dataclass(frozen=True)
class Hang:
    """Nothing until the client leaves; before the headers, before any event, or in mid-stream."""

    where: Literal["before_headers", "before_events", "in_stream"]


@dataclass(frozen=True)
class Cut:
    """The connection ends in mid-stream, or (`reset`) is reset before an answer."""

    reset: bool = False


@dataclass(frozen=True)
class Raw:
    """Bytes into the stream as they are."""

    data: bytes


@dataclass(frozen=True)
class Fail:
    """An HTTP error answer; it stands alone."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stop:
    """The message ends with this reason and these output tokens; without it the reason follows from the blocks."""

    reason: str | None = None
    output_tokens: int = 9


Step = Text | Thinking | Tool | EndBlock | Pause | Gate | Hang | Cut | Raw | Fail | Stop
