"""Schemas of the Messages API, as far as we read and write it. Imported by this package only."""

from __future__ import annotations

from protocol.openapi.parts import (
    ANY_OBJECT,
    BOOLEAN,
    COUNT,
    INTEGER,
    STRING,
    Schema,
    described,
    either,
    items,
    kind,
    maybe,
    record,
    ref,
)

_TEXT = record({"type": kind("text"), "text": STRING})
_MEDIA = record({"type": kind("image", "document"), "source": record({"type": STRING})})
_RESULT = record(
    {"type": kind("tool_result"), "tool_use_id": STRING},
    content=either(STRING, items(either(_TEXT, record({"type": kind("image"), "source": record({"type": STRING})})))),
    is_error=BOOLEAN,
)
_USE = record({"type": kind("tool_use"), "id": STRING, "name": STRING}, input=maybe(ANY_OBJECT))

SCHEMAS: dict[str, Schema] = {
    "UserMessage": record({"role": kind("user"), "content": either(STRING, items(either(_TEXT, _MEDIA, _RESULT)))}),
    "AssistantMessage": record({"role": kind("assistant"), "content": either(STRING, items(either(_TEXT, _USE)))}),
    "ClientTool": record(
        {"name": {"type": "string", "minLength": 1}, "input_schema": ANY_OBJECT},
        type=kind("custom"),
        description=STRING,
    ),
    "MessagesRequest": record(
        {
            "model": described(STRING, "With or without the prefix `claude-cli/`."),
            "messages": described(
                items(either(ref("UserMessage"), ref("AssistantMessage")), 1),
                "The conversation so far. The last message is the user's, and it has content.",
            ),
        },
        max_tokens=described(INTEGER, "Changes nothing: the CLI has no such limit."),
        system=described(either(STRING, items(_TEXT)), "Is added to the CLI's own system prompt."),
        stream=BOOLEAN,
        tools=items(ref("ClientTool")),
        tool_choice=record({"type": kind("auto", "none")}),
        thinking=record({"type": kind("enabled", "adaptive", "disabled")}, budget_tokens=INTEGER),
        output_config=record(
            {}, effort=STRING, format=maybe(record({"type": kind("json_schema"), "schema": ANY_OBJECT}))
        ),
        metadata=record({}, user_id=maybe(STRING)),
    ),
    "Usage": described(
        record(
            {
                "input_tokens": COUNT,
                "output_tokens": COUNT,
                "cache_creation_input_tokens": COUNT,
                "cache_read_input_tokens": COUNT,
            }
        ),
        "The sum of all the turn's calls of the model.",
    ),
    "Message": record(
        {
            "id": STRING,
            "type": kind("message"),
            "role": kind("assistant"),
            "model": STRING,
            "content": items(record({"type": STRING})),
            "stop_reason": kind("end_turn", "max_tokens", "pause_turn", "refusal", "tool_use"),
            "stop_sequence": {"type": "null"},
            "usage": ref("Usage"),
        }
    ),
    "TokenCount": record({"input_tokens": described(COUNT, "A guess: the CLI has no such call.")}),
    "MessagesError": record(
        {"type": kind("error"), "error": record({"type": STRING, "message": STRING}, kind=STRING)}, request_id=STRING
    ),
}
