"""Schemas of OpenAI's two APIs, of the models and of the sessions. Imported by this package only."""

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
_IMAGE = record(
    {"type": kind("image_url"), "image_url": record({"url": {"type": "string", "pattern": "^https?://[a-z]+$"}})}
)
_CALL = record({"id": STRING, "function": record({"name": STRING}, arguments=kind("", "{}"))})
_CONTENT = either(STRING, items(_TEXT))
_FUNCTION = {"name": {"type": "string", "minLength": 1}}
_INPUT_TEXT = record({"type": kind("input_text", "output_text", "text"), "text": STRING})
_EFFORT = kind("none", "minimal", "low", "medium", "high")

SCHEMAS: dict[str, Schema] = {
    "ChatMessage": either(
        record({"role": kind("user"), "content": either(STRING, items(either(_TEXT, _IMAGE)))}),
        record({"role": kind("system", "developer"), "content": _CONTENT}),
        record({"role": kind("assistant")}, content=maybe(_CONTENT), tool_calls=items(_CALL)),
        record({"role": kind("tool"), "tool_call_id": STRING, "content": _CONTENT}),
    ),
    "ChatRequest": record(
        {
            "model": described(STRING, "With or without the prefix `claude-cli/`."),
            "messages": described(items(ref("ChatMessage"), 1), "The conversation so far; the user has the last word."),
        },
        stream=BOOLEAN,
        stream_options=record({}, include_usage=BOOLEAN),
        tools=items(
            record(
                {
                    "type": kind("function"),
                    "function": record(_FUNCTION, description=maybe(STRING), parameters=ANY_OBJECT),
                }
            )
        ),
        tool_choice=kind("auto", "none"),
        response_format=either(
            record({"type": kind("text")}),
            record({"type": kind("json_schema"), "json_schema": record({"schema": ANY_OBJECT})}),
        ),
        reasoning_effort=maybe(_EFFORT),
        user=maybe(STRING),
    ),
    "ChatCompletion": record(
        {
            "id": STRING,
            "object": kind("chat.completion"),
            "created": INTEGER,
            "model": STRING,
            "choices": items(
                record(
                    {
                        "index": INTEGER,
                        "message": record(
                            {"role": kind("assistant"), "content": maybe(STRING)}, tool_calls=items(_CALL)
                        ),
                        "finish_reason": kind("stop", "length", "tool_calls", "content_filter"),
                    }
                )
            ),
            "usage": record({"prompt_tokens": COUNT, "completion_tokens": COUNT, "total_tokens": COUNT}),
        }
    ),
    "ResponsesRequest": record(
        {
            "input": either(
                {"type": "string", "minLength": 1},
                items(
                    either(
                        record(
                            {
                                "role": kind("user", "assistant", "system", "developer"),
                                "content": either(STRING, items(_INPUT_TEXT)),
                            },
                            type=kind("message"),
                        ),
                        record(
                            {
                                "type": kind("function_call_output"),
                                "call_id": STRING,
                                "output": either(STRING, items(_INPUT_TEXT)),
                            }
                        ),
                    ),
                    1,
                ),
            )
        },
        model=described(STRING, "With or without the prefix `claude-cli/`."),
        instructions=maybe(STRING),
        previous_response_id=maybe(STRING),
        stream=maybe(BOOLEAN),
        tools=items(record({"type": kind("function"), **_FUNCTION}, description=maybe(STRING), parameters=ANY_OBJECT)),
        tool_choice=kind("auto", "none"),
        text=record(
            {},
            format=either(record({"type": kind("text")}), record({"type": kind("json_schema"), "schema": ANY_OBJECT})),
        ),
        reasoning=record({}, effort=maybe(_EFFORT)),
        user=maybe(STRING),
    ),
    "Response": record(
        {
            "id": STRING,
            "object": kind("response"),
            "created_at": INTEGER,
            "status": kind("completed", "incomplete"),
            "model": STRING,
            "output": items(record({"id": STRING, "type": kind("message", "function_call")})),
            "usage": record({"input_tokens": COUNT, "output_tokens": COUNT, "total_tokens": COUNT}),
        }
    ),
    "Model": record(
        {
            "id": STRING,
            "type": kind("model"),
            "object": kind("model"),
            "display_name": STRING,
            "created_at": {"type": "string", "format": "date-time"},
            "created": INTEGER,
            "owned_by": STRING,
        }
    ),
    "ModelList": record(
        {
            "object": kind("list"),
            "data": items(ref("Model")),
            "has_more": BOOLEAN,
            "first_id": maybe(STRING),
            "last_id": maybe(STRING),
        }
    ),
    "Session": record(
        {
            "id": STRING,
            "object": kind("session"),
            "state": kind("starting", "idle", "busy", "stopping", "ended"),
            "requests": described(COUNT, "Requests that run or wait."),
            "provider_session_id": maybe(STRING),
            "working_dir": maybe(STRING),
            "model": maybe(STRING),
        }
    ),
    "SessionList": record({"object": kind("list"), "data": items(ref("Session"))}),
    "SessionEnded": record({"id": STRING, "object": kind("session"), "deleted": {"type": "boolean", "enum": [True]}}),
    "OpenAIError": record(
        {"error": record({"message": STRING, "type": STRING, "param": maybe(STRING), "code": maybe(STRING)})}
    ),
}
