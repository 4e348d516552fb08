"""What the mock CLI plays behind the ACP face in these tests: one word of the prompt chooses a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.mock_daemon import write_scenario

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]

QUESTIONS = [
    {
        "question": "Which color?",
        "header": "Color",
        "multiSelect": False,
        "options": [{"label": "Red", "description": "Like a rose"}, {"label": "Blue", "description": ""}],
    }
]
TODOS = [{"content": "Look", "status": "completed"}, {"content": "Mend", "status": "in_progress"}]

TASK = {"task_id": "agent1", "tool_use_id": "call_agent", "description": "Look around", "task_type": "local_agent"}
DELEGATION: list[Json] = [
    {
        "turn": [
            {
                "tool": "Agent",
                "id": "call_agent",
                "input": {"description": "Look around", "prompt": "look"},
                "output": "launched",
                "during": [{"system": TASK | {"subtype": "task_started", "is_backgrounded": True}}],
            },
            {"text": "It looks around."},
        ]
    },
    {"delay_ms": 50},
    {"system": {"subtype": "task_updated", "task_id": "agent1", "patch": {"status": "completed"}}},
    {"turn": [{"text": "It found a tree."}], "prompt": None, "origin": {"kind": "task-notification"}},
    {"forever": [{"turn": [{"text": "You said: ${prompt}"}]}]},
]
"""A prompt that leaves an agent in the background, which then reports."""

TURNS: dict[str, list[Json]] = {
    "hello": [{"thinking": "Politely."}, {"text": "Hello "}, {"text": "there."}],
    "run": [
        {"text": "I run it. "},
        {
            "tool": "Bash",
            "id": "call_run",
            "input": {"command": "make test", "description": "Test it"},
            "ask": True,
            "output": "ok\n",
            "if_allowed": [{"text": "It ran."}],
            "if_denied": [{"text": "Not run: ${denial}"}],
        },
    ],
    "edit": [
        {
            "tool": "Edit",
            "id": "call_edit",
            "input": {"file_path": "/w/a.txt", "old_string": "one", "new_string": "two"},
            "output": "done",
        },
        {"text": "Edited."},
    ],
    "fail": [
        {"tool": "Bash", "id": "call_fail", "input": {"command": "false"}, "output": "exit 1", "is_error": True},
        {"text": "It failed."},
    ],
    "todo": [{"tool": "TodoWrite", "id": "call_todo", "input": {"todos": TODOS}, "output": "ok"}, {"text": "Planned."}],
    "ask": [
        {
            "tool": "AskUserQuestion",
            "id": "call_ask",
            "input": {"questions": QUESTIONS},
            "ask": "always",
            "output": "noted",
            "if_allowed": [{"text": "You chose ${input}"}],
            "if_denied": [{"text": "No answer."}],
        },
    ],
    "long": [{"tool": "Bash", "id": "call_long", "input": {"command": "yes"}, "output": "y\n" * 3_000_000}],
    "huge": [
        {
            "tool": "Write",
            "id": "call_huge",
            "input": {"file_path": "/w/huge.txt", "content": "z" * 5_000_000},
            "ask": True,
            "output": "done",
        },
        {"text": "Written."},
    ],
    "wait": [
        {"text": "Thinking"},
        {"tool": "Bash", "id": "call_wait", "input": {"command": "sleep"}, "takes_ms": 60000},
    ],
    "crash": [{"text": "Half a", "open": True}, {"crash": "SIGKILL"}],
    "broke": [{"api_error": {"text": "API Error: 529 Overloaded", "status": 529, "kind": "overloaded"}}],
    "login": [{"api_error": {"text": "Not logged in", "kind": "authentication_failed"}}],
}


def write(folder: Path, **rest: Any) -> Path:
    """The scenario as a file: any prompt at any time; `rest` is added to it."""
    cases: list[Json] = [{"prompt": f"^{word}", "turn": turn} for word, turn in TURNS.items()]
    cases.append({"prompt": "", "turn": [{"text": "You said: ${prompt}"}]})
    return write_scenario(folder, {"forever": [{"case": cases}]}, **rest)
