"""The methods that an editor may call, and the sessions that it has begun.

Each takes the call and its params as they came; what is wrong with them raises, and the face answers with the error.
"""

from __future__ import annotations

import logging
import os
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import anyio

from adapter.faces.acp import commands
from adapter.faces.acp.connection import Connection
from adapter.faces.acp.listing import list_sessions
from adapter.faces.acp.prompts import CANCELLED, Prompt
from adapter.faces.acp.session import AcpSession
from adapter.providers.base import SessionConfig
from protocol.codecs.acp_options import EFFORT_OPTION, MODE_OPTION, MODEL_OPTION
from protocol.codecs.acp_prompt import parse_prompt
from protocol.errors import AdapterError, ErrorKind
from protocol.wire import acp as wire
from protocol.wire.acp import BadParams, Place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapter.faces.base import Surroundings
    from adapter.peer import Call, Peer
    from adapter.session.archive import HistoryPage
    from adapter.session.session import Session
    from adapter.session.sink import Sink
    from protocol.jsonrpc import Id

log = logging.getLogger(__name__)

Json = dict[str, Any]

HISTORY_PAGE = 4 * 1024 * 1024
"""Bytes of events that are replayed at a time; the editor has to read them before more is taken from the disk."""


class Methods:
    """What an editor may call.

    Args:
        around: the daemon's parts.
        sink: takes the events of the sessions.
        peer: the link with the editor.
    """

    def __init__(self, around: Surroundings, sink: Sink, peer: Peer) -> None:
        self._registry = around.registry
        self._providers = around.providers
        self._settings = around.settings
        self._sink = sink
        self._peer = peer
        self._provider = around.providers.names[0]
        self._connection = Connection(around.providers, self._provider)
        self._by_id: dict[str, AcpSession] = {}
        self._by_own_id: dict[str, AcpSession] = {}
        self._locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()
        """By what the editor calls a session. See `_alone`."""
        self._running: dict[Id, tuple[AcpSession, Prompt]] = {}
        self.requests: dict[str, Callable[[Call, Json], Awaitable[Json]]] = {
            "initialize": self._connection.initialize,
            "authenticate": self._connection.authenticate,
            "logout": self._connection.log_out,
            "session/new": self._new,
            "session/load": self._load,
            "session/resume": self._resume,
            "session/fork": self._fork,
            "session/list": self._list,
            "session/close": self._close,
            "session/delete": self._delete,
            "session/prompt": self._prompt,
            "session/set_mode": self._set_mode,
            "session/set_config_option": self._set_config_option,
        }
        self.notifications: dict[str, Callable[[Json], Awaitable[None]]] = {
            "session/cancel": self._cancel,
            "$/cancel_request": self._cancel_request,
        }

    def by_own_id(self, session_id: str) -> AcpSession | None:
        """The session that our session of this id serves."""
        return self._by_own_id.get(session_id)

    # Sessions begin and end

    async def _new(self, call: Call, params: Json) -> Json:
        session = await self._begin(call, wire.read_place(params))
        call.after_reply.append(session.tell)
        return {"sessionId": session.id, **session.state}

    async def _fork(self, call: Call, params: Json) -> Json:
        id, place = wire.read_text(params, "sessionId"), wire.read_place(params)
        source = self._by_id.get(id)
        if source is not None:
            session = await self._begin(call, place, resume=source.own_id, fork=True)
        else:
            session = await self._go_on(call, id, place, fork=True)
        call.after_reply.append(session.tell)
        return {"sessionId": session.id, **session.state}

    async def _resume(self, call: Call, params: Json) -> Json:
        id, place = wire.read_text(params, "sessionId"), wire.read_place(params)
        async with self._alone(id):
            session, _ = await self._bring_back(call, id, place)
        return session.state

    async def _load(self, call: Call, params: Json) -> Json:
        id, place = wire.read_text(params, "sessionId"), wire.read_place(params)
        async with self._alone(id):
            session = await self._load_alone(call, id, place)
        return session.state

    async def _load_alone(self, call: Call, id: str, place: Place) -> AcpSession:
        read = partial(self._history, id, place, max_bytes=HISTORY_PAGE)
        # Begun before the CLI starts: what cannot be found is then told at once, and what it adds is not told twice.
        page = await read()
        session, is_new = await self._bring_back(call, id, place)
        # A session that is live goes on with what it has announced; the history gets a writer of its own beside it.
        writer = session.writer if is_new else session.new_writer()
        while page.next_cursor is not None:
            session.replay(page.events, writer)
            await self._sink.wait_ready(session.own_id)
            page = await read(cursor=page.next_cursor)
        session.replay(page.events, writer, last=True)
        return session

    async def _bring_back(self, call: Call, id: str, place: Place) -> tuple[AcpSession, bool]:
        """The session of this id, and whether it had to be begun."""
        known = self._by_id.get(id)
        session = known or await self._go_on(call, id, place)
        call.after_reply.append(session.tell)
        return session, known is None

    def _alone(self, id: str) -> anyio.Lock:
        """Held by whoever begins, tells the history of, or ends a session that the editor knows."""
        return self._locks.setdefault(id, anyio.Lock())

    async def _go_on(self, call: Call, id: str, place: Place, *, fork: bool = False) -> AcpSession:
        """Begin a session that goes on with a conversation, or with a copy of it. What we do not find ourselves may be
        the CLI's to find, but not by a title, which it takes in the place of an id."""
        if not _is_id(id):
            await self._history(id, place, limit=1)
        try:
            return await self._begin(call, place, id=None if fork else id, resume=id, fork=fork)
        except AdapterError as error:
            if error.kind is ErrorKind.SPAWN_FAILED:
                await self._history(id, place, limit=1)
            raise

    async def _history(self, id: str, place: Place, **window: Any) -> HistoryPage:
        known = self._by_id.get(id)
        own_id = known.own_id if known is not None else id
        try:
            return await self._registry.archive.history(own_id, self._provider, working_dir=place.cwd, **window)
        except AdapterError as error:
            if error.kind is not ErrorKind.SESSION_NOT_FOUND:
                raise
            text, hint = f"There is no conversation {id!r}.", "session/list tells those that are there."
            raise AdapterError(error.kind, text, hint=hint, sessionId=id) from error

    async def _begin(
        self, call: Call, place: Place, *, id: str | None = None, resume: str | None = None, fork: bool = False
    ) -> AcpSession:
        _check_folders(place)
        config = SessionConfig(
            working_dir=place.cwd,
            allowed_dirs=place.additional_directories,
            mcp_servers=place.mcp_servers or None,
            trust=self._settings.trust,
        )
        adapter = self._providers.get(self._provider)
        own_id = str(uuid.uuid4())
        session = AcpSession(
            own_id,
            config,
            self._connection.client,
            start=self._start,
            send=self._send,
            modes=adapter.runtime_modes(config),
            max_queue=self._settings.max_queue,
            patience=self._settings.tool_silence_timeout,
        )
        session.asking = call.message.id  # type: ignore[union-attr]
        self._by_own_id[own_id] = session
        try:
            await session.begin(config.model_copy(update={"resume": resume, "fork": fork}), id)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._end(session)
            raise
        self._by_id[session.id] = session
        return session

    async def _start(self, session: AcpSession, config: SessionConfig) -> Session:
        return await self._registry.start(self._provider, session.own_id, config, self._sink)

    def _send(self, lane: str, bodies: list[bytes]) -> None:
        self._peer.send_bytes(bodies, lane=lane)

    async def _close(self, call: Call, params: Json) -> Json:
        async with self._alone(wire.read_text(params, "sessionId")):
            session = self._get(params)
            session.prompts.cancel()
            await self._end(session)
        return {}

    async def _end(self, session: AcpSession) -> None:
        try:
            await self._registry.stop(session.own_id)
        except AdapterError as error:
            log.debug("session %s: %s", session.id, error.message)
        self._by_own_id.pop(session.own_id, None)
        self._by_id.pop(session.id, None)

    async def _delete(self, call: Call, params: Json) -> Json:
        id = wire.read_text(params, "sessionId")
        async with self._alone(id):
            session = self._by_id.get(id)
            if session is not None:
                session.prompts.cancel()
                await self._end(session)
            try:
                await self._registry.archive.delete(session.own_id if session is not None else id, self._provider)
            except AdapterError as error:
                if error.kind is not ErrorKind.SESSION_NOT_FOUND:
                    raise
        return {}

    async def _list(self, call: Call, params: Json) -> Json:
        ids = {session.own_id: session.id for session in self._by_id.values()}
        return await list_sessions(self._registry.archive, self._provider, params, ids)

    # In a session

    async def _prompt(self, call: Call, params: Json) -> Json:
        session = self._get(params)
        content = parse_prompt(params.get("prompt"))
        answer = await commands.take(session, content)
        if answer is not None:
            text = {"type": "text", "text": answer}
            session.update([{"sessionUpdate": "agent_message_chunk", "content": text}])
            return {"stopReason": "end_turn"}
        prompt = Prompt()
        id: Id = call.message.id  # type: ignore[union-attr]
        self._running[id] = (session, prompt)
        try:
            return {"stopReason": await session.prompt(content, prompt)}
        except AdapterError:
            if prompt.cancelled:
                return {"stopReason": CANCELLED}
            raise
        finally:
            self._running.pop(id, None)

    async def _cancel(self, params: Json) -> None:
        await self._get(params).cancel()

    async def _cancel_request(self, params: Json) -> None:
        """A prompt that is taken back ends as with `session/cancel`, and so does what waits behind it: they talk about
        the same conversation. Everything else is cut short."""
        id = params.get("requestId")
        if not isinstance(id, str | int):
            return
        session, _ = self._running.get(id, (None, None))
        if session is not None:
            await session.cancel()
        else:
            self._peer.cancel_call(id)

    async def _set_mode(self, call: Call, params: Json) -> Json:
        session, mode = self._get(params), wire.read_text(params, "modeId")
        _check_value(session, MODE_OPTION, mode, "modeId")
        await session.set_mode(mode)
        return {}

    async def _set_config_option(self, call: Call, params: Json) -> Json:
        session, option = self._get(params), wire.read_text(params, "configId")
        value = wire.read_text(params, "value")
        setters = {
            MODE_OPTION: session.set_mode,
            MODEL_OPTION: session.set_model,
            EFFORT_OPTION: session.set_effort,
        }
        if option not in setters:
            raise BadParams("configId", f"there is no option {option!r}")
        _check_value(session, option, value, "value")
        await setters[option](value)
        return {"configOptions": session.options.config()}

    def _get(self, params: Json) -> AcpSession:
        id = wire.read_text(params, "sessionId")
        session = self._by_id.get(id)
        if session is None:
            text = f"There is no session {id!r}."
            raise AdapterError(ErrorKind.SESSION_NOT_FOUND, text, hint="Load it first.", sessionId=id)
        return session


def _is_id(id: str) -> bool:
    try:
        return str(uuid.UUID(id)) == id.lower()
    except ValueError:
        return False


def _check_value(session: AcpSession, option: str, value: str, path: str) -> None:
    values = session.options.values(option)
    if value not in values:
        raise BadParams(path, f"{value!r} is not on offer; these are: {', '.join(values)}")


def _check_folders(place: Place) -> None:
    for path, folder in [("cwd", place.cwd), *_numbered("additionalDirectories", place.additional_directories)]:
        if not os.path.isdir(folder):
            raise BadParams(path, "there is no such folder")
        if not os.access(folder, os.R_OK | os.X_OK):
            raise BadParams(path, "the folder may not be entered")


def _numbered(name: str, values: list[str]) -> list[tuple[str, str]]:
    return [(f"{name}.{at}", value) for at, value in enumerate(values)]
