"""What a session needs of the world above it: somewhere for its events to go, and somebody to put its questions to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from protocol.events import EventParams
    from protocol.signals import HookFired, PermissionAsked, ToolCalled


class QuestionFailed(Exception):
    """A question got no answer that could be used: an error, or the link has ended."""


class Sink(Protocol):
    """Implemented by a face."""

    def emit(self, session_id: str, events: list[EventParams]) -> None:
        """Take numbered events, in order. Never waits."""

    @property
    def share(self) -> int:
        """Bytes that a session may have unsent before its CLI is held back."""

    def backlog(self, session_id: str) -> int:
        """Bytes of this session's events that are unsent. While there are any, neighbouring deltas may be joined."""

    async def wait_ready(self, session_id: str) -> None:
        """Wait until the session's unsent bytes are below its share."""

    async def ask(self, session_id: str, turn_id: str | None, asked: PermissionAsked) -> Any:
        """Put a permission request to the parent; its raw result. When cancelled, the parent is told.

        Raises:
            QuestionFailed: there will be no answer.
        """

    async def call_tool(self, session_id: str, turn_id: str | None, called: ToolCalled) -> Any:
        """Have the parent run one of its tools; its raw result. When cancelled, the parent is told.

        Raises:
            QuestionFailed: there will be no answer.
        """

    async def run_hook(self, session_id: str, turn_id: str | None, fired: HookFired) -> Any:
        """Ask the parent at an event that it has subscribed to; its raw answer. When cancelled, the parent is told.

        Raises:
            QuestionFailed: there will be no answer.
        """
