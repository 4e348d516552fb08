"""The first words of a parent: what is answered before the daemon is imported, what is left to it, and what that costs.

Owns: the list of what is imported before the first answer. Refuses: to look at the clock. Imported by nobody.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from adapter import opening
from adapter.app import build_providers
from adapter.config import Settings
from adapter.faces.greetings import OPENINGS, describe
from adapter.stdio import Stdio
from protocol.framing import LineFramer, ParentFramer, add_headers
from protocol.initialize import METHOD_NAMES, is_plain
from protocol.methods import METHODS, InitializeParams, InitializeResult

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DAEMON_TIMEOUT_S = 30.0  # two answers take half a second; a loaded machine ten times that

INITIALIZE = b'{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"client_info":{"name":"x"}}}'
INITIALIZE_ACP = (
    b'{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":1,"clientCapabilities":{}}}'
)

OURS = """
    adapter.__main__ adapter.config adapter.faces adapter.faces.greetings adapter.log adapter.opening adapter.process
    adapter.process.environment adapter.providers adapter.standin adapter.stdio
    protocol.errors protocol.events protocol.framing protocol.initialize protocol.jsonrpc protocol.jsontext
    protocol.signals protocol.trust
""".split()
OURS_FOR_ACP = """
    adapter.faces.acp adapter.faces.acp.connection adapter.faces.acp.login
    protocol.mcp_config protocol.model protocol.wire protocol.wire.acp
""".split()
LATER = ("anyio._backends", "asyncio", "importlib.metadata", "jsonrpcserver", "jsonschema", "psutil", "sqlite3", "ssl")


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Stdio, int, int]]:
    """Two pipes: the daemon's side, where to write to it, where to read what it says. Nobody waits for silence."""
    monkeypatch.setattr(opening, "FIRST_WORDS_S", 0.001)
    (ours_in, theirs_out), (theirs_in, ours_out) = os.pipe(), os.pipe()
    yield Stdio(ours_in, ours_out), theirs_out, theirs_in
    for fd in (ours_in, theirs_out, theirs_in, ours_out):
        with suppress(OSError):
            os.close(fd)


def heard(fd: int) -> bytes:
    """What can be read at once."""
    os.set_blocking(fd, False)
    with suppress(BlockingIOError):
        return os.read(fd, 1 << 16)
    return b""


@pytest.mark.parametrize(("face", "message"), [("native", INITIALIZE), ("acp", INITIALIZE_ACP)])
def test_a_plain_initialize_is_answered_and_left_for_the_face_with_what_follows(
    link: tuple[Stdio, int, int], face: str, message: bytes
) -> None:
    stdio, write, read = link
    os.write(write, message + b'\n{"next":1}\n{"half')
    begun = OPENINGS[face](stdio, Settings())
    assert json.loads(heard(read))["id"] == 7
    assert (begun.answered, begun.unsent, begun.ended) == (True, b"", False)
    assert begun.frames == [message, b'{"next":1}']
    assert begun.framer.feed(b'"}\n') == [b'{"half"}']


def test_a_parent_that_frames_with_headers_is_answered_with_headers(link: tuple[Stdio, int, int]) -> None:
    stdio, write, read = link
    os.write(write, add_headers(INITIALIZE))
    assert OPENINGS["native"](stdio, Settings()).answered
    assert heard(read).startswith(b"Content-Length: ")


@pytest.mark.parametrize(
    ("face", "said"),
    [
        ("native", b""),
        ("native", b'{"jsonrpc":'),
        ("native", b"nonsense\n"),
        ("native", b"[" + INITIALIZE + b"]\n"),
        ("native", INITIALIZE.replace(b'"id":7,', b"") + b"\n"),
        ("native", INITIALIZE.replace(b"initialize", b"shutdown") + b"\n"),
        ("native", INITIALIZE.replace(b"client_info", b"clientInfo") + b"\n"),
        ("native", b"Content-Length: x\r\n\r\n"),
        ("acp", INITIALIZE_ACP.replace(b"protocolVersion", b"version") + b"\n"),
    ],
)
def test_everything_else_is_left_to_the_face_as_it_came(link: tuple[Stdio, int, int], face: str, said: bytes) -> None:
    stdio, write, read = link
    os.write(write, said)
    begun = OPENINGS[face](stdio, Settings())
    framer = ParentFramer() if face == "native" else LineFramer(1 << 20)
    assert (begun.answered, begun.frames, begun.ended) == (False, framer.feed(said), False)
    assert begun.framer.eof() == framer.eof()
    assert heard(read) == b""


def test_the_end_of_input_and_a_parent_that_does_not_read_are_left_to_the_face(link: tuple[Stdio, int, int]) -> None:
    stdio, write, read = link
    os.write(write, INITIALIZE + b"\n")
    os.close(read)
    begun = OPENINGS["native"](stdio, Settings())
    assert begun.answered
    assert json.loads(begun.unsent)["id"] == 7
    os.close(write)
    assert OPENINGS["native"](stdio, Settings()).ended


def both_answers(*arguments: str, said: bytes) -> list[dict[str, Any]]:
    """The answers of a daemon that is asked the same twice: the opening's and the face's own."""
    second = said.replace(b'"id":7', b'"id":8')
    command = [sys.executable, "-m", "adapter", *arguments, "--claude-path", "/nowhere/claude", "--idle-timeout", "30"]
    done = subprocess.run(
        command,
        input=said + b"\n" + second + b"\n",
        capture_output=True,
        cwd=ROOT,
        timeout=DAEMON_TIMEOUT_S,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [7, 8]
    return [answer["result"] for answer in answers]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], INITIALIZE),
        (["acp"], INITIALIZE_ACP.replace(b'ies":{}', b'ies":{"auth":{"terminal":true}}')),
    ],
)
def test_the_first_answer_is_the_one_that_the_face_gives(arguments: list[str], said: bytes) -> None:
    first, second = both_answers(*arguments, said=said)
    assert first == second


def test_what_the_native_face_tells_of_itself_is_what_there_is() -> None:
    told, host = describe(Settings()), cast("Any", SimpleNamespace(environment=None, tasks=None))
    InitializeResult.model_validate(told)
    assert tuple(METHODS) == METHOD_NAMES
    assert told["providers"] == build_providers(host, Settings()).names


def test_what_is_plainly_right_is_right() -> None:
    odd: tuple[Any, ...] = (None, True, 0, 1, -1, 2, 2**70, 1.0, 0.5, "", "1", [], ["x"], {}, {"x": 1})
    clients = [{}, *({"name": name, "version": version} for name, version in product(odd, odd)), {"name": "x", "y": 1}]
    asked: list[dict[str, Any]] = [{}, {"x": 1}, *({"protocol_version": version} for version in odd)]
    asked += [{"client_info": client} for client in (*odd, *clients)]
    plain = [params for params in asked if is_plain(params)]
    for params in plain:
        InitializeParams.model_validate(params)
    assert {"client_info": {"name": "x", "y": 1}} in plain


@pytest.mark.parametrize(
    ("arguments", "said", "expected"), [([], INITIALIZE, OURS), (["acp"], INITIALIZE_ACP, OURS + OURS_FOR_ACP)]
)
def test_every_module_before_the_first_answer_is_known(arguments: list[str], said: bytes, expected: list[str]) -> None:
    script = (
        "import json, os, sys\n"
        "from adapter import __main__, opening\n"
        "def tell(*_):\n"
        "    os.write(2, json.dumps(list(sys.modules)).encode())\n"
        "    os._exit(0)\n"
        "opening._answer = tell\n"
        f"__main__.main({arguments!r})\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, input=said + b"\n", capture_output=True, cwd=ROOT, timeout=DAEMON_TIMEOUT_S, check=True
    )
    loaded = json.loads(done.stderr)
    assert {name for name in loaded if name.startswith(("adapter.", "protocol."))} <= {*expected}
    assert [name for name in loaded if name in LATER] == []


IN_AN_IMPORT = """
class Late:
    def __set_name__(self, *_):
        os.kill(os.getpid(), signal.SIGTERM)
    def __init__(self, *_):
        type("Imported", (), {"late": self})
opening.listen = Late
"""
BEFORE_ANYBODY_WAITS_FOR_IT = """
from adapter import app
made = app.new_daemon_id
def late():
    os.kill(os.getpid(), signal.SIGTERM)
    return made()
app.new_daemon_id = late
"""


@pytest.mark.parametrize("when", [IN_AN_IMPORT, BEFORE_ANYBODY_WAITS_FOR_IT])
def test_a_signal_while_the_daemon_starts_is_an_orderly_end(when: str) -> None:
    script = "import os, signal\nfrom adapter import __main__, opening\n" + when + "__main__.main([])\n"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as daemon:
        assert daemon.wait(DAEMON_TIMEOUT_S) == 0
        assert daemon.stderr is not None
        assert b"Traceback" not in daemon.stderr.read()
