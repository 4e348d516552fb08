"""A parent that can be killed: starts a program, passes its stdin and stdout on, and says its PID on stderr.

`python relay.py PROGRAM ARGUMENT…`. Run as a program, never imported. What it started shares no pipe with anybody
else, so that its death alone closes them.
"""

import os
import subprocess
import sys
import threading


def copy(source: int, target: int) -> None:
    """Pass bytes on until the source ends or the target breaks."""
    try:
        while chunk := os.read(source, 65536):
            while chunk:
                chunk = chunk[os.write(target, chunk) :]
    except OSError:
        pass
    os.close(target)


def main(command: list[str]) -> int:
    """Run the program; its exit code."""
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    print(f"relayed PID {child.pid}", file=sys.stderr, flush=True)
    threading.Thread(target=copy, args=(0, child.stdin.fileno()), daemon=True).start()
    copy(child.stdout.fileno(), 1)
    return child.wait()


if __name__ == "__main__":
    # The interpreter's own closing of streams would find descriptors that are closed already.
    os._exit(main(sys.argv[1:]))
