"""The methods of the native face: params and results as models, and the one table of them (SPEC.md, section 2).

The dispatcher validates with it, `rpc.discover` describes from it, SPEC.md is checked against it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, field_validator

from protocol.content import MessageContent
from protocol.conversations import CONVERSATIONS
from protocol.errors import ErrorKind
from protocol.hooks import HookAnswerModel, HookParams
from protocol.initialize import PROTOCOL_VERSION
from protocol.lifecycle import SessionState
from protocol.model import Empty as Empty
from protocol.model import Method as Method
from protocol.model import NoParams as NoParams
from protocol.model import Params as Params
from protocol.model import ParentMethod as ParentMethod
from protocol.model import ProviderName, SessionId, Text
from protocol.model import Result as Result
from protocol.model import SessionParams as SessionParams
from protocol.queries import QUERIES
from protocol.session_config import RuntimeModeName, SessionConfig
from protocol.tools import ToolCallAnswer, ToolCallParams


class ClientInfo(BaseModel):
    """Who the parent is."""

    model_config = ConfigDict(extra="allow")
    name: str
    version: str | None = None


class InitializeParams(Params):
    """Optional, and allowed at any time."""

    client_info: ClientInfo | None = None
    protocol_version: int = Field(PROTOCOL_VERSION, ge=1)


class ServerInfo(Result):
    """Who the daemon is."""

    name: str
    version: str


class Capabilities(Result):
    """What this daemon can do beyond the methods of protocol version 1, and the limits that it runs with."""

    methods: list[str]
    transports: list[str]
    limits: dict[str, float | int | None]


class InitializeResult(Result):
    """The daemon's version of the protocol is 1 whatever was asked; a parent that cannot speak it disconnects."""

    protocol_version: int
    server_info: ServerInfo
    providers: list[str]
    capabilities: Capabilities


class HealthCheckParams(Params):
    """Which provider to look at."""

    provider: ProviderName = "claude"


class HealthResult(Result):
    """Whether a provider's CLI can be used. `authenticated` is null where it cannot be told."""

    provider: str
    is_available: bool
    version: str | None = None
    authenticated: bool | None = None
    error: str | None = None
    cli_path: str | None = None


class ProvidersResult(Result):
    """A health result for each known provider."""

    providers: list[HealthResult]


class StartSessionParams(Params):
    """Start a session, or bring one back with `config.resume`."""

    provider: ProviderName = "claude"
    session_id: str | None = Field(None, description="A UUID of the parent's choice.")
    config: SessionConfig

    @field_validator("session_id")
    @classmethod
    def _is_uuid(cls, value: str | None) -> str | None:
        return None if value is None else str(UUID(value))


class StartSessionResult(Result):
    """The CLI is up and has answered its handshake."""

    session_id: str
    provider: str
    pid: int | None
    provider_session_id: str | None
    state: SessionState


class SendMessageParams(Params):
    """Give the session a message; its turn runs when those before it are done."""

    session_id: SessionId
    message: MessageContent
    when: Literal["queue", "now"] = Field(
        "queue", description="`now`: the turn that runs is cut for it, as soon as the CLI can."
    )
    idempotency_key: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, description="The same key with the same message is the same turn, however often it is sent."
    )


class SendMessageResult(Result):
    """The message is accepted: exactly one `turn_completed` with this `turn_id` follows. `queued` counts the turns
    ahead."""

    turn_id: str
    queued: int
    repeated: bool = Field(False, description="The message had been accepted before, under its idempotency key.")
    outcome: Literal["accepted", "delivered", "completed", "interrupted", "failed", "unknown"] = Field(
        "accepted", description="How far its turn has come. `unknown`: the daemon died with it under way."
    )


class InterruptResult(Result):
    """Whether a turn was running."""

    interrupted: bool


class TaskUsage(Result):
    """What a subagent has used so far, as the CLI counts it."""

    total_tokens: int
    tool_uses: int
    duration_ms: int


class TaskEntry(Result):
    """A command or an agent that runs beside the conversation. `background`: it outlives its turn."""

    task_id: str
    kind: str
    status: str
    description: str
    tool_call_id: str | None
    background: bool
    usage: TaskUsage | None


class TasksResult(Result):
    """What runs now."""

    tasks: list[TaskEntry]


class StopSessionResult(Result):
    """How the CLI's process ended."""

    exit_code: int | None
    signal: str | None


class ListSessionsParams(Params):
    """`include_ended` adds the latest ended sessions."""

    include_ended: bool = False


class UsageCounts(Result):
    """Tokens, summed over the session."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0


class SessionEntry(Result):
    """A session of the registry. Times in seconds since 1970; `pid` is null while no process runs for it."""

    session_id: str
    provider: str
    provider_session_id: str | None
    pid: int | None
    state: SessionState
    working_dir: str
    model: str | None
    created_at: float
    last_used_at: float
    turns: int
    usage: UsageCounts
    cost_usd: float


class ListSessionsResult(Result):
    """The sessions, oldest first."""

    sessions: list[SessionEntry]


class SetModelParams(Params):
    """The model from the next turn on."""

    session_id: SessionId
    model: Text


class SetRuntimeModeParams(Params):
    """The runtime mode from now on."""

    session_id: SessionId
    runtime_mode: RuntimeModeName


class OpenRpcDocument(Result):
    """An OpenRPC document of all of this."""

    model_config = ConfigDict(extra="allow")


_SESSION_ERRORS = (ErrorKind.SESSION_NOT_FOUND, ErrorKind.INTERRUPTED)
_CLI_ERRORS = (ErrorKind.PROTOCOL_ERROR, ErrorKind.TIMEOUT, ErrorKind.UNSUPPORTED, ErrorKind.PROCESS_EXITED)

METHODS: dict[str, Method] = (
    {
        "initialize": Method(InitializeParams, InitializeResult, "Say who is there; learn what the daemon can do."),
        "health_check": Method(HealthCheckParams, HealthResult, "Look at one provider's CLI.", (ErrorKind.NOT_FOUND,)),
        "list_providers": Method(NoParams, ProvidersResult, "Look at every provider's CLI."),
        "start_session": Method(
            StartSessionParams,
            StartSessionResult,
            "Start a CLI and wait for its handshake.",
            (
                ErrorKind.NOT_FOUND,
                ErrorKind.SPAWN_FAILED,
                ErrorKind.PROTOCOL_ERROR,
                ErrorKind.INTERRUPTED,
                ErrorKind.LIMIT_REACHED,
                ErrorKind.TIMEOUT,
                ErrorKind.NOT_AUTHENTICATED,
                ErrorKind.UNSUPPORTED,
            ),
        ),
        "send_message": Method(
            SendMessageParams,
            SendMessageResult,
            "Queue a message as a turn of the session.",
            (*_SESSION_ERRORS, ErrorKind.BUSY, ErrorKind.UNSUPPORTED),
        ),
        "interrupt": Method(
            SessionParams, InterruptResult, "Stop the running turn; keep the session.", _SESSION_ERRORS
        ),
        "stop_session": Method(
            SessionParams, StopSessionResult, "End the process and everything it started.", _SESSION_ERRORS
        ),
        "list_tasks": Method(SessionParams, TasksResult, "List what runs beside the conversation.", _SESSION_ERRORS),
        "list_sessions": Method(ListSessionsParams, ListSessionsResult, "List the registry."),
        "set_model": Method(SetModelParams, Empty, "Change the model.", (*_SESSION_ERRORS, *_CLI_ERRORS)),
        "set_runtime_mode": Method(
            SetRuntimeModeParams, Empty, "Change what is asked and what is allowed.", (*_SESSION_ERRORS, *_CLI_ERRORS)
        ),
        "rpc.discover": Method(NoParams, OpenRpcDocument, "Describe all of this."),
        "shutdown": Method(NoParams, Empty, "End everything, as at the end of stdin."),
    }
    | QUERIES
    | CONVERSATIONS
)


class PermissionParams(Result):
    """Params of the daemon's request `request_permission`."""

    session_id: str
    turn_id: str | None
    tool_call_id: str
    tool_name: str
    kind: str
    input: dict[str, Any]
    title: str | None
    suggestions: list[Any]


class PermissionAnswer(Params):
    """The parent's answer to `request_permission`."""

    outcome: Literal["allow", "deny"]
    updated_input: dict[str, JsonValue] | None = None
    remember: JsonValue = None
    message: str | None = None
    interrupt: bool | None = None


QUESTIONS: dict[str, ParentMethod] = {
    "request_permission": ParentMethod(
        PermissionParams, PermissionAnswer, "A question of the agent that the parent answers."
    ),
    "call_tool": ParentMethod(ToolCallParams, ToolCallAnswer, "The agent calls a tool that the parent runs."),
    "run_hook": ParentMethod(
        HookParams, HookAnswerModel, "An event that the parent has subscribed to, and may decide at."
    ),
}
"""The daemon's requests to the parent. Their answers are parsed by hand where they come in: a broken one must end as
deny, not as an error."""
