"""Whatever the CLI asks over its control channel, it gets one answer: nothing that it asks may leave it waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from protocol import jsontext
from protocol.codecs.claude import ClaudeCodec
from protocol.hooks import HookAnswer, HookSubscription
from protocol.permissions import Decision
from protocol.signals import HookFired, PermissionAsked, ToolCalled
from protocol.tools import ParentTool, failed_tool
from tests.property.strategies import scalars

if TYPE_CHECKING:
    from protocol.answers import Answer

VALUES = st.one_of(scalars, st.lists(scalars, max_size=2), st.dictionaries(st.text(max_size=3), scalars, max_size=2))

TOOL = ParentTool(name="depth", description="d", input_schema={"type": "object"})
HOOK = HookSubscription(hook_id="guard", event="PreToolUse")
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "id": VALUES,
        "method": st.sampled_from(["initialize", "tools/list", "tools/call", "ping", "notifications/cancelled", "x"])
        | VALUES,
        "params": VALUES
        | st.fixed_dictionaries({}, optional={"name": st.just("depth"), "arguments": VALUES, "_meta": VALUES}),
    },
)
QUESTIONS = st.fixed_dictionaries(
    {
        "subtype": st.sampled_from(["can_use_tool", "elicitation", "hook_callback", "mcp_message", "x"]),
        "server_name": st.just("parent") | VALUES,
        "callback_id": st.just("parent:guard") | VALUES,
        "tool_name": st.just("Bash") | VALUES,
        "message": MESSAGES | VALUES,
    },
    optional={"input": VALUES, "tool_use_id": VALUES, "mode": VALUES, "permission_suggestions": VALUES},
)


@given(QUESTIONS)
def test_whatever_the_cli_asks_is_answered_at_once_or_can_be_answered(body: dict[str, Any]) -> None:
    codec = ClaudeCodec([TOOL], [HOOK])
    line = jsontext.dumps({"type": "control_request", "request_id": "r", "request": body})
    items = codec.receive(line)
    replies = codec.control.take_replies().splitlines()
    questions = [item for item in items if isinstance(item, PermissionAsked | ToolCalled | HookFired)]
    assert len(replies) + len(questions) == 1
    for reply in replies:
        assert jsontext.loads(reply)["response"]["request_id"] == "r"
    for asked in questions:
        answers: dict[type, Answer] = {
            PermissionAsked: Decision("allow"),
            ToolCalled: failed_tool("no"),
            HookFired: HookAnswer(),
        }
        answer = codec.control.answer("r", answers[type(asked)])
        assert jsontext.loads(answer)["response"]["request_id"] == "r"
