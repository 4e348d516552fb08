"""Our questions to a session (`protocol.queries`) in Claude Code's control channel, and its answers in ours. Pure.

Subtypes and shapes measured with claude 2.1.197 and 2.1.329. What one of them does not know, it refuses by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from protocol.errors import RemoteProtocolError
from protocol.wire.claude import RUNTIME_MODE_OF

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]


class Refused(RemoteProtocolError):
    """The CLI said no, in an answer that is none of its errors."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question: the CLI's subtype, its fields from our params, our result from its answer."""

    subtype: str
    fields: Callable[[Json], Json]
    result: Callable[[Json], Json]


def _nothing(_: Json) -> Json:
    return {}


def _server(params: Json) -> Json:
    return {"serverName": params["server"]}


def _models(answer: Json) -> Json:
    return {"models": [_model(model) for model in answer["models"]]}


def _model(model: Json) -> Json:
    return {
        "value": model["value"],
        "name": model.get("displayName") or model["value"],
        "description": model.get("description"),
        "resolved_model": model.get("resolvedModel"),
        "effort_levels": model.get("supportedEffortLevels") or [],
    }


def effort_levels(handshake: Json, model: str | None) -> list[str]:
    """What `set_effort` may be given: the levels of the session's model, else those of any; empty where the CLI tells
    none. What it does not know it takes without a word, and goes on as before (claude 2.1.x)."""
    models = [each for each in handshake.get("models") or () if isinstance(each, dict)]
    name = model or "default"
    mine = [each for each in models if name in (each.get("value"), each.get("resolvedModel"))]
    told = [level for each in mine or models for level in each.get("supportedEffortLevels") or ()]
    return list(dict.fromkeys(level for level in told if isinstance(level, str)))


def _commands(answer: Json) -> Json:
    return {
        "commands": [
            {
                "name": command["name"],
                "description": command.get("description") or None,
                "argument_hint": command.get("argumentHint") or None,
            }
            for command in answer["commands"]
        ]
    }


def _defaults(answer: Json) -> Json:
    """From the settings in effect; the mode only from files that the project's author has not written."""
    effective = answer["effective"]
    modes = [
        (each["settings"].get("permissions") or {}).get("defaultMode")
        for each in answer.get("sources") or ()
        if each["source"] not in _PROJECT_SOURCES
    ]
    chosen = [mode for mode in modes if mode]
    model = (answer.get("applied") or {}).get("model")
    return {
        "model": effective.get("model"),
        "runtime_mode": RUNTIME_MODE_OF.get(chosen[-1]) if chosen else None,
        "effort": effective.get("effortLevel"),
        "current_model": model if isinstance(model, str) else None,
    }


_PROJECT_SOURCES = frozenset({"projectSettings", "localSettings"})
"""Later sources beat earlier ones (measured with claude 2.1.197 and 2.1.329)."""


def _context(answer: Json) -> Json:
    return {
        "total_tokens": answer["totalTokens"],
        "max_tokens": answer["maxTokens"],
        "percentage": answer["percentage"],
        "categories": [{"name": each["name"], "tokens": each["tokens"]} for each in answer.get("categories") or ()],
    }


def _servers(answer: Json) -> Json:
    return {"servers": [_mcp_server(server) for server in answer["mcpServers"]]}


def _mcp_server(server: Json) -> Json:
    tools = server.get("tools") or ()
    return {
        "name": server["name"],
        "status": server["status"],
        "error": server.get("error"),
        "tools": [tool["name"] if isinstance(tool, dict) else str(tool) for tool in tools],
    }


def _rewound(answer: Json) -> Json:
    if not answer.get("canRewind"):
        raise Refused(str(answer.get("error") or "nothing to set back"))
    return {
        "files": answer.get("filesChanged") or [],
        "insertions": answer.get("insertions") or 0,
        "deletions": answer.get("deletions") or 0,
    }


QUERIES: dict[str, Query] = {
    "get_context": Query("get_context_usage", _nothing, _context),
    "get_defaults": Query("get_settings", _nothing, _defaults),
    "set_effort": Query("apply_flag_settings", lambda p: {"settings": {"effortLevel": p["effort"]}}, _nothing),
    "set_thinking_budget": Query(
        "set_max_thinking_tokens", lambda p: {"max_thinking_tokens": p["max_thinking_tokens"]}, _nothing
    ),
    "list_mcp_servers": Query("mcp_status", _nothing, _servers),
    "reconnect_mcp_server": Query("mcp_reconnect", _server, _nothing),
    "toggle_mcp_server": Query("mcp_toggle", lambda p: {**_server(p), "enabled": p["enabled"]}, _nothing),
    "stop_task": Query("stop_task", lambda p: {"task_id": p["task_id"]}, _nothing),
    "rename_session": Query("rename_session", lambda p: {"title": p["title"]}, _nothing),
    "rewind_files": Query(
        "rewind_files", lambda p: {"user_message_id": p["turn_id"], "dry_run": p["dry_run"]}, _rewound
    ),
}
"""All but those of `TOLD`."""

TOLD: dict[str, Callable[[Json], Json]] = {"list_models": _models, "list_commands": _commands}
"""What the handshake has answered already."""


def parse_told(name: str, handshake: Json) -> Json:
    """Our result of a question that the handshake has answered.

    Raises:
        RemoteProtocolError: it has not (claude 1.0.63 tells no models), or in a shape that is not known.
    """
    try:
        return TOLD[name](handshake)
    except (LookupError, TypeError, AttributeError) as error:
        raise RemoteProtocolError(f"the handshake does not tell it ({error!r})") from error


def parse(name: str, answer: Json) -> Json:
    """Our result of a question, from the CLI's answer.

    Raises:
        RemoteProtocolError: the answer is not of the shape that is known, or says no (`Refused`).
    """
    try:
        return QUERIES[name].result(answer)
    except (LookupError, TypeError, AttributeError) as error:
        raise RemoteProtocolError(f"an answer of an unknown shape ({error!r})") from error
