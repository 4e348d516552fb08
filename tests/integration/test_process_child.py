"""`adapter/process/child.py` by itself: pipes, writes, the tail of stderr, and the two events of an end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import psutil
import pytest

from adapter.process import child as child_module
from adapter.process.child import STDERR_TAIL, Child, Exit
from adapter.process.identity import MARK_VARIABLE
from protocol.errors import AdapterError, ErrorKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

DEADLINE_S = 15.0
"""For a whole test; each takes a fraction of a second."""

BIG = 3_000_000
"""Bytes of one write: many times what a pipe holds."""

HOLDS_STDOUT = """
import subprocess, sys
print('last words', flush=True)
sleeper = subprocess.Popen(['sleep', '30'], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(sleeper.pid, file=sys.stderr, flush=True)
"""


@asynccontextmanager
async def running(code: str, *, cwd: str = "/") -> AsyncIterator[Child]:
    """A child that runs some Python; killed at the end of the block if need be."""
    with anyio.fail_after(DEADLINE_S):
        async with anyio.create_task_group() as tasks:
            command = [sys.executable, "-c", code]
            child = await Child.spawn(command, env=dict(os.environ), cwd=cwd, mark="test-mark", tasks=tasks)
            try:
                yield child
            finally:
                with anyio.CancelScope(shield=True):
                    if child.returncode is None:
                        # It may have gone a moment ago, without this loop having heard of it.
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(child.pid, signal.SIGKILL)
                    await child.wait_exit()
                    await child.finish()


async def read_all(child: Child) -> bytes:
    parts = []
    while chunk := await child.receive():
        parts.append(chunk)
    return b"".join(parts)


async def keep_sending(child: Child) -> None:
    """Write until it fails: the first bytes after an end may still find room in the pipe."""
    while True:
        await child.send(b"anybody there?\n")


async def test_the_end_of_output_may_come_long_before_the_exit() -> None:
    async with running("import os, sys; os.close(1); sys.stdin.read(); sys.exit(7)") as child:
        assert await child.receive() == b""
        assert not child.exited.is_set()
        assert child.exit == Exit(None, None)
        await child.close_stdin()
        await child.exited.wait()
        assert child.exit == Exit(7, None)


async def test_the_exit_may_come_before_the_end_of_output_and_nothing_is_lost() -> None:
    async with running(HOLDS_STDOUT) as child:
        await child.exited.wait()
        assert await read_all(child) == b"last words\n"
        sleeper = psutil.Process(int(child.stderr_tail))
        sleeper.kill()
        assert await child.finish() == Exit(0, None)
        # The loop closes the pipe when its last writer has gone.
        await anyio.to_thread.run_sync(psutil.wait_procs, [sleeper])
        await anyio.wait_all_tasks_blocked()


async def test_all_that_was_written_before_the_exit_is_read() -> None:
    async with running(f"import sys; sys.stdout.write('x' * {BIG}); sys.stdout.flush(); sys.exit(3)") as child:
        assert len(await read_all(child)) == BIG
        assert await child.finish() == Exit(3, None)


async def test_an_end_by_a_signal_is_told_by_its_name() -> None:
    async with running("import os; os.kill(os.getpid(), 15)") as child:
        assert await read_all(child) == b""
        assert await child.finish() == Exit(None, "SIGTERM")


async def test_a_write_to_a_child_that_is_gone_fails_as_process_exited() -> None:
    async with running("import sys; sys.stderr.write('I am off\\n')") as child:
        await child.exited.wait()
        with pytest.raises(AdapterError) as caught:
            await keep_sending(child)
        assert caught.value.kind is ErrorKind.PROCESS_EXITED
        assert caught.value.data["stderr_tail"] == "I am off"


async def test_a_write_to_a_child_that_has_closed_its_stdin_fails_as_process_exited() -> None:
    async with running("import os, time; os.close(0); print(flush=True); time.sleep(30)") as child:
        await child.receive()
        with pytest.raises(AdapterError) as caught:
            await keep_sending(child)
        assert caught.value.kind is ErrorKind.PROCESS_EXITED


async def test_a_write_to_a_child_that_does_not_read_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "WRITE_S", 0.2)
    async with running("import time; time.sleep(30)") as child:
        with pytest.raises(AdapterError) as caught:
            await child.send(b"x" * BIG)
        assert caught.value.kind is ErrorKind.PROCESS_EXITED
        assert "does not read" in caught.value.message


async def test_a_write_after_stdin_was_closed_fails_and_closing_twice_does_not() -> None:
    async with running("import sys; sys.stdin.read()") as child:
        await child.close_stdin()
        await child.close_stdin()
        with pytest.raises(AdapterError) as caught:
            await child.send(b"x")
        assert caught.value.kind is ErrorKind.PROCESS_EXITED
        assert await child.wait_exit() == 0


async def test_two_big_writes_never_mix() -> None:
    code = "import sys; [print(sorted(set(line)), len(line), flush=True) for line in sys.stdin.buffer]"
    async with running(code) as child:
        async with anyio.create_task_group() as writers:
            for letter in (b"a", b"b", b"c"):
                writers.start_soon(child.send, letter * BIG + b"\n")
        await child.close_stdin()
        lines = (await read_all(child)).splitlines()
        assert sorted(lines) == [b"[10, %d] %d" % (letter, BIG + 1) for letter in b"abc"]


async def test_a_flood_on_stderr_is_drained_and_its_tail_is_kept() -> None:
    async with running("import sys; sys.stderr.write('y' * 2_000_000 + 'the end'); print('done')") as child:
        assert await read_all(child) == b"done\n"
        await child.finish()
        assert len(child.stderr_tail) == STDERR_TAIL
        assert child.stderr_tail.endswith("the end")


async def test_a_child_has_its_mark_its_folder_and_a_group_of_its_own(tmp_path: Path) -> None:
    code = f"import os; print(os.environ[{MARK_VARIABLE!r}], os.getcwd(), os.getpgrp() == os.getsid(0) == os.getpid())"
    async with running(code, cwd=str(tmp_path)) as child:
        assert (await read_all(child)).decode().split() == ["test-mark", str(tmp_path), "True"]


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        ("/nowhere/at/all", ErrorKind.NOT_FOUND),
        ("/etc/hostname", ErrorKind.SPAWN_FAILED),
        ("/bin", ErrorKind.SPAWN_FAILED),
        ("with\0nul", ErrorKind.SPAWN_FAILED),
    ],
    ids=["missing", "not executable", "a folder", "no name at all"],
)
async def test_what_cannot_be_started_is_an_error_of_the_contract(program: str, kind: ErrorKind) -> None:
    async with anyio.create_task_group() as tasks:
        with pytest.raises(AdapterError) as caught:
            await Child.spawn([program], env=dict(os.environ), cwd="/", mark="test-mark", tasks=tasks)
        assert caught.value.kind is kind


async def test_a_working_folder_that_is_gone_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    async with anyio.create_task_group() as tasks:
        with pytest.raises(AdapterError) as caught:
            await Child.spawn([sys.executable], env={}, cwd=tmp_path / "gone", mark="test-mark", tasks=tasks)
        assert caught.value.kind is ErrorKind.SPAWN_FAILED
        assert "gone" in caught.value.message
