"""The requests of the three APIs: what is read, what is refused and where, what is passed over and named. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from protocol.httperrors import HttpError
from protocol.tokens import estimate_tokens
from protocol.turnrequest import Said
from protocol.wire.chat_api import read_chat_request
from protocol.wire.messages_api import read_messages_request
from protocol.wire.responses_api import read_responses_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from protocol.turnrequest import TurnRequest

Json = dict[str, Any]
HI = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
PNG = "data:image/png;base64,aGVsbG8="
CALL = {"type": "tool_use", "id": "t1", "name": "look", "input": {"n": 1}}


def messages(**members: Any) -> TurnRequest:
    return read_messages_request({"model": "sonnet", "max_tokens": 9, "messages": HI, **members})


def chat(**members: Any) -> TurnRequest:
    return read_chat_request({"model": "sonnet", "messages": HI, **members})


def responses(**members: Any) -> TurnRequest:
    return read_responses_request({"model": "sonnet", "input": "hi", **members})


def text(value: str) -> Json:
    return {"type": "text", "text": value}


@pytest.mark.parametrize("read", [messages, chat, responses])
def test_a_small_request_is_one_message_of_the_user(read: Callable[..., TurnRequest]) -> None:
    assert read().messages == [Said("user", [text("hi")])]
    assert (read().model, read().stream, read(stream=True).stream) == ("sonnet", False, True)


@pytest.mark.parametrize(
    ("name", "model"),
    [("claude-cli/opus", "opus"), ("opus", "opus"), ("claude-cli/*", None), ("claude-cli/default", None), ("", None)],
)
def test_a_models_name_may_have_the_routers_prefix(name: str, model: str | None) -> None:
    assert messages(model=name).model == model


def test_system_prompts_come_together_from_wherever_an_api_puts_them() -> None:
    billing = text("x-anthropic-billing-header: cch=12;")
    assert messages(system=[billing, text("one"), text("two")]).system == "one\ntwo"
    assert messages(system="").system is None
    said = [{"role": "system", "content": "one"}, {"role": "developer", "content": [text("two")]}, *HI]
    assert chat(messages=said).system == "one\n\ntwo"
    assert responses(instructions="one", input=[{"role": "system", "content": "two"}, *HI]).system == "one\n\ntwo"


def test_neighbouring_messages_of_one_role_are_one_and_empty_ones_are_none() -> None:
    said = [*HI, {"role": "assistant", "content": ""}, {"role": "user", "content": [text("there")]}]
    assert messages(messages=said).messages == [Said("user", [text("hi"), text("there")])]


def test_images_and_documents_are_kept_without_marks_for_a_cache() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}
    block = {"type": "image", "source": source, "cache_control": {"type": "ephemeral"}}
    assert messages(messages=[{"role": "user", "content": [block]}]).last.content == [
        {"type": "image", "source": source}
    ]
    parts = [
        {"type": "image_url", "image_url": {"url": PNG}},
        {"type": "image_url", "image_url": {"url": "https://a/b"}},
    ]
    web = {"type": "image", "source": {"type": "url", "url": "https://a/b"}}
    assert chat(messages=[{"role": "user", "content": parts}]).last.content == [
        {"type": "image", "source": source},
        web,
    ]
    item = {"role": "user", "content": [{"type": "input_image", "image_url": PNG}]}
    assert responses(input=[item]).last.content == [{"type": "image", "source": source}]


def test_a_tools_round_is_the_same_in_all_three_apis() -> None:
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "42", "is_error": False}
    wanted = [Said("user", [text("hi")]), Said("assistant", [text("let me"), CALL])]
    said = [*HI, {"role": "assistant", "content": [{"type": "thinking", "thinking": "…"}, text("let me"), CALL]}]
    assert messages(messages=[*said, {"role": "user", "content": [result]}]).messages == [
        *wanted,
        Said("user", [result]),
    ]

    function = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"n": 1}'}}
    said = [*HI, {"role": "assistant", "content": "let me", "tool_calls": [function]}]
    asked = chat(messages=[*said, {"role": "tool", "tool_call_id": "t1", "content": "42"}])
    assert asked.messages == [*wanted, Said("user", [{**result, "content": [text("42")]}])]

    items = [
        *HI,
        {"role": "assistant", "content": [{"type": "output_text", "text": "let me"}]},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "t1", "name": "look", "arguments": '{"n": 1}'},
        {"type": "function_call_output", "call_id": "t1", "output": "42"},
    ]
    assert responses(input=items).messages == [*wanted, Said("user", [result])]


def test_tools_are_offered_unless_none_is_chosen() -> None:
    tool = {"name": "look", "description": "d", "input_schema": SCHEMA}
    offered = messages(tools=[tool]).tools[0]
    assert (offered.name, offered.description, offered.input_schema) == ("look", "d", SCHEMA)
    assert messages(tools=[tool], tool_choice={"type": "none"}).tools == []
    function = {"name": "look", "parameters": {"properties": {}}}
    assert chat(tools=[{"type": "function", "function": function}]).tools[0].input_schema["type"] == "object"
    assert responses(tools=[{"type": "function", "name": "look"}]).tools[0].name == "look"


def test_the_shape_of_the_answer_and_the_effort_are_read() -> None:
    format = {"type": "json_schema", "schema": SCHEMA}
    assert messages(output_config={"format": format, "effort": "high"}).output_schema == SCHEMA
    assert messages(output_config={"effort": "high"}).effort == "high"
    assert messages(output_format=format).output_schema == SCHEMA
    named = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
    assert chat(response_format=named, reasoning_effort="minimal").output_schema == SCHEMA
    assert chat(reasoning_effort="minimal").effort == "low"
    assert responses(text={"format": {**format, "name": "a"}}, reasoning={"effort": "high"}).output_schema == SCHEMA


def test_thinking_is_shown_where_it_is_asked_for() -> None:
    asked = messages(thinking={"type": "enabled", "budget_tokens": 2000})
    assert (asked.shows_thinking, asked.thinking_budget) == (True, 2000)
    assert (messages().shows_thinking, messages().thinking_budget) == (False, None)
    assert messages(thinking={"type": "disabled"}).thinking_budget == 0


def test_what_changes_nothing_is_named_and_what_is_null_is_not() -> None:
    assert messages(temperature=0.5, top_k=3, new_member={}).ignored == [
        "max_tokens",
        "new_member",
        "temperature",
        "top_k",
    ]
    assert chat(temperature=0.5, seed=None, user="me").ignored == ["temperature"]
    assert responses(store=False, temperature=None).ignored == ["store"]


REFUSED: list[tuple[Callable[..., TurnRequest], Json, str]] = [
    (messages, {"messages": []}, "messages"),
    (messages, {"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
    (messages, {"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
    (messages, {"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages.0.content.0.type"),
    (messages, {"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages.0.content.0.source"),
    (messages, {"messages": [*HI, {"role": "assistant", "content": "{"}]}, "messages"),
    (messages, {"stop_sequences": ["x"]}, "stop_sequences"),
    (messages, {"mcp_servers": [{}]}, "mcp_servers"),
    (messages, {"container": "c"}, "container"),
    (messages, {"tool_choice": {"type": "any"}}, "tool_choice.type"),
    (messages, {"tool_choice": {"type": "tool", "name": "x"}}, "tool_choice.type"),
    (messages, {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0.type"),
    (messages, {"tools": [{"name": "x y", "input_schema": SCHEMA}]}, "tools.0.name"),
    (messages, {"tools": [{"name": "x", "input_schema": SCHEMA}] * 2}, "tools.1.name"),
    (messages, {"tools": [{"name": "x", "input_schema": {"type": "string"}}]}, "tools.0.input_schema.type"),
    (messages, {"tools": [{"name": "x"}]}, "tools.0.input_schema"),
    (messages, {"model": 5}, "model"),
    (messages, {"stream": "yes"}, "stream"),
    (messages, {"system": 5}, "system"),
    (messages, {"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    (chat, {"n": 2}, "n"),
    (chat, {"stop": "x"}, "stop"),
    (chat, {"logprobs": True}, "logprobs"),
    (chat, {"modalities": ["text", "audio"]}, "modalities"),
    (chat, {"tool_choice": "required"}, "tool_choice"),
    (chat, {"tool_choice": {"type": "function"}}, "tool_choice"),
    (chat, {"functions": [{}]}, "functions"),
    (chat, {"response_format": {"type": "json_object"}}, "response_format.type"),
    (chat, {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages.0.content.0.type"),
    (chat, {"messages": [*HI, {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "b", "arguments": "["}}]}]}, "messages.1.tool_calls.0.function.arguments"),  # noqa: E501
    (responses, {"input": 5}, "input"),
    (responses, {"background": True}, "background"),
    (responses, {"tools": [{"type": "web_search"}]}, "tools.0.type"),
    (responses, {"input": [{"type": "item_reference", "id": "x"}]}, "input.0.type"),
    (responses, {"text": {"format": {"type": "json_object"}}}, "text.format.type"),
]  # fmt: skip


@pytest.mark.parametrize(("read", "members", "param"), REFUSED)
def test_what_cannot_be_honoured_is_refused_by_its_path(
    read: Callable[..., TurnRequest], members: Json, param: str
) -> None:
    with pytest.raises(HttpError) as refused:
        read(**members)
    failure = refused.value.failure
    assert (failure.status, failure.type, failure.param) == (400, "invalid_request_error", param)


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, {"model": "x"}, {"messages": HI}])
def test_what_is_no_request_at_all_is_400(value: Any) -> None:
    for read in (read_messages_request, read_chat_request, read_responses_request):
        with pytest.raises(HttpError):
            read(value)


def test_a_result_without_its_call_is_refused() -> None:
    result = {"type": "tool_result", "tool_use_id": "t9", "content": "42"}
    for before in ([], [*HI, {"role": "assistant", "content": [CALL]}]):
        with pytest.raises(HttpError, match="t9"):
            messages(messages=[*before, {"role": "user", "content": [result]}])
    asked = responses(
        previous_response_id="r", input=[{"type": "function_call_output", "call_id": "t9", "output": "1"}]
    )
    assert asked.last.content[0]["tool_use_id"] == "t9", "the call was told with the response before"


def test_the_guess_at_tokens_grows_with_the_request() -> None:
    short, long = messages(), messages(messages=[{"role": "user", "content": "word " * 1000}], system="x" * 350)
    assert estimate_tokens(short) < 20
    assert 1000 < estimate_tokens(long) < 2000
