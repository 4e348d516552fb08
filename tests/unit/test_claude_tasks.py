"""Background work, from the CLI's lines to lists of tasks. Lines as claude 2.1.x wrote them, shortened."""

from __future__ import annotations

import json
from typing import Any

from protocol.codecs.claude import ClaudeCodec
from protocol.events import Notice, Task, Tasks, TaskUsage, ToolCallOutput, ToolCallStarted
from protocol.signals import TurnBegan, TurnEnded

INIT = {"type": "system", "subtype": "init", "session_id": "s"}
RESULT = {"type": "result", "subtype": "success", "is_error": False, "result": "done"}
STARTED = {"subtype": "task_started", "task_id": "b1", "tool_use_id": "t1", "description": "Build"}
SHELL = STARTED | {"task_type": "local_bash"}
DONE = {"subtype": "task_updated", "task_id": "b1", "patch": {"status": "completed"}}
TOLD = {"subtype": "task_notification", "task_id": "b1", "tool_use_id": "t1", "status": "completed", "summary": "Built"}


def _hear(codec: ClaudeCodec, *lines: dict[str, Any]) -> list[Any]:
    whole = [line if "type" in line else {"type": "system", **line} for line in lines]
    return [item for line in whole for item in codec.receive(json.dumps(line).encode())]


def _lists(items: list[Any]) -> list[list[tuple[str, str, bool]]]:
    return [
        [(each.task_id, each.status, each.background) for each in item.tasks] for item in items if type(item) is Tasks
    ]


def _output(call: str, detail: Any = None, *, is_error: bool = False, agent: str | None = None) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": call, "content": "out", "is_error": is_error}
    message = {"role": "user", "content": [block]}
    return {"type": "user", "message": message, "tool_use_result": detail, "parent_tool_use_id": agent}


def test_a_command_in_the_background_is_told_when_it_begins_and_once_more_when_it_has_ended() -> None:
    listed = {"subtype": "background_tasks_changed", "tasks": [{"task_id": "b1", "task_type": "local_bash"}]}
    none = {"subtype": "background_tasks_changed", "tasks": []}
    heard = _hear(ClaudeCodec(), listed, SHELL | {"is_backgrounded": True}, DONE, TOLD, none)
    assert _lists(heard) == [[("b1", "running", True)], [("b1", "completed", True)]]
    (first, _) = [item for item in heard if type(item) is Tasks]
    assert first.tasks[0] == Task(
        task_id="b1", kind="shell", status="running", description="Build", tool_call_id="t1", background=True
    )
    assert [item.message for item in heard if type(item) is Notice] == ["Background task completed: Built"]


def test_an_older_cli_tells_by_the_result_of_the_call_that_a_task_is_in_the_background() -> None:
    heard = _hear(ClaudeCodec(), SHELL, _output("t1", {"backgroundTaskId": "b1"}), DONE)
    assert _lists(heard) == [[("b1", "running", False)], [("b1", "running", True)], [("b1", "completed", True)]]
    agent = SHELL | {"task_type": "local_agent"}
    heard = _hear(ClaudeCodec(), agent, _output("t1", {"isAsync": True, "agentId": "b1"}))
    assert _lists(heard)[-1] == [("b1", "running", True)]


def test_a_task_of_the_foreground_is_over_with_its_call_and_is_no_news() -> None:
    heard = _hear(ClaudeCodec(), SHELL, TOLD | {"output_file": ""}, _output("t1"))
    assert _lists(heard) == [[("b1", "running", False)], [("b1", "completed", False)]]
    assert not [item for item in heard if type(item) is Notice]
    heard = _hear(ClaudeCodec(), SHELL, _output("t1", is_error=True))
    assert _lists(heard)[-1] == [("b1", "failed", False)]


def test_a_task_that_is_stopped_ends_once_however_often_that_is_told() -> None:
    killed = {"subtype": "task_updated", "task_id": "b1", "patch": {"status": "killed"}}
    heard = _hear(ClaudeCodec(), SHELL | {"is_backgrounded": True}, killed, TOLD | {"status": "stopped"}, killed)
    assert _lists(heard) == [[("b1", "running", True)], [("b1", "stopped", True)]]


def test_what_an_agent_has_used_is_told_with_its_end_and_once_more_where_the_last_count_comes_later() -> None:
    agent = SHELL | {"task_type": "local_agent", "is_backgrounded": True}
    counts = [{"total_tokens": 10 * at, "tool_uses": at, "duration_ms": 5 * at} for at in (1, 2)]
    progress = {"subtype": "task_progress", "task_id": "b1", "usage": counts[0]}
    heard = _hear(ClaudeCodec(), agent, progress, DONE, TOLD | {"usage": counts[1]}, TOLD | {"usage": counts[1]})
    told = [item.tasks[0].usage for item in heard if type(item) is Tasks]
    assert told == [None, *(TaskUsage(**count) for count in counts)]


def test_a_task_that_is_left_out_of_the_list_has_ended() -> None:
    none = {"subtype": "background_tasks_changed", "tasks": []}
    heard = _hear(ClaudeCodec(), SHELL | {"is_backgrounded": True}, none)
    assert _lists(heard)[-1] == [("b1", "completed", True)]


def test_tasks_of_a_kind_that_is_new_to_us_keep_the_clis_word() -> None:
    heard = _hear(ClaudeCodec(), STARTED | {"task_type": "remote_dream"})
    (told,) = [item for item in heard if type(item) is Tasks]
    assert told.tasks[0].kind == "remote_dream"


def test_the_call_of_an_agent_that_outlives_the_turn_is_started_once() -> None:
    codec = ClaudeCodec()
    codec.prompt("m1", "go")
    ask = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {}, "tool_use_id": "t2", "agent_id": "a1"}
    block = {"type": "tool_use", "id": "t2", "name": "Bash", "input": {"command": "make"}}
    heard = _hear(
        codec,
        INIT,
        STARTED | {"task_id": "a1", "task_type": "local_agent", "is_backgrounded": True},
        {"type": "control_request", "request_id": "r1", "request": ask},
        RESULT,
        {"type": "assistant", "message": {"content": [block]}, "parent_tool_use_id": "t1"},
        _output("t2", agent="t1"),
    )
    (started,) = [item for item in heard if type(item) is ToolCallStarted]
    assert started.parent_tool_call_id == "t1"
    assert [item.tool_call_id for item in heard if type(item) is ToolCallOutput] == ["t2"]


def test_news_of_the_background_between_turns_begin_a_turn_that_is_not_the_waiting_messages() -> None:
    codec = ClaudeCodec()
    _hear(codec, SHELL, _output("t1", {"backgroundTaskId": "b1"}))
    codec.prompt("m1", "hello")
    news = TOLD | {"output_file": "/tmp/b1.output"}
    heard = _hear(codec, news, INIT, RESULT | {"origin": {"kind": "task-notification"}}, INIT, RESULT)
    turns = [item for item in heard if isinstance(item, TurnBegan | TurnEnded)]
    assert [getattr(item, "origin", None) for item in turns] == ["background", None, "message", None]
    assert codec.turns.at_rest


def test_a_message_gets_its_end_even_where_such_news_began_no_turn() -> None:
    codec = ClaudeCodec()
    codec.prompt("m1", "hello")
    heard = _hear(codec, TOLD | {"output_file": "/tmp/b1.output"}, INIT, RESULT)
    turns = [item for item in heard if isinstance(item, TurnBegan | TurnEnded)]
    assert [getattr(item, "origin", None) for item in turns] == ["background", None, "message", None]
    assert getattr(turns[-1], "result", None) == "done"
    assert codec.turns.at_rest
