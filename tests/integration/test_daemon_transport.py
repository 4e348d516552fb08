"""SPEC.md, section 1: framings, what is not a message, batches, and requests that run side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.daemon import RpcError
from tests.support.mock_daemon import mock_daemon, mocked
from tests.support.raw_daemon import framed, raw_daemon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Json

pytestmark = pytest.mark.anyio

SLOW = mocked("default", delta_ms=20)
"""The default scenario with real time between its deltas: 'slow' in a prompt then takes about two seconds."""


NO_REQUESTS: list[tuple[bytes, int, Any]] = [
    (b"this is no JSON", -32700, None),
    (b'{"jsonrpc":"2.0","id":1,"method":', -32700, None),
    (b"\xff\xfe\x00\x80", -32700, None),
    (b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"x":NaN}}', -32700, None),
    (b"[" * 100_000, -32700, None),
    (b"[]", -32600, None),
    (b"17", -32600, None),
    (b'"text"', -32600, None),
    (b"null", -32600, None),
    (b"{}", -32600, None),
    (b'{"id":5,"method":"initialize"}', -32600, 5),
    (b'{"jsonrpc":"1.0","id":"a","method":"initialize"}', -32600, "a"),
    (b'{"jsonrpc":"2.0","id":6}', -32600, 6),
    (b'{"jsonrpc":"2.0","id":7,"method":8}', -32600, 7),
    (b'{"jsonrpc":"2.0","id":{},"method":"initialize"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":true,"method":"initialize"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":8,"method":"no_such_method"}', -32601, 8),
    (b'{"jsonrpc":"2.0","id":9,"method":"initialize","params":[1,2]}', -32602, 9),
    (b'{"jsonrpc":"2.0","id":10,"method":"initialize","params":"x"}', -32602, 10),
]
"""Lines, and the code and the id of the error that each gets."""


@pytest.mark.spec("1.8")
async def test_what_is_no_request_gets_its_error_and_the_connection_lives_on() -> None:
    async with mock_daemon() as daemon:
        found = []
        for line, _, _ in NO_REQUESTS:
            seen = len(daemon.messages)
            await daemon.send_raw(line + b"\n")
            answer = await daemon.wait_for(lambda message: "error" in message, after=seen)
            found.append((line, answer["error"]["code"], answer["id"]))
            assert (await daemon.request("initialize"))["protocol_version"] == 1
        assert found == NO_REQUESTS
        assert len([message for message in daemon.messages if "error" in message]) == len(NO_REQUESTS)


BAD_PARAMS: list[tuple[str, Json, str]] = [
    ("initialize", {"protocol_versoin": 1}, "protocol_versoin"),
    ("initialize", {"protocol_version": "1"}, "protocol_version"),
    ("health_check", {"provider": 7}, "provider"),
    ("list_providers", {"x": 1}, "x"),
    ("start_session", {}, "config"),
    ("start_session", {"config": {}}, "config.working_dir"),
    ("start_session", {"config": {"working_dir": "/", "working_dri": "/"}}, "config.working_dri"),
    ("start_session", {"config": {"working_dir": "/", "runtime_mode": "yolo"}}, "config.runtime_mode"),
    ("start_session", {"config": {"working_dir": "/", "env": {"A": 1}}}, "config.env.A"),
    ("start_session", {"config": {"working_dir": "/", "max_turns": 0}}, "config.max_turns"),
    ("start_session", {"config": {"working_dir": "/nowhere/at/all"}}, "config.working_dir"),
    ("start_session", {"config": {"working_dir": "relative"}}, "config.working_dir"),
    ("start_session", {"config": {"working_dir": "/etc/hostname"}}, "config.working_dir"),
    ("start_session", {"config": {"working_dir": "/", "allowed_dirs": ["/", "/nowhere"]}}, "config.allowed_dirs.1"),
    ("start_session", {"session_id": "no-uuid", "config": {"working_dir": "/"}}, "session_id"),
    ("start_session", {"config": {"working_dir": "/", "fork": True}}, "config.fork"),
    ("send_message", {"session_id": "x"}, "message"),
    ("send_message", {"session_id": "x", "message": ""}, "message"),
    ("interrupt", {}, "session_id"),
    ("interrupt", {"session_id": "x", "force": True}, "force"),
    ("stop_session", {"session_id": None}, "session_id"),
    ("send_message", {"session_id": "x", "message": [{"type": "text", "text": "a", "size": 1}]}, "message.0.size"),
    ("list_sessions", {"include_ended": "yes"}, "include_ended"),
    ("set_model", {"session_id": "x", "model": ""}, "model"),
    ("set_runtime_mode", {"session_id": "x", "runtime_mode": "none"}, "runtime_mode"),
    ("rpc.discover", {"x": 1}, "x"),
    ("shutdown", {"now": True}, "now"),
]
"""Requests, and the path of the param that is wrong."""


async def test_bad_params_are_told_with_the_path_to_each() -> None:
    async with mock_daemon() as daemon:
        found = []
        for method, params, _ in BAD_PARAMS:
            with pytest.raises(RpcError) as caught:
                await daemon.request(method, **params)
            assert (caught.value.code, caught.value.data["kind"]) == (-32602, "invalid_params")
            (error,) = caught.value.data["errors"]
            found.append((method, params, error["path"]))
        assert found == BAD_PARAMS


async def test_every_bad_param_is_told_at_once() -> None:
    async with mock_daemon() as daemon:
        with pytest.raises(RpcError) as caught:
            await daemon.request("start_session", provider=1, config={"working_dir": 2, "model": 3, "other": 4})
        paths = {error["path"] for error in caught.value.data["errors"]}
        assert paths == {"provider", "config.working_dir", "config.model", "config.other"}


@pytest.mark.spec("1.9")
async def test_a_line_over_the_limit_is_skipped_and_the_next_one_is_read() -> None:
    async with mock_daemon("--max-message", "4096") as daemon:
        long = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"x": "y" * 300_000}})
        await daemon.send_raw(long.encode() + b"\n")
        answer = await daemon.wait_for(lambda message: "error" in message)
        assert (answer["error"]["code"], answer["id"]) == (-32600, None)
        assert (await daemon.request("initialize"))["protocol_version"] == 1


@pytest.mark.spec("1.2")
async def test_lines_may_end_in_any_usual_way_and_come_in_any_pieces() -> None:
    async with mock_daemon() as daemon:
        for at, ending in enumerate((b"\r\n", b"\n\n\n", b"\n")):
            line = json.dumps({"jsonrpc": "2.0", "id": f"ä{at}", "method": "initialize"}, ensure_ascii=False)
            for byte in line.encode() + ending:
                await daemon.send_raw(bytes([byte]))
            assert (await daemon.wait_response(f"ä{at}"))["result"]["protocol_version"] == 1


async def test_an_id_comes_back_as_it_was() -> None:
    ids: list[Any] = [0, -1, 2**53, 2**64 - 1, 1.5, "", "x" * 1000, "\u2028", "\U0001f600", 2**70, -(2**70)]
    async with mock_daemon() as daemon:
        for id in ids:
            await daemon.send({"jsonrpc": "2.0", "id": id, "method": "list_sessions"})
        answers = [(await daemon.wait_response(id))["id"] for id in ids]
        assert answers == ids
        assert [type(id) for id in answers] == [type(id) for id in ids]


@pytest.mark.spec("1.3")
async def test_a_parent_with_headers_gets_every_answer_with_headers() -> None:
    async with raw_daemon() as daemon:
        await daemon.send(framed({"jsonrpc": "2.0", "id": 1, "method": "initialize"}))
        assert (await daemon.frame())["id"] == 1
        await daemon.send(framed({"jsonrpc": "2.0", "id": 2, "method": "l\u00efst"}))
        assert (await daemon.frame())["error"]["code"] == -32601
        await daemon.send(b"Content-Length: 3\r\n\r\n{x}")
        assert (await daemon.frame())["error"]["code"] == -32700
        await daemon.send(b"Content-Length: no\r\n\r\n")
        assert (await daemon.frame())["error"]["code"] == -32700
        await daemon.send(framed([{"jsonrpc": "2.0", "id": 3, "method": "initialize"}]))
        assert [answer["id"] for answer in await daemon.frame()] == [3]


async def test_a_session_streams_over_headers_too(workspace: Path) -> None:
    async with raw_daemon(scenario="text_turn") as daemon:
        config = {"working_dir": str(workspace)}
        await daemon.send(framed({"jsonrpc": "2.0", "id": 1, "method": "start_session", "params": {"config": config}}))
        session_id = (await daemon.frame())["result"]["session_id"]
        params = {"session_id": session_id, "message": "hi"}
        await daemon.send(framed({"jsonrpc": "2.0", "id": 2, "method": "send_message", "params": params}))
        events: list[Json] = []
        while "turn_completed" not in [event["type"] for event in events]:
            message = await daemon.frame()
            events += [message["params"]["event"]] if "params" in message else []
        assert events[-1]["result"] == "You said: hi"


async def test_a_batch_is_answered_in_one_array_with_an_answer_for_each_request() -> None:
    async with mock_daemon() as daemon:
        batch: list[Any] = [
            {"jsonrpc": "2.0", "id": "a", "method": "initialize"},
            {"jsonrpc": "2.0", "method": "list_sessions"},
            17,
            {"jsonrpc": "2.0", "id": "b", "method": "no_such_method"},
            {"jsonrpc": "2.0", "id": "c", "method": "interrupt", "params": {}},
            {"jsonrpc": "2.0", "id": "d", "result": "an answer to nothing"},
            {"jsonrpc": "2.0", "id": "e", "method": "health_check"},
        ]
        await daemon.send(batch)
        await daemon.wait_response("e")
        (answers,) = daemon.batches
        codes = {answer["id"]: answer.get("error", {}).get("code") for answer in answers}
        assert codes == {"a": None, None: -32600, "b": -32601, "c": -32602, "e": None}
        assert len(answers) == 5


async def test_a_batch_of_notifications_is_not_answered() -> None:
    async with mock_daemon() as daemon:
        await daemon.send([{"jsonrpc": "2.0", "method": "list_sessions"}, {"jsonrpc": "2.0", "method": "nonsense"}])
        await daemon.request("initialize")
        assert len(daemon.messages) == 1


async def test_a_batch_can_start_a_session_talk_to_it_and_interrupt_it(workspace: Path) -> None:
    session_id = "5d5f4c0a-0f5a-4b53-9d7e-6f6f4a1f0c11"
    config = {"working_dir": str(workspace), **SLOW}
    async with mock_daemon() as daemon:
        calls = [
            ("start_session", {"session_id": session_id, "config": config}),
            ("send_message", {"session_id": session_id, "message": "slow"}),
            ("interrupt", {"session_id": session_id}),
        ]
        await daemon.send(
            [
                {"jsonrpc": "2.0", "id": at, "method": method, "params": params}
                for at, (method, params) in enumerate(calls)
            ]
        )
        await daemon.wait_response(1)
        (answers,) = daemon.batches
        results: dict[int, Any] = {answer["id"]: answer.get("result") for answer in answers}
        assert results[0]["session_id"] == session_id
        assert results[2] == {"interrupted": True}
        ended = await daemon.wait_event("turn_completed", turn_id=results[1]["turn_id"])
        assert ended["event"]["stop_reason"] == "interrupted"
        assert (await daemon.turn(session_id, "hello"))["stop_reason"] == "end_turn"


async def test_a_quick_request_overtakes_a_slow_one(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        slow = await daemon.post("start_session", config={"working_dir": str(workspace)})
        quick = await daemon.post("list_sessions")
        await daemon.wait_response(slow)
        order = [message["id"] for message in daemon.messages if "result" in message]
        assert order == [quick, slow]


async def test_a_session_that_hangs_in_its_start_holds_up_nobody(workspace: Path) -> None:
    async with mock_daemon("--handshake-timeout", "30") as daemon:
        hanging = await daemon.post("start_session", config={"working_dir": str(workspace), **mocked("hang_handshake")})
        session_id = await daemon.start_session(workspace)
        assert (await daemon.turn(session_id, "hello"))["stop_reason"] == "end_turn"
        await daemon.close_stdin()
        assert await daemon.wait_exit() == 0
        assert (await daemon.wait_response(hanging))["error"]["data"]["kind"] == "interrupted"


@pytest.mark.spec("1.6")
async def test_a_request_without_an_id_is_done_and_not_answered(workspace: Path) -> None:
    async with mock_daemon(scenario="text_turn") as daemon:
        params: Json = {"config": {"working_dir": str(workspace)}}
        await daemon.send({"jsonrpc": "2.0", "method": "start_session", "params": params})
        session_id = (await daemon.wait_event("session_started"))["session_id"]
        params = {"session_id": session_id, "message": "quietly"}
        await daemon.send({"jsonrpc": "2.0", "method": "send_message", "params": params})
        assert (await daemon.wait_event("turn_completed"))["event"]["result"] == "You said: quietly"
        await daemon.send({"jsonrpc": "2.0", "method": "stop_session", "params": {"session_id": session_id}})
        await daemon.wait_event("session_ended", reason="stopped")
        await daemon.send({"jsonrpc": "2.0", "method": "stop_session", "params": {"wrong": 1}})
        await daemon.send({"jsonrpc": "2.0", "method": "nonsense"})
        await daemon.request("initialize")
        assert len([message for message in daemon.messages if message.get("method") != "event"]) == 1


async def test_a_thousand_requests_at_once_are_all_answered() -> None:
    async with mock_daemon() as daemon:
        lines = [json.dumps({"jsonrpc": "2.0", "id": id, "method": "list_sessions"}) + "\n" for id in range(1000)]
        await daemon.send_raw("".join(lines).encode())
        await daemon.wait_for(lambda message: len(daemon.messages) >= 1000)
        assert sorted(message["id"] for message in daemon.messages) == list(range(1000))
        assert all("result" in message for message in daemon.messages)
