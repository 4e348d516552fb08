"""One turn that an HTTP request asked for: its events become pieces, and the pieces one reply after the other.

A turn has more than one reply where the client runs tools: the first ends with `tool_use`, the turn waits, and the next
request brings the results and gets the next reply.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import anyio

from adapter.session.sink import QuestionFailed
from protocol.codecs.reply import ReplyCodec
from protocol.events import TurnCompleted
from protocol.history import extend

if TYPE_CHECKING:
    from adapter.faces.http.reply import Reply
    from protocol.codecs.reply import Piece, Visibility
    from protocol.events import EventParams
    from protocol.httperrors import Failure
    from protocol.turnrequest import TurnRequest

SETTLE_S = 1.0
"""How long the end of the model's message is waited for once a tool of it is called. It comes first or at once (both
CLIs tell it before they run a tool, or while the tool waits); without it, a call made at the same time would only come
with the next reply."""

NOT_RUN = "The client did not run this tool in time."


class Job:
    """A turn under way.

    Args:
        request: what asked for it.
        digests: the conversation's digests, after each message of the request.
        reply: the answer to write.
        visibility: how the agent's own tools are shown.
    """

    def __init__(self, request: TurnRequest, digests: list[bytes], reply: Reply, visibility: Visibility) -> None:
        self.reply = reply
        self.turn_id: str | None = None
        self.done = anyio.Event()
        self.is_settled = False
        """Whether its conversation has noted its end."""
        self.verdict: Failure | None = None
        """What it fails of where we and not the CLI decided that."""
        self._codec = ReplyCodec(
            visibility,
            calls=[tool.name for tool in request.tools],
            shows_thinking=request.shows_thinking,
            structured=request.output_schema is not None,
        )
        self._digest = digests[-1]
        self._waiting: dict[str, anyio.Event] = {}
        """The calls that the CLI waits for."""
        self._results: dict[str, Any] = {}
        self._held: list[Piece] = []
        """What is said while the client runs tools."""
        self._settled = anyio.Event()
        self.asked: frozenset[str] = frozenset()
        """The calls that the client was asked to run, and that it has brought no result for."""
        self.changed = anyio.Event()
        """Set, and replaced, whenever it is suspended or goes on."""

    @property
    def is_suspended(self) -> bool:
        """Whether the client is to run tools before anything can go on."""
        return bool(self.asked)

    @property
    def digest(self) -> bytes:
        """The conversation's digest once the answer has been given."""
        return extend(self._digest, self.reply.answer.said)

    @property
    def question_digest(self) -> bytes:
        """The same without the answer."""
        return self._digest

    def receive(self, params: EventParams) -> None:
        """Take an event of the turn."""
        pieces = self._codec.receive(params, time.time())
        self.reply.ran_tools = self._codec.ran_tools
        ended = isinstance(params.event, TurnCompleted)
        if ended and self.verdict is not None:
            self.reply.fail(self.verdict)
        if self.is_suspended:
            self._held += pieces
        else:
            self.reply.add(pieces)
        if self._codec.message_ended:
            self._settled.set()
        if ended:
            self.give_up()
            self.done.set()

    # The client's tools

    async def call(self, id: str, name: str, input: Any) -> Any:
        """Have the client run a tool; its result, a block of its request.

        Raises:
            QuestionFailed: there is none, and there will be none.
        """
        self._codec.call(id, name, input)
        if id not in self._results and not self.done.is_set():
            waiting = self._waiting[id] = anyio.Event()
            try:
                await self._settle()
                await waiting.wait()
            finally:
                del self._waiting[id]
        if id not in self._results:
            raise QuestionFailed(NOT_RUN)
        return self._results.pop(id)

    def resume(self, digests: list[bytes], reply: Reply, results: dict[str, Any]) -> None:
        """Go on, in a new reply, with the results that the client brings."""
        self._digest = digests[-1]
        reply.ran_tools = self.reply.ran_tools
        self.reply = reply
        self._results |= results
        self._set_asked(frozenset())
        held, self._held = self._held, []
        reply.add(held)
        for id in results:
            if id in self._waiting:
                self._waiting[id].set()
        self._suspend()

    def give_up(self) -> None:
        """The client will bring no results: what waits for them fails."""
        self._set_asked(frozenset())
        for waiting in self._waiting.values():
            waiting.set()

    async def _settle(self) -> None:
        """End the reply with the calls, once the model has made all of them."""
        if not self._codec.message_ended:
            self._settled = anyio.Event()
            with anyio.move_on_after(SETTLE_S):
                await self._settled.wait()
        self._suspend()

    def _suspend(self) -> None:
        """End the reply with `tool_use`, if the CLI waits for calls that the client does not know of."""
        unanswered = self._waiting.keys() - self._results.keys()
        if self.is_suspended or not self._codec.new_calls & unanswered:
            return
        asked = self._codec.new_calls
        self.reply.add(self._codec.suspend())
        self._set_asked(asked)

    def _set_asked(self, asked: frozenset[str]) -> None:
        self.asked = asked
        changed, self.changed = self.changed, anyio.Event()
        changed.set()
