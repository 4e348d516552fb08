"""One session as an editor sees it: its updates, its prompts, its options, and its life across sessions of ours.

A session of ours can end while the editor still shows its conversation (idle for too long, a CLI that cannot be started
for the moment): the next prompt brings it back by resuming. What is said before the editor knows the session is held.
"""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

import anyio

from adapter.faces.acp.afterwork import Afterwork
from adapter.faces.acp.oldtext import read_old_text
from adapter.faces.acp.prompts import Prompt, PromptQueue
from protocol import jsontext
from protocol.codecs import acp_size
from protocol.codecs.acp import UpdateWriter
from protocol.codecs.acp_options import DEFAULT, Options, commands_update
from protocol.errors import AdapterError
from protocol.events import Event, EventParams, SessionEnded, SessionStarted, SessionUpdated, TurnCompleted
from protocol.lifecycle import SessionState
from protocol.wire.acp import MODE_OF, MODES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapter.providers.base import SessionConfig
    from adapter.session.session import Session
    from protocol.wire.acp import Client

log = logging.getLogger(__name__)

Json = dict[str, Any]

_HEAD = b'{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":'
_UPDATE = b',"update":'
_TAIL = b"}}"


class AcpSession:
    """One session.

    Args:
        own_id: of the session of ours.
        config: how it is to run; holds for sessions of ours to come, too.
        client: what the editor can show.
        start: starts a session of ours with a config, under `own_id`.
        send: sends rendered messages.
        modes: the runtime modes that can be had.
        max_queue: how many prompts may wait.
        patience: seconds of silence after which agents in the background are not waited for any more; 0 for no limit.
    """

    def __init__(
        self,
        own_id: str,
        config: SessionConfig,
        client: Client,
        *,
        start: Callable[[AcpSession, SessionConfig], Awaitable[Session]],
        send: Callable[[str, list[bytes]], None],
        modes: list[str],
        max_queue: int,
        patience: float,
    ) -> None:
        self.own_id = own_id
        self.config = config
        self.client = client
        self.id = own_id
        """What the editor calls it: the provider's id of the conversation, as far as that is known at the beginning."""
        self.asking: Any = None
        """The id of the editor's request that is starting it; None once it has been answered."""
        self.writer = self.new_writer()
        self.options = Options(modes, [], {})
        self._afterwork = Afterwork(lambda: bool(self.writer.calls.agents), patience)
        self.prompts = PromptQueue(self.live, self._afterwork.wait_over, max_queue)
        self.denied: set[str] = set()
        """Questions that the user wants to be answered with a denial without being asked again."""
        self._start = start
        self._send = send
        self._session: Session | None = None
        self._held: list[bytes] | None = []
        self._commands: dict[str, Json] = {}
        self._last_id: str | None = None
        self._has_talked = False
        self._coming_back = anyio.Lock()

    def new_writer(self) -> UpdateWriter:
        """A writer of updates whose messages are taken for none of another one's."""
        name = f"{uuid.uuid4().hex[:8]}-"
        return UpdateWriter(self.client, self.config.working_dir, read_old_text, name)

    # Its life

    async def begin(self, config: SessionConfig, id: str | None = None) -> None:
        """Start it, and learn what it offers.

        Args:
            config: as its own, with what holds for this start alone (`resume`, `fork`).
            id: what the editor calls it, where it knows it already.

        Raises:
            AdapterError: why it did not start.
        """
        self._has_talked = config.resume is not None
        session = await self._begin(config)
        self.id = id or session.provider_session_id or self.own_id
        session.activate()
        await self._learn(session, is_new=config.resume is None)

    async def live(self) -> Session:
        """The session of ours, started again where it has ended; for all who ask at once the same.

        Raises:
            AdapterError: why it did not start.
        """
        async with self._coming_back:
            session = self._session
            if session is not None and session.state is SessionState.STOPPING:
                await session.ended.wait()
            if session is not None and session.state is not SessionState.ENDED:
                return session
            resume = self._last_id if self._has_talked else None
            session = await self._begin(self.config.model_copy(update={"resume": resume}))
            session.activate()
            return session

    async def _begin(self, config: SessionConfig) -> Session:
        session = self._session = await self._start(self, config)
        self._last_id = session.provider_session_id or self._last_id
        return session

    async def _learn(self, session: Session, *, is_new: bool) -> None:
        models = (await _ask(session, "list_models", models=[]))["models"]
        commands = (await _ask(session, "list_commands", commands=[]))["commands"]
        chosen = await _ask(session, "get_defaults", model=None, runtime_mode=None, effort=None, current_model=None)
        modes = self.options.available_modes
        self._commands = {command["name"]: command for command in commands}
        mode = chosen["runtime_mode"]
        if is_new and mode in modes and mode != self.config.runtime_mode:
            await session.set_runtime_mode(mode)
            self.config = self.config.model_copy(update={"runtime_mode": mode})
        self.options = Options(modes, models, {**chosen, "runtime_mode": self.config.runtime_mode})
        if not is_new and chosen["current_model"] is not None:
            self.options.learn_model(chosen["current_model"])

    def tell(self) -> None:
        """The editor knows it: send what was held, and its slash commands."""
        held, self._held, self.asking = self._held, None, None
        if held:
            self._send(self.own_id, held)
        self.update([commands_update(list(self._commands.values()))])

    @property
    def state(self) -> Json:
        """What the answers that begin a session tell of it."""
        return {"modes": self.options.modes(), "configOptions": self.options.config()}

    # Its prompts

    async def prompt(self, content: Any, prompt: Prompt) -> str:
        """Run a prompt; its stop reason. See `PromptQueue.run`."""
        self.prompts.require_room()  # one that is refused ends no call of those before it
        try:
            return await self.prompts.run(content, prompt)
        finally:
            self.update(self.writer.calls.close())

    async def cancel(self) -> None:
        """End its prompts, whatever turn runs, and the agents in the background."""
        self.prompts.cancel()
        session = self._session
        if session is None or session.state not in (SessionState.IDLE, SessionState.BUSY):
            return
        if not await session.interrupt():
            for agent in sorted(self.writer.calls.agents):
                await session.query("stop_task", {"task_id": agent})

    # Its options

    async def set_mode(self, id: str) -> None:
        """Switch the mode; its updates go out before this returns."""
        mode = MODES[id]
        session = await self.live()
        await session.set_runtime_mode(mode)
        self.config = self.config.model_copy(update={"runtime_mode": mode})

    async def set_model(self, value: str) -> None:
        """Switch the model."""
        session = await self.live()
        await session.set_model(value)
        self.config = self.config.model_copy(update={"model": value})
        if self.options.model != value:
            self.options.model = value
            self.update([self.options.config_update()])

    async def set_effort(self, value: str) -> None:
        """Switch the effort."""
        session = await self.live()
        effort = None if value == DEFAULT else value
        await session.query("set_effort", {"effort": effort})
        self.config = self.config.model_copy(update={"effort": effort})
        self.options.effort = value
        self.update([self.options.config_update()])

    # What is said of it

    def emit(self, events: list[EventParams]) -> None:
        """Send the updates that events become, all in one write."""
        bodies: list[bytes] = []
        for params in events:
            bodies += [self.render(update) for update in self.translate(params.event)]
            self._afterwork.learn(params.event)
            if isinstance(params.event, TurnCompleted):
                self._has_talked = self._has_talked or params.event.error is None
                self.prompts.complete(params.turn_id, params.event)
        self._put(bodies)

    def replay(self, events: list[tuple[str | None, Event]], writer: UpdateWriter, *, last: bool = False) -> None:
        """Send what was said before; with `last` that was all of it."""
        writer.replaying = True
        updates = [update for _, event in events for update in writer.write(event)]
        updates += writer.calls.close() if last else []
        self._put([self.render(update) for update in updates], at_once=True)
        writer.replaying = False

    def update(self, updates: list[Json]) -> None:
        """Send updates of the face's own."""
        self._put([self.render(update) for update in updates])

    def translate(self, event: Event) -> list[Json]:
        """The updates that an event becomes."""
        if isinstance(event, SessionStarted | SessionUpdated):
            return self._learn_news(event)
        if isinstance(event, SessionEnded):
            self._session = None
        return self.writer.write(event)

    def render(self, update: Json) -> bytes:
        """An update as a message."""
        return _HEAD + jsontext.dumps(self.id) + _UPDATE + acp_size.fit(update) + _TAIL

    def _put(self, bodies: list[bytes], *, at_once: bool = False) -> None:
        if self._held is not None and not at_once:
            self._held += bodies
        elif bodies:
            self._send(self.own_id, bodies)

    def _learn_news(self, news: SessionStarted | SessionUpdated) -> list[Json]:
        """What the CLI says of the session; while the editor does not know it yet, the answer will tell it."""
        updates: list[Json] = []
        if isinstance(news.provider_session_id, str):
            self._last_id = news.provider_session_id
        changed = False
        if isinstance(news.runtime_mode, str) and self.options.learn_mode(news.runtime_mode):
            changed = True
            updates.append(self.options.mode_update())
        if news.runtime_mode in MODE_OF:
            self.config = self.config.model_copy(update={"runtime_mode": news.runtime_mode})
        if isinstance(news.model, str):
            changed = self.options.learn_model(news.model) or changed
        if changed:
            updates.append(self.options.config_update())
        if isinstance(news.slash_commands, list) and isinstance(news, SessionUpdated):
            known, names = self._commands, news.slash_commands
            self._commands = {name: known.get(name) or {"name": name} for name in names}
            if set(known) != set(self._commands):
                updates.append(commands_update(list(self._commands.values())))
        return updates if self._held is None else []


async def _ask(session: Session, query: str, **otherwise: Any) -> Json:
    """Ask the session's CLI what an editor may choose from. One that cannot tell is used all the same."""
    try:
        return await session.query(query, {})
    except AdapterError as error:
        log.info("session %s: %s: %s", session.id, query, error.message)
        return otherwise
