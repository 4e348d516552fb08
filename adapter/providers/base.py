"""What a provider is to the rest of the daemon: the abstract `ProviderAdapter`, its health, its errors, its stream
of events.

A session is the daemon's; a process is the provider's. Some CLIs run one session per process, others many in one:
the sessions above know only session ids and streams.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, get_args

from protocol.errors import AdapterError, ErrorKind, with_hint
from protocol.events import RuntimeMode
from protocol.session_config import SessionConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from adapter.process.child import Exit
    from protocol.answers import Answer
    from protocol.conversations import Conversation, History, Window
    from protocol.events import SessionStarted
    from protocol.signals import ProviderEvent
    from protocol.trust import Finding

__all__ = ["Launch", "ProviderAdapter", "ProviderError", "ProviderHealth", "ProviderStream", "SessionConfig"]


class ProviderError(AdapterError):
    """A provider's failure, of one of the contract's kinds; `data` names the provider."""

    def __init__(self, provider: str, kind: ErrorKind, message: str, *, hint: str | None = None, **data: Any) -> None:
        super().__init__(kind, message, hint=hint, provider=provider, **data)


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """Whether a provider's CLI can be used. `authenticated` is None where it cannot be told."""

    provider: str
    is_available: bool
    version: str | None = None
    authenticated: bool | None = None
    error: str | None = None
    cli_path: str | None = None
    hint: str | None = None
    """What the user can do about `error`."""
    billing: str | None = None
    """What pays for the CLI's use: an API key and where it comes from, a subscription."""

    @property
    def complaint(self) -> str | None:
        """`error` and `hint` in one text; None where nothing is wrong."""
        return None if self.error is None else with_hint(self.error, self.hint)


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a session's process.

    Attributes:
        config: the session's, with `resume`, `resume_at` and `fork` taken out.
        resume: the provider's id of the conversation to go on with.
        fork: go on in a copy of it.
        resume_at: go on as it was after this turn or message.
    """

    config: SessionConfig
    resume: str | None = None
    fork: bool = False
    resume_at: str | None = None


class ProviderStream(Protocol):
    """A session's process, up and past its handshake, as a stream of event batches. The last batch ends with
    `ProcessExited`."""

    @property
    def pid(self) -> int: ...

    @property
    def started(self) -> SessionStarted:
        """What the handshake told."""

    @property
    def has_exited(self) -> bool:
        """Whether the process is known to be gone; its last events may still be on their way."""

    def __aiter__(self) -> AsyncIterator[list[ProviderEvent]]: ...


class OutputSource(Protocol):
    """What a running command writes."""

    async def read(self) -> str | None:
        """Wait for more and give it; None where there is nothing to wait for. Cancelled when the command has ended."""


class ProviderAdapter(ABC):
    """Drives one kind of coding-agent CLI. All methods raise `AdapterError` with the contract's kinds, and nothing
    else."""

    provider: str
    """The provider's name on every wire."""

    @abstractmethod
    async def health_check(self) -> ProviderHealth:
        """Look for the CLI, ask for its version and whether it is logged in. Never raises; bounded."""

    async def look(self) -> ProviderHealth:
        """A health check at start-up, whose only use is a warning: it may leave out what takes long, because a session
        may be starting at the same time. Never raises; bounded."""
        return await self.health_check()

    @abstractmethod
    async def start_session(self, session_id: str, launch: Launch) -> ProviderStream:
        """Start a process for a session and wait for its handshake. On failure nothing is left behind."""

    async def find_untrusted(self, config: SessionConfig) -> list[Finding]:
        """What the session's folder would have the CLI run, or allow, without a question. By default nothing."""
        return []

    def without(self, config: SessionConfig, findings: Sequence[Finding]) -> SessionConfig:
        """The config of a session that does without these. The same where it has been done without them already."""
        return config

    def written_by(self, config: SessionConfig, remembered: Any) -> list[Finding]:
        """What the CLI will write into the session's folder when it is told to remember this. By default nothing."""
        return []

    @abstractmethod
    async def send_message(self, session_id: str, message_id: str, content: Any) -> None:
        """Give the CLI a message (text or content blocks). Only when no turn of the session runs."""

    def live_output(self, session_id: str, task_id: str) -> OutputSource | None:
        """What a running task of this session writes; None where that cannot be known, as by default."""
        return None

    def steering_refusal(self, session_id: str) -> str | None:
        """Why a running turn of this session cannot be given another message; None where it can. By default none
        can."""
        return f"{self.provider} takes no message while a turn runs."

    async def steer(self, session_id: str, message_id: str, content: Any) -> None:
        """Give the CLI a message while a turn runs: it ends that turn as soon as it can and begins the message's."""
        raise ProviderError(self.provider, ErrorKind.UNSUPPORTED, self.steering_refusal(session_id) or "")

    @abstractmethod
    async def interrupt(self, session_id: str) -> None:
        """Ask the CLI to stop its turn; the stream tells when it has."""

    @abstractmethod
    async def answer(self, session_id: str, request_id: str, answer: Answer) -> None:
        """Answer a question of the CLI, each kind by its own: a permission request by a `Decision`, a tool call by a
        `ToolResult`, a hook by a `HookAnswer`. Late answers are ignored."""

    @abstractmethod
    async def set_model(self, session_id: str, model: str) -> None:
        """Change the model of a live process from its next turn on."""

    @abstractmethod
    async def set_runtime_mode(self, session_id: str, runtime_mode: str) -> None:
        """Change the runtime mode of a live process."""

    async def query(self, session_id: str, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask a live process one of the questions of `protocol.queries`; by default none is known."""
        text = f"{self.provider} cannot answer {name}."
        raise ProviderError(self.provider, ErrorKind.UNSUPPORTED, text, session_id=session_id)

    async def list_conversations(
        self, working_dir: str | None, cursor: str | None, limit: int, *, env: Mapping[str, str]
    ) -> tuple[list[Conversation], str | None]:
        """What can be resumed, latest first, and the cursor of the next page, None after the last one.

        Args:
            working_dir: only those held in this folder; None for all.
            cursor: of the page before.
            limit: how many at most.
            env: as in a session's config, where it decides where the CLI keeps them.
        """
        raise self._cannot("list conversations")

    async def read_history(
        self, provider_session_id: str, working_dir: str | None, *, env: Mapping[str, str], window: Window
    ) -> History:
        """What was said in a conversation.

        Args:
            provider_session_id: which.
            working_dir: where it was held, where that is known.
            env: as in `list_conversations`.
            window: which of its events.
        """
        raise self._cannot("read a conversation")

    async def rename_conversation(
        self, provider_session_id: str, title: str, working_dir: str | None, *, env: Mapping[str, str]
    ) -> None:
        """Give a conversation that no process has a title."""
        raise self._cannot("rename a conversation")

    async def delete_conversation(
        self, provider_session_id: str, working_dir: str | None, *, env: Mapping[str, str]
    ) -> None:
        """Delete a conversation that no process has, and all that the CLI keeps of it."""
        raise self._cannot("delete a conversation")

    def _cannot(self, what: str) -> ProviderError:
        return ProviderError(self.provider, ErrorKind.UNSUPPORTED, f"{self.provider} cannot {what}.")

    def runtime_modes(self, config: SessionConfig) -> list[str]:
        """The runtime modes that a session like this can be in."""
        return list(get_args(RuntimeMode))

    async def log_out(self) -> None:
        """End the CLI's login, for all who use it on this machine."""
        raise self._cannot("log out")

    def keep_warm(self, config: SessionConfig, room: int) -> None:
        """Have spare processes for sessions like this one, at most `room` more. Returns at once; by default there are
        none."""
        return

    @property
    def spares(self) -> int:
        """How many spare processes there are."""
        return 0

    async def drop_spare(self) -> bool:
        """End a spare process to make room; False where there is none."""
        return False

    async def close(self) -> None:
        """End what no session uses. No session may be started afterwards."""
        return

    @abstractmethod
    async def stop_session(self, session_id: str, *, turn_running: bool, fast: bool = False) -> Exit:
        """End the session's process and everything it started. Idempotent; its stream must be read meanwhile.

        Args:
            session_id: which.
            turn_running: whether to let the CLI end a turn first.
            fast: skip what is merely polite.
        """
