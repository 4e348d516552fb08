"""Ways in which a CLI goes wrong: dies, hangs, floods, talks nonsense, leaves processes behind.

Owns: the steps that do these things to this very process.
Refuses: anything that outlives its safety net; a grandchild and a hang both end by themselves.
May be imported by: ``steps`` and ``player``.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

from mock_clis.streams import EXIT_SIGINT

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_clis.dialect import Json
    from mock_clis.player import Player

# Long enough for any test that waits for the parent to give up, short enough to leave no machine full of mocks.
HANG_SECONDS = 600.0
GRANDCHILD_SECONDS = 60.0
MOST_SECONDS = 3600.0
STDERR_LINE = b"mock claude: this line is one of very many on stderr, to see whether anybody reads them\n"
HUGE_HEAD = b'{"type":"system","subtype":"informational","level":"info","content":"'
HUGE_TAIL = b'"}'


def _crash(player: Player, step: Json, where: str) -> None:
    if "stderr" in step:
        player.streams.complain(step["stderr"])
    how = step["crash"]
    if isinstance(how, int):
        player.streams.leave(how)
    number = signal.Signals[how]
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _exit(player: Player, step: Json, where: str) -> None:
    if isinstance(step["exit"], str):
        _crash(player, {"crash": step["exit"]}, where)
    player.finish(step["exit"])


def _hang(player: Player, step: Json, where: str) -> None:
    streams = player.streams
    streams.deaf = step["hang"] == "deaf"
    deadline = time.monotonic() + min(step.get("seconds", HANG_SECONDS), MOST_SECONDS)
    while time.monotonic() < deadline:
        streams.poll(max(0.0, deadline - time.monotonic()))
        streams.lines.clear()
        if streams.interrupted:
            player.finish(EXIT_SIGINT)
    streams.deaf = False


def _garbage(player: Player, data: bytes) -> None:
    player.streams.write(data)
    player.breathe()


def _huge_line(player: Player, step: Json, where: str) -> None:
    size = max(0, int(step["huge_line"]) - len(HUGE_HEAD) - len(HUGE_TAIL))
    player.streams.write(HUGE_HEAD + b"x" * size + HUGE_TAIL + player.newline)
    player.breathe()


def _stderr_flood(player: Player, step: Json, where: str) -> None:
    size = int(step["stderr_flood"])
    repeated = STDERR_LINE * (size // len(STDERR_LINE) + 1)
    player.streams.write_stderr(repeated[:size])
    player.breathe()


def _grandchild(player: Player, step: Json, where: str) -> None:
    options = step["grandchild"]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        _become_grandchild(options, write)
    os.close(write)
    if options.get("double_fork", False):
        os.waitpid(child, 0)
    with open(read, "rb") as pipe:
        pid = int(pipe.read() or b"0")
    player.captures["grandchild_pid"] = pid
    if options.get("clean_up", False):
        player.grandchildren.append(pid)
    player.streams.complain(f"mock claude: grandchild {pid} started")


def _become_grandchild(options: Json, report_to: int) -> None:
    """In the forked child: detach as asked, report the process id, and become a ``sleep`` that ends by itself."""
    try:
        if options.get("setsid", False):
            os.setsid()
        if options.get("double_fork", False) and os.fork() != 0:
            os._exit(0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN if options.get("ignore_signals", False) else signal.SIG_DFL)
        nowhere = os.open(os.devnull, os.O_RDWR)
        held = (1,) if options.get("hold_stdout", False) else ()
        for fd in (0, 1, 2):
            if fd not in held:
                os.dup2(nowhere, fd)
        os.write(report_to, str(os.getpid()).encode())
        seconds = str(min(options.get("seconds", GRANDCHILD_SECONDS), MOST_SECONDS))
        if options.get("scrub_environment", False):
            os.execve(_path_of("sleep"), ["sleep", seconds], {})
        os.execvp("sleep", ["sleep", seconds])
    finally:
        os._exit(127)


def _path_of(program: str) -> str:
    for folder in os.get_exec_path():
        path = os.path.join(folder, program)
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(program)


def kill_all(pids: list[int]) -> None:
    """Kill what is left of the grandchildren that were to be cleaned up."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


STEPS: dict[str, Callable[[Player, Json, str], None]] = {
    "crash": _crash,
    "exit": _exit,
    "hang": _hang,
    "garbage": lambda player, step, where: _garbage(player, step["garbage"].encode("utf-8", "surrogateescape")),
    "garbage_base64": lambda player, step, where: _garbage(player, base64.b64decode(step["garbage_base64"])),
    "huge_line": _huge_line,
    "stderr": lambda player, step, where: player.streams.complain(player.filled(step["stderr"], where)),
    "stderr_flood": _stderr_flood,
    "grandchild": _grandchild,
    "ignore_sigterm": lambda player, step, where: player.streams.obey(signal.SIGTERM, not step["ignore_sigterm"]),
    "ignore_sigint": lambda player, step, where: player.streams.obey(signal.SIGINT, not step["ignore_sigint"]),
}
