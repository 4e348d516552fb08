"""What a turn looks like with the real CLI: text, thinking, content blocks, size, order."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING

import pytest

from tests.support.bell import Bell
from tests.support.model_server.scenarios import UNICODE
from tests.support.real_session import allow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.real_session import Stage, Talk

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

LONG_PROMPT = 10_000_000
"""Bytes: a third of the longest message that the daemon takes."""


async def test_a_text_turn_streams_its_deltas_then_its_message_its_usage_and_its_cost(
    stage: Stage, workspace: Path
) -> None:
    async with stage.session(workspace) as talk:
        heard = await talk.turn("SC:hello")
    assert [event["type"] for event in heard.events] == [
        "turn_started", "session_updated", "text_delta", "text_delta", "text_delta", "message", "usage",
        "turn_completed",
    ]  # fmt: skip
    assert [delta["text"] for delta in heard.all("text_delta")] == ["Hello ", "there, ", "friend."]
    assert heard.one("turn_started")["origin"] == "message"
    assert heard.one("message")["content"] == [{"type": "text", "text": "Hello there, friend."}]
    counts = {"input_tokens": 10, "output_tokens": 9, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    assert heard.one("usage").items() >= counts.items()
    end = heard.completed
    assert (end["stop_reason"], end["is_error"], end["error"], end["num_turns"]) == ("end_turn", False, None, 1)
    assert end["result"] == "Hello there, friend."
    assert end["usage"] == counts
    assert end["cost_usd"] > 0
    assert end["duration_ms"] > 0


async def test_a_second_turn_runs_in_the_same_process_with_the_context_of_the_first(
    stage: Stage, workspace: Path
) -> None:
    async with stage.session(workspace) as talk:
        first = await talk.turn("SC:hello")
        second = await talk.turn("SC:echo")
        entry = await talk.entry()
    assert second.text == "history: 2 user messages; first: SC:hello"
    assert entry["pid"] == talk.started["pid"]
    assert (entry["turns"], entry["state"], entry["provider_session_id"]) == (2, "idle", talk.provider_session_id)
    assert entry["usage"]["output_tokens"] == 18
    # The CLI counts costs up over its process; a turn's are its own.
    assert entry["cost_usd"] == pytest.approx(first.completed["cost_usd"] * 2)
    assert second.completed["cost_usd"] == pytest.approx(first.completed["cost_usd"])
    # Only with its first result does the CLI tell the size of its context.
    assert second.one("usage")["context_window"] > 100_000


async def test_thinking_streams_apart_from_the_text_and_stands_in_the_messages(stage: Stage) -> None:
    async with stage.conversation() as talk:
        heard = await talk.turn("SC:think")
    assert [delta["text"] for delta in heard.all("thinking_delta")] == ["Let me ", "think."]
    assert heard.text == heard.completed["result"] == "Thought through."
    blocks = [block for message in heard.all("message") for block in message["content"]]
    assert [block["type"] for block in blocks] == ["thinking", "text"]
    assert blocks[0]["thinking"] == "Let me think."


async def test_text_and_image_blocks_reach_the_model_as_they_are(stage: Stage) -> None:
    picture = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(_png()).decode()}
    async with stage.conversation() as talk:
        blocks = [{"type": "image", "source": picture}, {"type": "text", "text": "SC:hello"}]
        heard = await talk.turn(blocks)
        content = talk.requests[-1].body["messages"][0]["content"]
    assert heard.text == "Hello there, friend."
    (image,) = [block for block in content if block["type"] == "image"]
    assert (image["source"]["type"], image["source"]["media_type"]) == ("base64", "image/png")
    assert base64.b64decode(image["source"]["data"])


async def test_text_of_every_script_arrives_unharmed_both_ways(stage: Stage) -> None:
    async with stage.conversation() as talk:
        heard = await talk.turn(f"{UNICODE}\nSC:unicode")
        request = talk.requests[-1]
    assert heard.text == UNICODE
    assert heard.completed["result"] == UNICODE
    # The model server strips the white space around what was said; of this text nothing is at the ends.
    assert UNICODE in request.conversation.prompts[-1]


async def test_a_delta_far_longer_than_a_pipe_arrives_whole(stage: Stage) -> None:
    async with stage.conversation() as talk:
        heard = await talk.turn("SC:bigtext 3000000")
    assert heard.text == heard.completed["result"] == "x" * 3_000_000


async def test_a_prompt_of_ten_megabytes_reaches_the_cli_whole(stage: Stage) -> None:
    async with stage.conversation() as talk:
        heard = await talk.turn("y" * LONG_PROMPT + "\nSC:hello")
        if stage.is_old:
            assert talk.requests[-1].conversation.prompts[-1].count("y") == LONG_PROMPT
            assert heard.text == "Hello there, friend."
        else:
            # It counts the tokens by itself, and asks the model nothing that is too long for it.
            assert talk.requests == []
            assert heard.completed["error"]["message"] == "Prompt is too long"
            assert (await talk.turn("SC:two")).text == "Second answer."


async def test_a_slash_command_is_a_turn_that_the_cli_answers_by_itself(stage: Stage) -> None:
    async with stage.conversation() as talk:
        heard = await talk.turn("/context")
        assert talk.requests == []
        after = await talk.turn("SC:hello")
    assert heard.completed["stop_reason"] == "end_turn"
    assert "tokens" in heard.text.lower()
    assert after.text == "Hello there, friend."


async def test_a_message_sent_while_a_turn_runs_is_a_later_request_of_its_own(stage: Stage) -> None:
    gate = f"busy {stage.version}"
    async with stage.conversation() as talk:
        first = await talk.send(f"SC:gate {gate}")
        await talk.wait("text_delta", turn_id=first)
        answer = await talk.call("send_message", message="SC:two")
        assert answer["queued"] == 1
        assert len(talk.requests) == 1
        stage.server.release(gate)
        one, two = await talk.heard(first), await talk.heard(answer["turn_id"])
        prompts = [request.conversation.prompts for request in talk.requests]
    assert (one.text, two.text) == ("First half, second half.", "Second answer.")
    assert prompts == [(f"SC:gate {gate}",), (f"SC:gate {gate}", "SC:two")]
    _assert_apart(talk, [one.id, two.id])


async def test_a_message_sent_while_a_tool_runs_is_not_folded_into_the_turn(stage: Stage, workspace: Path) -> None:
    """The CLI would fold it in at the next tool boundary, and the parent would wait for its turn for ever."""
    with Bell(workspace / "going") as going, Bell(workspace / "go") as go:
        async with stage.conversation(allow()) as talk:
            first = await talk.send(f"SC:bash echo on > {going}; read x < {go}")
            await going.heard()
            second = await talk.send("SC:two")
            go.ring()
            one, two = await talk.heard(first), await talk.heard(second)
    assert (one.text, two.text) == ("Command finished.", "Second answer.")
    _assert_apart(talk, [first, second])


async def test_three_messages_at_once_are_three_turns_in_their_order(stage: Stage) -> None:
    """The CLI would merge the second and the third into one."""
    async with stage.conversation() as talk:
        turns = [await talk.send(text) for text in ("SC:hello", "SC:two", "SC:echo")]
        heard = [await talk.heard(turn) for turn in turns]
        prompts = [request.conversation.prompts[-1] for request in talk.requests]
    assert [each.text for each in heard] == [
        "Hello there, friend.", "Second answer.", "history: 3 user messages; first: SC:hello",
    ]  # fmt: skip
    assert prompts == ["SC:hello", "SC:two", "SC:echo"]
    _assert_apart(talk, turns)


async def test_two_sessions_run_side_by_side_and_keep_to_themselves(
    stage: Stage, workspace: Path, tmp_path: Path
) -> None:
    gate = f"side by side {stage.version}"
    async with stage.session(workspace) as held, stage.session(tmp_path) as free:
        turn = await held.send(f"SC:gate {gate}")
        await held.wait("text_delta", turn_id=turn)
        # The other one's turn begins and ends while the first one's waits.
        assert (await free.turn("SC:two")).text == "Second answer."
        assert not [params for params in held.events if params["event"]["type"] == "turn_completed"]
        stage.server.release(gate)
        assert (await held.heard(turn)).text == "First half, second half."
        assert (await free.turn("SC:echo")).text == "history: 2 user messages; first: SC:two"
    assert held.started["pid"] != free.started["pid"]
    assert held.provider_session_id != free.provider_session_id


def _assert_apart(talk: Talk, turns: list[str]) -> None:
    """The events of these turns come one turn after the other."""
    order = [params["turn_id"] for params in talk.events if params["turn_id"] is not None]
    assert [turn for at, turn in enumerate(order) if at == 0 or order[at - 1] != turn] == turns


def _png() -> bytes:
    """A picture of 8 by 8 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([200, 30, 30]) * 8 for _ in range(8))
    head = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
