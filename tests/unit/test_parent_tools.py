"""The parent's tools on the way to the CLI and back: the MCP server, the control channel, the answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol.codecs.claude import ClaudeCodec
from protocol.codecs.claude_control import ControlChannel
from protocol.mcp_server import McpNoted, McpReply, McpServer, McpToolCall
from protocol.signals import PermissionAsked, QuestionWithdrawn, ToolCalled
from protocol.tools import ParentTool, ToolResult, failed_tool, parse_tool_result

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}}
DEPTH = ParentTool(name="depth", description="Tells the depth.", input_schema=SCHEMA, read_only=True)
DREDGE = ParentTool(name="dredge", description="Digs.", input_schema=SCHEMA)
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}


def server() -> McpServer:
    return McpServer("parent", "1", [DEPTH, DREDGE], {"k": True})


def request(method: str, id: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def reply(message: Any) -> dict[str, Any]:
    found = server().receive(message)
    assert isinstance(found, McpReply)
    assert found.message["jsonrpc"] == "2.0"
    return found.message


@pytest.mark.parametrize(
    ("asked", "told"), [("2025-06-18", "2025-06-18"), ("2031-01-01", "2025-11-25"), (4, "2025-11-25")]
)
def test_a_client_gets_its_own_revision_where_it_is_known(asked: Any, told: str) -> None:
    result = reply(request("initialize", protocolVersion=asked))["result"]
    assert (result["protocolVersion"], result["capabilities"]) == (told, {"tools": {}})


def test_the_tools_are_listed_in_order_with_what_they_may_do() -> None:
    tools = reply(request("tools/list", cursor=None))["result"]["tools"]
    assert [(tool["name"], tool["annotations"]["readOnlyHint"]) for tool in tools] == [
        ("depth", True),
        ("dredge", False),
    ]
    assert tools[0]["inputSchema"] == SCHEMA
    assert tools[0]["_meta"] == {"k": True}


def test_a_ping_is_answered_and_a_notification_is_not() -> None:
    assert reply(request("ping"))["result"] == {}
    told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert server().receive(told) == McpNoted(cancelled=None)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (request("resources/list"), -32601),
        (request("tools/call", name="anchor"), -32602),
        (request("tools/call", name="depth", arguments=[1]), -32602),
        (request("tools/call"), -32602),
        ({**request("tools/list"), "params": [1]}, -32602),
        ([request("ping")], -32600),
        ({"jsonrpc": "2.0", "id": 1}, -32600),
        (None, -32600),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(message: Any, code: int) -> None:
    assert reply(message)["error"]["code"] == code


def test_a_call_may_leave_out_its_arguments() -> None:
    found = server().receive(request("tools/call", name="depth", _meta={"x": 1}))
    assert found == McpToolCall(id=1, tool="depth", arguments={}, meta={"x": 1})


def test_text_and_images_become_the_clients_own_blocks() -> None:
    result = server().result(7, ToolResult([{"type": "text", "text": "t"}, IMAGE], is_error=True))
    assert result == {
        "jsonrpc": "2.0",
        "id": 7,
        "result": {
            "content": [
                {"type": "text", "text": "t"},
                {"type": "image", "data": "aGk=", "mimeType": "image/png"},
            ],
            "isError": True,
        },
    }


@pytest.mark.spec("14.3", "14.4")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "must be an object"),
        ({}, "content must be"),
        ({"content": 3}, "content must be"),
        ({"content": "x", "isError": True}, "unknown members: isError"),
        ({"content": "x", "is_error": 1}, "is_error must be"),
        ({"content": ["x"]}, 'content.0 must be a block of type "text" or "image"'),
        ({"content": [{"type": "text", "text": 1}]}, "content.0.text must be a string"),
        ({"content": [IMAGE, {"type": "image", "source": {"type": "url"}}]}, "content.1.source must be"),
        ({"content": [{"type": "image", "source": {**IMAGE["source"], "data": ""}}]}, "content.0.source.data"),  # type: ignore[dict-item]
    ],
)
def test_an_answer_of_another_form_is_refused_with_its_path(answer: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        parse_tool_result(answer)


def test_a_string_is_one_block_of_text() -> None:
    assert parse_tool_result({"content": "x"}) == ToolResult([{"type": "text", "text": "x"}])
    assert parse_tool_result({"content": [IMAGE], "is_error": None}) == ToolResult([IMAGE])


# Over the control channel


def mcp_message(message: Any, request_id: str = "r1", server_name: str = "parent") -> dict[str, Any]:
    body = {"subtype": "mcp_message", "server_name": server_name, "message": message}
    return {"type": "control_request", "request_id": request_id, "request": body}


def call(id: Any, request_id: str, **meta: Any) -> dict[str, Any]:
    return mcp_message(request("tools/call", id, name="dredge", arguments={"n": 1}, _meta=meta), request_id)


def channel() -> ControlChannel:
    return ControlChannel([DEPTH, DREDGE])


def told(channel: ControlChannel) -> list[Any]:
    return [json.loads(line)["response"] for line in channel.take_replies().splitlines()]


def test_the_handshake_of_the_server_is_answered_without_anybody() -> None:
    control = channel()
    for message in (request("initialize", 0), {"method": "notifications/initialized"}, request("tools/list", 1)):
        assert control.receive_request(mcp_message(message)) is None
    first, second, third = told(control)
    assert first["response"]["mcp_response"]["id"] == 0
    assert "result" in second["response"]["mcp_response"]
    assert len(third["response"]["mcp_response"]["result"]["tools"]) == 2


def test_a_call_is_a_question_and_its_result_the_answer() -> None:
    control = channel()
    asked = control.receive_request(call(5, "r1", **{"claudecode/toolUseId": "toolu_1"}))
    assert asked == ToolCalled(request_id="r1", tool_call_id="toolu_1", name="dredge", input={"n": 1}, read_only=False)
    assert told(control) == []
    answer = json.loads(control.answer("r1", failed_tool("Aground.")))["response"]
    assert (answer["request_id"], answer["response"]["mcp_response"]["id"]) == ("r1", 5)
    assert answer["response"]["mcp_response"]["result"]["isError"] is True
    assert control.answer("r1", failed_tool("Again.")) == b""


def test_a_call_that_does_not_say_which_it_is_belongs_to_the_oldest_of_its_name() -> None:
    codec = ClaudeCodec([DEPTH, DREDGE])
    for number, name in enumerate(("dredge", "depth", "dredge", "dredge")):
        block = {"type": "tool_use", "id": f"t{number}", "name": f"mcp__parent__{name}", "input": {}}
        line = {"type": "assistant", "message": {"role": "assistant", "content": [block]}}
        codec.receive(json.dumps(line).encode())
    meta = {"claudecode/toolUseId": "t2"}
    lines = [call(1, "a"), call(2, "b", **meta), call(3, "c"), call(4, "d")]
    calls = [codec.receive(json.dumps(line).encode())[0] for line in lines]
    assert [each.tool_call_id for each in calls if isinstance(each, ToolCalled)] == ["t0", "t2", "t3", None]


def test_a_cancelled_call_is_withdrawn_once_and_an_unknown_one_is_not() -> None:
    control = channel()
    control.receive_request(call(5, "r1"))

    def cancel(id: Any) -> Any:
        return control.receive_request(
            mcp_message({"method": "notifications/cancelled", "params": {"requestId": id}}, "r2")
        )

    assert cancel("5") is None
    assert cancel(5) == QuestionWithdrawn(request_id="r1")
    assert cancel(5) is None
    assert len(told(control)) == 3
    assert control.answer("r1", failed_tool("Late.")) == b""


def test_another_server_and_a_server_without_tools_are_refused() -> None:
    for control, name in ((channel(), "other"), (ControlChannel(), "parent")):
        assert control.receive_request(mcp_message(request("initialize"), server_name=name)) is None
        assert "No MCP server" in told(control)[0]["error"]


def test_what_is_broken_is_refused_and_still_told() -> None:
    codec = ClaudeCodec([DEPTH])
    line = {"type": "control_request", "request_id": "r1", "request": {"subtype": "mcp_message"}}
    assert [type(item).__name__ for item in codec.receive(json.dumps(line).encode())] == ["Raw"]
    assert b'"error"' in codec.control.take_replies()


@pytest.mark.parametrize(
    ("name", "reason", "owned", "kind"),
    [
        ("mcp__parent__depth", None, True, "read"),
        ("mcp__parent__dredge", "mode", True, "other"),
        ("mcp__parent__dredge", "hook", False, "other"),
        ("mcp__parent__dredge", "rule", False, "other"),
        ("mcp__parent__anchor", None, False, "other"),
        ("mcp__other__depth", None, False, "other"),
        ("depth", None, False, "other"),
    ],
)
def test_only_the_parents_own_tools_need_no_question(name: str, reason: str | None, owned: bool, kind: str) -> None:
    body: dict[str, Any] = {"subtype": "can_use_tool", "tool_name": name, "input": {}, "decision_reason_type": reason}
    asked = channel().receive_request({"request_id": "r1", "request": body})
    assert isinstance(asked, PermissionAsked)
    assert (asked.owned, asked.kind) == (owned, kind)
