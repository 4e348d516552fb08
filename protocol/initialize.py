"""`initialize` of the native face without its models: what the daemon says of itself, which params are plainly right.

For the face, and for the answer that is given before the face is imported. `methods` has the models, which take
several times as long to import as everything that this needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROTOCOL_VERSION: Final = 1
"""What the daemon speaks, whatever was asked; a parent that cannot speak it disconnects."""

METHOD_NAMES: Final = (
    "initialize", "health_check", "list_providers", "start_session", "send_message", "interrupt", "stop_session",
    "list_tasks", "list_sessions", "set_model", "set_runtime_mode", "rpc.discover", "shutdown",
    "list_models", "list_commands", "get_defaults", "get_context", "set_effort", "set_thinking_budget",
    "list_mcp_servers", "reconnect_mcp_server", "toggle_mcp_server", "stop_task", "rewind_files",
    "list_conversations", "get_history", "rename_session", "delete_session",
)  # fmt: skip
"""The methods of `methods.METHODS`, in its order."""


def describe(version: str, providers: Sequence[str], limits: Mapping[str, float | None]) -> dict[str, Any]:
    """The result of `initialize`: a `methods.InitializeResult` as plain values.

    Args:
        version: the daemon's.
        providers: their names.
        limits: those that it runs with.
    """
    return {
        "protocol_version": PROTOCOL_VERSION,
        "server_info": {"name": "agent-adapter", "version": version},
        "providers": list(providers),
        "capabilities": {"methods": list(METHOD_NAMES), "transports": ["pipe", "pty"], "limits": dict(limits)},
    }


def is_plain(params: Mapping[str, Any]) -> bool:
    """Whether `methods.InitializeParams` surely takes these params. It has the say on those of which this is False."""
    version, client = params.get("protocol_version", PROTOCOL_VERSION), params.get("client_info")
    return (
        params.keys() <= {"client_info", "protocol_version"}
        and type(version) is int
        and version >= 1
        and (client is None or (isinstance(client, dict) and _is_plain_client(client)))
    )


def _is_plain_client(client: Mapping[str, Any]) -> bool:
    return isinstance(client.get("name"), str) and isinstance(client.get("version"), str | None)
