"""Claude Code as a provider: `ClaudeAdapter`. One CLI process per session, over the CLI's own stream-json stdio
protocol."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from adapter.guard import GuardedTasks
from adapter.process import scratch
from adapter.process.child import Exit
from adapter.process.containment import StopLimits
from adapter.process.discover import find_cli
from adapter.providers import claude_trust
from adapter.providers.base import Launch, ProviderAdapter, ProviderError, ProviderHealth, SessionConfig
from adapter.providers.claude_archive import ClaudeArchive
from adapter.providers.claude_command import (
    build_arguments,
    build_environment,
    full_access_hint,
    may_skip_permissions,
    mcp_file_text,
)
from adapter.providers.claude_handshake import NOT_FOUND, PROVIDER, UNKNOWN_FLAG
from adapter.providers.claude_health import ClaudeHealth
from adapter.providers.claude_live import LiveOutput
from adapter.providers.claude_options import fit_options
from adapter.providers.claude_process import ClaudeProcess
from adapter.providers.warm import WarmPool
from protocol.codecs import claude_project, claude_queries, claude_steering
from protocol.codecs.claude_version import TESTED, Version, depends_on_version, parse_version
from protocol.errors import AdapterError, ErrorKind, RemoteProtocolError, invalid_param
from protocol.wire.claude import RUNTIME_MODES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from adapter.process.host import ProcessHost
    from protocol.answers import Answer
    from protocol.conversations import Conversation, History, Window
    from protocol.trust import Finding

NAMES = ("claude", "claude-code")
SETTING = "claude_path (--claude-path, AGENT_ADAPTER_CLAUDE_PATH)"
INSTALL_HINT = "Install it with `npm install -g @anthropic-ai/claude-code`."

DRAIN_S = 4.0
"""How long the pipes of an ended process may take to close: longer than the child's own bounds together."""


class ClaudeAdapter(ProviderAdapter):
    """The provider `claude`.

    Args:
        host: spawns and ends the processes.
        cli_path: configured path of the CLI, or None to look for it.
        max_line: bytes of the longest line that is read from it.
        handshake_timeout: seconds from spawn to the answer of `initialize`.
        warm: how many spare processes are kept.
        warm_age: seconds after which a spare is not used any more.
    """

    provider = PROVIDER

    def __init__(
        self,
        host: ProcessHost,
        *,
        cli_path: str | None,
        max_line: int,
        handshake_timeout: float,
        warm: int = 0,
        warm_age: float = 0,
    ) -> None:
        self._host = host
        self._cli_path = cli_path
        self._max_line = max_line
        self._handshake_timeout = handshake_timeout
        self._processes: dict[str, ClaudeProcess] = {}
        self._archive = ClaudeArchive(host.environment)
        self._health = ClaudeHealth(host)
        self._warm = WarmPool(
            warm, warm_age, start=self._start, end=self._end, tasks=GuardedTasks(host.tasks, "the warm pool")
        )

    def find(self) -> str:
        """The CLI's path.

        Raises:
            AdapterError: `not_found`.
        """
        try:
            return find_cli(self._cli_path, NAMES, setting=SETTING, install_hint=INSTALL_HINT)
        except AdapterError as error:
            raise ProviderError(PROVIDER, error.kind, error.message, hint=error.hint) from None

    async def health_check(self) -> ProviderHealth:
        """See `ProviderAdapter.health_check`."""
        return await self._look(asks_login=True)

    async def look(self) -> ProviderHealth:
        """Without the login: `auth status` takes 0.4 to 0.8 s of CPU (measured with claude 2.1.329 and 2.1.197). See
        `ProviderAdapter.look`."""
        return await self._look(asks_login=False)

    async def _look(self, *, asks_login: bool) -> ProviderHealth:
        try:
            path = self.find()
        except AdapterError as error:
            return ProviderHealth(PROVIDER, False, error=error.message, hint=error.hint)
        return await self._health.look(path, asks_login=asks_login)

    async def start_session(self, session_id: str, launch: Launch) -> ClaudeProcess:
        """Spawn the CLI, wait for its handshake. See `ProviderAdapter.start_session`."""
        process = await self._warm.take(launch) or await self._start(launch, session_id)
        self._processes[session_id] = process
        return process

    async def find_untrusted(self, config: SessionConfig) -> list[Finding]:
        """In the files that the CLI would read. See `ProviderAdapter.find_untrusted`."""
        return await anyio.to_thread.run_sync(
            claude_trust.find_untrusted, config, self._host.environment, abandon_on_cancel=True
        )

    def without(self, config: SessionConfig, findings: Sequence[Finding]) -> SessionConfig:
        """Without the setting sources `project` and `local`, and with git held back. See `ProviderAdapter.without`."""
        return claude_trust.without(config, findings, self._host.environment)

    def written_by(self, config: SessionConfig, remembered: Any) -> list[Finding]:
        """A rule in `settings.local.json`. See `ProviderAdapter.written_by`."""
        return claude_project.remembered_rules(claude_trust.remembered_path(config), remembered)

    async def query(self, session_id: str, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """Over the control channel; the models are known from the handshake. See `ProviderAdapter.query`."""
        process = self._get(session_id)
        told: dict[str, Any] | None = None
        try:
            if name in claude_queries.TOLD:
                return claude_queries.parse_told(name, process.handshake)
            if name == "set_effort":
                _check_effort("effort", params["effort"], process)
            if name == "rewind_files" and not params["dry_run"]:
                # What has been set back the CLI tells only beforehand (measured with claude 2.1.197 and 2.1.329).
                told = await self.query(session_id, name, {**params, "dry_run": True})
            query = claude_queries.QUERIES[name]
            answer = claude_queries.parse(name, await process.request(query.subtype, **query.fields(params)))
            return answer if told is None else told
        except claude_queries.Refused as error:
            text, hint = f"The CLI refused {name!r}: {error}", "It needs checkpoint in the session's config."
            raise ProviderError(PROVIDER, ErrorKind.UNSUPPORTED, text, hint=hint, session_id=session_id) from error
        except RemoteProtocolError as error:
            raise ProviderError(
                PROVIDER, ErrorKind.PROTOCOL_ERROR, f"{name}: {error}", session_id=session_id
            ) from error

    async def list_conversations(
        self, working_dir: str | None, cursor: str | None, limit: int, *, env: Mapping[str, str]
    ) -> tuple[list[Conversation], str | None]:
        """From the CLI's transcripts. See `ProviderAdapter.list_conversations`."""
        return await self._archive.list(working_dir, cursor, limit, env)

    async def read_history(
        self, provider_session_id: str, working_dir: str | None, *, env: Mapping[str, str], window: Window
    ) -> History:
        """From the CLI's transcript. See `ProviderAdapter.read_history`."""
        return await self._archive.read(provider_session_id, working_dir, env, window)

    async def rename_conversation(
        self, provider_session_id: str, title: str, working_dir: str | None, *, env: Mapping[str, str]
    ) -> None:
        """In the CLI's transcript. See `ProviderAdapter.rename_conversation`."""
        await self._archive.rename(provider_session_id, title, working_dir, env)

    async def delete_conversation(
        self, provider_session_id: str, working_dir: str | None, *, env: Mapping[str, str]
    ) -> None:
        """The CLI's transcript and what lies beside it. See `ProviderAdapter.delete_conversation`."""
        await self._archive.delete(provider_session_id, working_dir, env)

    def runtime_modes(self, config: SessionConfig) -> list[str]:
        """All; as root `full_access` only in a sandbox. See `ProviderAdapter.runtime_modes`."""
        return [mode for mode in RUNTIME_MODES if mode != "full_access" or may_skip_permissions(config)]

    async def log_out(self) -> None:
        """See `ProviderAdapter.log_out`."""
        await self._health.log_out(self.find())

    def keep_warm(self, config: SessionConfig, room: int) -> None:
        """See `ProviderAdapter.keep_warm`."""
        if not config.tools:  # nobody reads a spare, so nobody would answer when it asks for the parent's tools
            self._warm.fill(Launch(config), room)

    @property
    def spares(self) -> int:
        """See `ProviderAdapter.spares`."""
        return self._warm.count

    async def drop_spare(self) -> bool:
        """See `ProviderAdapter.drop_spare`."""
        return await self._warm.drop()

    async def close(self) -> None:
        """See `ProviderAdapter.close`."""
        await self._warm.close()

    async def send_message(self, session_id: str, message_id: str, content: Any) -> None:
        """Write the message. See `ProviderAdapter.send_message`."""
        await self._get(session_id).prompt(message_id, content)

    def live_output(self, session_id: str, task_id: str) -> LiveOutput | None:
        """From the file that the CLI reads it from itself. See `ProviderAdapter.live_output`."""
        process = self._processes.get(session_id)
        conversation = process.provider_session_id if process is not None else None
        if process is None or conversation is None:
            return None
        return LiveOutput({**self._host.environment, **process.environment}, conversation, task_id)

    def steering_refusal(self, session_id: str) -> str | None:
        """By the CLI's version, once it has told it. See `ProviderAdapter.steering_refusal`."""
        process = self._processes.get(session_id)
        return None if process is None else claude_steering.refusal(process.cli_version)

    async def steer(self, session_id: str, message_id: str, content: Any) -> None:
        """Write the message as one that cannot wait. See `ProviderAdapter.steer`."""
        await self._get(session_id).prompt(message_id, content, now=True)

    async def interrupt(self, session_id: str) -> None:
        """The CLI's own control request."""
        await self._get(session_id).request("interrupt")

    async def answer(self, session_id: str, request_id: str, answer: Answer) -> None:
        """Write the answer."""
        await self._get(session_id).answer(request_id, answer)

    async def set_model(self, session_id: str, model: str) -> None:
        """Takes effect with the next turn (measured with claude 2.1.x)."""
        await self._get(session_id).request("set_model", model=model)

    async def set_runtime_mode(self, session_id: str, runtime_mode: str) -> None:
        """Switch the permission mode."""
        try:
            await self._get(session_id).set_mode(runtime_mode)
        except ProviderError as error:
            if runtime_mode != "full_access" or error.kind is not ErrorKind.UNSUPPORTED:
                raise
            raise ProviderError(
                PROVIDER, ErrorKind.UNSUPPORTED, error.message, hint=full_access_hint(), option="runtime_mode"
            ) from error

    async def stop_session(self, session_id: str, *, turn_running: bool, fast: bool = False) -> Exit:
        """The stop ladder. See `ProviderAdapter.stop_session`."""
        process = self._processes.get(session_id)
        if process is None:
            return Exit(None, None)
        ended = await self._host.stop(process, turn_running=turn_running, limits=StopLimits.fast() if fast else None)
        if self._processes.get(session_id) is process:
            del self._processes[session_id]
        return ended

    def _get(self, session_id: str) -> ClaudeProcess:
        process = self._processes.get(session_id)
        if process is None:
            raise ProviderError(
                PROVIDER, ErrorKind.PROCESS_EXITED, "No CLI process runs for this session.", session_id=session_id
            )
        return process

    async def _start(self, launch: Launch, owner: str | None = None) -> ClaudeProcess:
        """Spawn a CLI and shake hands. On any failure, cancellation included, it is gone when this returns."""
        launch = replace(launch, resume_at=await self._archive.check(launch))
        path = self.find()
        known = self._health.known_version(path)
        if known is None and depends_on_version(launch.config, fork=launch.fork):
            known = await self._health.find_version(path)
        version = parse_version(known)
        launch = fit_options(launch, version)
        try:
            process = await self._spawn(path, launch, owner, version)
        except ProviderError as error:
            # Most CLIs are new enough, so their version is not waited for; one that is not dies of the first flag
            # that it does not know.
            if version is not None or UNKNOWN_FLAG not in error.message:
                raise
            version = parse_version(await self._health.find_version(path))
            if version is None or version >= TESTED[0]:
                raise
            launch = fit_options(launch, version)
            process = await self._spawn(path, launch, owner, version)
        try:
            process.learn_version(process.started.cli_version or known or await self._health.find_version(path))
        except BaseException:
            await self._end(process)
            raise
        return process

    async def _spawn(self, path: str, launch: Launch, owner: str | None, version: Version | None) -> ClaudeProcess:
        provider_session_id = launch.resume if launch.resume and not launch.fork else str(uuid.uuid4())
        mcp_file = self._write_mcp_file(launch.config)
        try:
            rules = await anyio.to_thread.run_sync(claude_trust.remembered_rules, launch.config)
            command = [path, *build_arguments(launch, provider_session_id, mcp_file, rules, version)]
            environment = build_environment(launch.config)
            child = await self._host.spawn(
                command,
                cwd=launch.config.working_dir,
                env=environment,
                owner=owner,
                on_terminal=launch.config.transport == "pty",
            )
            process = ClaudeProcess(self._host, child, launch, provider_session_id, max_line=self._max_line)
            try:
                await process.shake_hands(self._handshake_timeout)
                await process.apply_settings()
                _check_effort("config.effort", launch.config.effort, process)
            except BaseException as error:
                await self._end(process)
                if isinstance(error, AdapterError) and NOT_FOUND in error.message:
                    error.hint = await self._archive.explain(launch) or error.hint
                raise
        finally:
            # The CLI reads the file before it answers the handshake (measured with claude 2.1.x).
            scratch.remove(mcp_file)
        return process

    def _write_mcp_file(self, config: SessionConfig) -> str | None:
        text = mcp_file_text(config)
        try:
            return None if text is None else self._host.scratch.write("agent-adapter-mcp", text)
        except OSError as error:
            text = f"The MCP servers could not be written to a file for the CLI: {error.strerror}"
            raise ProviderError(PROVIDER, ErrorKind.SPAWN_FAILED, text, hint="Is the disk full?") from error

    async def _end(self, process: ClaudeProcess) -> None:
        """End a process that no session reads. Shielded."""
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_drain, process)
                await self._host.stop(process)
                with anyio.move_on_after(DRAIN_S):
                    await process.wait_over()
                tasks.cancel_scope.cancel()


async def _drain(process: ClaudeProcess) -> None:
    async for _ in process:
        pass


def _check_effort(path: str, effort: str | None, process: ClaudeProcess) -> None:
    levels = claude_queries.effort_levels(process.handshake, process.model)
    if effort is not None and levels and effort not in levels:
        raise invalid_param(path, f"this model takes: {', '.join(levels)}")
