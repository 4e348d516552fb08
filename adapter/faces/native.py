"""The native face: the wire contract (SPEC.md) over our own stdin and stdout.

Implements each method of `protocol.methods.METHODS` and is the sink of the sessions it starts. Knows nothing of
any provider but its name.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from adapter import __version__
from adapter.dispatch import Dispatcher, Handler
from adapter.faces import greetings
from adapter.faces.conversations import ConversationMethods
from adapter.peer import Call, Peer, RequestFailed
from adapter.session.sink import QuestionFailed
from protocol import methods, openrpc
from protocol.errors import invalid_param
from protocol.hooks import HookParams
from protocol.methods import METHODS
from protocol.queries import QUERIES
from protocol.tools import ToolCallParams

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from adapter.faces.base import Surroundings
    from adapter.providers.base import ProviderHealth
    from adapter.session.record import SessionRecord
    from protocol.events import EventParams
    from protocol.methods import PermissionParams
    from protocol.session_config import SessionConfig
    from protocol.signals import HookFired, PermissionAsked, ToolCalled

_PREFIX = b'{"jsonrpc":"2.0","method":"event","params":'
_encode = msgspec.json.Encoder().encode


class NativeFace:
    """One parent, served.

    Args:
        around: the daemon's parts.
    """

    over_stdio = True

    def __init__(self, around: Surroundings) -> None:
        self._outbox = around.outbox
        self._registry = around.registry
        self._providers = around.providers
        self._settings = around.settings
        self._shutdown = around.shut_down
        handlers: dict[str, Handler] = {
            "initialize": self._initialize,
            "health_check": self._health_check,
            "list_providers": self._list_providers,
            "start_session": self._start_session,
            "send_message": self._send_message,
            "interrupt": self._interrupt,
            "stop_session": self._stop_session,
            "list_tasks": self._list_tasks,
            "list_sessions": self._list_sessions,
            "set_model": self._set_model,
            "set_runtime_mode": self._set_runtime_mode,
            "rpc.discover": self._discover,
            "shutdown": self._shut_down,
            **{name: partial(self._query, name) for name in QUERIES},
            **ConversationMethods(around.registry).handlers,
        }
        dispatcher = Dispatcher({name: (METHODS[name].params, handler) for name, handler in handlers.items()})
        limit = around.settings.max_message
        self._peer = Peer(around.input, around.outbox, dispatcher.serve, limit=limit, opening=around.opening)

    async def run(self, tasks: TaskGroup) -> None:
        """Serve until the parent's end of input. Calls run in `tasks`."""
        await self._peer.run(tasks)

    async def close(self, grace: float) -> None:
        """Let calls answer for `grace` seconds, cut short the rest, and wake who waits for the parent."""
        await self._peer.close(grace)

    # The sink of the sessions

    def emit(self, session_id: str, events: list[EventParams]) -> None:
        """Send events, all in one write."""
        self._peer.send_bytes([_PREFIX + _encode(event) + b"}" for event in events], lane=session_id)

    @property
    def share(self) -> int:
        """A session's share of unsent bytes."""
        return self._settings.session_backlog

    def backlog(self, session_id: str) -> int:
        """Bytes that the parent has not read yet."""
        return self._outbox.backlog(session_id)

    async def wait_ready(self, session_id: str) -> None:
        """Wait until the parent has read."""
        await self._outbox.wait_below(session_id, self.share)

    async def ask(self, session_id: str, turn_id: str | None, asked: PermissionAsked) -> Any:
        """Put a question to the parent. See `Sink.ask`."""
        params = methods.PermissionParams(
            session_id=session_id,
            turn_id=turn_id,
            tool_call_id=asked.tool_call_id,
            tool_name=asked.tool_name,
            kind=asked.kind,
            input=asked.input,
            title=asked.title,
            suggestions=asked.suggestions,
        )
        return await self._request("request_permission", params)

    async def call_tool(self, session_id: str, turn_id: str | None, called: ToolCalled) -> Any:
        """Have the parent run its tool. See `Sink.call_tool`."""
        params = ToolCallParams(
            session_id=session_id,
            turn_id=turn_id,
            tool_call_id=called.tool_call_id,
            name=called.name,
            input=called.input,
        )
        return await self._request("call_tool", params)

    async def run_hook(self, session_id: str, turn_id: str | None, fired: HookFired) -> Any:
        """Ask the parent at an event. See `Sink.run_hook`."""
        params = HookParams(
            session_id=session_id,
            turn_id=turn_id,
            tool_call_id=fired.tool_call_id,
            hook_id=fired.hook_id,
            event=fired.event,
            input=fired.input,
        )
        return await self._request("run_hook", params)

    async def _request(self, method: str, params: PermissionParams | ToolCallParams | HookParams) -> Any:
        try:
            return await self._peer.request(method, params.model_dump(), lane=params.session_id)
        except RequestFailed as error:
            raise QuestionFailed(str(error)) from error

    # The methods

    async def _initialize(self, call: Call, params: methods.InitializeParams) -> dict[str, Any]:
        return greetings.describe(self._settings)

    async def _health_check(self, call: Call, params: methods.HealthCheckParams) -> methods.HealthResult:
        return _health(await self._providers.health_check(params.provider))

    async def _list_providers(self, call: Call, params: methods.NoParams) -> methods.ProvidersResult:
        return methods.ProvidersResult(
            providers=[_health(health) for health in await self._providers.health_check_all()]
        )

    async def _start_session(self, call: Call, params: methods.StartSessionParams) -> methods.StartSessionResult:
        _check_folders(params.config)
        session = await self._registry.start(params.provider, params.session_id, params.config, self)
        call.after_reply.append(session.activate)
        return methods.StartSessionResult(
            session_id=session.id,
            provider=session.provider,
            pid=session.pid,
            provider_session_id=session.provider_session_id,
            state=session.state,
        )

    async def _send_message(self, call: Call, params: methods.SendMessageParams) -> methods.SendMessageResult:
        message = params.message
        content = message if isinstance(message, str) else [block.model_dump() for block in message]
        accepted = await self._registry.get(params.session_id).submit(
            content, params.idempotency_key, urgent=params.when == "now"
        )
        call.after_reply.append(accepted.release)
        return methods.SendMessageResult(
            turn_id=accepted.turn_id, queued=accepted.ahead, repeated=accepted.repeated, outcome=accepted.outcome
        )

    async def _interrupt(self, call: Call, params: methods.SessionParams) -> methods.InterruptResult:
        return methods.InterruptResult(interrupted=await self._registry.get(params.session_id).interrupt())

    async def _stop_session(self, call: Call, params: methods.SessionParams) -> methods.StopSessionResult:
        ended = await self._registry.stop(params.session_id)
        return methods.StopSessionResult(exit_code=ended.code, signal=ended.signal)

    async def _list_tasks(self, call: Call, params: methods.SessionParams) -> methods.TasksResult:
        tasks = self._registry.get(params.session_id).running_tasks
        return methods.TasksResult(tasks=[methods.TaskEntry(**msgspec.to_builtins(task)) for task in tasks])

    async def _list_sessions(self, call: Call, params: methods.ListSessionsParams) -> methods.ListSessionsResult:
        records = await self._registry.list(include_ended=params.include_ended)
        return methods.ListSessionsResult(sessions=[_entry(record) for record in records])

    async def _set_model(self, call: Call, params: methods.SetModelParams) -> methods.Empty:
        await self._registry.get(params.session_id).set_model(params.model)
        return methods.Empty()

    async def _set_runtime_mode(self, call: Call, params: methods.SetRuntimeModeParams) -> methods.Empty:
        await self._registry.get(params.session_id).set_runtime_mode(params.runtime_mode)
        return methods.Empty()

    async def _query(self, name: str, call: Call, params: Any) -> dict[str, Any]:
        session = self._registry.get(params.session_id)
        return await session.query(name, params.model_dump(exclude={"session_id"}))

    async def _discover(self, call: Call, params: methods.NoParams) -> dict[str, Any]:
        return openrpc.document(__version__)

    async def _shut_down(self, call: Call, params: methods.NoParams) -> methods.Empty:
        call.after_reply.append(self._shutdown)
        return methods.Empty()


def _health(health: ProviderHealth) -> methods.HealthResult:
    return methods.HealthResult(
        provider=health.provider,
        is_available=health.is_available,
        version=health.version,
        authenticated=health.authenticated,
        error=health.complaint,
        cli_path=health.cli_path,
    )


def _entry(record: SessionRecord) -> methods.SessionEntry:
    told = {name: getattr(record, name) for name in methods.SessionEntry.model_fields if name != "usage"}
    return methods.SessionEntry(usage=methods.UsageCounts(**msgspec.to_builtins(record.usage)), **told)


def _check_folders(config: SessionConfig) -> None:
    """What the models cannot see: whether a folder is there."""
    if not os.path.isabs(config.working_dir):
        raise invalid_param("config.working_dir", "must be an absolute path")
    if not os.path.isdir(config.working_dir):
        raise invalid_param("config.working_dir", "there is no such folder")
    if not os.access(config.working_dir, os.R_OK | os.X_OK):
        raise invalid_param("config.working_dir", "the folder may not be entered")
    for at, folder in enumerate(config.allowed_dirs):
        if not os.path.isdir(folder):
            raise invalid_param(f"config.allowed_dirs.{at}", "there is no such folder")
