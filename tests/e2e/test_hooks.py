"""The parent's hooks, fired by the real CLI: what an answer does, and what a missing or broken one counts as."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.support.real_session import allow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.daemon import Json
    from tests.support.real_session import Stage, Talk

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

EVENTS = ("PreToolUse", "PostToolUse", "PostToolUseFailure", "PermissionRequest", "UserPromptSubmit", "Stop")
ALL = [{"hook_id": event.lower(), "event": event} for event in EVENTS]


class Script:
    """Answers hooks by their event, and keeps what was asked."""

    def __init__(self) -> None:
        self.rules: dict[str, Any] = {}
        self.asked: list[Json] = []

    async def __call__(self, params: Json) -> Any:
        """One `run_hook`."""
        self.asked.append(params)
        answer = self.rules.get(params["event"], {})
        return answer(params["input"]) if callable(answer) else answer

    @property
    def events(self) -> list[str]:
        """The events so far, each once for each time that it fired."""
        return [params["event"] for params in self.asked]


@pytest.fixture
def script(stage: Stage) -> Iterator[Script]:
    """The parent's hooks for one test."""
    script = Script()
    stage.daemon.answers["run_hook"] = script
    yield script
    stage.daemon.answers = {}


def unless(event: str) -> Any:
    """Answers every hook with no opinion, but those at one event, which never get an answer."""

    async def answer(params: Json) -> Json:
        if params["event"] == event:
            await anyio.sleep_forever()
        return {}

    return answer


async def asked(talk: Talk, turn: str, event: str) -> Json:
    """Wait for a turn's `run_hook` at this event; the whole request."""

    def fits(message: Json) -> bool:
        params = message.get("params") or {}
        return message.get("method") == "run_hook" and (params["turn_id"], params["event"]) == (turn, event)

    return await talk.daemon.wait_for(fits)


def bash(command: str) -> str:
    return f"SC:tool Bash {json.dumps({'command': command})}"


@pytest.mark.spec("15.1", "15.2", "15.3", "15.4")
async def test_a_parent_sees_each_event_and_decides_what_a_tool_does(
    stage: Stage, workspace: Path, script: Script
) -> None:
    async with stage.session(workspace, hooks=ALL, answer=allow()) as talk:
        heard = await talk.turn(bash("touch seen"))
        seen, script.asked = script.asked, []
        script.rules = {
            "PreToolUse": {
                "decision": "allow",
                "updated_input": {"command": "touch other"},
                "additional_context": "The tide is low.",
            },
            "UserPromptSubmit": {"additional_context": "It is noon."},
            "Stop": lambda given: (
                {} if given["stop_hook_active"] else {"decision": "block", "reason": "One more look."}
            ),
        }
        before = len(talk.questions)
        await talk.turn(bash("touch mine"))
        told, asked_again = talk.latest, len(talk.questions) - before
        script.rules = {"PreToolUse": {"decision": "deny", "reason": "Not on my watch."}}
        denied = await talk.turn(bash("touch never"))
        script.rules = {"PostToolUse": {"continue": False, "stop_reason": "Enough."}}
        stopped = await talk.turn(bash("ls"))
    call = heard.one("tool_call_started")["tool_call_id"]
    assert {"UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse", "Stop"} == {
        params["event"] for params in seen
    }
    for params in seen:
        assert (params["session_id"], params["turn_id"]) == (talk.id, heard.id)
        assert params["hook_id"] == params["event"].lower()
        assert params["input"]["hook_event_name"] == params["event"]
        assert params["tool_call_id"] == (call if "tool_name" in params["input"] else None)
    (pre,) = [params["input"] for params in seen if params["event"] == "PreToolUse"]
    assert (pre["tool_name"], pre["tool_input"]) == ("Bash", {"command": "touch seen"})
    assert sorted(path.name for path in workspace.iterdir()) == ["other", "seen"]
    assert asked_again == 0
    for words in ("The tide is low.", "It is noon.", "One more look."):
        assert words in told
    assert "Not on my watch." in str(denied.one("tool_call_output", is_error=True)["content"])
    assert (stopped.completed["stop_reason"], stopped.completed["error"]) == ("end_turn", None)
    assert "Tool said" not in stopped.text


@pytest.mark.spec("15.5")
async def test_an_answer_that_cannot_be_used_denies_where_something_is_guarded_and_does_nothing_elsewhere(
    stage: Stage, workspace: Path, script: Script
) -> None:
    over = anyio.Event()

    async def hang(params: Json) -> Json:
        if params["event"] == "PreToolUse":
            await over.wait()
        return {"decision": "perhaps"}

    hooks = [{"hook_id": "guard", "event": "PreToolUse", "matcher": "Bash|Write", "timeout": 0.3}, *ALL[1:]]
    stage.daemon.answers["run_hook"] = hang
    async with stage.session(workspace, hooks=hooks, answer=allow()) as talk:
        heard = await talk.turn(bash("touch never"))
    over.set()
    assert not list(workspace.iterdir())
    assert "A hook" not in heard.text
    assert "could not be asked" in str(heard.one("tool_call_output", is_error=True)["content"])
    notices = " ".join(heard.notices)
    assert "Hook guard at PreToolUse counts as deny: no answer within 0.3 s." in notices
    assert "Hook stop at Stop has no effect: the answer is not valid: decision 'perhaps' does not fit Stop" in notices
    assert heard.completed["stop_reason"] == "end_turn"


@pytest.mark.spec("15.4")
async def test_a_hook_can_answer_a_permission_request_before_the_parents_other_half_does(
    stage: Stage, workspace: Path, script: Script
) -> None:
    script.rules = {"PermissionRequest": {"decision": "deny", "reason": "The harbour is closed."}}
    async with stage.session(workspace, hooks=ALL) as talk:
        heard = await talk.turn(bash("touch never"))
        question = await talk.question()
    assert "The harbour is closed." in str(heard.one("tool_call_output", is_error=True)["content"])
    assert heard.one("permission_resolved")["outcome"] == "cancelled"
    assert {"jsonrpc": "2.0", "method": "cancel_request", "params": {"id": question["id"]}} in talk.daemon.messages


@pytest.mark.spec("15.6")
async def test_an_interrupt_takes_a_hook_back_at_whatever_event_it_waits(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, hooks=ALL, answer=allow()) as talk:
        for message, event in ((bash("ls"), "PreToolUse"), ("SC:hello", "UserPromptSubmit")):
            stage.daemon.answers["run_hook"] = unless(event)
            turn = await talk.send(message)
            hook = await asked(talk, turn, event)
            assert await talk.call("interrupt") == {"interrupted": True}
            heard = await talk.heard(turn)
            assert (event, heard.completed["stop_reason"]) == (event, "interrupted")
            taken_back = {"jsonrpc": "2.0", "method": "cancel_request", "params": {"id": hook["id"]}}
            assert taken_back in talk.daemon.messages
        if stage.is_old:
            # Cut short before its turn has begun, this version exits.
            await talk.wait("notice", message="The CLI has exited (exit code 1); the next message starts it again.")
        stage.daemon.answers["run_hook"] = unless("")
        after = await talk.turn("SC:hello")
    assert after.text == "Hello there, friend."
    assert after.completed["stop_reason"] == "end_turn"
