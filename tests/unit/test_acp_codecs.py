"""The Agent Client Protocol's other translations: what a client sends, questions, options, the size of a line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol.codecs import acp_questions, acp_size
from protocol.codecs.acp_options import Options, commands_update
from protocol.codecs.acp_prompt import parse_prompt, plain_title
from protocol.signals import PermissionAsked
from protocol.wire.acp import BadParams, read_client, read_place

Json = dict[str, Any]

MODELS: list[Json] = [
    {"value": "default", "name": "Default", "resolved_model": "claude-big", "effort_levels": ["low", "high"]},
    {"value": "small", "name": "Small", "resolved_model": "claude-small", "effort_levels": []},
]


def asked(
    kind: str = "execute", tool: str = "Bash", suggestions: list[Any] | None = None, **given: Any
) -> PermissionAsked:
    return PermissionAsked(
        request_id="r",
        tool_call_id="c",
        tool_name=tool,
        kind=kind,
        input=given,
        title=None,
        suggestions=suggestions or [],
    )


def test_a_prompt_of_text_is_a_string_so_that_slash_commands_work() -> None:
    assert parse_prompt([{"type": "text", "text": "/compact"}, {"type": "text", "text": " now"}]) == "/compact now"


def test_what_a_prompt_points_at_becomes_links_and_embedded_content_goes_to_the_end() -> None:
    pdf = {"uri": "file:///w/a.pdf", "blob": "AA==", "mimeType": "application/pdf"}
    notes = {"uri": "file:///w/n.txt", "blob": "aGk=", "mimeType": "text/plain"}
    blocks = parse_prompt(
        [
            {"type": "resource", "resource": pdf},
            {"type": "resource", "resource": notes},
            {"type": "resource_link", "uri": "file:///w/dir/"},
            {"type": "text", "text": "?", "annotations": "nonsense"},
        ]
    )
    assert isinstance(blocks, list)
    assert [block.get("text") or block["type"] for block in blocks] == [
        "[@a.pdf](file:///w/a.pdf)",
        "[@n.txt](file:///w/n.txt)",
        "[@dir](file:///w/dir/)",
        "?",
        "document",
        '\n<context ref="file:///w/n.txt">\nhi\n</context>',
    ]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "resource", "resource": {"uri": "file:///x", "blob": "AA==", "mimeType": "application/zip"}},
        {"type": "resource", "resource": {"uri": "file:///x"}},
        {"type": "resource", "resource": None},
        {"type": "resource_link"},
        {"type": "image", "mimeType": "image/png"},
        {"type": "image", "mimeType": "image/tiff", "data": "AA=="},
        {"type": "resource", "resource": {"uri": "file:///x", "blob": "AA==", "mimeType": "image/svg+xml"}},
        {"type": []},
        None,
    ],
)
def test_a_block_that_cannot_be_used_is_refused_by_its_place(block: Any) -> None:
    with pytest.raises(BadParams) as refused:
        parse_prompt([block])
    assert refused.value.path.startswith("prompt.0")


def test_an_image_keeps_its_type_by_the_name_that_the_models_api_has_for_it() -> None:
    assert parse_prompt([{"type": "image", "mimeType": "image/jpg", "data": "AA=="}]) == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AA=="}}
    ]


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("Fix it", "Fix it"),
        (
            'See [@a.py](file:///w/a.py)\n<context ref="file:///w/a.py">\nx\n</context> and [b](c)',
            "See @a.py and [b](c)",
        ),
        ('See [@a.py](file:///w/a.py) <context ref="file:///w/a.py"> cut o', "See @a.py"),
        ('<context ref="x">', '<context ref="x">'),
        ("", ""),
    ],
)
def test_a_prompt_is_a_title_without_what_was_embedded(prompt: str, title: str) -> None:
    assert plain_title(prompt) == title


def test_capabilities_are_off_until_they_are_told_in_the_right_form() -> None:
    malformed: list[Any] = [
        None,
        5,
        {"elicitation": {}},
        {"elicitation": {"form": True}},
        {"_meta": {"terminal_output": 1}},
    ]
    for told in malformed:
        client = read_client({"protocolVersion": 1, "clientCapabilities": told})
        assert (client.elicits_forms, client.terminal_output, client.notices) == (False, False, False)
    able = {"elicitation": {"form": {}}, "session": {"notices": {}}, "_meta": {"terminal_output": True}}
    client = read_client({"protocolVersion": 1, "clientCapabilities": able})
    assert (client.elicits_forms, client.terminal_output, client.notices) == (True, True, True)


def test_mcp_servers_take_the_shape_of_a_sessions_config() -> None:
    servers = [
        {"name": "a", "command": "x", "args": ["1"], "env": [{"name": "K", "value": "v"}]},
        {"type": "http", "name": "b", "url": "http://b", "headers": [{"name": "H", "value": "v"}]},
        {"type": "sse", "name": "c", "url": "http://c"},
    ]
    assert read_place({"cwd": "/w", "mcpServers": servers}).mcp_servers == {
        "a": {"command": "x", "args": ["1"], "env": {"K": "v"}},
        "b": {"type": "http", "url": "http://b", "headers": {"H": "v"}},
        "c": {"type": "sse", "url": "http://c", "headers": {}},
    }


@pytest.mark.parametrize(
    ("server", "path"),
    [
        ({"type": "http", "url": "not an address"}, "mcpServers.1.url"),
        ({"type": "sse", "url": "http://c", "headers": [{"name": "H", "value": "a\nb"}]}, "mcpServers.1.headers"),
        ({"command": "a\0b"}, "mcpServers.1.command"),
        ({"command": "a", "env": [{"name": "K", "value": "\0"}]}, "mcpServers.1.env"),
    ],
)
def test_a_server_that_no_session_takes_is_refused_by_its_place(server: dict[str, Any], path: str) -> None:
    good = {"name": "a", "command": "x", "args": [], "env": []}
    with pytest.raises(BadParams) as refused:
        read_place({"cwd": "/w", "mcpServers": [good, {"name": "b", **server}]})
    assert refused.value.path == path


def test_each_suggestion_says_what_it_allows_and_for_how_long() -> None:
    suggestions = [
        {
            "type": "addRules",
            "rules": [{"toolName": "Bash", "ruleContent": "ls *"}],
            "behavior": "allow",
            "destination": "localSettings",
        },
        {"type": "addRules", "rules": [{"toolName": "Bash"}], "behavior": "deny", "destination": "session"},
        {"type": "addDirectories", "directories": ["/w"], "destination": "session"},
        {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
        {"type": "future"},
        "nonsense",
    ]
    choices = acp_questions.permission_choices(asked(suggestions=suggestions))
    assert [choice.name for choice in choices if choice.kind == "allow_always"] == [
        "Always allow Bash(ls *) in this project",
        "Always allow access to /w in this session",
        "Allow all edits in this session",
    ]
    assert choices[1].answer == {"outcome": "allow", "remember": suggestions[0]}
    assert len({choice.id for choice in choices}) == len(choices)


def test_a_plan_is_approved_into_a_mode_or_sent_back() -> None:
    mode = {"type": "setMode", "mode": "acceptEdits", "destination": "session"}
    choices = acp_questions.permission_choices(asked("plan", "ExitPlanMode", [mode, {"mode": "strange"}]))
    assert [(choice.kind, choice.answer["outcome"]) for choice in choices] == [
        ("allow_once", "allow"),
        ("allow_always", "allow"),
        ("reject_once", "deny"),
    ]
    assert choices[1].answer["remember"] == mode


def test_questions_are_the_same_by_their_rule_else_by_their_input() -> None:
    rule = [{"type": "addRules", "rules": [{"toolName": "Bash", "ruleContent": "ls *"}]}]
    same = acp_questions.sameness
    assert same(asked(suggestions=rule, command="ls a")) == same(asked(suggestions=rule, command="ls b"))
    assert same(asked(command="ls a")) != same(asked(command="ls b"))


def test_a_form_puts_every_question_and_an_answer_in_ones_own_words_comes_first() -> None:
    questions = [
        {"question": "Which?", "multiSelect": True, "options": [{"label": "A"}, {"label": "B", "description": "b"}]},
        {"question": "Why?", "options": []},
        {"question": "How?", "options": [{"label": "So"}]},
        {"header": "no text"},
    ]
    question = asked("question", "AskUserQuestion", questions=questions)
    found = acp_questions.questions_of(question)
    form = acp_questions.question_form(found)
    assert list(form["properties"]) == [
        "question_0",
        "question_0_custom",
        "question_1",
        "question_2",
        "question_2_custom",
    ]
    content = {"question_0": ["A", "B"], "question_1": "so", "question_2": "So", "question_2_custom": "otherwise"}
    decision = acp_questions.form_answers(question, found, {"action": "accept", "content": content})
    assert decision["updated_input"]["answers"] == {"Which?": "A, B", "Why?": "so", "How?": "otherwise"}


def test_mcp_questions_keep_their_form_or_address_and_unknown_kinds_are_nothing() -> None:
    schema = {"type": "object", "properties": {}}
    form = acp_questions.elicitation(asked("question", "tide", mode="form", message="m", requested_schema=schema))
    assert form == {"mode": "form", "message": "m", "requestedSchema": schema}
    url = acp_questions.elicitation(asked("question", "tide", mode="url", message="m", url="http://a"))
    assert url is not None
    assert (url["mode"], url["elicitationId"]) == ("url", "r")
    assert acp_questions.elicitation(asked("question", "tide", mode="voice")) is None
    assert acp_questions.elicitation_answer({"action": "accept"}) == {"outcome": "allow", "updated_input": {}}
    answers: list[Any] = [{"action": "decline"}, {"action": 5}, [], None]
    for answer in answers:
        assert acp_questions.elicitation_answer(answer) == {"outcome": "deny"}


def test_trust_needs_an_explicit_yes() -> None:
    items = [{"file": "/w/.mcp.json", "what": "mcp_server", "name": "x", "detail": "run x", "scripts": ["/w/x.py"]}]
    form = acp_questions.trust_form(asked("trust", "trust", working_dir="/w", items=items, more=2))
    shown = form["requestedSchema"]["properties"]["trust"]["description"]
    assert "run x (with /w/x.py)" in shown
    assert "2 more" in shown
    assert acp_questions.trust_answer({"action": "accept", "content": {"trust": "run"}}) == {"outcome": "allow"}
    for content in ({"trust": "leave"}, {"trust": True}, {}, None):
        assert acp_questions.trust_answer({"action": "accept", "content": content}) == {"outcome": "deny"}


def test_mode_and_option_tell_the_same_and_a_mode_without_a_word_of_ours_keeps_the_clis() -> None:
    options = Options(["supervised", "plan"], MODELS, {"runtime_mode": "plan"})
    assert options.modes()["currentModeId"] == options.config()[0]["currentValue"] == "plan"
    assert options.values("mode") == ["default", "plan"]
    assert options.learn_mode("dontAsk")
    assert not options.learn_mode("dontAsk")
    assert options.modes()["currentModeId"] in options.values("mode")


def test_the_model_is_the_chosen_one_by_whatever_name_the_cli_tells_it() -> None:
    options = Options([], MODELS, {})
    assert not options.learn_model("claude-big")
    assert options.learn_model("claude-small")
    assert (options.model, [each["id"] for each in options.config()]) == ("small", ["mode", "model"])
    assert options.learn_model("claude-new")
    assert "claude-new" in options.values("model")


def test_commands_that_belong_to_a_terminal_are_left_out_and_descriptions_are_short() -> None:
    commands: list[Json] = [
        {"name": "clear"},
        {"name": "__internal"},
        {"name": "review", "description": "x" * 1000, "argument_hint": "[pr]"},
        {"name": "compact", "description": None, "argument_hint": None},
    ]
    shown = commands_update(commands)["availableCommands"]
    assert [(each["name"], len(each["description"]), each.get("input")) for each in shown] == [
        ("review", 300, {"hint": "[pr]"}),
        ("compact", 0, None),
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"rawOutput": "x" * 50_000, "toolCallId": "c"},
        {"rawOutput": "\u0001" * 50_000, "content": ["ä" * 30_000], "toolCallId": "c"},
        {"content": [{"data": "A" * 90_000, "mimeType": "image/png"}], "toolCallId": "c"},
        {"rawInput": {str(at): at for at in range(50_000)}, "toolCallId": "c"},
        {"rawOutput": [[["y" * 200]] * 500], "toolCallId": "c"},
    ],
)
def test_a_value_of_any_shape_is_made_to_fit_and_keeps_what_identifies_it(value: Json) -> None:
    body = acp_size.fit(value, 10_000)
    assert len(body) <= 10_000
    assert json.loads(body)["toolCallId"] == "c"


def test_a_value_that_fits_is_left_as_it_is() -> None:
    assert json.loads(acp_size.fit({"text": "ä" * 100})) == {"text": "ä" * 100}
