"""The limit: the least that anything in Python has to do between a CLI and a parent. Run by the benchmarks.

Reads what the pipe holds, splits it, decodes each line once, encodes one notification for each delta, and writes once
per chunk. No event loop, no session, no promise kept: what it costs is what nobody can save. The first argument and
those after it are the CLI's command line; each line of stdin is a prompt.
"""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec

CHUNK = 256 * 1024
END_S = 5.0
HEAD = b'{"jsonrpc":"2.0","method":"event","params":'


class Delta(msgspec.Struct, gc=False):
    """What is decoded of `stream_event.event.delta`."""

    type: str = ""
    text: str = ""


class StreamEvent(msgspec.Struct, gc=False):
    """What is decoded of `stream_event.event`."""

    type: str = ""
    delta: Delta | None = None


class Line(msgspec.Struct, gc=False):
    """What is decoded of a line."""

    type: str = ""
    event: StreamEvent | None = None


class TextDelta(msgspec.Struct, gc=False, tag_field="type", tag="text_delta"):
    """The event that goes out."""

    text: str
    parent_tool_call_id: str | None = None


class Params(msgspec.Struct, gc=False):
    """The params that go out, as in the daemon's contract."""

    session_id: str
    seq: int
    turn_id: str | None
    event: TextDelta


def pass_turn(input: int) -> None:
    """Pass on one turn's deltas."""
    decode, encode = msgspec.json.Decoder(Line).decode, msgspec.json.Encoder().encode
    session_id = turn_id = "0" * 36
    rest, seq, over = b"", 0, False
    while not over and (chunk := os.read(input, CHUNK)):
        *lines, rest = (rest + chunk).split(b"\n")
        out = []
        for text in lines:
            line = decode(text)
            if line.event is not None and line.event.delta is not None and line.event.delta.type == "text_delta":
                seq += 1
                out.append(HEAD + encode(Params(session_id, seq, turn_id, TextDelta(line.event.delta.text))) + b"}\n")
            over = over or line.type == "result"
        if over:
            out.append(b'{"jsonrpc":"2.0","method":"done"}\n')
        view = memoryview(b"".join(out))
        while view:
            view = view[os.write(1, view) :]


def main(command: list[str]) -> int:
    """Serve prompts until the end of input."""
    flags = ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
    cli = subprocess.Popen(
        [*command, *flags, "--include-partial-messages"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert cli.stdin is not None
    assert cli.stdout is not None
    os.write(1, b'{"jsonrpc":"2.0","method":"ready"}\n')
    try:
        for prompt in sys.stdin.buffer:
            message = {"role": "user", "content": prompt.decode()}
            cli.stdin.write(msgspec.json.encode({"type": "user", "message": message}) + b"\n")
            pass_turn(cli.stdout.fileno())
    finally:
        cli.stdin.close()
        try:
            cli.wait(END_S)
        except subprocess.TimeoutExpired:
            cli.kill()
            cli.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
