"""The daemon with the mock CLI behind it, its every word held against the contract, and nothing of it left behind.

Owns: how tests start that pair, choose scenarios and learn what the CLI was told. May be imported by: tests.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import psutil

from tests.support.contract_check import check
from tests.support.daemon import ROOT, Daemon, Json, run_daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

MOCK = ROOT / "mock_clis" / "claude"
RUN_VARIABLE = "MOCK_RUN_OF_A_TEST"
"""Marks everything that a test's daemon starts, whatever the daemon itself does to find it."""

GONE_S = 3.0
"""How long a killed process may take to be gone: longer than the two seconds that the daemon promises."""


@asynccontextmanager
async def mock_daemon(
    *flags: str,
    scenario: str | Path = "default",
    env: Mapping[str, str] | None = None,
    cli: Path = MOCK,
    ends: bool = True,
    finished: bool = True,
) -> AsyncIterator[Daemon]:
    """Run the daemon with the mock behind it, and check the contract at the end.

    Args:
        flags: the daemon's.
        scenario: the mock's, where a session's `config.env` does not choose another.
        env: added to the daemon's environment.
        cli: what to run in the place of the mock.
        ends: see `run_daemon`.
        finished: whether the daemon comes to an orderly end, so that no event may be missing.
    """
    mark = str(uuid.uuid4())
    sent: list[Any] = []
    try:
        with TemporaryDirectory() as folder:
            environment = mock_environment(scenario, mark, folder, env)
            async with run_daemon("--claude-path", str(cli), *flags, env=environment, ends=ends) as daemon:
                write = daemon.send

                async def send(value: Any) -> None:
                    sent.append(value)
                    await write(value)

                daemon.send = send  # type: ignore[method-assign]
                yield daemon
    finally:
        with anyio.CancelScope(shield=True):
            left = await left_behind(mark)
    assert not left, f"the daemon left behind: {left}"
    check(daemon.messages, sent, finished=finished)


def mock_environment(
    scenario: str | Path, mark: str, folder: str, env: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What a daemon with the mock behind it runs in: our environment, the scenario, no time between deltas, a mark, and
    a folder for its settings and its state."""
    chosen = {"MOCK_CLAUDE_SCENARIO": str(scenario), "MOCK_CLAUDE_DELTA_MS": "0", RUN_VARIABLE: mark}
    own = {"XDG_CONFIG_HOME": folder, "XDG_STATE_HOME": folder, "CLAUDE_CONFIG_DIR": os.path.join(folder, "claude")}
    return {**os.environ, **chosen, **own, **(env or {})}


def mocked(scenario: str | Path, *, delta_ms: int | None = None, **config: Any) -> Json:
    """A session's config that chooses a scenario, with real time between its deltas if `delta_ms` is given."""
    env = {"MOCK_CLAUDE_SCENARIO": str(scenario), **config.pop("env", {})}
    if delta_ms is not None:
        env["MOCK_CLAUDE_DELTA_MS"] = str(delta_ms)
    return {"env": env, **config}


@asynccontextmanager
async def session_of(
    daemon: Daemon, working_dir: Path, scenario: str | Path, *, delta_ms: int | None = None, **config: Any
) -> AsyncIterator[str]:
    """A session for a block, in a daemon that others use too; its id."""
    session_id = await daemon.start_session(working_dir, config=mocked(scenario, delta_ms=delta_ms, **config))
    yield session_id
    await daemon.request("stop_session", session_id=session_id)


def write_scenario(folder: Path, *steps: Json, **rest: Any) -> Path:
    """A scenario of one's own, as a file."""
    path = folder / f"scenario-{uuid.uuid4()}.json"
    path.write_text(json.dumps({"steps": steps, **rest}))
    return path


class RecordedCli:
    """The mock under another name, which plays one scenario after the other, one per start, and writes down what it
    was given.

    Args:
        folder: where its files go.
        scenarios: names or files, one per start; the last of them from then on.
    """

    def __init__(self, folder: Path, *scenarios: str | Path) -> None:
        self.path = folder / "claude"
        self._folder = folder / "launches"
        self._folder.mkdir()
        names = [str(scenario) for scenario in scenarios]
        self.path.write_text(_RECORDER.format(python=sys.executable, root=ROOT, folder=self._folder, names=names))
        self.path.chmod(0o755)

    def arguments(self) -> list[list[str]]:
        """The command line of each start."""
        return [json.loads(path.read_text())["argv"] for path in self._files("start")]

    def environment(self) -> list[dict[str, str]]:
        """The environment of each start."""
        return [json.loads(path.read_text())["env"] for path in self._files("start")]

    def told(self) -> list[list[Json]]:
        """The lines on stdin of each start."""
        return [[json.loads(line) for line in path.read_bytes().splitlines()] for path in self._files("stdin")]

    def prompts(self) -> list[list[Any]]:
        """The messages that each start was given."""
        return [[line["message"]["content"] for line in told if line["type"] == "user"] for told in self.told()]

    def _files(self, kind: str) -> Sequence[Path]:
        return sorted(self._folder.glob(f"*.{kind}"))


_RECORDER = """#!{python}
import json, os, sys
sys.path[0] = '{root}'
from mock_clis.claude import main
if '--input-format' in sys.argv:
    scenarios, at = {names!r}, 0
    while True:
        try:
            stdin = open('{folder}/%03d.stdin' % at, 'xb', buffering=0)
            break
        except FileExistsError:
            at += 1
    with open('{folder}/%03d.start' % at, 'w') as start:
        json.dump(dict(argv=sys.argv[1:], env=dict(os.environ)), start)
    os.environ['MOCK_CLAUDE_SCENARIO'] = scenarios[min(at, len(scenarios) - 1)]
    read = os.read
    def recorded(fd, size):
        data = read(fd, size)
        if fd == 0:
            stdin.write(data)
        return data
    os.read = recorded
sys.exit(main(sys.argv[1:]))
"""


def kill(pid: int | None, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a CLI that this test's daemon started."""
    assert pid is not None
    os.kill(pid, number)


async def wait_gone(pid: int | None) -> None:
    """Wait until a process is no more; fails after `GONE_S` seconds."""
    assert pid is not None
    if psutil.pid_exists(pid):
        await anyio.to_thread.run_sync(psutil.Process(pid).wait, GONE_S)


async def left_behind(mark: str) -> list[str]:
    """What a test's daemon started and did not end; it is ended here, so that one failure does not make others."""
    _, left = await anyio.to_thread.run_sync(psutil.wait_procs, marked(mark), GONE_S)
    for process in left:
        process.kill()
    return [str(process) for process in left]


def marked(mark: str) -> list[psutil.Process]:
    """The processes that run with this value of `RUN_VARIABLE`, wherever they are."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN_VARIABLE) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found
