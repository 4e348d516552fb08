"""SPEC-4.7: what runs beside the conversation is told, listed, and keeps the session from being taken for idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.daemon import RpcError
from tests.support.mock_daemon import kill, mock_daemon, mocked, session_of, write_scenario

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.anyio

TASK: Json = {"task_id": "b1", "description": "Build"}
LISTED: Json = {
    "task_id": "b1",
    "kind": "shell",
    "description": "Build",
    "tool_call_id": "t1",
    "background": True,
    "usage": None,
}
LEAVE: Json = {
    "turn": [
        {
            "tool": "Bash",
            "id": "t1",
            "input": {"command": "make", "run_in_background": True},
            "output": "Command running in background with ID: b1.",
            "during": [
                {"system": {"subtype": "background_tasks_changed", "tasks": [{**TASK, "task_type": "local_bash"}]}},
                {
                    "system": {
                        "subtype": "task_started",
                        "tool_use_id": "t1",
                        "task_type": "local_bash",
                        "is_backgrounded": True,
                        **TASK,
                    }
                },
            ],
        },
        {"text": "It runs."},
    ]
}
"""A turn that leaves a command in the background."""

ENDS: list[Json] = [
    {"system": {"subtype": "task_updated", "task_id": "b1", "patch": {"status": "completed"}}},
    {"system": {"subtype": "background_tasks_changed", "tasks": []}},
]
"""What the CLI says when it has ended."""


def lists(daemon: Daemon, session_id: str) -> list[list[Json]]:
    """The lists of tasks that were told."""
    return [each["event"]["tasks"] for each in daemon.events(session_id) if each["event"]["type"] == "tasks"]


@pytest.mark.spec("4.7")
async def test_tasks_are_told_and_listed_until_they_end_and_their_turn_is_their_own(
    workspace: Path, tmp_path: Path
) -> None:
    news: Json = {"turn": [{"text": "Built."}], "prompt": None, "origin": {"kind": "task-notification"}}
    ends: Json = {"case": [{"prompt": "end", "steps": [*ENDS, news]}]}
    async with (
        mock_daemon() as daemon,
        session_of(daemon, workspace, write_scenario(tmp_path, LEAVE, ends, {"forever": [LEAVE]})) as session_id,
    ):
        first = await daemon.request("send_message", session_id=session_id, message="build")
        await daemon.wait_event("turn_completed", turn_id=first["turn_id"])
        listed = await daemon.request("list_tasks", session_id=session_id)
        assert listed == {"tasks": [{**LISTED, "status": "running"}]}
        # The mock takes a message where the real CLI would look at its task.
        sent = await daemon.request("send_message", session_id=session_id, message="end")
        began = await daemon.wait_event("turn_started", session_id=session_id, origin="background")
        assert began["turn_id"] not in (first["turn_id"], sent["turn_id"])
        await daemon.wait_event("turn_completed", turn_id=began["turn_id"])
        assert daemon.text(began["turn_id"]) == "Built."
        told = lists(daemon, session_id)
        assert told == [[{**LISTED, "status": "running"}], [{**LISTED, "status": "completed"}]]
        assert await daemon.request("list_tasks", session_id=session_id) == {"tasks": []}


@pytest.mark.spec("4.4")
async def test_a_session_with_work_in_the_background_is_not_idle(workspace: Path, tmp_path: Path) -> None:
    path = write_scenario(tmp_path, LEAVE, {"delay_ms": 2500}, *ENDS, {"forever": [LEAVE]})
    async with mock_daemon("--max-sessions", "1", "--idle-timeout", "1.5") as daemon:
        session_id = await daemon.start_session(workspace, config=mocked(path))
        await daemon.turn(session_id, "build")
        with pytest.raises(RpcError) as raised:
            await daemon.start_session(workspace, config=mocked("text_turn"))
        assert raised.value.code == -32007
        ended = await daemon.wait_event("session_ended", session_id=session_id)
        assert ended["event"]["reason"] == "idle_timeout"
        assert lists(daemon, session_id)[-1][0]["status"] == "completed", "it was ended while its command ran"


async def test_the_end_of_the_cli_is_the_end_of_its_tasks(workspace: Path, tmp_path: Path) -> None:
    async with mock_daemon() as daemon:
        config = mocked(write_scenario(tmp_path, LEAVE, {"forever": [LEAVE]}))
        started = await daemon.request("start_session", config={"working_dir": str(workspace), **config})
        session_id = started["session_id"]
        await daemon.turn(session_id, "build")
        kill(started["pid"])
        await daemon.wait_event("notice", session_id=session_id, level="warning")
        assert lists(daemon, session_id)[-1] == [{**LISTED, "status": "stopped"}]
        assert await daemon.request("list_tasks", session_id=session_id) == {"tasks": []}
        await daemon.request("stop_session", session_id=session_id)


@pytest.mark.spec("4.5")
async def test_work_in_the_background_may_be_as_silent_as_a_tool(workspace: Path, tmp_path: Path) -> None:
    quiet: Json = {"turn": [*LEAVE["turn"], {"delay_ms": 2500}, {"text": " And on."}]}
    async with mock_daemon("--silence-timeout", "1.5", scenario=write_scenario(tmp_path, quiet)) as daemon:
        session_id = await daemon.start_session(workspace)
        assert (await daemon.turn(session_id, "build"))["stop_reason"] == "end_turn"
