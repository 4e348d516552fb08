"""A session's events on their way out: completed by the turn's record, numbered without a gap, handed to the sink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol.events import (
    Event,
    EventParams,
    SessionStarted,
    SessionUpdated,
    TextDelta,
    ThinkingDelta,
    ToolCallOutput,
    join_deltas,
)
from protocol.turnrecord import ToolAfterlife, TurnRecord

if TYPE_CHECKING:
    from adapter.session.sink import Sink
    from adapter.session.turn import Turn


_DELTAS = (TextDelta, ThinkingDelta)


class Timeline:
    """The numbered events of one session.

    Args:
        session_id: whose.
        sink: where they go.
    """

    def __init__(self, session_id: str, sink: Sink) -> None:
        self._session_id = session_id
        self._sink = sink
        self._seq = 0
        self._turn: Turn | None = None
        self._between = TurnRecord()
        self._afterlife = ToolAfterlife()
        self._out: list[Event] = []
        self._held: list[EventParams] | None = None
        self._closed = False
        self.known = SessionStarted()
        """What is known of the session, as in its `session_started`."""

    @property
    def running_tools(self) -> list[str]:
        """Names of the tools that run, oldest first."""
        return list(self._record.open_tools.values())

    @property
    def _record(self) -> TurnRecord:
        return self._between if self._turn is None else self._turn.record

    def enter(self, turn: Turn) -> None:
        """What follows belongs to this turn."""
        self.flush()
        self._turn = turn

    def leave(self, turn: Turn, last: Event) -> None:
        """Finish what the turn left unfinished, and send its last event."""
        self.flush()
        self._afterlife.close(list(turn.record.open_tools))
        self._out += turn.record.close()
        self._out.append(last)
        current, self._turn = self._turn, turn
        self.flush()
        self._turn = None if current is turn else current

    def add(self, event: Event) -> None:
        """An event of the provider: the record may put others before it. Goes out with the next `flush`."""
        if type(event) in _DELTAS:  # by the hundred thousand, and never about a tool call
            self._record.watch(event, self._out)
            return
        event = self._afterlife.translate(event)
        if isinstance(event, ToolCallOutput):
            # A call that began between two turns may end within one.
            self._between.open_tools.pop(event.tool_call_id, None)
        self._record.watch(event, self._out)

    def add_own(self, event: Event) -> None:
        """An event of our making. Goes out at once, behind what was added."""
        self._out.append(event)
        self.flush()

    def cut_off_message(self, agent: str | None) -> None:
        """A new message begins; an unfinished one before it becomes a partial message."""
        self._record.cut_off(agent, self._out)

    def hold(self) -> None:
        """Keep events back until `open`, because nobody knows of the session yet."""
        self._held = []

    def open(self) -> None:
        """Let events go out, first those that were held. Idempotent."""
        held, self._held = self._held, None
        if held:
            self._sink.emit(self._session_id, held)

    def close(self, last: Event) -> None:
        """Finish what was left between turns, and send the session's last event. What still comes, from whoever was at
        work for the session, is left out."""
        self.flush()
        self._turn = None
        self._out += self._between.close()
        self.add_own(last)
        self._closed = True

    def learn(self, news: SessionUpdated) -> None:
        """Tell those fields that are news, and remember them."""
        fields = {name: getattr(news, name) for name in news.__struct_fields__}
        self.tell_news(**{name: value for name, value in fields.items() if isinstance(value, str | list | None)})

    def tell_news(self, **fields: Any) -> None:
        """The same for single fields."""
        changed = {name: value for name, value in fields.items() if getattr(self.known, name) != value}
        if changed:
            for name, value in changed.items():
                setattr(self.known, name, value)
            self.add_own(SessionUpdated(**changed))

    def flush(self) -> None:
        """Number what was added and hand it to the sink; where the parent is behind, deltas are joined first."""
        if not self._out or self._closed:
            return
        events: list[Any] = join_deltas(self._out) if self._sink.backlog(self._session_id) else self._out
        turn_id = self._turn.id if self._turn is not None else None
        seq, session_id = self._seq, self._session_id
        self._seq += len(events)
        numbered = [EventParams(session_id, seq + at, turn_id, event) for at, event in enumerate(events, 1)]
        self._out = []
        if self._held is None:
            self._sink.emit(session_id, numbered)
        else:
            self._held += numbered
