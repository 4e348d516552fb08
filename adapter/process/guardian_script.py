"""The guardian: a process that outlives the daemon by the moment it takes to clean up after it.

Owns: noticing that the daemon is gone (the end of a pipe that only the daemon holds), and ending what it left.
Refuses: to do anything while the daemon lives, and to touch what neither carries the daemon's mark nor was named to it
or seen below what was. Imported by nobody: `adapter.process.guardian` runs it by its path, as
`python -I -S -B guardian_script.py ROOT MARK_PREFIX SCRATCH [SITE]`, where ROOT is the folder that holds the package
`adapter`, SCRATCH the daemon's scratch folder, and SITE the one that holds psutil, which is needed where there is no
/proc.

Its stdin: `+ PID STARTED` names a CLI, `- PID STARTED` takes that back, `bye` says that the daemon goes in good order.
The end of input without `bye` means that the daemon died.

Idle it costs one blocked read and the bare interpreter, 8.9 to 9.6 MB of resident memory with Python 3.11 to 3.13, of
which the larger part is shared with the daemon where Python is a shared library. Hence no import at the top but what
the interpreter has built in: `signal` with its enums, or `dataclasses`, would each add a megabyte or more.
"""

import _signal  # type: ignore[import-not-found]  # built in; the type stubs leave it out
import posix
import sys

_IGNORED = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT)
"""A service manager that ends the daemon signals the guardian as well: all the more reason to stay."""

_POLITE_S = 1.0
"""Seconds for the CLIs to end their tools and write their transcripts after SIGINT. Measured: 0.02 to 0.25 s with
claude 2.1.197; 2.1.329 may take 3.5 s when its stdout is broken, more than the two seconds that are ours."""

_POLL_S = 0.02
"""Seconds between two looks at whether the CLIs are gone."""

_GIVE_UP_S = 10.0
"""Seconds after which the guardian gives up on processes that SIGKILL does not end."""


def main(root: str, mark_prefix: str, scratch: str, *site: str) -> None:
    """Wait for the daemon's farewell or end, then leave nothing behind."""
    for number in _IGNORED:
        _signal.signal(number, _signal.SIG_IGN)
    clis, farewell = _listen()
    sys.path.extend((root, *site))
    _clear(scratch)
    _clean_up({} if farewell else clis, mark_prefix)


def _listen() -> tuple[dict[bytes, None], bool]:
    """Read until `bye` or the end of input; return the CLIs named by then, each as `PID STARTED`, and whether it was
    `bye`."""
    clis: dict[bytes, None] = {}
    rest = b""
    while chunk := posix.read(0, 4096):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line == b"bye":
                return clis, True
            if line.startswith(b"+ "):
                clis[line[2:]] = None
            elif line.startswith(b"- "):
                clis.pop(line[2:], None)
    return clis, False


def _clear(scratch: str) -> None:
    """First of all, because it may hold secrets. Most daemons have none."""
    try:
        posix.stat(scratch)
    except OSError:
        return
    from adapter.process.scratch import clear

    clear(scratch)


def _clean_up(named: dict[bytes, None], mark_prefix: str) -> None:
    import signal
    import time

    from adapter.process.identity import (
        CLEAN_PASSES,
        PASS_PAUSE_S,
        ProcessId,
        descendants,
        is_alive,
        send_signal,
        strike,
    )

    began = time.monotonic()
    clis = [ProcessId(int(pid), float(started)) for pid, started in map(bytes.split, named)]
    below = descendants(*clis)
    for cli in clis:
        send_signal(cli, signal.SIGCONT)
        send_signal(cli, signal.SIGINT)
    while any(map(is_alive, clis)) and time.monotonic() < began + _POLITE_S:
        time.sleep(_POLL_S)
    for cli in clis:
        send_signal(cli, signal.SIGSTOP)
    clean = 0
    while clean < CLEAN_PASSES and time.monotonic() < began + _GIVE_UP_S:
        clean = 0 if strike(mark_prefix, (*clis, *below)) else clean + 1
        time.sleep(PASS_PAUSE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
