"""One conversation over HTTP: the session that holds it, and its turns, one at a time.

A client sends all that was ever said with each request; the session has heard it already. So only what is new goes to
it, and where the request tells another past than the session has, a session that starts anew is given that past in
words. Old turns are never played again.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

import anyio

from adapter.faces.http.plan import Origin, Place, Plan
from adapter.faces.http.setup import Setup, build_config, takes_new_setup
from protocol.errors import AdapterError, ErrorKind
from protocol.events import SessionEnded, SessionStarted, SessionUpdated
from protocol.history import tell, without_results
from protocol.httperrors import INTERRUPTED, Failure, HttpError, busy, failed_start, invalid
from protocol.lifecycle import SessionState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapter.config_http import HttpSettings
    from adapter.faces.http.job import Job
    from adapter.session.record import SessionRecord
    from adapter.session.registry import Registry
    from adapter.session.session import Session
    from adapter.session.sink import Sink
    from protocol.events import EventParams
    from protocol.turnrequest import TurnRequest

log = logging.getLogger(__name__)

TAKEN_BACK = "The client has gone; its turn is being interrupted."
KEEPS_SETUP = (
    "This CLI goes on with the system prompt and the tools that a conversation began with: "
    "send the whole conversation to change them."
)
CUT_S = 30.0
"""How long an interrupted turn may take to end: longer than the core's own bounds together."""


class Conversation:
    """One conversation.

    Args:
        id: that of its session.
        user: whose; None where requests do not tell.
        origin: where it branches off.
        is_named: whether clients call it by its id.
        registry: starts sessions.
        settings: the daemon's.
        working_dir: where the agent works.
        sink: takes the sessions' events.
        useless: called with its id when nobody can come back to it.
        completed: told of the conversation's digest, the turn that led to it, and the answer's id.
    """

    def __init__(
        self,
        id: str,
        user: str | None,
        origin: Origin | None,
        *,
        is_named: bool,
        registry: Registry,
        settings: HttpSettings,
        working_dir: str,
        sink: Sink,
        completed: Callable[[Conversation, bytes, str, str], None],
        useless: Callable[[str], Awaitable[object]],
    ) -> None:
        self.id = id
        self.user = user
        self.setup: Setup | None = None
        self.place = Place()
        self.session: Session | None = None
        self.job: Job | None = None
        self.last_record: SessionRecord | None = None
        """What was written down of its session, while it has none."""
        self.model: str | None = None
        """As the CLI names it."""
        self.cli_version: str | None = None
        self.last_answer: str | None = None
        """The id of the answer that it ends with."""
        self.users = 0
        """Requests that wait for it or are being answered."""
        self._origin = origin
        self._is_named = is_named
        self._registry = registry
        self._settings = settings
        self._working_dir = working_dir
        self._sink = sink
        self._completed = completed
        self._useless = useless
        self._line = anyio.Lock()
        self._has_past = False
        """Whether its session's transcript holds a turn, so that it can be resumed."""
        self._budget: int | None = None
        self._effort: str | None = None

    # What is asked of it

    def enter(self) -> None:
        """A request comes in.

        Raises:
            HttpError: too many wait already.
        """
        if self.users > self._settings.max_waiting:
            raise busy(f"{self.users - 1} requests wait for this conversation already.")
        self.users += 1

    def fits(self, digests: list[bytes]) -> bool:
        """Whether a request can go on here at once, or as soon as a turn whose client has gone is interrupted."""
        return (self.is_free and self.place.fits(digests)) or self.is_left(digests)

    @property
    def is_free(self) -> bool:
        """Whether no turn runs or waits; one that has come to its end counts no more, though its task may still run."""
        return self.users == (1 if self.job is not None and self.job.is_settled else 0)

    def is_left(self, digests: list[bytes]) -> bool:
        """Whether a request goes on from the turn that its client has just left: whoever stops an answer asks the next
        thing at once, while the turn is still being interrupted; or asks something else than the turn waits for."""
        job = self.job
        if job is None or self.users != 1:
            return False
        if job.is_suspended:
            return digests[-2:-1] == [job.digest]
        return job.reply.abandoned.is_set() and digests[-3:-2] == [job.question_digest]

    async def wait_left(self, digests: list[bytes]) -> None:
        """Where a request goes on from the turn that runs, as only a client does that has left it: wait for word of
        that. The caller sets the limit."""
        job = self.job
        if job is not None and not job.is_suspended and digests[-3:-2] == [job.question_digest]:
            await _first(job.reply.abandoned, job.done)

    async def run(self, job: Job, request: TurnRequest, digests: list[bytes], append: bool) -> None:
        """Run a turn, from its place in the line to its end, and write its replies. Raises nothing; what goes wrong is
        in the reply. `enter` has been called.

        Args:
            job: the turn.
            request: what asks for it.
            digests: its conversation's, after each message.
            append: the request tells no past: its last message follows on what was said.
        """
        try:
            if self.job is not None and self.job.is_suspended:
                await self._cut(self.job, INTERRUPTED)
            async with self._line:
                if not job.reply.abandoned.is_set():
                    await self._run_turn(job, request, digests, append)
        except HttpError as error:
            job.reply.fail(error.failure)
        except AdapterError as error:
            job.reply.fail(failed_start(error))
        finally:
            job.reply.fail(INTERRUPTED)
            job.give_up()
            self.users -= 1
            was_left = job.reply.abandoned.is_set() and self.place.digest is not None
            if not (self._is_named or self.users or self.last_answer or was_left):
                # Nobody can come back to it: no answer was given that a request could go on from.
                await self._useless(self.id)

    def receive(self, events: list[EventParams]) -> None:
        """What the session says."""
        for params in events:
            if isinstance(params.event, SessionStarted | SessionUpdated):
                self.model = params.event.model or self.model
                self.cli_version = params.event.cli_version or self.cli_version
            elif isinstance(params.event, SessionEnded):
                self._forget_session()
            elif self.job is not None and params.turn_id is not None and params.turn_id == self.job.turn_id:
                self.job.receive(params)
                if self.job.done.is_set():
                    # Before the client can have read the end: its next request may come at once.
                    self._settle(self.job)

    # A turn

    async def _run_turn(self, job: Job, request: TurnRequest, digests: list[bytes], append: bool) -> None:
        plan = self._plan(request, digests, append)
        session, plan = await self._have_session(request, plan)
        job.reply.told.history = plan.history
        job.reply.told.model = self.model or request.model_name
        if job.reply.abandoned.is_set():
            return
        accepted = await session.submit(plan.content)
        job.turn_id, job.reply.delivered = accepted.turn_id, True
        self.job, self.place = job, Place()
        accepted.release()
        try:
            await self._watch(job)
        finally:
            self.job = None
            self._settle(job)

    def _settle(self, job: Job) -> None:
        """Note how far the conversation has come with this turn. Idempotent."""
        if job.is_settled:
            return
        job.is_settled = True
        self._has_past = True
        if job.reply.failure is None:
            self.place = Place(job.digest)
            self.last_answer = job.reply.id
            self._completed(self, job.digest, job.turn_id or "", job.reply.id)
        else:
            self.place = Place(job.question_digest, is_loose=True)

    async def _watch(self, job: Job) -> None:
        """Wait for the end of a turn; bring it about where the client has gone, or time is up."""
        left = self._settings.turn_timeout or float("inf")
        while not job.done.is_set():
            began = anyio.current_time()
            limit = self._settings.tool_result_timeout if job.is_suspended else left
            suspended = job.is_suspended
            with anyio.move_on_after(limit) as scope:
                await _first(job.done, job.changed, job.reply.abandoned)
            left -= 0 if suspended else anyio.current_time() - began
            if job.done.is_set():
                return
            if scope.cancelled_caught:
                await self._cut(job, _late("tool_result_timeout" if suspended else "turn_timeout", limit))
            elif job.reply.abandoned.is_set():
                log.info("session %s: %s", self.id, TAKEN_BACK)
                await self._cut(job, INTERRUPTED)

    async def _cut(self, job: Job, why: Failure) -> None:
        """Interrupt a turn, and wait for its end: what it still says must not reach the next one."""
        job.verdict = why
        job.give_up()
        with anyio.move_on_after(CUT_S, shield=True):
            try:
                if self.session is not None:
                    await self.session.interrupt()
                await job.done.wait()
            except AdapterError as error:
                log.info("session %s: interrupt: %s", self.id, error.message)
        job.reply.fail(why)
        job.done.set()

    # Its session

    def _plan(self, request: TurnRequest, digests: list[bytes], append: bool) -> Plan:
        last, earlier = request.last, request.messages[:-1]
        content, setup = without_results(last.content), Setup.of(request)
        if self._has_past and (append or self.place.fits(digests)):
            if self._can_become(setup):
                return Plan("continued", content, can_tell=not append)
            if append:
                raise invalid(KEEPS_SETUP)
        origin, self._origin = self._origin, None
        if origin is not None:
            if origin.can_become(setup):
                more = {"resume": origin.session_id, "resume_at": origin.turn_id, "fork": True}
                return Plan("forked", content, more, can_tell=not append)
            if append:
                raise invalid(KEEPS_SETUP)
        history = "replayed" if earlier else "new"
        return Plan(history, tell(earlier, last), starts_anew=self._has_past)

    def _can_become(self, setup: Setup) -> bool:
        """Whether its session can go on with this setup, if need be in a new process."""
        return self.setup is None or self.setup.serves(setup) or takes_new_setup(self.cli_version)

    def branch_at(self, turn_id: str) -> Origin:
        """Where another conversation can branch off."""
        return Origin(self.id, turn_id, self.setup, self.cli_version)

    async def _have_session(self, request: TurnRequest, plan: Plan) -> tuple[Session, Plan]:
        """A session that is ready for the request. Where the conversation cannot be taken up again, it is told."""
        setup = Setup.of(request)
        if self.session is not None and self.session.state in (SessionState.STOPPING, SessionState.ENDED):
            await self.end()  # it was idle for too long, or had to make room
        if self.session is not None and not plan.starts_anew and self.setup is not None and self.setup.serves(setup):
            await self._adjust(self.session, request)
            return self.session, plan
        await self.end()
        more = plan.more or ({"resume": self.id} if self._has_past and not plan.starts_anew else {})
        had_past, self._has_past = self._has_past, bool(more)
        try:
            session = await self._start(request, more)
        except AdapterError as error:
            self._has_past = had_past
            if not more or not plan.can_tell or error.kind not in (ErrorKind.SPAWN_FAILED, ErrorKind.INVALID_PARAMS):
                raise
            log.info("session %s: cannot be taken up again (%s); its past is told", self.id, error.message)
            plan = Plan("replayed", tell(request.messages[:-1], request.last))
            self._has_past = False
            session = await self._start(request, {})
        self.session, self.setup = session, setup
        session.activate()
        await self._adjust(session, request)
        return session, plan

    async def _start(self, request: TurnRequest, more: dict[str, Any]) -> Session:
        config = build_config(request, self._settings, self._working_dir, **more)
        self._budget, self._effort = None, request.effort
        return await self._registry.start("claude", self.id, config, self._sink)

    async def _adjust(self, session: Session, request: TurnRequest) -> None:
        """Change in place what can be changed."""
        if request.model is not None and request.model != session.config.model:
            await session.set_model(request.model)
        if request.effort is not None and request.effort != self._effort:
            await session.query("set_effort", {"effort": request.effort})
            self._effort = request.effort
        if request.thinking_budget is not None and request.thinking_budget != self._budget:
            await session.query("set_thinking_budget", {"max_thinking_tokens": request.thinking_budget})
            self._budget = request.thinking_budget

    async def end(self) -> None:
        """End its session, for good."""
        if self.session is not None:
            with contextlib.suppress(AdapterError):  # it has ended by itself, long ago
                await self._registry.stop(self.id)
            self._forget_session()

    def _forget_session(self) -> None:
        if self.session is not None:
            self.last_record, self.session = self.session.record(), None


async def _first(*events: anyio.Event) -> None:
    """Wait for the first of several events."""
    async with anyio.create_task_group() as tasks:

        async def wait(event: anyio.Event) -> None:
            await event.wait()
            tasks.cancel_scope.cancel()

        for event in events:
            tasks.start_soon(wait, event)


def _late(setting: str, limit: float) -> Failure:
    message = f"The turn was interrupted: {setting} ({limit:g} s) is over."
    return Failure(status=504, type="timeout_error", message=message, should_retry=False, kind="timeout")
