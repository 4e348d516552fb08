"""One running Claude Code: its child, its codec, its open control requests. Made and kept by `ClaudeAdapter`.

The stream is pulled, not pushed: whoever iterates it reads the pipe, so a consumer that waits holds the CLI back,
and no queue lies between the pipe and the events.
"""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

import anyio

from adapter.process.child import Child, last_lines
from adapter.providers.base import Launch, ProviderError
from adapter.providers.claude_command import handshake_fields, told_after_handshake
from adapter.providers.claude_handshake import PROVIDER, explain_death, read_handshake, too_talkative
from adapter.providers.claude_options import UPDATE_HINT, unsupported
from protocol.codecs.claude import ClaudeCodec
from protocol.codecs.claude_version import Version, answers, parse_version, remark, show
from protocol.errors import AdapterError, ErrorKind
from protocol.events import Notice, SessionStarted
from protocol.framing import Frame, Framer, LineFramer, Oversized
from protocol.signals import ProcessExited, ProviderEvent
from protocol.terminal import TerminalFramer
from protocol.wire.claude import RUNTIME_MODES

if TYPE_CHECKING:
    from adapter.process.host import ProcessHost
    from adapter.process.identity import ProcessId
    from protocol.answers import Answer
    from protocol.codecs.claude_control import ControlAnswered

log = logging.getLogger(__name__)

EARLY_EVENTS = 10_000
"""What may come before the handshake's answer; it is kept for the session. claude 2.1.x says a few lines."""

CONTROL_S = 20.0
"""How long a control request may take. Measured with claude 2.1.x: about 10 ms; 150 ms for the largest answer."""


class ClaudeProcess:
    """A CLI process of one session. Fits `ProviderStream` and the stop ladder's `StopTarget`.

    Args:
        host: spawned the child, and ends it.
        child: the running CLI.
        launch: what it was started for.
        provider_session_id: the CLI's id of the conversation, as far as known before the CLI tells.
        max_line: bytes of the longest line that is read.
    """

    def __init__(
        self, host: ProcessHost, child: Child, launch: Launch, provider_session_id: str, *, max_line: int
    ) -> None:
        self._host = host
        self._child = child
        self._launch = launch
        on_terminal = launch.config.transport == "pty"
        self._framer: Framer = TerminalFramer(max_line) if on_terminal else LineFramer(max_line)
        self._codec = ClaudeCodec(launch.config.tools, launch.config.hooks)
        self._pending: dict[str, _Pending] = {}
        self._early: list[ProviderEvent] = []
        self._version: Version | None = None
        self._turn_over = anyio.Event()
        self._ended = anyio.Event()
        self.handshake: dict[str, Any] = {}
        """The CLI's answer to `initialize`."""
        config = launch.config
        self.started = SessionStarted(
            provider_session_id=provider_session_id,
            model=config.model,
            working_dir=config.working_dir,
            runtime_mode=config.runtime_mode,
        )

    # The handshake

    async def shake_hands(self, within: float) -> None:
        """Send `initialize` and read until its answer.

        Raises:
            AdapterError: `spawn_failed`, `timeout`, `not_authenticated`, `protocol_error` or `unsupported`.
        """
        answer = await self._converse("initialize", handshake_fields(self._launch.config), within)
        if answer.error is not None:
            raise ProviderError(PROVIDER, ErrorKind.PROTOCOL_ERROR, f"The CLI refused its handshake: {answer.error}")
        self.handshake = answer.response or {}
        self._codec.system.known |= read_handshake(self.handshake, self.started)

    async def apply_settings(self) -> None:
        """Give the CLI what `told_after_handshake` names, before anybody else reads its stream. What plan mode needs
        comes last.

        Raises:
            AdapterError: as `shake_hands`; `unsupported` where the CLI refuses them.
        """
        for option, subtype, fields in told_after_handshake(self._launch.config):
            answer = await self._converse(subtype, fields, CONTROL_S)
            if answer.error is not None:
                raise unsupported(option, answer.error)
        self._codec.follow_mode()
        if replies := self._codec.control.take_replies():
            await self._send_quietly(replies)

    async def _converse(self, subtype: str, fields: dict[str, Any], within: float) -> ControlAnswered:
        """Ask and read until the answer; what else comes is kept for the session."""
        pending = self._open_request()
        exited: ProcessExited | None = None
        try:
            with anyio.fail_after(within):
                try:
                    await self._child.send(self._codec.control.request(pending.id, subtype, **fields))
                except AdapterError as error:
                    log.debug("the CLI takes no %s: %s", subtype, error.message)
                while pending.answer is None and exited is None:
                    self._early += await self._read()
                    exited = self._early[-1] if self._early and isinstance(self._early[-1], ProcessExited) else None
                    if len(self._early) > EARLY_EVENTS:
                        raise too_talkative(EARLY_EVENTS, self._child.stderr_tail)
        except TimeoutError:
            hint = "Run the CLI by hand in this folder; a slow MCP server or hook may hold it up (handshake_timeout)."
            text = f"The CLI did not answer its handshake within {within:g} s."
            raise ProviderError(
                PROVIDER, ErrorKind.TIMEOUT, text, hint=hint, stderr_tail=last_lines(self._child.stderr_tail)
            ) from None
        if pending.answer is None:
            assert exited is not None
            raise explain_death(exited, self._early)
        return pending.answer

    def learn_version(self, version: str | None) -> None:
        """The CLI's version, which older ones do not tell in their handshake; before the stream is read."""
        if version is None:
            return
        self.started.cli_version = self._codec.system.known["cli_version"] = version
        self._version = parse_version(version)
        told = None if self._version is None else remark(self._version)
        if told is not None:
            self._early.insert(0, Notice(level=told[0], message=told[1]))

    # The stream

    @property
    def pid(self) -> int:
        """The CLI's process id."""
        return self._child.pid

    def __aiter__(self) -> ClaudeProcess:
        return self

    async def __anext__(self) -> list[ProviderEvent]:
        """The events of what the pipe holds: all lines of one chunk in one batch."""
        if self._early:
            batch, self._early = self._early, []
            return batch
        if self._ended.is_set():
            raise StopAsyncIteration
        return await self._read()

    async def _read(self) -> list[ProviderEvent]:
        chunk = await self._child.receive()
        if chunk:
            return self._translate(self._framer.feed(chunk))
        batch = self._translate(self._framer.eof())
        ended = await self._host.bury(self._child)
        self._ended.set()
        self._turn_over.set()
        for pending in self._pending.values():
            pending.done.set()
        batch.append(ProcessExited(exit_code=ended.code, signal=ended.signal, stderr_tail=self._child.stderr_tail))
        return batch

    def _translate(self, frames: list[Frame]) -> list[ProviderEvent]:
        batch: list[ProviderEvent] = []
        for frame in frames:
            if isinstance(frame, bytes):
                batch += self._codec.receive(frame)
            elif isinstance(frame, Oversized):
                batch.append(
                    Notice(
                        level="error",
                        message=f"The CLI wrote a line of {frame.size} bytes; it was skipped (setting max_cli_line).",
                    )
                )
        for answer in self._codec.control.take_answers():
            pending = self._pending.pop(answer.request_id, None)
            if pending is not None:
                pending.answer = answer
                pending.done.set()
        replies = self._codec.control.take_replies()
        if replies:
            self._host.tasks.start_soon(self._send_quietly, replies)
        if self._codec.turns.at_rest:
            self._turn_over.set()
        return batch

    async def wait_over(self) -> None:
        """Wait until the stream has been read to its end."""
        await self._ended.wait()

    # Towards the CLI

    @property
    def cli_version(self) -> str | None:
        """The CLI's version, once it has told it: some tell it with the first turn only."""
        version = self._codec.system.known.get("cli_version")
        return version if isinstance(version, str) else None

    @property
    def model(self) -> str | None:
        """The model, as the CLI told it last."""
        told = self._codec.system.known.get("model")
        return told if isinstance(told, str) else None

    @property
    def provider_session_id(self) -> str | None:
        """The CLI's id of the conversation, as it told it last."""
        told = self._codec.system.known.get("provider_session_id")
        return told if isinstance(told, str) else None

    @property
    def environment(self) -> dict[str, str]:
        """What of its environment is the session's own."""
        return self._launch.config.env

    async def prompt(self, message_id: str, content: Any, *, now: bool = False) -> None:
        """Write a message; a turn follows. With `now` the turn that runs is cut for it."""
        self._turn_over = anyio.Event()
        await self._child.send(self._codec.prompt(message_id, content, now=now))

    async def answer(self, request_id: str, answer: Answer) -> None:
        """Answer a question of the CLI; nothing where it is no longer open."""
        line = self._codec.control.answer(request_id, answer)
        if line:
            await self._child.send(line)

    async def set_mode(self, runtime_mode: str) -> None:
        """Change the permission mode. What plan mode forbids is denied from now on, not from the CLI's answer on.

        Raises:
            AdapterError: as `request`; the mode is as it was then.
        """
        guard = self._codec.guard
        if runtime_mode == "plan":
            guard.hold()
        try:
            await self.request("set_permission_mode", mode=RUNTIME_MODES[runtime_mode])
        except BaseException:
            guard.release()
            self._codec.follow_mode()
            raise

    async def request(self, subtype: str, **fields: Any) -> dict[str, Any]:
        """Ask the CLI something over the control channel. The stream must be read meanwhile.

        Raises:
            AdapterError: `unsupported` where it refuses, `timeout`, `process_exited`.
        """
        if self._version is not None and not answers(subtype, self._version):
            text = f"Claude Code {show(self._version)} does not know {subtype!r}."
            raise ProviderError(PROVIDER, ErrorKind.UNSUPPORTED, text, hint=UPDATE_HINT)
        pending = self._open_request()
        try:
            with anyio.fail_after(CONTROL_S):
                await self._child.send(self._codec.control.request(pending.id, subtype, **fields))
                await pending.done.wait()
        except TimeoutError:
            raise ProviderError(
                PROVIDER, ErrorKind.TIMEOUT, f"The CLI did not answer {subtype!r} within {CONTROL_S:g} s."
            ) from None
        finally:
            self._pending.pop(pending.id, None)
        if pending.answer is None:
            raise ProviderError(PROVIDER, ErrorKind.PROCESS_EXITED, f"The CLI ended before it answered {subtype!r}.")
        if pending.answer.error is not None:
            raise ProviderError(PROVIDER, ErrorKind.UNSUPPORTED, f"The CLI refused {subtype!r}: {pending.answer.error}")
        return pending.answer.response or {}

    def _open_request(self) -> _Pending:
        pending = _Pending()
        self._pending[pending.id] = pending
        return pending

    async def _send_quietly(self, data: bytes) -> None:
        try:
            await self._child.send(data)
        except AdapterError as error:
            log.debug("a reply could not be written: %s", error.message)

    # As the stop ladder sees it

    @property
    def identity(self) -> ProcessId:
        """The process, by PID and start time."""
        return self._child.identity

    @property
    def mark(self) -> str:
        """The mark of this spawn."""
        return self._child.mark

    @property
    def has_exited(self) -> bool:
        """Whether the exit has been seen."""
        return self._child.returncode is not None

    @property
    def returncode(self) -> int | None:
        """None while the exit has not been seen."""
        return self._child.returncode

    async def interrupt_turn(self) -> None:
        """Ask for the end of the turn and wait for it; the ladder bounds the wait."""
        await self.request("interrupt")
        await self._turn_over.wait()

    async def close_stdin(self) -> None:
        """Close the CLI's stdin."""
        await self._child.close_stdin()

    async def wait_exit(self) -> int:
        """Wait for the CLI's exit."""
        return await self._child.wait_exit()


class _Pending:
    """A control request that waits for its answer."""

    def __init__(self) -> None:
        self.id = f"agent-adapter-{uuid.uuid4()}"
        self.done = anyio.Event()
        self.answer: ControlAnswered | None = None
