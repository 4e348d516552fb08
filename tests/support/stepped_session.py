"""A session whose provider does nothing before the test lets it, so that what meets in one round of the event loop
meets each time. No process, no file.

Owns: the provider, the parent and the ledger of such a session, and the check of its promises. May be imported by:
tests.
"""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.lowlevel
import msgspec

from adapter.process.child import Exit
from adapter.providers.base import ProviderAdapter, ProviderHealth, SessionConfig
from adapter.session.limits import SessionLimits, SilenceLimits
from adapter.session.session import Session
from protocol.events import SessionStarted
from protocol.signals import ProcessExited, TurnBegan
from tests.support.promises import check_promises

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from adapter.providers.base import Launch
    from adapter.session.ledger import Ledger
    from protocol.answers import Answer
    from protocol.events import EventParams
    from protocol.signals import ProviderEvent
    from tests.support.daemon import Json

SOON_S = 10.0
"""Nothing here waits for anything but other tasks; this allows for a busy machine."""

ROUNDS = 50
"""Rounds of the event loop in which a task that turns in circles has turned at least once."""

BEGAN = TurnBegan(origin="message")


class Gate:
    """A place where whoever comes waits while it is shut."""

    def __init__(self) -> None:
        self.passed = 0
        self._open = anyio.Event()
        self._open.set()
        self._come = anyio.Event()

    def shut(self) -> None:
        """From now on one has to wait."""
        self._open, self._come = anyio.Event(), anyio.Event()

    def open(self) -> None:
        """Let all through who wait, and who come later."""
        self._open.set()

    async def somebody(self) -> None:
        """Wait until somebody waits here."""
        await self._come.wait()

    async def __call__(self) -> None:
        self._come.set()
        await self._open.wait()
        self.passed += 1


class Stream:
    """A process's output, as the test gives it; a batch is only taken when the one before has been dealt with."""

    pid = 1
    has_exited = False
    started = SessionStarted(provider_session_id="theirs", runtime_mode="supervised")

    def __init__(self) -> None:
        self._batches: list[list[ProviderEvent]] = []
        self._more = anyio.Event()

    def say(self, *batch: ProviderEvent) -> None:
        """Put a batch in."""
        self._batches.append(list(batch))
        self._more.set()

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> list[ProviderEvent]:
        while not self._batches:
            if self.has_exited:
                raise StopAsyncIteration
            self._more = anyio.Event()
            await self._more.wait()
        return self._batches.pop(0)


class Provider(ProviderAdapter):
    """Does what it is asked, when the test lets it."""

    provider = "claude"

    def __init__(self) -> None:
        self.stream = Stream()
        self.starting, self.stopping, self.interrupting, self.setting = Gate(), Gate(), Gate(), Gate()
        self.sent: list[str] = []

    async def health_check(self) -> ProviderHealth:
        return ProviderHealth(self.provider, True)

    async def start_session(self, session_id: str, launch: Launch) -> Stream:
        await self.starting()
        self.stream = Stream()
        return self.stream

    async def send_message(self, session_id: str, message_id: str, content: Any) -> None:
        self.sent.append(message_id)

    async def interrupt(self, session_id: str) -> None:
        await self.interrupting()

    async def answer(self, session_id: str, request_id: str, answer: Answer) -> None:
        return

    async def set_model(self, session_id: str, model: str) -> None:
        await self.setting()

    async def set_runtime_mode(self, session_id: str, runtime_mode: str) -> None:
        return

    async def stop_session(self, session_id: str, *, turn_running: bool, fast: bool = False) -> Exit:
        await self.stopping()
        if not self.stream.has_exited:
            self.stream.has_exited = True
            self.stream.say(ProcessExited(exit_code=0, signal=None, stderr_tail=""))
        return Exit(0, None)


class Parent:
    """Takes a session's events."""

    share = 1

    def __init__(self) -> None:
        self.events: list[Json] = []
        self.is_behind = False

    def emit(self, session_id: str, events: list[EventParams]) -> None:
        self.events += [msgspec.to_builtins(event) for event in events]

    def backlog(self, session_id: str) -> int:
        return int(self.is_behind)

    async def wait_ready(self, session_id: str) -> None:
        await anyio.sleep_forever()

    def all(self, type: str) -> list[Json]:
        """The events of a type, with what stands beside them."""
        return [params for params in self.events if params["event"]["type"] == type]


class Book:
    """A ledger that remembers nothing."""

    def __init__(self) -> None:
        self.flush = Gate()

    def __getattr__(self, name: str) -> Callable[..., None]:
        """What is noted or forgotten."""
        return lambda *_, **__: None

    async def keyed_turns(self, session_id: str) -> list[Any]:
        return []


class Scene:
    """A session, and all that it deals with."""

    def __init__(self, tasks: Any, grace: float) -> None:
        self.tasks = tasks
        self.provider, self.parent, self.book = Provider(), Parent(), Book()
        limits = SessionLimits(SilenceLimits(0, 0, 0), permission_timeout=0, interrupt_grace=grace, max_queue=9)
        self.session = Session(
            "ours",
            self.provider,
            SessionConfig(working_dir="/", trust="always"),
            sink=cast("Any", self.parent),
            limits=limits,
            ledger=cast("Ledger", self.book),
            tasks=tasks,
        )

    def let_all_through(self) -> None:
        """What is left to do is done."""
        provider = self.provider
        for gate in (provider.starting, provider.stopping, provider.interrupting, provider.setting, self.book.flush):
            gate.open()

    async def send(self) -> str:
        """Give it a message, and say that the parent knows; its turn."""
        accepted = await self.session.submit("hello")
        accepted.release()
        return accepted.turn_id

    async def begin_turn(self) -> str:
        """A turn that the CLI has begun."""
        turn = await self.send()
        await self.settle()
        self.provider.stream.say(BEGAN)
        await self.settle()
        return turn

    async def settle(self) -> None:
        """Wait until every task waits."""
        await anyio.wait_all_tasks_blocked()

    async def busyness(self) -> float:
        """How much others do in each round of the event loop, in calls, once all has come to rest. A task that turns in
        circles never does."""
        await self.settle()
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count)
        try:
            for _ in range(ROUNDS):
                await anyio.lowlevel.checkpoint()
        finally:
            sys.setprofile(None)
        return calls / ROUNDS


@asynccontextmanager
async def scene_of(*, start: bool = True, grace: float = 5) -> AsyncIterator[Scene]:
    """A session for a block; it is stopped, and its events are held against the promises."""
    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as tasks:
            scene = Scene(tasks, grace)
            if start:
                await scene.session.start(None, fork=False)
                scene.session.activate()
            try:
                yield scene
            finally:
                scene.let_all_through()
            await scene.session.stop("stopped")
    if scene.parent.events:
        check_promises(scene.parent.events)
