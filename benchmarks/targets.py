"""How each thing under measurement is started and spoken to: ours, the peers, the bare loop, the CLI alone.

All get the same CLI, the same environment and the same orders. Owns the command lines and the few messages that a
measurement needs; reading and ending is `link`'s.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.link import WAIT_S, Failed, Link
from benchmarks.peers import CACHE, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.peers import Peer

DISCARD_PORT = 9
"""Where the real CLI finds nobody: no measurement needs a model."""

HANDSHAKE = {"type": "control_request", "request_id": "1", "request": {"subtype": "initialize", "hooks": {}}}
CLI_FLAGS = [
    "--input-format", "stream-json", "--output-format", "stream-json", "--verbose", "--include-partial-messages",
    "--permission-prompt-tool", "stdio",
]  # fmt: skip


class Place:
    """A temporary home for one run: state, settings and working folders of everything that is started."""

    def __init__(self) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(dir=CACHE, prefix="run-", ignore_cleanup_errors=True)
        self.home = Path(self._folder.name)
        self.work = self.home / "work"
        self.work.mkdir()
        (self.home / "tmp").mkdir()
        self.mock = self._write_mock()

    def close(self) -> None:
        """Delete it."""
        self._folder.cleanup()

    def environment(self) -> dict[str, str]:
        """The environment of everything that is started; of ours it has only PATH."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "XDG_STATE_HOME": str(self.home / "state"),
            "ANTHROPIC_API_KEY": "sk-test",
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{DISCARD_PORT}",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_TMPDIR": str(self.home / "tmp"),
            "DISABLE_AUTOUPDATER": "1",
        }

    def _write_mock(self) -> str:
        """An executable file for the mock: a shell is the quickest way to hand an interpreter its flags."""
        path = self.home / "claude"
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{ROOT / "benchmarks" / "mock_cli.py"}" "$@"\n')
        path.chmod(0o755)
        return str(path)


class Target:
    """Something under measurement."""

    name: ClassVar[str]
    delta: ClassVar[bytes]
    """On every line that brings a delta to the parent, and on no other."""
    end: ClassVar[bytes]
    """On the line that tells the end of a turn."""

    def __init__(self, place: Place, command: list[str], *, wide: bool = False, **extra_env: str) -> None:
        self.place = place
        env = place.environment() | extra_env
        self.link = Link(command, env=env, cwd=str(place.work), wide=wide)

    def initialize(self) -> None:
        """Wait until it answers."""

    def open(self) -> str:
        """Have a session; its id."""
        return ""

    def shut(self, session: str) -> None:
        """End a session."""

    def prompt(self, session: str, order: Mapping[str, float]) -> None:
        """Send an order to the session's CLI."""
        raise NotImplementedError


class _Rpc(Target):
    """What speaks JSON-RPC."""

    _next = 0

    def post(self, method: str, **params: Any) -> int:
        """Send a request; its id."""
        self._next += 1
        self.link.send(json.dumps({"jsonrpc": "2.0", "id": self._next, "method": method, "params": params}).encode())
        return self._next

    def call(self, method: str, **params: Any) -> Any:
        """Send a request and wait for its result."""
        return self.result(self.post(method, **params))

    def result(self, id: int) -> Any:
        """Wait for a result; what comes before it is passed over."""
        mark = re.compile(rb'"id": ?%d[,}]' % id)
        answer = json.loads(self.link.wait_line(lambda line: b'"method"' not in line[:60] and bool(mark.search(line))))
        if "error" in answer:
            raise Failed(f"{answer['error']['code']}: {answer['error']['message']}")
        return answer["result"]


class Ours(_Rpc):
    """The daemon, by its native contract."""

    name = "ours"
    delta = b'{"type":"text_delta"'
    end = b'{"type":"turn_completed"'

    def __init__(self, place: Place, *flags: str, cli: str | None = None, wide: bool = False) -> None:
        command = [sys.executable, "-m", "adapter", "--claude-path", cli or place.mock, "--max-sessions", "512"]
        super().__init__(place, [*command, *flags], wide=wide, PYTHONPATH=str(ROOT))

    def initialize(self) -> None:
        self.call("initialize")

    def open(self) -> str:
        return str(self.call("start_session", config={"working_dir": str(self.place.work)})["session_id"])

    def open_many(self, count: int, at_once: int = 8) -> list[str]:
        """Have so many sessions, some of them started at the same time."""
        config = {"working_dir": str(self.place.work)}
        ids: list[str] = []
        while len(ids) < count:
            asked = [self.post("start_session", config=config) for _ in range(min(at_once, count - len(ids)))]
            ids += self._opened(asked)
        return ids

    def _opened(self, asked: Iterable[int]) -> list[str]:
        open, found = set(asked), []
        while open:
            for line in self.link.lines():
                message = json.loads(line)
                if message.get("id") in open:
                    open.discard(message["id"])
                    if "error" in message:
                        raise Failed(f"start_session: {message['error']['message']}")
                    found.append(str(message["result"]["session_id"]))
        return found

    def shut(self, session: str) -> None:
        self.call("stop_session", session_id=session)

    def prompt(self, session: str, order: Mapping[str, float]) -> None:
        self.post("send_message", session_id=session, message=json.dumps(order))


class _Acp(_Rpc):
    """What speaks the Agent Client Protocol."""

    delta = b'"agent_message_chunk"'
    end = b'"stopReason"'

    def initialize(self) -> None:
        self.call("initialize", protocolVersion=1, clientCapabilities={})

    def open(self) -> str:
        return str(self.call("session/new", cwd=str(self.place.work), mcpServers=[])["sessionId"])

    def shut(self, session: str) -> None:
        self.call("session/close", sessionId=session)

    def prompt(self, session: str, order: Mapping[str, float]) -> None:
        self.post("session/prompt", sessionId=session, prompt=[{"type": "text", "text": json.dumps(order)}])


class Acp(_Acp):
    """claude-agent-acp."""

    name = "claude-agent-acp"

    def __init__(self, place: Place, peer: Peer, *, cli: str | None = None, wide: bool = False) -> None:
        super().__init__(place, peer.command, wide=wide, CLAUDE_CODE_EXECUTABLE=cli or place.mock)


class OursAcp(_Acp):
    """The daemon, by the same protocol."""

    name = "ours"

    def __init__(self, place: Place, *, cli: str | None = None, wide: bool = False) -> None:
        command = [sys.executable, "-m", "adapter", "acp", "--claude-path", cli or place.mock, "--max-sessions", "512"]
        super().__init__(place, command, wide=wide, PYTHONPATH=str(ROOT))


class Sdk(Target):
    """claude-agent-sdk, inside the program that uses it."""

    name = "claude-agent-sdk"
    delta = b'"deltas": '
    end = b'"method": "done"'

    def __init__(self, place: Place, peer: Peer, *, wide: bool = False) -> None:
        super().__init__(place, [*peer.command, place.mock], wide=wide)

    def initialize(self) -> None:
        self.link.wait_line(lambda line: b'"ready"' in line)

    def prompt(self, session: str, order: Mapping[str, float]) -> None:
        self.link.send(json.dumps(order).encode())


class Bare(Target):
    """The bare decode-and-encode loop."""

    name = "bare loop"
    delta = b'{"type":"text_delta"'
    end = b'"method":"done"'

    def __init__(self, place: Place, *, wide: bool = False) -> None:
        super().__init__(place, [sys.executable, str(ROOT / "benchmarks" / "bare.py"), place.mock], wide=wide)

    def initialize(self) -> None:
        self.link.wait_line(lambda line: b'"ready"' in line)

    def prompt(self, session: str, order: Mapping[str, float]) -> None:
        self.link.send(json.dumps(order).encode())


class Cli(Target):
    """The CLI alone, on a bare pipe: what is there without any adapter."""

    name = "CLI alone"
    delta = b'"text_delta"'
    end = b'"duration_api_ms"'

    def __init__(self, place: Place, cli: str | None = None, *, wide: bool = False) -> None:
        super().__init__(place, [cli or place.mock, *CLI_FLAGS], wide=wide)

    def initialize(self) -> None:
        self.link.send(json.dumps(HANDSHAKE).encode())
        self.link.wait_line(lambda line: b'"control_response"' in line, WAIT_S)

    def prompt(self, session: str, order: Mapping[str, float]) -> None:
        message = {"role": "user", "content": json.dumps(order)}
        self.link.send(json.dumps({"type": "user", "message": message}).encode())
