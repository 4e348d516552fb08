"""Which process is which: a PID with its start time, and the mark that everything we spawn carries.

Owns: naming a process so that a reused PID is never mistaken for it, finding descendants, finding processes by the
mark in their environment, and sending signals to exactly the process that was meant.
Refuses: matching by command name, signalling a PID whose start time differs, signalling PID 1 or ourselves, waiting.
Imported by anything in `adapter.process`, and by whoever writes down or looks for what runs. The guardian's script
loads it in an interpreter without site-packages, so on Linux it needs the standard library only.

Every function here blocks, shortly: on Linux (measured with 300 processes on two cores) a search for a mark takes
2 to 5 ms, and so does a table of descendants. Asynchronous callers use a worker thread for those two.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

MARK_VARIABLE: Final = "AGENT_ADAPTER_MARK"
"""Environment variable that holds the mark. Claude's CLI hands its environment on to its tools and MCP servers
(measured with claude 2.1.197 and 2.1.329)."""

_ENVIRON_LIMIT: Final = 8 * 1024 * 1024
"""Bytes read of one environment. Linux limits arguments and environment together to a quarter of the stack limit
(2 MiB by default, 6 MiB at most); the bound keeps an odd kernel from feeding us without end."""

_STAT_LIMIT: Final = 4096
"""Bytes of /proc/PID/stat: 52 numbers and a name of at most 64 bytes come to well under 2 KiB."""

_CHUNK: Final = 128 * 1024
"""Bytes per read: more than nearly every environment, so that one read and the one that finds the end suffice."""

_START_TIME: Final = 19
"""Place of the start time in /proc/PID/stat, counted from the state: proc(5) numbers it 22 and the state 3."""

_DEAD_STATES: Final = (b"Z", b"X", b"x")

_LINUX: Final = sys.platform == "linux"

_TICKS: Final = os.sysconf("SC_CLK_TCK") if _LINUX else 1

CLEAN_PASSES: Final = 2
"""Passes in a row that must find nothing before a sweep is over. One is not enough: a process in the middle of `exec`
shows no environment, and a child may get a PID that the pass has already gone by."""

PASS_PAUSE_S: Final = 0.01
"""Seconds between two passes: a killed process needs a few milliseconds to go, an `exec` less."""


@dataclass(frozen=True, slots=True, order=True)
class ProcessId:
    """One process, also after its PID was given to another.

    `started` is only good for comparing: on Linux the seconds from boot to the start of the process as the kernel
    counts them, which a change of the clock leaves alone (seconds since 1970 move with it, and a process would
    no longer be recognised); elsewhere psutil's creation time. It means nothing after a reboot: store `boot_id` too.
    """

    pid: int
    started: float


class _Stat(NamedTuple):
    alive: bool
    parent: int
    started: float


def new_daemon_id() -> str:
    """A random identifier for one run of the daemon: 16 hexadecimal digits."""
    return os.urandom(8).hex()


def new_mark(daemon_id: str) -> str:
    """A mark for one spawned process and all that comes from it: `<daemon_id>.<random token>`.

    Take a new one for every spawn, also when a session is resumed: ending the old process sweeps its mark.
    """
    return f"{daemon_id}.{os.urandom(8).hex()}"


def boot_id() -> str:
    """Names the current boot of the machine, without which a stored `ProcessId` proves nothing."""
    if _LINUX:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    import psutil

    return str(int(psutil.boot_time()))


def identify(pid: int) -> ProcessId | None:
    """The identity of the process that has this PID now (a zombie still has it), or None if there is none."""
    stat = _stat(pid)
    return None if stat is None else ProcessId(pid, stat.started)


def is_alive(process: ProcessId) -> bool:
    """Whether exactly this process still runs (or is stopped). A zombie is dead, and so is a reused PID."""
    stat = _stat(process.pid)
    return stat is not None and stat.alive and stat.started == process.started


def descendants(*roots: ProcessId) -> list[ProcessId]:
    """The live children of the roots, their children and so on, nearest first, the roots themselves left out.

    Only finds what is still connected: when a process ends, its children go to another parent. Take the snapshot
    while the root lives.
    """
    table = {pid: stat for pid in _pids() if (stat := _stat(pid)) is not None}
    children: dict[int, list[int]] = {}
    for pid, stat in table.items():
        children.setdefault(stat.parent, []).append(pid)
    level = [root.pid for root in roots if root.pid in table and table[root.pid].started == root.started]
    seen = set(level)
    found: list[ProcessId] = []
    while level:
        level = [pid for parent in level for pid in children.get(parent, ()) if pid not in seen]
        seen.update(level)
        found.extend(ProcessId(pid, table[pid].started) for pid in level if table[pid].alive)
    return found


def marked(prefix: str) -> list[ProcessId]:
    """Live processes whose environment holds the mark `prefix`, or a mark that begins with `prefix` and a dot.

    So a daemon's identifier finds all that it spawned, a whole mark what one spawn left, and half an identifier
    nothing. Environments that we may not read are passed over: what belongs to others cannot be ours.
    A process in the middle of `exec` has no readable environment for a moment; whoever must be sure looks twice.

    Raises:
        ValueError: `prefix` is empty, which would match every daemon's processes.
    """
    wanted = prefix.removesuffix(".").encode()
    if not wanted:
        raise ValueError("an empty mark would match the processes of every daemon")
    found = []
    for pid in _pids():
        if pid == os.getpid() or not _carries(pid, wanted):
            continue
        # The identity is read between two looks at the environment: whichever process it names, that one is ours
        # or its start time will not match when a signal is sent.
        stat = _stat(pid)
        if stat is not None and stat.alive and _carries(pid, wanted):
            found.append(ProcessId(pid, stat.started))
    return found


def send_signal(process: ProcessId, sig: int) -> bool:
    """Send a signal to exactly this process; True if it was sent.

    False when the process is gone or a zombie, when its PID belongs to another by now, when we may not, and always
    for PID 1 and ourselves. Where the kernel has pidfds (Linux 5.3) no reuse can slip between check and signal.
    """
    if process.pid <= 1 or process.pid == os.getpid():
        return False
    descriptor = _open_pidfd(process.pid)
    try:
        if not is_alive(process):
            return False
        if descriptor is not None and sys.platform == "linux":
            signal.pidfd_send_signal(descriptor, sig)
        else:
            os.kill(process.pid, sig)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return True


def strike(mark_prefix: str, known: Iterable[ProcessId] = ()) -> list[ProcessId]:
    """One pass of a sweep: SIGKILL to everything marked, to what lives of `known`, and to all that descends from these.

    Returns what it found, and does not wait for its end. A process that forks while the pass runs needs another pass,
    see `CLEAN_PASSES`.

    Raises:
        ValueError: `mark_prefix` is empty.
    """
    targets = dict.fromkeys((*(process for process in known if is_alive(process)), *marked(mark_prefix)))
    if targets:
        # Below a marked process one may have cleared its environment; the link to it ends with its parent.
        targets.update(dict.fromkeys(descendants(*targets)))
    for process in targets:
        send_signal(process, signal.SIGKILL)
    return list(targets)


def _open_pidfd(pid: int) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        # Gone, or no pidfds here (an old kernel, a sandbox's filter, descriptors used up): check and signal by number.
        return None


def _pids() -> list[int]:
    if _LINUX:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    import psutil

    return list(psutil.pids())


def _stat(pid: int) -> _Stat | None:
    if _LINUX:
        line = _read(f"/proc/{pid}/stat", _STAT_LIMIT)
        # The name, second and in parentheses, may itself hold blanks and parentheses: count from the last one.
        fields = line[line.rfind(b")") + 2 :].split()
        if len(fields) < _START_TIME + 1:
            return None
        return _Stat(fields[0] not in _DEAD_STATES, int(fields[1]), int(fields[_START_TIME]) / _TICKS)
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            alive = process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
            return _Stat(alive, process.ppid(), process.create_time())
    except psutil.Error:
        return None


def _carries(pid: int, wanted: bytes) -> bool:
    if _LINUX:
        environ = _read(f"/proc/{pid}/environ", _ENVIRON_LIMIT)
    else:
        import psutil

        try:
            environ = f"{MARK_VARIABLE}={psutil.Process(pid).environ().get(MARK_VARIABLE, '')}".encode()
        except psutil.Error:
            return False
    needle = MARK_VARIABLE.encode() + b"=" + wanted
    at = environ.find(needle)
    while at >= 0:
        end = at + len(needle)
        if environ[at - 1 : at] in (b"", b"\0") and environ[end : end + 1] in (b"", b"\0", b"."):
            return True
        at = environ.find(needle, end)
    return False


def _read(path: str, limit: int) -> bytes:
    """The file's bytes up to a limit; nothing when the process is gone, is not ours, or goes while we read."""
    data = b""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while len(data) < limit and (chunk := os.read(descriptor, _CHUNK)):
                data += chunk
        finally:
            os.close(descriptor)
    except OSError:
        return b""
    return data
