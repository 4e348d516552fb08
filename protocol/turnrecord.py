"""Keeps the promises about a turn's content, whatever the CLI leaves out (SPEC-5.3, SPEC-6.3).

`TurnRecord` watches a turn's events go by, in order, and adds what is missing: deltas for a message that came
without, a message for deltas that were cut off, an output for a tool call that got none. Pure and
provider-neutral; one per turn (and one for what happens between turns).
"""

from __future__ import annotations

from typing import Any

from protocol.events import Event, Message, TextDelta, ThinkingDelta, ToolCallOutput, ToolCallProgress, ToolCallStarted

Agent = str | None
"""The `parent_tool_call_id`: which agent speaks; None is the main one."""

NO_OUTPUT = "The tool call ended without an output."


class TurnRecord:
    """What has been said in one turn and not been finished yet."""

    def __init__(self) -> None:
        self._text: dict[Agent, list[str]] = {}
        self._thinking: dict[Agent, list[str]] = {}
        self.open_tools: dict[str, str] = {}
        """The running tool calls: id to name, oldest first."""

    def watch(self, event: Event, out: list[Event]) -> None:
        """Append `event` to `out`, with what has to come before it."""
        kind = type(event)
        if kind is TextDelta:
            self._text.setdefault(event.parent_tool_call_id, []).append(event.text)  # type: ignore[attr-defined]
        elif kind is ThinkingDelta:
            self._thinking.setdefault(event.parent_tool_call_id, []).append(event.text)  # type: ignore[attr-defined]
        elif isinstance(event, Message) and event.role == "assistant":
            self._reconcile(event, out)
        elif isinstance(event, ToolCallStarted):
            self.open_tools[event.tool_call_id] = event.name
        elif isinstance(event, ToolCallOutput):
            self.open_tools.pop(event.tool_call_id, None)
        out.append(event)

    def cut_off(self, agent: Agent, out: list[Event]) -> None:
        """A new message begins: what was said of the one before and never finished becomes a partial message."""
        said = "".join(self._text.pop(agent, ()))
        self._thinking.pop(agent, None)
        if said:
            out.append(Message(role="assistant", content=[{"type": "text", "text": said}], parent_tool_call_id=agent))

    def close(self, reason: str = NO_OUTPUT) -> list[Event]:
        """The events that finish what is unfinished: partial messages, and made-up outputs that carry `reason`."""
        out: list[Event] = []
        for agent in list(self._text):
            self.cut_off(agent, out)
        out += [ToolCallOutput(tool_call_id=id, is_error=True, content=reason) for id in self.open_tools]
        self._thinking.clear()
        self.open_tools.clear()
        return out

    def _reconcile(self, message: Message, out: list[Event]) -> None:
        agent = message.parent_tool_call_id
        thinking, text = _joined(message, "thinking"), _joined(message, "text")
        if thinking and not self._thinking.pop(agent, None):
            out.append(ThinkingDelta(text=thinking, parent_tool_call_id=agent))
        if not text:
            return
        said = "".join(self._text.pop(agent, ()))
        if text.startswith(said):
            missing = text[len(said) :]
        elif said.startswith(text):
            self._text[agent] = [said[len(text) :]]
            missing = ""
        else:
            self._text[agent] = [said]
            self.cut_off(agent, out)
            missing = text
        if missing:
            out.append(TextDelta(text=missing, parent_tool_call_id=agent))


class ToolAfterlife:
    """Tool calls whose output was made up at their turn's end, because a background agent went on with them.

    Their real output, coming later, is passed on as progress: a second output would break the promise of one.
    """

    def __init__(self) -> None:
        self._closed: set[str] = set()

    def close(self, ids: list[str]) -> None:
        """Remember calls that got a made-up output."""
        self._closed.update(ids)

    def translate(self, event: Event) -> Event:
        """The event to send in the place of a late output; every other event as it is."""
        if isinstance(event, ToolCallOutput) and event.tool_call_id in self._closed:
            self._closed.discard(event.tool_call_id)
            return ToolCallProgress(tool_call_id=event.tool_call_id, content=event.content, is_error=event.is_error)
        if isinstance(event, ToolCallStarted):
            self._closed.discard(event.tool_call_id)  # an id used again means a new call
        return event


def _joined(message: Message, kind: str) -> str:
    return "".join(
        _text(block, kind) for block in message.content if isinstance(block, dict) and block.get("type") == kind
    )


def _text(block: dict[str, Any], kind: str) -> str:
    text = block.get(kind)
    return text if isinstance(text, str) else ""
