"""A cell's scene: a daemon with its sessions at work, and what will have to be gone.

Owns the set-up and the last clean-up. Refuses to judge: rows break something, `promises` and `cell` judge.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import psutil

from tests.faults import parent, processes
from tests.faults.columns import ECHO, HELLO, Column, sessions_of
from tests.faults.processes import CELL, SESSION, Targets, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.faults.clis import Cli
    from tests.faults.parent import Parent
    from tests.support.daemon import Json

SET_UP_S = 30.0
"""Seconds for one step of a set-up. Twenty real CLIs that start four at a time on two cores take 20 s in all."""

STARTS_AT_ONCE = 4
"""Sessions that are set up side by side: more would only make each wait for the others."""

RELAY = Path(__file__).with_name("relay.py")


@dataclass
class Staged:
    """A session at work. `turns` are all accepted messages, `running` the one under way; `idle_since` as
    `time.monotonic` tells it, None while a turn runs."""

    id: str
    variable: str
    column: Column
    pid: int
    provider_session_id: str
    turns: list[str] = field(default_factory=list)
    running: str | None = None
    idle_since: float | None = None


@dataclass
class Scene:
    """A daemon, its parent and its sessions. `daemon` and `guardian` are processes; `parent` may be a relay's."""

    cli: Cli
    folder: Path
    cell: str
    parent: Parent
    daemon: psutil.Process
    guardian: psutil.Process | None
    sessions: list[Staged] = field(default_factory=list)
    deaf: bool = False

    @property
    def workspace(self) -> Path:
        """The sessions' working folder."""
        return self.folder / "workspace"

    @property
    def home(self) -> Path:
        """HOME of the daemon and its CLIs."""
        return self.folder / "home"

    def config(self, column: Column, variable: str) -> dict[str, Any]:
        """The config of a session of this cell."""
        return self.cli.config(column, self.folder, {SESSION: variable}, deaf=self.deaf)

    async def stage(self, column: Column) -> None:
        """Start a session and put it to work."""
        variable = f"{self.cell}.{len(self.sessions)}-{uuid.uuid4().hex[:6]}"
        config = {"working_dir": str(self.workspace), **self.config(column, variable)}
        told = await self.parent.request("start_session", within=SET_UP_S, config=config)
        staged = Staged(told["session_id"], variable, column, told["pid"], told["provider_session_id"])
        self.sessions.append(staged)
        await self._say(staged, HELLO)
        for prompt in column.prompts[: -1 if column.busy else None]:
            await self._say(staged, prompt.text)
        if column.busy:
            staged.running = await self.post(staged, column.prompts[-1].text)
        if column.works and self.cli.is_real:
            staged.idle_since = None
        await self._await_work(staged)

    async def post(self, staged: Staged, text: str) -> str:
        """Send a message; its turn."""
        answer = await self.parent.request("send_message", within=SET_UP_S, session_id=staged.id, message=text)
        staged.turns.append(answer["turn_id"])
        staged.idle_since = None
        return staged.turns[-1]

    async def echo(self, staged: Staged) -> str:
        """Have the session tell what it knows of its conversation."""
        return str((await self._say(staged, ECHO))["result"])

    async def _say(self, staged: Staged, text: str) -> Json:
        turn_id = await self.post(staged, text)
        done = await self.parent.wait_event("turn_completed", turn_id=turn_id, within=SET_UP_S)
        staged.idle_since = time.monotonic()
        assert not done["event"]["is_error"], f"{text!r}: {done['event']['error']}"
        return done["event"]  # type: ignore[no-any-return]

    async def _await_work(self, staged: Staged) -> None:
        """Wait until the session does what its column says, and its conversation is on disk."""
        column = staged.column
        if column.streams:
            await self.parent.wait_event("text_delta", turn_id=staged.running, within=SET_UP_S)
        if column.sleeps:
            await wait_until(f"the sleeps of {column.name}", lambda: self._sleeps_run(staged), SET_UP_S)
        if self.cli.is_real:
            await wait_until("the transcript", lambda: self._is_written(staged), SET_UP_S)

    def _sleeps_run(self, staged: Staged) -> bool:
        running = []
        for process in processes.carrying(SESSION, {staged.variable}):
            try:
                command = process.cmdline()
            except psutil.Error:
                continue
            if len(command) == 2 and command[0].endswith("sleep"):
                running.append(command[1])
        return sorted(running) == sorted(staged.column.sleeps)

    def _is_written(self, staged: Staged) -> bool:
        found = list((self.home / ".claude" / "projects").glob(f"*/{staged.provider_session_id}.jsonl"))
        return bool(found) and '"type":"assistant"' in found[0].read_text("utf-8", "replace")

    def everything(self, *, spared: frozenset[int] = frozenset()) -> Targets:
        """All of this cell: the daemon, the guardian, the CLIs, and what these started."""
        known = [each for each in (self.daemon, self.guardian) if each is not None]
        known += [each for staged in self.sessions for each in self._family(staged)]
        return Targets(CELL, frozenset({self.cell}), known, spared)

    def processes_of(self, *sessions: Staged) -> Targets:
        """The CLIs of some sessions and what they started."""
        known = [each for staged in sessions for each in self._family(staged)]
        return Targets(SESSION, frozenset(staged.variable for staged in sessions), known)

    def _family(self, staged: Staged) -> list[psutil.Process]:
        try:
            cli = psutil.Process(staged.pid)
            # Where the CLI has gone, its PID may be another's by now.
            return processes.below(cli) if cli.environ().get(SESSION) == staged.variable else []
        except psutil.Error:
            return []


@asynccontextmanager
async def set_up(
    cli: Cli, column: Column, *flags: str, relayed: bool = False, deaf: bool = False
) -> AsyncIterator[Scene]:
    """A scene with every session at work. Afterwards nothing of it is left, whatever happened.

    Args:
        cli: which CLI.
        column: what the sessions do.
        flags: the daemon's.
        relayed: whether a parent that can be killed stands between the harness and the daemon.
        deaf: whether the mock ignores SIGTERM, SIGINT and the interrupt request.
    """
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    cell = uuid.uuid4().hex
    for name in ("workspace", "home"):
        (folder / name).mkdir()
    command = [sys.executable, "-m", "adapter", "--claude-path", str(cli.path), *flags]
    environment = cli.environment(folder / "home") | {CELL: cell}
    everything = Targets(CELL, frozenset({cell}))
    try:
        async with parent.run([*([sys.executable, str(RELAY)] if relayed else []), *command], environment) as link:
            link.answer = _allow
            await link.request("initialize", within=SET_UP_S)
            daemon = psutil.Process(await _relayed_pid(link) if relayed else link.process.pid)
            scene = Scene(cli, folder, cell, link, daemon, await _guardian_of(daemon), deaf=deaf)
            await _stage_all(scene, column)
            everything = scene.everything()
            yield scene
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(processes.kill, everything)
            await processes.watch(everything, time.monotonic())
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))


async def _stage_all(scene: Scene, column: Column) -> None:
    first, *others = sessions_of(column)
    await scene.stage(first)
    limiter = anyio.CapacityLimiter(STARTS_AT_ONCE)

    async def stage(each: Column) -> None:
        async with limiter:
            await scene.stage(each)

    async with anyio.create_task_group() as tasks:
        for each in others:
            tasks.start_soon(stage, each)


async def _allow(question: Json) -> Json:
    return {"outcome": "allow"}


async def _relayed_pid(link: Parent) -> int:
    found = re.search(r"relayed PID (\d+)", link.stderr)
    assert found, f"the relay told no PID: {link.stderr}"
    return int(found.group(1))


async def _guardian_of(daemon: psutil.Process) -> psutil.Process | None:
    found: list[psutil.Process] = []

    def is_there() -> bool:
        for child in daemon.children():
            try:
                if any(part.endswith("guardian_script.py") for part in child.cmdline()):
                    found.append(child)
            except psutil.Error:
                continue
        return bool(found)

    await wait_until("the guardian", is_there, SET_UP_S)
    return found[0]
