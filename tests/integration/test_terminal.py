"""A child with a terminal for its output, by itself and as a session's CLI: the same promises as with pipes."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import anyio
import psutil
import pytest

from adapter.process.child import Child, Exit
from adapter.process.terminal import COLUMNS, ROWS
from protocol.errors import AdapterError, ErrorKind
from tests.support.mock_daemon import mock_daemon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Json

pytestmark = pytest.mark.anyio

DEADLINE_S = 15.0
"""For a whole test; each takes a fraction of a second."""

SEES = """
import os, sys
size = os.get_terminal_size(1)
owns = os.open("/dev/tty", os.O_RDWR) >= 0 and os.tcgetpgrp(1) == os.getpgrp()
print(os.isatty(0), os.isatty(1), os.isatty(2), size.lines, size.columns, owns, flush=True)
print("apart", file=sys.stderr)
"""
MUCH = 300_000
FLOODS_AND_LEAVES = f"""
import os
data = b"y" * {MUCH} + b"end"
while data:
    data = data[os.write(1, data):]
"""


async def output_of(code: str) -> tuple[bytes, Child]:
    """Run some Python on a terminal to its end; its output, and the child, finished."""
    before = len(os.listdir("/dev/fd"))
    with anyio.fail_after(DEADLINE_S):
        async with anyio.create_task_group() as tasks:
            child = await Child.spawn(
                [sys.executable, "-c", code], env=dict(os.environ), cwd="/", mark="m", tasks=tasks, on_terminal=True
            )
            output = b""
            while chunk := await child.receive():
                output += chunk
            assert await child.finish() == Exit(0, None)
    assert len(os.listdir("/dev/fd")) == before
    return output, child


async def test_the_output_is_a_terminal_of_a_known_size_and_stderr_stays_apart() -> None:
    output, child = await output_of(SEES)
    assert output.decode().split() == ["False", "True", "False", str(ROWS), str(COLUMNS), "True"]
    assert child.stderr_tail == "apart\n"


async def test_nothing_is_lost_of_what_a_child_says_as_it_leaves() -> None:
    output, _ = await output_of(FLOODS_AND_LEAVES)
    assert output == b"y" * MUCH + b"end"


async def test_a_program_that_cannot_be_started_says_so_and_leaves_no_descriptor() -> None:
    before = len(os.listdir("/dev/fd"))
    async with anyio.create_task_group() as tasks:
        with pytest.raises(AdapterError) as failure:
            await Child.spawn(["/bin/true"], env={}, cwd="/no/such", mark="m", tasks=tasks, on_terminal=True)
    assert failure.value.kind is ErrorKind.SPAWN_FAILED
    assert len(os.listdir("/dev/fd")) == before


def config(workspace: Path) -> Json:
    return {"working_dir": str(workspace), "transport": "pty"}


@pytest.mark.spec("3.6")
async def test_a_session_on_a_terminal_says_the_same_as_one_on_pipes(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        answer = await daemon.request("initialize")
        assert answer["capabilities"]["transports"] == ["pipe", "pty"]
        heard = {}
        for transport in ("pipe", "pty"):
            started = await daemon.request(
                "start_session", config={"working_dir": str(workspace), "transport": transport}
            )
            await daemon.turn(started["session_id"], "Hello")
            stopped = await daemon.request("stop_session", session_id=started["session_id"])
            assert stopped == {"exit_code": 0, "signal": None}
            heard[transport] = [params["event"]["type"] for params in daemon.events(started["session_id"])]
        assert heard["pty"] == heard["pipe"]


@pytest.mark.spec("3.6")
async def test_a_cli_that_dies_on_its_terminal_is_started_again(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        started = await daemon.request("start_session", config=config(workspace))
        os.kill(started["pid"], signal.SIGKILL)
        await daemon.wait_event("notice", session_id=started["session_id"], level="warning")
        ended = await daemon.turn(started["session_id"], "Hello")
        assert ended["stop_reason"] == "end_turn"


async def test_when_the_daemon_is_killed_the_cli_on_its_terminal_goes_too(workspace: Path) -> None:
    async with mock_daemon(ends=False, finished=False) as daemon:
        started = await daemon.request("start_session", config=config(workspace))
        process = psutil.Process(started["pid"])
        os.kill(process.ppid(), signal.SIGKILL)
        await anyio.to_thread.run_sync(process.wait, DEADLINE_S)
