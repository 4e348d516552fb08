"""All conversations over HTTP, and which of them a request belongs to.

By the header's name, by the tool calls that it answers, by the answer that it goes on from; else by what was said: the
request's past is the whole of exactly one conversation. Where two conversations of one user have the same past, nobody
can tell whose the request is, and it gets one of its own: two conversations never mix. Also the sink of their sessions.
"""

from __future__ import annotations

import logging
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from adapter.faces.http.conversation import Conversation
from adapter.faces.http.setup import Setup
from adapter.session.sink import QuestionFailed
from protocol.httperrors import not_found

if TYPE_CHECKING:
    from adapter.config_http import HttpSettings
    from adapter.faces.http.plan import Origin
    from adapter.faces.http.policy import Policy
    from adapter.guard import GuardedTasks
    from adapter.session.registry import Registry
    from protocol.events import EventParams
    from protocol.signals import PermissionAsked
    from protocol.turnrequest import TurnRequest

log = logging.getLogger(__name__)

PLACES_PER_CONVERSATION = 64
"""Beginnings that are remembered for each conversation there may be, to branch off from."""

LEAVING_S = 1.0
"""How long a request that goes on from a turn under way waits for the end of its client's connection to that turn.
Whoever stops an answer asks the next thing on another connection, and which of the two is heard of first is chance."""

OWNERS = 4
"""Conversations that are remembered for one beginning; from two on it is nobody's in particular."""


def id_of(name: str) -> str:
    """The id of the conversation that a client calls so: a UUID as it is, any other name by a UUID made from it."""
    try:
        return str(uuid.UUID(name))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


@dataclass(frozen=True, slots=True)
class _Answered:
    """Where an answer was given."""

    origin: Origin
    user: str | None


class Conversations:
    """The conversations of this daemon.

    Args:
        registry: starts sessions.
        settings: the daemon's.
        working_dir: where the agent works.
        policy: decides on permission requests.
        tasks: where sessions of forgotten conversations are ended.
    """

    def __init__(
        self, registry: Registry, settings: HttpSettings, working_dir: str, policy: Policy, tasks: GuardedTasks
    ) -> None:
        self._registry = registry
        self._settings = settings
        self._working_dir = working_dir
        self._policy = policy
        self._tasks = tasks
        self._all: OrderedDict[str, Conversation] = OrderedDict()
        self._answers: OrderedDict[str, _Answered] = OrderedDict()
        self._places: OrderedDict[bytes, dict[str, str]] = OrderedDict()
        """For each beginning, the conversations that came by it, and the turns that led them there."""

    # Which one

    def after(self, answer_id: str, user: str | None) -> Conversation:
        """The conversation that goes on from an answer; one that branches off where others have gone on from it.

        Raises:
            HttpError: 404 where no answer has this id, or it is too long ago.
        """
        known = self._answers.get(answer_id)
        if known is None or known.user != user:
            raise not_found(f"There is no response {answer_id!r}, or it is too long ago.")
        conversation = self._all.get(known.origin.session_id)
        if conversation is not None and conversation.is_free and conversation.last_answer == answer_id:
            self._all.move_to_end(conversation.id)
            return conversation
        return self._make(str(uuid.uuid4()), user, known.origin)

    def choose(self, request: TurnRequest, digests: list[bytes], named: str | None) -> Conversation:
        """The conversation that a request belongs to; a new one where there is none."""
        if named is not None:
            return self._touch(named, request.user)
        before = digests[-2] if len(digests) > 1 else None
        fitting = [
            each
            for each in (self._all.get(id) for id in self._owners(before, digests))
            if each is not None and each.user == request.user
        ]
        going_on = self._only(fitting, request)
        if going_on is not None and going_on.fits(digests):
            self._all.move_to_end(going_on.id)
            return going_on
        origin = None
        if going_on is not None and before is not None and (turn := self._places.get(before, {}).get(going_on.id)):
            origin = going_on.branch_at(turn)
        return self._make(str(uuid.uuid4()), request.user, origin)

    async def wait_left(self, digests: list[bytes], user: str | None) -> None:
        """Wait, but not for long, for word of the client that has left a turn, where this request tells of it."""
        with anyio.move_on_after(LEAVING_S):
            for each in self.all():
                if each.user == user:
                    await each.wait_left(digests)

    def waiting_for(self, calls: set[str], user: str | None) -> Conversation | None:
        """The conversation whose turn waits for the results of these calls, or of some of them."""
        for each in self._all.values():
            if each.job is not None and each.job.asked & calls and each.user == user:
                return each
        return None

    def find(self, id: str) -> Conversation | None:
        """The conversation with this id."""
        return self._all.get(id)

    def all(self) -> list[Conversation]:
        """All of them, the latest last."""
        return list(self._all.values())

    async def end(self, id: str) -> bool:
        """End a conversation and its session; False where there is none."""
        conversation = self._all.get(id)
        if conversation is None:
            return False
        await conversation.end()  # its last events still have to come in by its id
        if self._all.get(id) is conversation:
            del self._all[id]
        return True

    def _owners(self, before: bytes | None, digests: list[bytes]) -> list[str]:
        if before is None:
            return []
        owners = self._came_by(before)
        if owners:
            return list(owners)
        # A turn that was cut short: all but the last answer, which nobody knows whole.
        return [
            each.id
            for each in self._all.values()
            if each.is_left(digests) or (each.place.is_loose and each.place.fits(digests))
        ]

    def _came_by(self, digest: bytes) -> dict[str, str]:
        """The conversations that came by a beginning; those that were ended since stand in nobody's way."""
        owners = self._places.get(digest, {})
        for gone in owners.keys() - self._all.keys():
            del owners[gone]
        return owners

    def _only(self, fitting: list[Conversation], request: TurnRequest) -> Conversation | None:
        """The one of several that the request goes on with: the only one at all, or the only one that is set up for
        it."""
        if len(fitting) <= 1:
            return fitting[0] if fitting else None
        setup = Setup.of(request)
        alike = [each for each in fitting if each.setup is not None and each.setup.serves(setup)]
        return alike[0] if len(alike) == 1 else None

    def _touch(self, id: str, user: str | None) -> Conversation:
        if id not in self._all:
            return self._make(id, user, None, is_named=True)
        self._all.move_to_end(id)
        return self._all[id]

    def _make(self, id: str, user: str | None, origin: Origin | None, *, is_named: bool = False) -> Conversation:
        conversation = self._all[id] = Conversation(
            id,
            user,
            origin,
            is_named=is_named,
            registry=self._registry,
            settings=self._settings,
            working_dir=self._working_dir,
            sink=self,
            completed=self._note,
            useless=self.end,
        )
        idle = [each for each in self._all.values() if not each.users and each is not conversation]
        for each in idle[: max(0, len(self._all) - self._settings.max_conversations)]:
            del self._all[each.id]
            self._tasks.start_soon(each.end)
        return conversation

    def _note(self, conversation: Conversation, digest: bytes, turn_id: str, answer_id: str) -> None:
        self._answers[answer_id] = _Answered(conversation.branch_at(turn_id), conversation.user)
        while len(self._answers) > self._settings.max_conversations * PLACES_PER_CONVERSATION:
            self._answers.popitem(last=False)
        self._places.setdefault(digest, {})
        self._places.move_to_end(digest)
        owners = self._came_by(digest)
        if len(owners) < OWNERS:
            owners[conversation.id] = turn_id
        while len(self._places) > self._settings.max_conversations * PLACES_PER_CONVERSATION:
            self._places.popitem(last=False)

    # The sink of their sessions

    def emit(self, session_id: str, events: list[EventParams]) -> None:
        """See `Sink.emit`."""
        if (conversation := self._all.get(session_id)) is not None:
            conversation.receive(events)

    @property
    def share(self) -> int:
        """See `Sink.share`."""
        return self._settings.session_backlog

    def backlog(self, session_id: str) -> int:
        """See `Sink.backlog`."""
        conversation = self._all.get(session_id)
        return conversation.job.reply.backlog if conversation is not None and conversation.job is not None else 0

    async def wait_ready(self, session_id: str) -> None:
        """See `Sink.wait_ready`."""
        conversation = self._all.get(session_id)
        if conversation is not None and conversation.job is not None:
            await conversation.job.reply.wait_below(self.share)

    async def ask(self, session_id: str, turn_id: str | None, asked: PermissionAsked) -> Any:
        """See `Sink.ask`."""
        return await self._policy.decide(session_id, turn_id, asked)

    async def call_tool(self, session_id: str, turn_id: str | None, called: Any) -> Any:
        """See `Sink.call_tool`: the client runs it."""
        conversation = self._all.get(session_id)
        job = conversation.job if conversation is not None else None
        if job is None or job.turn_id != turn_id:
            raise QuestionFailed("No request is open that could run this tool.")
        id = called.tool_call_id or f"call_{called.request_id}"
        result = await job.call(id, called.name, called.input)
        return {"content": result["content"], "is_error": result["is_error"]}

    async def run_hook(self, session_id: str, turn_id: str | None, fired: Any) -> Any:
        """See `Sink.run_hook`: this face subscribes to none."""
        raise QuestionFailed("No hooks are run over HTTP.")
