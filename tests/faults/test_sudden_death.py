"""A CLI that dies while nobody looks: the very next message finds another one, and nothing is lost."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.faults.processes import wait_until
from tests.support.mock_daemon import mock_daemon

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

TIMES = 5
"""Deaths in a row: the time between a CLI's exit and the end of its output that we have read is some 10 ms."""

REAPED_S = 5.0
"""Seconds for the daemon to take notice of an exit: milliseconds."""


async def test_a_message_right_after_the_cli_died_outside_a_turn_is_answered_by_a_new_one(workspace: Path) -> None:
    async with mock_daemon(scenario="text_turn") as daemon:
        session = await daemon.start_session(workspace)
        for _ in range(TIMES):
            assert (await daemon.turn(session, "hello"))["stop_reason"] == "end_turn"
            (entry,) = (await daemon.request("list_sessions"))["sessions"]
            pid = entry["pid"]
            os.kill(pid, signal.SIGKILL)
            await wait_until("the exit is seen", lambda pid=pid: not psutil.pid_exists(pid), REAPED_S)  # type: ignore[misc]
        assert (await daemon.turn(session, "hello again"))["error"] is None
