"""A parent that talks to the real CLI through the daemon: a stage (daemon, CLI, model server), and sessions on it.

Every session that a test opens here is stopped here, and all that the daemon said of it is held against the promises
of the contract (section 3). Owns no expectation about a single test. Tests may import it.
"""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import psutil

from adapter.process.identity import MARK_VARIABLE
from tests.support.daemon import Answer, Daemon, Json, run_daemon
from tests.support.model_server import ModelServer, RecordedRequest
from tests.support.promises import check_promises
from tests.support.real_cli import cli_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

STOP_S = 15.0
"""A session's end: at most the sum of the stop ladder's limits, which the real CLI never needs."""

TURN_S = 30.0
"""A turn with a few tool calls takes under two seconds; this allows for a machine that is busy with other tests."""

OUTER = "of-an-outer-agent"
"""The value of what a running Claude Code would have left in the daemon's environment."""

OUTER_VARIABLES = ("CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SESSION_ID", "AI_AGENT", "OTEL_SERVICE_NAME")

NEWER_LINE = [2, 1, 300]
"""What differs between claude 2.1.197 and 2.1.329 came somewhere between them."""

RETRIES = 2
"""The CLI's own default of ten would take three minutes."""


@dataclass(frozen=True)
class Heard:
    """A turn as the parent heard it: its events, in order, whole."""

    id: str
    events: list[Json]

    @property
    def completed(self) -> Json:
        """Its `turn_completed`."""
        return self.events[-1]

    @property
    def text(self) -> str:
        """The main agent's text deltas, joined."""
        return "".join(each["text"] for each in self.all("text_delta") if each["parent_tool_call_id"] is None)

    @property
    def notices(self) -> list[str]:
        """The texts of its notices."""
        return [each["message"] for each in self.all("notice")]

    def all(self, type: str, **fields: Any) -> list[Json]:
        """The events of a type, with these fields."""
        return [
            each
            for each in self.events
            if each["type"] == type and all(each.get(name) == value for name, value in fields.items())
        ]

    def one(self, type: str, **fields: Any) -> Json:
        """The one event of a type, with these fields."""
        found = self.all(type, **fields)
        assert len(found) == 1, f"{len(found)} events {type} with {fields}: {found}"
        return found[0]


class Talk:
    """One session, as its parent holds it."""

    def __init__(self, daemon: Daemon, server: ModelServer, started: Json, folder: Path, *, since: int = 0) -> None:
        self.id: str = started["session_id"]
        self.started = started
        self.daemon = daemon
        self.folder = folder
        self._server = server
        self._first_question = len(daemon.questions)
        self._first_event = since

    @property
    def events(self) -> list[Json]:
        """The params of its events so far."""
        return self.daemon.events(self.id)[self._first_event :]

    @property
    def provider_session_id(self) -> str:
        """The CLI's id of the conversation, as last told."""
        told = [self.started["provider_session_id"]]
        told += [params["event"].get("provider_session_id") for params in self.daemon.events(self.id)]
        return [each for each in told if each][-1]  # type: ignore[no-any-return]

    @property
    def requests(self) -> list[RecordedRequest]:
        """What its CLI asked the model, the CLI's own side calls left out."""
        return [each for each in self._server.requests if not each.side_call and self._is_ours(each)]

    @property
    def latest(self) -> str:
        """The newest of those requests' bodies, as text to look for things in."""
        return str(self.requests[-1].body)

    async def call(self, method: str, **params: Any) -> Any:
        """A request about this session."""
        return await self.daemon.request(method, session_id=self.id, **params)

    async def send(self, message: Any) -> str:
        """Give it a message; the turn's id."""
        return (await self.call("send_message", message=message))["turn_id"]  # type: ignore[no-any-return]

    async def heard(self, turn_id: str, *, within: float = TURN_S) -> Heard:
        """Wait for the end of a turn."""
        await self.daemon.wait_event("turn_completed", turn_id=turn_id, within=within)
        return Heard(turn_id, [params["event"] for params in self.daemon.events(turn_id=turn_id)])

    async def turn(self, message: Any, *, within: float = TURN_S) -> Heard:
        """Give it a message and wait for the end of its turn."""
        return await self.heard(await self.send(message), within=within)

    async def wait(self, type: str, *, within: float = TURN_S, **fields: Any) -> Json:
        """Wait for one of its events; the params."""
        return await self.daemon.wait_event(type, within=within, session_id=self.id, **fields)

    async def question(self, number: int = 0) -> Json:
        """Wait for its permission request of this number; the whole request."""
        return await self.daemon.wait_question(after=self._first_question + number, within=TURN_S)

    @property
    def questions(self) -> list[Json]:
        """The params of the permission requests that were put since it began."""
        return [each["params"] for each in self.daemon.questions[self._first_question :]]

    async def decide(self, question: Json, outcome: str, **more: Any) -> None:
        """Answer a permission request."""
        await self.daemon.reply(question["id"], {"outcome": outcome, **more})

    async def entry(self) -> Json:
        """What the daemon's list says of it."""
        sessions = (await self.daemon.request("list_sessions"))["sessions"]
        return next(entry for entry in sessions if entry["session_id"] == self.id)

    async def wait_for_model(self, directive: str) -> None:
        """Wait until the model has been asked for this directive in this session."""

        def wanted(request: RecordedRequest) -> bool:
            return request.directive is not None and request.directive.name == directive and self._is_ours(request)

        await self._server.off_loop(self._server.wait_for_request, wanted)

    def _is_ours(self, request: RecordedRequest) -> bool:
        return self.provider_session_id in str(request.body.get("metadata"))


@dataclass
class Stage:
    """A daemon that drives one version of the real CLI, which talks to a model server of ours."""

    version: str
    cli: Path
    home: Path
    server: ModelServer
    daemon: Daemon = field(init=False)
    _shared: Talk | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The daemon's whole environment."""
        outer = dict.fromkeys(OUTER_VARIABLES, OUTER)
        own = {f"XDG_{name}_HOME": str(self.home / name.lower()) for name in ("CONFIG", "STATE", "CACHE", "DATA")}
        return {
            **cli_environment(self.home, self.server.url),
            **outer,
            **own,
            "CLAUDE_CODE_MAX_RETRIES": str(RETRIES),
        }

    @property
    def is_old(self) -> bool:
        """Whether this is a version of the older line, which differs from the newer one in many small ways."""
        return [int(part) for part in self.version.split(".")[:3]] < NEWER_LINE

    def run_daemon(
        self, *arguments: str, env: Mapping[str, str] | None = None, ends: bool = True
    ) -> AbstractAsyncContextManager[Daemon]:
        """Another daemon on this stage."""
        environment = self.environment if env is None else env
        return run_daemon("--claude-path", str(self.cli), *arguments, env=environment, ends=ends)

    @asynccontextmanager
    async def session(
        self,
        folder: Path,
        *,
        daemon: Daemon | None = None,
        answer: Answer | None = None,
        session_id: str | None = None,
        **config: Any,
    ) -> AsyncIterator[Talk]:
        """Hold a session for a block; stop it, see that nothing is left of it, and check the promises.

        Args:
            folder: its working folder.
            daemon: another than the stage's.
            answer: answers its permission requests.
            session_id: ours, instead of one that the daemon makes.
            config: the rest of its config.
        """
        daemon = daemon or self.daemon
        chosen = {} if session_id is None else {"session_id": session_id}
        daemon.answer = answer
        params = {"working_dir": str(folder), **config}
        started = await daemon.request("start_session", within=TURN_S, config=params, **chosen)
        talk = Talk(daemon, self.server, started, folder)
        try:
            yield talk
        finally:
            daemon.answer = None
            await _stop(talk)
        await talk.wait("session_ended")
        check_promises(talk.events)

    async def open_shared(self) -> None:
        """Start the session that conversations share."""
        folder = self.home / "shared"
        folder.mkdir(exist_ok=True)
        config = {"working_dir": str(folder)}
        started = await self.daemon.request("start_session", within=TURN_S, config=config)
        self._shared = Talk(self.daemon, self.server, started, folder)

    @asynccontextmanager
    async def conversation(self, answer: Answer | None = None) -> AsyncIterator[Talk]:
        """Hold a new conversation for a block, in a session that is shared: supervised, and without any further config.
        To start one for each test is what many tests would spend their time on. Nothing may be left that runs.

        Args:
            answer: answers its permission requests.
        """
        assert self._shared is not None, "open_shared comes first"
        shared = self._shared
        try:
            await shared.turn("/clear")
            for left in shared.folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            since = len(self.daemon.events(shared.id))
            self.daemon.answer = answer
            yield Talk(self.daemon, self.server, shared.started, shared.folder, since=since)
        except BaseException:
            # Whatever state it is in, the next test has another.
            with anyio.CancelScope(shield=True):
                await self.end_shared()
                await self.open_shared()
            raise
        finally:
            self.daemon.answer = None

    async def end_shared(self) -> None:
        """End the shared session, and check what was promised of it."""
        shared, self._shared = self._shared, None
        if shared is not None:
            await _stop(shared)
            await self.daemon.wait_event("session_ended", session_id=shared.id)
            check_promises(self.daemon.events(shared.id))

    def daemon_questions(self, session_id: str) -> list[Json]:
        """The params of the permission requests about a session, also of those that came before it was there."""
        return [each["params"] for each in self.daemon.questions if each["params"]["session_id"] == session_id]

    def running(self) -> list[psutil.Process]:
        """All that runs for this stage with the daemon's mark on it, but for the shared session's CLI itself."""
        shared = None if self._shared is None else self._shared.started["pid"]
        return [process for process in marked_processes(self.home) if process.pid != shared]


@asynccontextmanager
async def open_stage(version: str, cli: Path, home: Path) -> AsyncIterator[Stage]:
    """Set up a stage. `home` is an empty folder of its own."""
    with ModelServer() as server:
        stage = Stage(version, cli, home, server)
        async with stage.run_daemon() as stage.daemon:
            # The daemon's look at its provider at start-up, over with this one, would else be a test's stray child.
            await stage.daemon.request("health_check")
            yield stage
            await stage.end_shared()


async def _stop(talk: Talk) -> None:
    with anyio.CancelScope(shield=True):
        await talk.daemon.request("stop_session", within=STOP_S, session_id=talk.id)


def marked_processes(home: Path) -> list[psutil.Process]:
    """The live processes with any daemon's mark whose HOME this is, wherever in the process tree they have gone."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue
        if environment.get("HOME") == str(home) and MARK_VARIABLE in environment:
            found.append(process)
    return found


def allow(**more: Any) -> Answer:
    """An answer that allows everything."""
    return _always({"outcome": "allow", **more})


def deny(**more: Any) -> Answer:
    """An answer that denies everything."""
    return _always({"outcome": "deny", **more})


def _always(result: Json) -> Answer:
    async def answer(params: Json) -> Json:
        return result

    return answer
