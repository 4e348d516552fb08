"""Methods that ask a live session's CLI something, or tell it something, over its control channel: params,
results, table.

They all go one way: the face validates, the session asks its provider, the provider's codec renders and parses
(`protocol/codecs/claude_queries.py`). A CLI that does not know one answers `unsupported`.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from protocol.errors import ErrorKind
from protocol.model import Empty, Method, Params, Result, SessionId, SessionParams, Text


class Model(Result):
    """A model on offer. `value` is what `set_model` takes."""

    value: str
    name: str
    description: str | None = None
    resolved_model: str | None = None
    effort_levels: list[str] = Field(default_factory=list)


class ModelsResult(Result):
    """The models that this login and this CLI offer."""

    models: list[Model]


class Command(Result):
    """A slash command, without its slash."""

    name: str
    description: str | None = None
    argument_hint: str | None = None


class CommandsResult(Result):
    """The slash commands of the session, also those of its project."""

    commands: list[Command]


class DefaultsResult(Result):
    """What the CLI's settings choose, as the session's CLI has read them. Null where they choose nothing.

    `current_model` is the name of the model that the next turn would use: a conversation that was resumed goes on with
    its own. Null where the CLI does not tell.

    `runtime_mode` is the user's own choice (or their administrator's): a project's is left out, because whoever wrote
    a project must not decide what runs without being asked.
    """

    model: str | None
    runtime_mode: str | None
    effort: str | None
    current_model: str | None


class ContextCategory(Result):
    """What takes up the context."""

    name: str
    tokens: int


class ContextResult(Result):
    """How full the context is, in tokens."""

    total_tokens: int
    max_tokens: int
    percentage: float
    categories: list[ContextCategory]


class EffortParams(Params):
    """How hard the model is to think, from the next turn on."""

    session_id: SessionId
    effort: Text


class ThinkingBudgetParams(Params):
    """How many tokens the model may think; null for the CLI's default, 0 for none."""

    session_id: SessionId
    max_thinking_tokens: int | None = Field(None, ge=0)


class McpServer(Result):
    """An MCP server of the session: `connected`, `failed`, `pending`, `disabled`, `needs-auth`."""

    name: str
    status: str
    error: str | None = None
    tools: list[str] = Field(default_factory=list)


class McpServersResult(Result):
    """The MCP servers of the session."""

    servers: list[McpServer]


class McpServerParams(Params):
    """Which MCP server."""

    session_id: SessionId
    server: Text


class McpToggleParams(Params):
    """Switch an MCP server on or off."""

    session_id: SessionId
    server: Text
    enabled: bool


class TaskParams(Params):
    """Which background task, as the CLI's notices name it."""

    session_id: SessionId
    task_id: Text


class RewindParams(Params):
    """Set files back to what they were before a turn; with `dry_run` only tell what that would change."""

    session_id: SessionId
    turn_id: Text
    dry_run: bool = False


class RewindResult(Result):
    """What has changed, or would."""

    files: list[str]
    insertions: int
    deletions: int


_ERRORS = (
    ErrorKind.SESSION_NOT_FOUND,
    ErrorKind.PROTOCOL_ERROR,
    ErrorKind.INTERRUPTED,
    ErrorKind.TIMEOUT,
    ErrorKind.UNSUPPORTED,
    ErrorKind.PROCESS_EXITED,
)


def _query(params: type[Params], result: type[Result], summary: str) -> Method:
    return Method(params, result, summary, _ERRORS)


QUERIES: dict[str, Method] = {
    "list_models": _query(SessionParams, ModelsResult, "The models on offer."),
    "list_commands": _query(SessionParams, CommandsResult, "The slash commands."),
    "get_defaults": _query(SessionParams, DefaultsResult, "What the CLI's settings choose."),
    "get_context": _query(SessionParams, ContextResult, "How full the context is, and of what."),
    "set_effort": _query(EffortParams, Empty, "Change how hard the model thinks."),
    "set_thinking_budget": _query(ThinkingBudgetParams, Empty, "Change how much the model may think."),
    "list_mcp_servers": _query(SessionParams, McpServersResult, "The session's MCP servers and how they are."),
    "reconnect_mcp_server": _query(McpServerParams, Empty, "Connect an MCP server again."),
    "toggle_mcp_server": _query(McpToggleParams, Empty, "Switch an MCP server on or off."),
    "stop_task": _query(TaskParams, Empty, "Stop a background task."),
    "rewind_files": _query(RewindParams, RewindResult, "Set files back to before a turn."),
}

Answer = dict[str, Any]
