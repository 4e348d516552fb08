"""Whose turn it is that Claude Code begins: that of the message we gave it, or one of its own. Pure.

A CLI begins a turn of its own when work in the background has news. Claude 2.1.329 says whose turn begins
(`command_lifecycle`); 2.1.197 tells only with the `result` (`origin`), so that a message may meet a turn which has
just begun by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol.events import Notice
from protocol.signals import TurnBegan, TurnEnded

if TYPE_CHECKING:
    from protocol.signals import ProviderEvent


class TurnOwner:
    """Follows the turns of one CLI process."""

    def __init__(self) -> None:
        self.open = False
        """Whether the CLI is in a turn (between its first line and its `result`)."""
        self._awaited: str | None = None
        self._lifecycle: str | None = None
        self._guessed = False
        self._news = False
        """Whether the CLI, between turns, has told of work that ended in the background: a turn of its own follows."""
        self._by_news = False
        """Whether only that told that the open turn is not the message's."""

    @property
    def at_rest(self) -> bool:
        """Whether the CLI is in no turn and has none before it."""
        return not self.open and self._awaited is None

    @property
    def is_due(self) -> bool:
        """Whether a message was given, and no turn has begun since."""
        return not self.open and self._awaited is not None

    def expect(self, message_id: str) -> None:
        """The CLI is given a message: a turn of that message follows."""
        self._awaited, self._lifecycle = message_id, None

    def note_lifecycle(self, line: dict[str, Any]) -> None:
        """What a `command_lifecycle` line says of the message that a turn is awaited for."""
        if line.get("command_uuid") == self._awaited:
            self._lifecycle = line.get("state")

    def note_news(self, line: dict[str, Any]) -> None:
        """A task has ended. The CLI begins a turn with the news that have a file to read; 2.1.197 tells them just
        before."""
        if not self.open:
            self._news = bool(line.get("output_file"))

    def begin(self, out: list[ProviderEvent]) -> None:
        """The CLI shows that it is in a turn; nothing where that is known."""
        if self.open:
            return
        self.open = True
        waited_for = self._awaited is not None and self._lifecycle in (None, "started", "completed")
        self._by_news, self._news = waited_for and self._news and self._lifecycle is None, False
        ours = waited_for and not self._by_news
        if ours:
            self._awaited, self._guessed = None, self._lifecycle is None
        out.append(TurnBegan(origin="message" if ours else "background"))

    def begin_by_content(self, agent: Any, out: list[ProviderEvent]) -> None:
        """The CLI shows that an agent is at work. Where that is the main one (None), and a message was given, its turn
        has begun, also in a CLI that does not announce each turn with its `init`."""
        if agent is None and self.is_due:
            self.begin(out)

    def goes_on(self, line: dict[str, Any], out: list[ProviderEvent]) -> bool:
        """Whether a `result` is not the end of the open turn.

        It is not where our message met a turn that the CLI had just begun by itself. The message's own is still to
        come: for the session it is the same turn that goes on. The costs of both are in its result, because the CLI
        counts them up.
        """
        self.begin(out)
        met = self._guessed and _is_background(line)
        if met:
            out.append(Notice(level="info", message="The agent finished background work before taking the message."))
        return met

    def end(self, line: dict[str, Any], out: list[ProviderEvent]) -> None:
        """A `result` ends the open turn. Where that only looked like one of the CLI's own, it was the message's."""
        if self._awaited is not None and self._by_news and not _is_background(line):
            out += [TurnEnded(stop_reason="end_turn"), TurnBegan(origin="message")]
            self._awaited = None
        self.open = self._guessed = self._by_news = False


def _is_background(line: dict[str, Any]) -> bool:
    origin = line.get("origin")
    return isinstance(origin, dict) and origin.get("kind") == "task-notification"
