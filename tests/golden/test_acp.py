"""Recorded runs of the real CLI, and the updates of the Agent Client Protocol that they must become.

What must hold of every recording is checked for all of them, with the published schema where it is installed; what some
of them become exactly is written down in `acp/`. After a change that is meant: `python -m tests.golden.test_acp`, and
read the difference.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.codecs.acp import UpdateWriter
from protocol.codecs.acp_size import fit
from protocol.wire.acp import Client
from tests.acp.schema import problems
from tests.golden.replay import Replay, read, recordings

EXACTLY = ("write_tool", "newer-cli-edit_tool", "bash_deny", "subagent_task", "tool_taskcreate", "compact")
FOLDER = Path(__file__).parent / "acp"
RECORDINGS = {path.stem: path for path in recordings()}

CLIENTS = {"plain": Client(), "able": Client(notices=True, compaction=True, terminal_output=True)}


def updates(name: str, client: Client) -> list[dict[str, Any]]:
    """What a recording becomes, as it is sent."""
    writer = UpdateWriter(client, "/home/user/project")
    events = Replay().run(read(RECORDINGS[name])).params
    found = [update for params in events for update in writer.write(params.event)] + writer.calls.close()
    return [json.loads(fit(update)) for update in found]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", RECORDINGS)
def test_each_update_is_valid_and_each_tool_call_is_announced_once_and_ended(name: str, client: str) -> None:
    calls: dict[str, str] = {}
    seen: set[str] = set()
    for update in updates(name, CLIENTS[client]):
        shape = json.dumps({**update, "content": None, "rawInput": None, "rawOutput": None}, sort_keys=True)[:200]
        if shape not in seen:  # hundreds of chunks differ in nothing but their text
            seen.add(shape)
            assert problems("SessionNotification", {"sessionId": "s", "update": update}) == []
        if update["sessionUpdate"] == "tool_call":
            assert calls.get(update["toolCallId"]) != "open"
            calls[update["toolCallId"]] = "open"
        elif update["sessionUpdate"] == "tool_call_update":
            assert update["toolCallId"] in calls
            if update.get("status") in ("completed", "failed"):
                calls[update["toolCallId"]] = "ended"
    assert set(calls.values()) <= {"ended"}


@pytest.mark.parametrize("name", EXACTLY)
def test_a_recording_becomes_exactly_these_updates(name: str) -> None:
    assert updates(name, CLIENTS["able"]) == json.loads((FOLDER / f"{name}.json").read_text())


def write_down() -> None:
    """Write down what the recordings become now."""
    for name in EXACTLY:
        lines = ",\n".join(json.dumps(update, ensure_ascii=False) for update in updates(name, CLIENTS["able"]))
        (FOLDER / f"{name}.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    write_down()
