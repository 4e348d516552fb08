"""A small process family to be stopped, swept or guarded; run as a program, never imported.

`python proc_family.py REACTION [KIND ...]` starts one process per KIND, prints their PIDs as one line of JSON and stays
until REACTION; it never ends what it started, so that whoever stops it has to.

REACTION: `eof` leaves with code 0 at the end of stdin, `int` with 7 on SIGINT only (having written the file that the
variable FLUSH_FILE names), `stubborn` never.
KIND: `child`, `setsid` (a session of its own), `double` (forked twice, its parent gone), `scrubbed` (a session of its
own and no environment), `hidden` (no environment, below one that was forked twice), `restless` (forked twice, starts a
new process all the time), `trap` (forked twice, ignores what can be ignored).
"""

import json
import os
import signal
import subprocess
import sys
import time

SLEEP = "sleep 300 >/dev/null 2>&1"
FORKED_TWICE = {
    "double": f"{SLEEP} & echo $!",
    "hidden": f"sh -c 'env -i {SLEEP} & echo $!; wait' & wait_for_nothing=1",
    "restless": "sh -c 'while :; do sleep 0.02; done' >/dev/null 2>&1 & echo $!",
    "trap": f"(trap '' INT TERM HUP; {SLEEP}) >/dev/null 2>&1 & echo $!",
}


def start(kind: str) -> int:
    """Start a process of that kind and return its PID."""
    if kind in FORKED_TWICE:
        shell = subprocess.Popen(["sh", "-c", FORKED_TWICE[kind]], start_new_session=True, stdout=subprocess.PIPE)
        assert shell.stdout is not None
        pid = int(shell.stdout.readline())
        shell.wait()
        return pid
    environment: dict[str, str] | None = {} if kind == "scrubbed" else None
    return subprocess.Popen(["sleep", "300"], start_new_session=kind != "child", env=environment).pid


def flush_and_leave(*_: object) -> None:
    """What a CLI does on SIGINT: write down what it has, and go."""
    if path := os.environ.get("FLUSH_FILE"):
        with open(path, "w") as file:
            file.write("flushed")
    os._exit(7)


def main(reaction: str, *kinds: str) -> None:
    """Start the family, tell of it, and stay."""
    if reaction == "stubborn":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGINT, flush_and_leave if reaction == "int" else signal.SIG_DFL)
    print(json.dumps({kind: start(kind) for kind in kinds}), flush=True)
    if reaction == "eof":
        sys.stdin.buffer.read()
        os._exit(0)
    while True:
        time.sleep(300)


if __name__ == "__main__":
    main(*sys.argv[1:])
