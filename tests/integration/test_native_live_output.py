"""SPEC-5.11: what a command writes is passed on while it runs, and no file but its own is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from adapter.providers.claude_live import PIECE
from tests.support.mock_daemon import mock_daemon, mocked, write_scenario

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.anyio


def running_for(ids: list[str]) -> Json:
    """A turn that waits for a command; after about three seconds the CLI tells of it under these ids."""
    told = [
        {"system": {"subtype": "task_started", "task_id": id, "tool_use_id": "t1", "task_type": "local_bash"}}
        for id in ids
    ]
    return {
        "turn": [{"tool": "Bash", "id": "t1", "input": {"command": "make"}, "during": [*told, {"delay_ms": 60000}]}]
    }


async def start(daemon: Daemon, folder: Path, scenario: Path) -> tuple[str, Path]:
    """Start a session; its id, and where the CLI has its commands write."""
    config = mocked(scenario, env={"CLAUDE_CODE_TMPDIR": str(folder)})
    started = await daemon.request("start_session", config={"working_dir": str(folder), **config})
    output = folder / f"claude-{os.getuid()}" / "-project" / started["provider_session_id"] / "tasks"
    output.mkdir(parents=True)
    return started["session_id"], output


@pytest.mark.spec("5.11")
async def test_what_a_command_writes_comes_in_pieces_until_its_call_has_ended(workspace: Path, tmp_path: Path) -> None:
    async with mock_daemon() as daemon:
        session_id, output = await start(daemon, workspace, write_scenario(tmp_path, running_for(["b1"])))
        file = output / "b1.output"
        file.write_text("one\n")
        sent = await daemon.request("send_message", session_id=session_id, message="make")
        turn_id = sent["turn_id"]
        await daemon.wait_event("tool_call_progress", turn_id=turn_id, tool_call_id="t1", content="one\n")
        with file.open("a") as more:
            more.write("two\n")
        await daemon.wait_event("tool_call_progress", turn_id=turn_id, tool_call_id="t1", content="two\n")
        with file.open("a") as more:
            more.write("x" * (PIECE + 1000))
        cut = await daemon.wait_for(
            lambda message: "bytes left out" in str(message.get("params", {})) and message.get("method") == "event"
        )
        assert len(cut["params"]["event"]["content"]) < PIECE + 100
        await daemon.request("interrupt", session_id=session_id)
        kinds = [each["event"]["type"] for each in daemon.events(turn_id=turn_id)]
        assert kinds.index("tool_call_output") > len(kinds) - 1 - kinds[::-1].index("tool_call_progress")
        await daemon.request("stop_session", session_id=session_id)


async def test_neither_a_link_nor_another_folder_is_read(workspace: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    async with mock_daemon() as daemon:
        ids = ["link", "../../../../secret", "fifo", "good"]
        session_id, output = await start(daemon, workspace, write_scenario(tmp_path, running_for(ids)))
        (output / "link.output").symlink_to(secret)
        os.mkfifo(output / "fifo.output")
        (output / "good.output").write_text("good\n")
        sent = await daemon.request("send_message", session_id=session_id, message="make")
        await daemon.wait_event("tool_call_progress", turn_id=sent["turn_id"], content="good\n")
        await daemon.request("interrupt", session_id=session_id)
        assert "secret\\n" not in str(daemon.events(session_id))
        await daemon.request("stop_session", session_id=session_id)
