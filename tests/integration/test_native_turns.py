"""SPEC.md, sections 2 and 6: messages wait in order, interrupts end one turn, and every race keeps the promises."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest

from tests.support.daemon import RpcError
from tests.support.mock_daemon import RecordedCli, mock_daemon, mocked, session_of, write_scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.anyio

TICK_MS = 100
"""Between the deltas of a 'slow' answer, which then takes some six seconds: nothing here waits for its end."""

QUEUE = 32
"""Messages that may wait (SPEC-2.9)."""

RACES = 24
"""Sessions whose end is raced for, each by several at once and in its own order; six of them at a time."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """As in the other tests, for a daemon that several tests share."""
    return "asyncio"


@pytest.fixture(scope="module")
async def daemon(anyio_backend: str) -> AsyncIterator[Daemon]:
    """One daemon; each test has its session."""
    async with mock_daemon() as daemon:
        await daemon.request("list_providers")
        yield daemon


async def send(daemon: Daemon, session_id: str, message: Any) -> str:
    """Send a message; its turn's id."""
    return (await daemon.request("send_message", session_id=session_id, message=message))["turn_id"]  # type: ignore[no-any-return]


async def end_of(daemon: Daemon, turn_id: str) -> Json:
    """Wait for a turn's end; its `turn_completed`."""
    return (await daemon.wait_event("turn_completed", turn_id=turn_id))["event"]  # type: ignore[no-any-return]


@pytest.mark.spec("5.5")
async def test_a_turn_has_its_deltas_its_message_its_usage_and_its_sum(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "thinking") as session_id:
        turn_id = await send(daemon, session_id, "what is it?")
        ended = await end_of(daemon, turn_id)
        kinds = [params["event"]["type"] for params in daemon.events(turn_id=turn_id)]
        assert kinds[0] == "turn_started"
        assert {"thinking_delta", "text_delta", "message", "usage"} < set(kinds)
        assert kinds.index("thinking_delta") < kinds.index("text_delta")
        assert daemon.text(turn_id) == ended["result"] == "The answer is 42."
        assert (ended["stop_reason"], ended["num_turns"]) == ("end_turn", 1)
        assert ended["usage"]["input_tokens"] > 0
        assert ended["cost_usd"] > 0


async def test_the_list_adds_up_what_the_turns_have_cost(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "text_turn") as session_id:
        turns = [await daemon.turn(session_id, message) for message in ("a", "bb" * 100, "ccc" * 1000)]
        sessions = (await daemon.request("list_sessions"))["sessions"]
        (entry,) = [session for session in sessions if session["session_id"] == session_id]
        assert (entry["turns"], entry["state"], entry["working_dir"]) == (3, "idle", str(workspace))
        assert entry["cost_usd"] == pytest.approx(sum(turn["cost_usd"] for turn in turns))
        for name in ("input_tokens", "output_tokens"):
            assert entry["usage"][name] == sum(turn["usage"][name] for turn in turns)


@pytest.mark.spec("5.4")
async def test_what_became_known_with_the_first_turn_is_told_as_an_update(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "text_turn") as session_id:
        started = (await daemon.wait_event("session_started", session_id=session_id))["event"]
        assert (started["working_dir"], started["runtime_mode"]) == (str(workspace), "supervised")
        assert (started["model"], started["tools"]) == (None, None)
        await daemon.turn(session_id, "hello")
        update = (await daemon.wait_event("session_updated", session_id=session_id))["event"]
        assert update["model"] == "claude-mock-1"
        assert "Bash" in update["tools"]
        await daemon.turn(session_id, "hello again")
        updates = [p for p in daemon.events(session_id) if p["event"]["type"] == "session_updated"]
        assert len(updates) == 1, "what is no news is not told again"


async def test_content_blocks_reach_the_cli_as_they_are(workspace: Path, tmp_path: Path) -> None:
    cli = RecordedCli(tmp_path, "text_turn")
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    blocks: list[Json] = [{"type": "text", "text": 'look:\n\u2028 "ö"'}, {"type": "image", "source": source}]
    async with mock_daemon(cli=cli.path) as daemon:
        session_id = await daemon.start_session(workspace)
        assert (await daemon.turn(session_id, blocks))["result"].startswith("You said: look:")
    assert cli.prompts() == [[blocks]]


async def test_a_broken_block_is_refused_at_its_place_and_costs_nothing(daemon: Daemon, workspace: Path) -> None:
    broken = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "%"}}
    strange = {"type": "image", "source": {"type": "tape"}}
    async with session_of(daemon, workspace, "text_turn") as session_id:
        with pytest.raises(RpcError) as raised:
            await send(daemon, session_id, [{"type": "text", "text": "look"}, broken, strange])
        assert raised.value.code == -32602
        paths = [error["path"] for error in raised.value.data["errors"]]
        assert paths == ["message.1.source.data", "message.2.source"]
        assert (await daemon.turn(session_id, "hello"))["result"] == "You said: hello"


async def test_messages_run_one_at_a_time_and_in_order(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "text_turn", delta_ms=5) as session_id:
        posts = [await daemon.post("send_message", session_id=session_id, message=f"no. {at}") for at in range(8)]
        turns = [(await daemon.wait_response(post))["result"] for post in posts]
        results = [(await end_of(daemon, turn["turn_id"]))["result"] for turn in turns]
        assert results == [f"You said: no. {at}" for at in range(8)]
        assert [turn["queued"] for turn in turns] == list(range(8))
        order = [p["turn_id"] for p in daemon.events(session_id) if p["event"]["type"] == "turn_started"]
        assert order == [turn["turn_id"] for turn in turns]


async def test_the_queue_is_bounded_and_a_stop_ends_every_turn_in_it(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "default", delta_ms=TICK_MS) as session_id:
        first = await send(daemon, session_id, "slow")
        await daemon.wait_event("text_delta", turn_id=first)
        accepted = [first]
        for at in range(QUEUE):
            sent = await daemon.request("send_message", session_id=session_id, message=f"no. {at}")
            assert sent["queued"] == at + 1
            accepted.append(sent["turn_id"])
        with pytest.raises(RpcError) as caught:
            await send(daemon, session_id, "one too many")
        assert (caught.value.code, caught.value.data["kind"]) == (-32006, "busy")
        await daemon.request("stop_session", session_id=session_id)
        assert [(await end_of(daemon, turn_id))["stop_reason"] for turn_id in accepted] == ["interrupted"] * (QUEUE + 1)


async def test_an_interrupt_ends_the_running_turn_and_lets_the_waiting_ones_run(
    daemon: Daemon, workspace: Path
) -> None:
    async with session_of(daemon, workspace, "default", delta_ms=TICK_MS) as session_id:
        running = await send(daemon, session_id, "slow")
        waiting = [await send(daemon, session_id, "hello") for _ in range(2)]
        await daemon.wait_event("text_delta", turn_id=running)
        assert await daemon.request("interrupt", session_id=session_id) == {"interrupted": True}
        ended = await end_of(daemon, running)
        assert (ended["stop_reason"], ended["is_error"], ended["error"]) == ("interrupted", False, None)
        assert [(await end_of(daemon, turn_id))["stop_reason"] for turn_id in waiting] == ["end_turn"] * 2


async def test_an_interrupt_in_the_middle_of_a_tool_completes_its_call(daemon: Daemon, tmp_path: Path) -> None:
    tool: Json = {"tool": "Bash", "id": "toolu_slow", "input": {"command": "sleep"}, "takes_ms": 30_000}
    path = write_scenario(tmp_path, {"turn": [tool]}, {"forever": [{"turn": [{"text": "fine"}]}]})
    async with session_of(daemon, tmp_path, path) as session_id:
        turn_id = await send(daemon, session_id, "go")
        await daemon.wait_event("tool_call_input", turn_id=turn_id)
        await daemon.request("interrupt", session_id=session_id)
        assert (await end_of(daemon, turn_id))["stop_reason"] == "interrupted"
        assert (await daemon.wait_event("tool_call_output", turn_id=turn_id))["event"]["is_error"]
        assert (await daemon.turn(session_id, "still there?"))["result"] == "fine"


async def test_two_interrupts_at_once_are_both_answered(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "default", delta_ms=TICK_MS) as session_id:
        turn_id = await send(daemon, session_id, "slow")
        await daemon.wait_event("text_delta", turn_id=turn_id)
        line = '{"jsonrpc":"2.0","id":"i%d","method":"interrupt","params":{"session_id":"%s"}}\n'
        await daemon.send_raw("".join(line % (at, session_id) for at in range(3)).encode())
        assert [(await daemon.wait_response(f"i{at}"))["result"]["interrupted"] for at in range(3)] == [True] * 3
        assert (await end_of(daemon, turn_id))["stop_reason"] == "interrupted"


async def test_an_interrupt_of_an_idle_session_says_that_nothing_ran(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "text_turn") as session_id:
        assert await daemon.request("interrupt", session_id=session_id) == {"interrupted": False}
        assert (await daemon.turn(session_id, "hello"))["stop_reason"] == "end_turn"
        assert await daemon.request("interrupt", session_id=session_id) == {"interrupted": False}


async def test_an_interrupt_on_the_heels_of_a_message_ends_that_turn(daemon: Daemon, workspace: Path) -> None:
    """However many requests lie between the two: each distance meets the message at another step of its way."""
    async with session_of(daemon, workspace, "default", delta_ms=TICK_MS) as session_id:
        for between in (0, 0, 1, 2, 3, 4, 5, 8, 12, 20):
            sent = await daemon.post("send_message", session_id=session_id, message="slow")
            for _ in range(between):
                await daemon.post("initialize")
            interrupt = await daemon.post("interrupt", session_id=session_id)
            with anyio.fail_after(4):
                # Well under the grace time: the CLI yields by itself, so nothing may wait that out.
                assert (await daemon.wait_response(interrupt))["result"] == {"interrupted": True}
            turn_id = (await daemon.wait_response(sent))["result"]["turn_id"]
            assert (await end_of(daemon, turn_id))["stop_reason"] == "interrupted"
        assert [p for p in daemon.events(session_id) if p["event"]["type"] == "notice"] == [], "the CLI was replaced"


async def test_a_message_sent_with_its_interrupt_in_one_batch_is_interrupted(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "default", delta_ms=TICK_MS) as session_id:
        params: Json = {"session_id": session_id}
        await daemon.send(
            [
                {"jsonrpc": "2.0", "id": "b1", "method": "send_message", "params": {**params, "message": "slow"}},
                {"jsonrpc": "2.0", "id": "b2", "method": "interrupt", "params": params},
            ]
        )
        turn_id = (await daemon.wait_response("b1"))["result"]["turn_id"]
        assert (await end_of(daemon, turn_id))["stop_reason"] == "interrupted"
        assert (await daemon.turn(session_id, "hello"))["stop_reason"] == "end_turn"


async def test_model_and_runtime_mode_change_with_an_update_each(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "tool_allowed") as session_id:
        assert await daemon.request("set_model", session_id=session_id, model="claude-other-2") == {}
        await daemon.wait_event("session_updated", session_id=session_id, model="claude-other-2")
        assert await daemon.request("set_runtime_mode", session_id=session_id, runtime_mode="accept_edits") == {}
        await daemon.wait_event("session_updated", session_id=session_id, runtime_mode="accept_edits")
        sessions = (await daemon.request("list_sessions"))["sessions"]
        assert "claude-other-2" in [session["model"] for session in sessions]


async def test_whatever_ends_a_session_at_once_it_ends_once(workspace: Path) -> None:
    """`mock_daemon` holds each of them against the promises: one end of each turn and one end of the session."""
    chance = random.Random(20250711)
    async with mock_daemon("--interrupt-grace", "0.5") as daemon:
        async with anyio.create_task_group() as tasks:
            limiter = anyio.CapacityLimiter(6)
            for _ in range(RACES):
                acts = [chance.choice(("send", "send", "interrupt", "stop", "kill", "model")) for _ in range(6)]
                delay_ms = chance.choice((0, 1, 5))
                tasks.start_soon(race, daemon, workspace, limiter, [*acts, "stop"], delay_ms)
        ended = [p["event"]["reason"] for p in daemon.events() if p["event"]["type"] == "session_ended"]
        assert len(ended) == RACES
        assert set(ended) == {"stopped"}


async def race(daemon: Daemon, workspace: Path, limiter: anyio.CapacityLimiter, acts: list[str], delta_ms: int) -> None:
    """Do all of it without waiting for anything, and then wait for the session's end."""
    async with limiter:
        started = await daemon.request(
            "start_session", config={"working_dir": str(workspace), **mocked("default", delta_ms=delta_ms)}
        )
        session_id = started["session_id"]
        cli = psutil.Process(started["pid"])
        for act in acts:
            if act == "send":
                await daemon.post("send_message", session_id=session_id, message="slow")
            elif act == "model":
                await daemon.post("set_model", session_id=session_id, model="claude-other")
            elif act == "kill":
                with contextlib.suppress(psutil.NoSuchProcess):
                    cli.kill()
            else:
                method = {"interrupt": "interrupt", "stop": "stop_session"}[act]
                await daemon.post(method, session_id=session_id)
        await daemon.wait_event("session_ended", session_id=session_id)
