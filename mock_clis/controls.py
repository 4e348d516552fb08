"""Answers to the control requests of the host.

Owns: what the real CLI answers by default (claude 2.1.329), and the scenario's wishes to the contrary (``on``).
Refuses: requests to the host; those are asked by ``player`` and ``turn``.
May be imported by: ``player``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mock_clis.dialect import PERMISSION_MODES, Json
from mock_clis.endings import Stopped, TurnAborted

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_clis.player import Player


def answer(player: Player, line: Json) -> None:
    """Answer one control request, by the scenario's policy for its subtype or else as the real CLI does."""
    request: Json = line["request"]
    subtype = str(request.get("subtype"))
    policy = player.policies.get(subtype, "default")
    if policy == "ignore":
        return
    if policy == "queue":
        player.pending.append(line)
        return
    if isinstance(policy, dict):
        # The real CLI reads nothing while it works on such a request either, so the input may wait.
        time.sleep(policy.get("delay_ms", 0) / 1000)
        if "error" in policy:
            _fail(player, line, policy["error"], "mock_error")
            return
        if "response" in policy:
            _succeed(player, line, player.filled(policy["response"], f"on.{subtype}"))
            return
        if "steps" in policy:
            player.captures.update(request_id=line.get("request_id"), request=request)
            player.run(policy["steps"], f"on.{subtype}.steps")
            return
    default = DEFAULTS.get(subtype)
    if default is None:
        _fail(player, line, f"Unsupported control request subtype: {subtype}", "unsupported_request")
    else:
        default(player, line, request)


def _succeed(player: Player, line: Json, body: Json | None = None) -> None:
    response: Json = {"subtype": "success"}
    if "request_id" in line:
        response["request_id"] = line["request_id"]
    if body is not None:
        response["response"] = body
    player.emit({"type": "control_response", "response": response})


def _fail(player: Player, line: Json, words: str, code: str) -> None:
    response = {"subtype": "error", "request_id": line.get("request_id"), "error": words, "error_code": code}
    player.emit({"type": "control_response", "response": response})


def _initialize(player: Player, line: Json, request: Json) -> None:
    response: Json = {
        "subtype": "success", "request_id": line.get("request_id"), "response": player.session.initialize_response(),
        "pending_permission_requests": [], "pending_user_dialog_requests": [],
    }  # fmt: skip
    player.emit({"type": "control_response", "response": response})


def _interrupt(player: Player, line: Json, request: Json) -> None:
    queued = [prompt for prompt in player.pending if prompt.get("type") == "user"]
    if request.get("cancel_queued") and player.turn is not None:
        player.pending.clear()
        queued = []
    player.withdraw_questions()
    starting = queued[:1] if player.turn is None else []
    still_queued = [prompt["uuid"] for prompt in queued[len(starting) :] if "uuid" in prompt]
    _succeed(player, line, {"still_queued": still_queued})
    if player.turn is not None:
        raise TurnAborted
    player.abort_next = bool(starting)


def _set_permission_mode(player: Player, line: Json, request: Json) -> None:
    mode = request.get("mode")
    if mode not in PERMISSION_MODES:
        known = ", ".join(PERMISSION_MODES)
        _fail(player, line, f"Cannot set permission mode: must be one of {known}", "invalid_mode")
    elif mode == "bypassPermissions" and not player.session.bypass_allowed:
        words = "because the session was not launched with --dangerously-skip-permissions"
        _fail(player, line, f"Cannot set permission mode to bypassPermissions {words}", "bypass_not_launched")
    else:
        player.session.permission_mode = mode
        _succeed(player, line, {"mode": mode})
        player.emit(player.session.system("status", status=None, permissionMode=mode))


def _set_model(player: Player, line: Json, request: Json) -> None:
    model = request.get("model")
    if model is not None and not isinstance(model, str):
        _fail(player, line, "set_model: model must be a string", "invalid_request")
        return
    player.session.model = model if model not in (None, "default") else player.session.default_model
    said = f"<local-command-stdout>Set model to `{player.session.model}`</local-command-stdout>"
    player.emit(player.session.user(said, isReplay=True))
    _succeed(player, line, {"model": player.session.model})


def _cancel_async_message(player: Player, line: Json, request: Json) -> None:
    wanted = request.get("message_uuid")
    waiting = [prompt for prompt in player.pending if wanted is not None and prompt.get("uuid") == wanted]
    for prompt in waiting:
        player.pending.remove(prompt)
        player.lifecycle(str(wanted), "cancelled")
    _succeed(player, line, {"cancelled": bool(waiting)})


def _end_session(player: Player, line: Json, request: Json) -> None:
    _succeed(player, line)
    raise Stopped(0)


def _get_usage(player: Player, line: Json, request: Json) -> None:
    session = player.session
    _succeed(player, line, {"session": {"total_cost_usd": session.cost_usd, "model_usage": session.model_usage}})


def _get_settings(player: Player, line: Json, request: Json) -> None:
    _succeed(player, line, {"effective": {}, "sources": [], "applied": {"model": player.session.model, "effort": None}})


DEFAULTS: dict[str, Callable[[Player, Json, Json], None]] = {
    "initialize": _initialize,
    "interrupt": _interrupt,
    "set_permission_mode": _set_permission_mode,
    "set_model": _set_model,
    "set_max_thinking_tokens": lambda player, line, request: _succeed(player, line),
    "cancel_async_message": _cancel_async_message,
    "end_session": _end_session,
    "get_usage": _get_usage,
    "get_binary_version": lambda player, line, request: _succeed(player, line, {"version": player.session.version}),
    "mcp_status": lambda player, line, request: _succeed(player, line, {"mcpServers": player.session.mcp_servers}),
    "get_settings": _get_settings,
    "apply_flag_settings": lambda player, line, request: _succeed(player, line),
    "stop_task": lambda player, line, request: _succeed(player, line, {}),
}
