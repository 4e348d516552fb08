"""Plays back a recorded run of a CLI.

Owns: reading a recording (JSON lines of ``{"t": milliseconds, "dir": "in|out|err|meta", "msg": …}`` or ``"raw"``) and
keeping its two sides in step although ids differ.
Refuses: judging the text of prompts; a recording is matched by the kinds of its lines.
May be imported by: ``steps``.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from mock_clis.scenario import ScenarioError

if TYPE_CHECKING:
    from mock_clis.dialect import Json
    from mock_clis.player import Player


def play(player: Player, step: Json, where: str) -> None:
    """Say every recorded ``out`` line once the ``in`` lines before it came; ``speed`` 1 keeps the recorded pace."""
    entries = _read(os.path.join(player.scenario.folder, step["replay"]), where)
    speed, names, at = step.get("speed", 0), dict[str, Any](), 0.0
    # What the recording answers must neither be answered twice nor before its time.
    player.reports_prompts = False
    player.policies.update({subtype: "queue" for entry in entries if (subtype := _asked(entry)) is not None})
    recorded_id = next((e["msg"]["session_id"] for e in entries if e["dir"] == "out" and _session_id(e)), None)
    if recorded_id is not None:
        names[recorded_id] = player.session.session_id
    for number, entry in enumerate(entries):
        place = f"{where}: line {number + 1} of {os.path.basename(step['replay'])}"
        if speed and entry["dir"] == "out":
            player.breathe(max(0.0, entry.get("t", at) - at) / 1000 / speed)
        at = entry.get("t", at)
        _play_entry(player, entry, names, place)


def _play_entry(player: Player, entry: Json, names: dict[str, Any], place: str) -> None:
    message, direction = entry.get("msg"), entry["dir"]
    if direction == "in" and isinstance(message, dict):
        _await(player, message, names, place)
    elif direction == "out" and isinstance(message, dict):
        if message.get("type") == "control_request":
            player.own_requests.add(str(message.get("request_id")))
        line = _renamed(message, names)
        player.say(line)
        if line.get("type") == "result":
            player.session.last_result_was_error = bool(line.get("is_error"))
    elif direction == "out":
        player.streams.write(str(entry.get("raw", message)).encode())
    elif direction == "err":
        player.streams.write_stderr(str(entry.get("raw", message)).encode())
    elif isinstance(message, dict) and "stdin" in message:
        player.wait(lambda: player.streams.at_eof)
    elif isinstance(message, dict) and isinstance(message.get("exit"), int) and message["exit"] >= 0:
        player.finish(message["exit"])


def _await(player: Player, recorded: Json, names: dict[str, Any], place: str) -> None:
    kind = recorded.get("type")
    if kind == "control_request":
        pattern: Json = {"type": kind, "request": {"subtype": recorded.get("request", {}).get("subtype")}}
        line = player.expect(pattern, place)
        names[recorded.get("request_id", "")] = line.get("request_id")
    elif kind == "control_response":
        recorded_id = recorded.get("response", {}).get("request_id")
        player.expect({"type": kind, "response": {"request_id": recorded_id}}, place)
    elif kind == "user":
        line = player.expect({"type": "user"}, place)
        if isinstance(recorded.get("uuid"), str) and "uuid" in line:
            names[recorded["uuid"]] = line["uuid"]


def _read(path: str, where: str) -> list[Json]:
    try:
        with open(path, encoding="utf-8") as file:
            entries = [json.loads(line) for line in file if line.strip()]
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{where}: {path} is not a recording: {error}") from error
    if not all(isinstance(entry, dict) and entry.get("dir") in ("in", "out", "err", "meta") for entry in entries):
        raise ScenarioError(f"{where}: {path} is not a recording: every line needs a 'dir' of in, out, err or meta")
    return entries


def _asked(entry: Json) -> str | None:
    message = entry.get("msg")
    if entry["dir"] != "in" or not isinstance(message, dict) or message.get("type") != "control_request":
        return None
    subtype = message.get("request", {}).get("subtype")
    return subtype if isinstance(subtype, str) else None


def _session_id(entry: Json) -> str | None:
    message = entry.get("msg")
    return message.get("session_id") if isinstance(message, dict) else None


def _renamed(value: Any, names: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value
