"""What SPEC.md says of the link, the methods and the sessions, tried on a running daemon with the mock CLI behind it.

Owns: one short conversation per clause or two. What a real CLI does, and what goes wrong in all ways at once, is in
tests/e2e and tests/integration. Refuses: to look inside the daemon. Imported by nobody.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.daemon import Daemon, RpcError
from tests.support.mock_daemon import mock_daemon, mocked

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

SLOW = mocked("default", delta_ms=100)
SLOWLY = "A slow answer, please."
"""A message whose answer takes the mock, with `SLOW`, several seconds."""


async def refused(daemon: Daemon, method: str, **params: Any) -> RpcError:
    """The error that a request gets."""
    with pytest.raises(RpcError) as caught:
        await daemon.request(method, **params)
    return caught.value


@pytest.mark.spec("1.4")
@pytest.mark.spec("10.1")
async def test_a_daemon_that_is_asked_nothing_says_nothing_and_leaves() -> None:
    async with mock_daemon() as daemon:
        await daemon.close_stdin()
        assert await daemon.wait_exit() == 0
        assert daemon.messages == []


@pytest.mark.spec("1.5")
@pytest.mark.spec("2.9")
@pytest.mark.spec("6.1")
async def test_messages_sent_in_one_breath_queue_in_that_order_up_to_the_limit(workspace: Path) -> None:
    async with mock_daemon("--max-queue", "5") as daemon:
        session_id = await daemon.start_session(workspace, config=SLOW)
        ids = [f"m{number}" for number in range(8)]
        params = {"session_id": session_id, "message": SLOWLY}
        requests = [{"jsonrpc": "2.0", "id": id, "method": "send_message", "params": params} for id in ids]
        await daemon.send_raw(b"".join(json.dumps(request).encode() + b"\n" for request in requests))
        answers = [await daemon.wait_response(id) for id in ids]
        accepted = [answer["result"] for answer in answers if "result" in answer]
        assert [answer["queued"] for answer in accepted] == list(range(6))
        assert [answer["error"]["data"]["kind"] for answer in answers[6:]] == ["busy", "busy"]
        await daemon.request("stop_session", session_id=session_id)
        ends = [each for each in daemon.events(session_id) if each["event"]["type"] == "turn_completed"]
        assert [each["turn_id"] for each in ends] == [answer["turn_id"] for answer in accepted]
        assert {each["event"]["stop_reason"] for each in ends} == {"interrupted"}


@pytest.mark.spec("1.13")
async def test_an_answer_that_nobody_waits_for_is_ignored() -> None:
    async with mock_daemon() as daemon:
        await daemon.reply(99, {"outcome": "allow"})
        await daemon.send({"jsonrpc": "2.0", "id": "x", "error": {"code": 1, "message": "no"}})
        await daemon.request("initialize")
        assert len(daemon.messages) == 1


@pytest.mark.spec("2.4")
async def test_initialize_may_come_at_any_time_and_tells_the_daemons_own_version() -> None:
    async with mock_daemon() as daemon:
        await daemon.request("list_sessions")
        for version in (1, 7):
            answer = await daemon.request("initialize", protocol_version=version)
            assert answer["protocol_version"] == 1


@pytest.mark.spec("2.5")
async def test_a_cli_that_is_not_there_is_a_result_and_an_unknown_provider_an_error(tmp_path: Path) -> None:
    async with mock_daemon(cli=tmp_path / "no-such-claude") as daemon:
        health = await daemon.request("health_check")
        assert (health["is_available"], health["version"], health["authenticated"]) == (False, None, None)
        assert health["error"]
        assert (await daemon.request("list_providers"))["providers"] == [health]
        assert (await refused(daemon, "health_check", provider="nobody")).data["kind"] == "not_found"


@pytest.mark.spec("2.6")
async def test_a_start_that_fails_leaves_no_session_and_no_event(workspace: Path) -> None:
    async with mock_daemon(scenario="crash_before_handshake") as daemon:
        error = await refused(daemon, "start_session", config={"working_dir": str(workspace)})
        assert error.data["kind"] == "spawn_failed"
        assert (await daemon.request("list_sessions"))["sessions"] == []
        assert daemon.events() == []


@pytest.mark.spec("2.7")
@pytest.mark.spec("2.12")
@pytest.mark.spec("6.2")
async def test_a_session_id_of_ones_own_is_taken_once_at_a_time(workspace: Path) -> None:
    own = uuid.uuid4()
    async with mock_daemon() as daemon:
        assert await daemon.start_session(workspace, session_id=own.hex.upper()) == str(own)
        again = await refused(daemon, "start_session", session_id=str(own), config={"working_dir": str(workspace)})
        assert [each["path"] for each in again.data["errors"]] == ["session_id"]
        ended = await daemon.request("stop_session", session_id=str(own))
        assert await daemon.request("stop_session", session_id=str(own)) == ended
        assert (await refused(daemon, "interrupt", session_id=str(own))).data["kind"] == "session_not_found"
        assert (await refused(daemon, "stop_session", session_id="nobody's")).data["kind"] == "session_not_found"
        assert [each["event"]["type"] for each in daemon.events(str(own))] == ["session_started", "session_ended"]


@pytest.mark.spec("2.8")
async def test_the_longest_idle_session_makes_room_and_a_busy_one_never_does(workspace: Path) -> None:
    async with mock_daemon("--max-sessions", "2") as daemon:
        busy = await daemon.start_session(workspace, config=SLOW)
        idle = await daemon.start_session(workspace)
        await daemon.request("send_message", session_id=busy, message=SLOWLY)
        await daemon.wait_event("text_delta", session_id=busy)
        latest = await daemon.start_session(workspace, config=SLOW)
        assert daemon.events(idle)[-1]["event"]["reason"] == "evicted"
        await daemon.request("send_message", session_id=latest, message=SLOWLY)
        error = await refused(daemon, "start_session", config={"working_dir": str(workspace)})
        assert (error.code, error.data["kind"]) == (-32007, "limit_reached")


@pytest.mark.spec("2.11")
@pytest.mark.spec("6.4")
async def test_an_interrupt_is_answered_when_its_turn_has_ended_and_the_next_one_runs(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        session_id = await daemon.start_session(workspace, config=SLOW)
        assert await daemon.request("interrupt", session_id=session_id) == {"interrupted": False}
        slow = await daemon.request("send_message", session_id=session_id, message=SLOWLY)
        await daemon.wait_event("text_delta", turn_id=slow["turn_id"])
        waiting = await daemon.request("send_message", session_id=session_id, message="Hello")
        assert await daemon.request("interrupt", session_id=session_id) == {"interrupted": True}
        ends = [each for each in daemon.events(session_id) if each["event"]["type"] == "turn_completed"]
        assert (ends[0]["turn_id"], ends[0]["event"]["stop_reason"]) == (slow["turn_id"], "interrupted")
        done = await daemon.wait_event("turn_completed", turn_id=waiting["turn_id"])
        assert done["event"]["stop_reason"] == "end_turn"


@pytest.mark.spec("2.13")
@pytest.mark.spec("2.14")
async def test_the_list_tells_what_became_of_the_sessions(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        first = await daemon.start_session(workspace)
        second = await daemon.start_session(workspace)
        completed = await daemon.turn(first, "Hello")
        await daemon.request("set_model", session_id=first, model="another")
        assert daemon.events(first)[-1]["event"] == {"type": "session_updated", "model": "another"}
        await daemon.request("set_runtime_mode", session_id=first, runtime_mode="plan")
        assert daemon.events(first)[-1]["event"] == {"type": "session_updated", "runtime_mode": "plan"}
        await daemon.request("stop_session", session_id=second)
        (live,) = (await daemon.request("list_sessions"))["sessions"]
        assert (live["session_id"], live["state"], live["turns"]) == (first, "idle", 1)
        assert (live["model"], live["usage"], live["cost_usd"]) == (
            "another",
            completed["usage"],
            completed["cost_usd"],
        )
        listed = (await daemon.request("list_sessions", include_ended=True))["sessions"]
        assert [(each["session_id"], each["state"]) for each in listed] == [(first, "idle"), (second, "ended")]
        assert (listed[0]["pid"] is None, listed[1]["pid"]) == (False, None)


@pytest.mark.spec("3.2")
@pytest.mark.spec("3.4")
@pytest.mark.spec("3.6")
async def test_a_config_that_cannot_be_used_is_refused_by_its_field(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        live = await daemon.start_session(workspace)
        folder = str(workspace)
        for config, path in [
            ({"working_dir": "relative"}, "config.working_dir"),
            ({"working_dir": f"{folder}/missing"}, "config.working_dir"),
            ({"working_dir": folder, "allowed_dirs": [folder, f"{folder}/missing"]}, "config.allowed_dirs.1"),
            ({"working_dir": folder, "fork": True}, "config.fork"),
            ({"working_dir": folder, "resume": live}, "config.resume"),
        ]:
            error = await refused(daemon, "start_session", config=config)
            assert (error.code, [each["path"] for each in error.data["errors"]]) == (-32602, [path])
        config = {"working_dir": folder, "extra_args": ["--continue"]}
        argument = await refused(daemon, "start_session", config=config)
        assert (argument.data["kind"], argument.data["option"]) == ("unsupported", "extra_args")


@pytest.mark.spec("4.3")
async def test_a_turn_of_the_agents_own_has_its_own_id_and_end(workspace: Path) -> None:
    async with mock_daemon(scenario="background_turn") as daemon:
        session_id = await daemon.start_session(workspace)
        await daemon.turn(session_id, "Hello")
        began = await daemon.wait_event("turn_started", origin="background")
        ended = await daemon.wait_event("turn_completed", turn_id=began["turn_id"])
        assert ended["event"]["stop_reason"] == "end_turn"


@pytest.mark.spec("4.4")
async def test_an_idle_session_is_ended_in_time(workspace: Path) -> None:
    async with mock_daemon("--idle-timeout", "0.2") as daemon:
        session_id = await daemon.start_session(workspace)
        assert (await daemon.wait_event("session_ended", session_id=session_id))["event"]["reason"] == "idle_timeout"


@pytest.mark.spec("4.5")
async def test_silence_ends_a_turn_with_the_name_of_the_limit_and_the_session_goes_on(workspace: Path) -> None:
    async with mock_daemon("--silence-timeout", "0.3", "--interrupt-grace", "0.3", scenario="hang_mid_turn") as daemon:
        session_id = await daemon.start_session(workspace)
        completed = await daemon.turn(session_id, "Hello")
        assert completed["error"]["kind"] == "timeout"
        assert "silence_timeout" in completed["error"]["hint"]
        assert (await daemon.request("list_sessions"))["sessions"][0]["state"] == "idle"


@pytest.mark.spec("5.6")
@pytest.mark.spec("5.9")
async def test_a_failed_call_of_the_model_is_an_error_and_a_notice_and_no_answer(workspace: Path) -> None:
    async with mock_daemon(scenario="api_error") as daemon:
        completed = await daemon.turn(await daemon.start_session(workspace), "Hello")
        assert (completed["stop_reason"], completed["is_error"]) == ("error", True)
        assert (completed["error"]["kind"], completed["error"]["api_status"]) == ("api_error", 400)
        kinds = [each["event"]["type"] for each in daemon.events() if each["turn_id"]]
        assert "notice" in kinds
        assert not {"message", "text_delta"} & set(kinds)


@pytest.mark.spec("5.3")
@pytest.mark.spec("5.8")
async def test_what_is_no_json_is_raw_and_the_turn_goes_on(workspace: Path) -> None:
    async with mock_daemon(scenario="garbage_lines") as daemon:
        session_id = await daemon.start_session(workspace)
        completed = await daemon.turn(session_id, "Hello")
        raw = [each["event"]["content"] for each in daemon.events(session_id) if each["event"]["type"] == "raw"]
        assert "[SandboxDebug] this is not JSON" in raw
        assert {"[1,2,3]", '"text"', "null", "17"} <= set(raw)
        assert (completed["stop_reason"], completed["is_error"]) == ("end_turn", False)


@pytest.mark.spec("5.7")
@pytest.mark.spec("6.3")
@pytest.mark.spec("7.5")
async def test_a_question_that_is_interrupted_is_taken_back_and_its_call_gets_an_output(workspace: Path) -> None:
    async with mock_daemon(scenario="tool_allowed") as daemon:
        session_id = await daemon.start_session(workspace)
        turn_id = (await daemon.request("send_message", session_id=session_id, message="Hello"))["turn_id"]
        question = await daemon.wait_question()
        assert await daemon.request("interrupt", session_id=session_id) == {"interrupted": True}
        await daemon.wait_for(lambda message: message.get("method") == "cancel_request")
        await daemon.reply(question["id"], {"outcome": "allow"})
        (resolved,) = [each["event"] for each in daemon.events() if each["event"]["type"] == "permission_resolved"]
        assert (resolved["outcome"], resolved["by"]) == ("cancelled", "interrupt")
        said = [each["event"] for each in daemon.events(turn_id=turn_id)]
        (output,) = [event for event in said if event["type"] == "tool_call_output"]
        assert output["is_error"]
        assert (said[0]["type"], said[-1]["type"]) == ("turn_started", "turn_completed")


@pytest.mark.spec("7.3")
@pytest.mark.spec("7.4")
@pytest.mark.spec("7.6")
@pytest.mark.parametrize(
    ("answer", "outcome", "text"),
    [
        ({"result": {"outcome": "allow"}}, "allow", "Command finished."),
        ({"result": {"outcome": "deny", "message": "not today"}}, "deny", "Then I will not."),
        ({"result": {"outcome": "perhaps"}}, "deny", "Then I will not."),
        ({"result": {"outcome": "allow", "remember": {"not": "a suggestion"}}}, "deny", "Then I will not."),
        ({"error": {"code": -32601, "message": "Method not found"}}, "deny", "Then I will not."),
    ],
)
async def test_an_answer_allows_or_denies_and_what_is_neither_denies(
    workspace: Path, answer: dict[str, Any], outcome: str, text: str
) -> None:
    async with mock_daemon(scenario="tool_allowed") as daemon:
        session_id = await daemon.start_session(workspace)
        turn_id = (await daemon.request("send_message", session_id=session_id, message="Hello"))["turn_id"]
        question = await daemon.wait_question()
        await daemon.send({"jsonrpc": "2.0", "id": question["id"], **answer})
        await daemon.wait_event("turn_completed", turn_id=turn_id)
        (resolved,) = [each["event"] for each in daemon.events() if each["event"]["type"] == "permission_resolved"]
        assert (resolved["outcome"], resolved["by"]) == (outcome, "parent")
        assert daemon.text(turn_id).endswith(text)


@pytest.mark.spec("7.6")
async def test_a_question_that_nobody_answers_in_time_is_denied(workspace: Path) -> None:
    async with mock_daemon("--permission-timeout", "0.2", scenario="tool_allowed") as daemon:
        await daemon.turn(await daemon.start_session(workspace), "Hello")
        (resolved,) = [each["event"] for each in daemon.events() if each["event"]["type"] == "permission_resolved"]
        assert (resolved["outcome"], resolved["by"]) == ("deny", "timeout")


@pytest.mark.spec("7.7")
async def test_in_plan_mode_what_could_change_something_is_denied_without_asking(workspace: Path) -> None:
    async with mock_daemon(scenario="tool_allowed") as daemon:
        session_id = await daemon.start_session(workspace, config={"runtime_mode": "plan"})
        await daemon.turn(session_id, "Hello")
        assert daemon.questions == []
        (resolved,) = [each["event"] for each in daemon.events() if each["event"]["type"] == "permission_resolved"]
        assert (resolved["outcome"], resolved["by"]) == ("deny", "mode")


@pytest.mark.spec("9.1")
@pytest.mark.spec("9.2")
async def test_a_session_outlives_its_cli_within_a_turn_and_outside(workspace: Path) -> None:
    async with mock_daemon(scenario="crash_mid_turn") as daemon:
        session_id = await daemon.start_session(workspace)
        for _ in range(2):
            completed = await daemon.turn(session_id, "Hello")
            assert completed["error"]["kind"] == "process_exited"
        (entry,) = (await daemon.request("list_sessions"))["sessions"]
        assert (entry["state"], entry["pid"], entry["turns"]) == ("idle", None, 2)
    async with mock_daemon(scenario="crash_after_result") as daemon:
        session_id = await daemon.start_session(workspace)
        await daemon.turn(session_id, "Hello")
        await daemon.wait_event("notice", session_id=session_id, level="warning")
        seen = len(daemon.messages)
        assert (await daemon.turn(session_id, "Hello"))["stop_reason"] == "end_turn"
        assert (await daemon.wait_event("notice", after=seen))["event"]["level"] == "info"


@pytest.mark.spec("10.1")
@pytest.mark.spec("6.2")
async def test_the_end_of_stdin_interrupts_and_ends_and_answers(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        session_id = await daemon.start_session(workspace, config=SLOW)
        await daemon.request("send_message", session_id=session_id, message=SLOWLY)
        await daemon.wait_event("text_delta")
        asked = await daemon.post("list_sessions")
        await daemon.close_stdin()
        assert await daemon.wait_exit() == 0
        *_, completed, ended = [each["event"] for each in daemon.events(session_id)]
        assert (completed["type"], completed["stop_reason"]) == ("turn_completed", "interrupted")
        assert (ended["type"], ended["reason"]) == ("session_ended", "shutdown")
        assert (await daemon.wait_response(asked))["result"]["sessions"]
