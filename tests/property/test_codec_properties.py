"""Whatever a CLI writes, the codec translates it or passes it on whole; it never raises and never loses a line."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from protocol import jsontext
from protocol.codecs.claude import ClaudeCodec
from protocol.events import Event, EventParams, Raw
from protocol.wire.claude import SILENT_TYPES
from tests.golden.replay import cli_lines, read, recordings
from tests.property.strategies import damaged, json_values

decode_params = msgspec.json.Decoder(EventParams).decode


@cache
def recorded_lines() -> list[bytes]:
    """One recorded line of every shape: the lines that differ in type, subtype, or the names of their members."""
    shapes: dict[tuple[Any, ...], bytes] = {}
    for path in recordings():
        for line in cli_lines(read(path)):
            value = jsontext.loads(line)
            found = value.get("event") or value.get("request") or value.get("message")
            inner = found if isinstance(found, dict) else {}
            content = inner.get("content")
            blocks = tuple(block.get("type") for block in content) if isinstance(content, list) else ()
            about = (inner.get("type"), inner.get("subtype"), inner.get("tool_name"), blocks)
            shapes.setdefault((value.get("type"), value.get("subtype"), tuple(sorted(value)), about), line)
    return list(shapes.values())


def receive(codec: ClaudeCodec, line: bytes) -> list[Any]:
    """What comes of a line; checked to be fit for the wire."""
    items: list[Any] = list(codec.receive(line))
    for item in items:
        if isinstance(item, Event):
            text = jsontext.dumps(EventParams("session", 1, None, item))  # type: ignore[arg-type]
            assert decode_params(text).event is not None
        else:
            jsontext.dumps(item)
    codec.control.take_replies()
    codec.control.take_answers()
    return items


@given(st.binary(max_size=200))
@example(b'{"type":"stream_event","event":{"type":"content_block_delta","delta":{"type":"text_delta","text":"\xff"}}}')
def test_bytes_that_are_no_json_come_out_whole(data: bytes) -> None:
    items = receive(ClaudeCodec(), data)
    try:
        jsontext.loads(data)
    except ValueError:
        assert items == [Raw(content=data.decode("utf-8", "replace"))]


@given(json_values())
def test_a_value_that_is_no_line_of_the_cli_comes_out_whole(value: Any) -> None:
    line = jsontext.dumps(value)
    assert receive(ClaudeCodec(), line) == [Raw(content=line.decode())]


@given(st.text(max_size=12), st.dictionaries(st.text(max_size=6), json_values(), max_size=4))
def test_a_line_of_an_unknown_type_comes_out_whole(kind: str, members: dict[str, Any]) -> None:
    codec = ClaudeCodec()
    if kind not in SILENT_TYPES and kind not in codec._readers:
        line = jsontext.dumps(members | {"type": kind})
        assert receive(codec, line) == [Raw(content=line.decode())]


@given(st.data())
def test_a_damaged_line_never_raises_and_never_becomes_what_the_wire_forbids(data: st.DataObject) -> None:
    value = data.draw(st.sampled_from(recorded_lines()).map(jsontext.loads).flatmap(damaged))
    receive(ClaudeCodec(), jsontext.dumps(value))


@given(st.data())
def test_a_damaged_run_leaves_the_codec_able_to_go_on(data: st.DataObject) -> None:
    codec = ClaudeCodec()
    codec.prompt("m1", "hi")
    for _ in range(data.draw(st.integers(1, 8))):
        value = jsontext.loads(data.draw(st.sampled_from(recorded_lines())))
        receive(codec, jsontext.dumps(data.draw(damaged(value)) if data.draw(st.booleans()) else value))
    text = jsontext.dumps({"type": "assistant", "message": {"content": [{"type": "text", "text": "still here"}]}})
    assert any("still here" in str(item) for item in receive(codec, text))


@given(st.data())
def test_a_line_cut_or_changed_in_its_bytes_never_raises(data: st.DataObject) -> None:
    line = bytearray(data.draw(st.sampled_from(recorded_lines())))
    for _ in range(data.draw(st.integers(1, 4))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    receive(ClaudeCodec(), bytes(line[: data.draw(st.integers(1, len(line)))]))
