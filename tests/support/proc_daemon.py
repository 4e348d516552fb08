"""A daemon with a guardian and nothing else, to be killed; run as a program, never imported.

`python proc_daemon.py DAEMON_ID REACTION [KIND ...]` starts the guardian and a family (`proc_family.py`), prints
`{"guardian": PID, "head": PID, KIND: PID, ...}`, and stays. When the guardian is replaced it prints
`{"guardian": PID}`. With UNWATCHED in the environment the guardian is not told of the family.
"""

import json
import os
import sys

import anyio

from adapter.process.guardian import Guardian
from adapter.process.identity import new_mark
from tests.support.proc_target import family


class TellingGuardian(Guardian):
    """Prints the PID of every guardian after the first."""

    told = False

    async def _spawn(self) -> None:
        await super()._spawn()
        if self.told:
            print(json.dumps({"guardian": self.pid}), flush=True)


async def main(*arguments: str) -> None:
    """Start everything, tell of it, and stay until killed."""
    daemon_id, reaction, *kinds = arguments
    async with anyio.create_task_group() as tasks:
        guardian = TellingGuardian(daemon_id)
        await guardian.start(tasks)
        async with family(reaction, *kinds, mark=new_mark(daemon_id), flush_file=os.environ.get("FLUSH_FILE")) as head:
            if "UNWATCHED" not in os.environ:
                guardian.watch(head.identity)
            guardian.told = True
            pids = {"guardian": guardian.pid, "head": head.pid}
            print(json.dumps(pids | {kind: member.pid for kind, member in head.members.items()}), flush=True)
            await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
