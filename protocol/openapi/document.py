"""The document itself: paths, headers, errors. The schemas are in `messages` and `openai`. Imported by this package
only."""

from __future__ import annotations

from typing import Any

from protocol.openapi import messages, openai
from protocol.openapi.parts import STRING, Schema, either, kind, ref

ERRORS = {
    "400": "The request is wrong, or asks for what an agent cannot do; the message says what.",
    "401": "The token is missing or wrong; or the CLI is not logged in.",
    "403": "The Host header names somebody else, or a web page asks; or the model's server refused.",
    "404": "There is no such thing.",
    "405": "The path has no such method.",
    "408": "The body did not come in time.",
    "409": "Too many requests wait for this conversation's turn. Nothing was done: try again.",
    "413": "The body is too large.",
    "415": "The body is not JSON, or compressed.",
    "429": "A limit of the account, or all sessions are busy.",
    "500": "A defect of ours, or of the model's server.",
    "502": "The CLI did not start, broke its protocol, or died.",
    "503": "The CLI is not installed, the turn was interrupted, or there are too many connections.",
    "504": "The CLI gave no sign of life for too long.",
    "529": "The model's server is overloaded.",
}
"""Status to what it means here."""

ALWAYS = ("400", "401", "403", "404", "405", "408", "413", "415", "503")
"""What any path can answer with."""

OF_A_TURN = ("409", "429", "500", "502", "504", "529")
"""What a turn can end with, too."""

REQUEST_HEADERS: dict[str, tuple[Schema, str]] = {
    "x-agent-adapter-session": (STRING, "Name of the conversation: a UUID or any other word."),
    "x-agent-adapter-history": (kind("append"), "Give the agent the last message only, whatever stands before it."),
    "x-agent-adapter-tools": (kind("hidden", "text", "blocks"), "How the CLI's own tools are shown."),
    "x-agent-adapter-when-gone": (kind("interrupt", "continue"), "What becomes of the turn if the client goes."),
    "x-agent-adapter-strict": (kind("true", "false"), "Refuse members of the request that would change nothing."),
    "idempotency-key": (STRING, "The same key with the same body is answered from the first one's turn."),
}
"""Headers of a request for a turn."""

ANSWER_HEADERS = {
    "request-id": "Of this request.",
    "x-request-id": "The same, where OpenAI's libraries look for it.",
    "x-agent-adapter-session": "The conversation that answered.",
    "x-agent-adapter-history": 'How it was found: docs/http.md, "Conversations".',
    "x-agent-adapter-ignored": "Members of the request that changed nothing.",
}


def document(version: str) -> dict[str, Any]:
    """The document.

    Args:
        version: the daemon's.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "agent-adapter",
            "version": version,
            "description": "The coding agent of this machine, seen through the APIs of model vendors: docs/http.md.",
        },
        "security": [{"key": []}, {"bearer": []}],
        "paths": _paths(),
        "components": {
            "schemas": {**messages.SCHEMAS, **openai.SCHEMAS},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _paths() -> dict[str, Any]:
    by_id = [_parameter("id", "path", STRING, "See the list.")]
    pages = [
        _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 1000}, "Models on a page."),
        _parameter("after_id", "query", STRING, "The page behind this model."),
        _parameter("before_id", "query", STRING, "The page before this model."),
    ]
    count = _body(
        "MessagesRequest", _answers("TokenCount", "MessagesError"), "count_tokens", "Guess a request's tokens"
    )
    return {
        "/v1/messages": {"post": _turn("MessagesRequest", "Message", "MessagesError", "create_message")},
        "/v1/messages/count_tokens": {"post": count},
        "/v1/chat/completions": {
            "post": _turn("ChatRequest", "ChatCompletion", "OpenAIError", "create_chat_completion")
        },
        "/v1/responses": {"post": _turn("ResponsesRequest", "Response", "OpenAIError", "create_response")},
        "/v1/models": {"get": {**_get("ModelList", "list_models", "List the CLI's models"), "parameters": pages}},
        "/v1/models/{id}": {"get": {**_get("Model", "get_model", "One model"), "parameters": by_id}},
        "/v1/sessions": {"get": _get("SessionList", "list_sessions", "List the conversations")},
        "/v1/sessions/{id}": {
            "get": {**_get("Session", "get_session", "One conversation"), "parameters": by_id},
            "delete": {
                **_get("SessionEnded", "end_session", "End a conversation and its process"),
                "parameters": by_id,
            },
        },
        "/openapi.json": {"get": _get(None, "get_openapi", "This document")},
        "/healthz": {
            "get": {
                "operationId": "get_health",
                "summary": "Whether somebody is here; needs no token",
                "security": [],
                "responses": {"200": {"description": "Yes.", "content": {"text/plain": {"schema": STRING}}}}
                | _failures("OpenAIError", ALWAYS),
            }
        },
    }


def _turn(asked: str, answered: str, failed: str, name: str) -> dict[str, Any]:
    """An operation that asks for a turn, in one body or as a stream."""
    answers = _answers(answered, failed, *OF_A_TURN)
    answers["200"]["content"]["text/event-stream"] = {}
    answers["200"]["headers"] = {
        header: {"description": text, "schema": STRING} for header, text in ANSWER_HEADERS.items()
    }
    headers = [_parameter(header, "header", schema, text) for header, (schema, text) in REQUEST_HEADERS.items()]
    return {**_body(asked, answers, name, "Ask the agent for a turn"), "parameters": headers}


def _body(asked: str, answers: dict[str, Any], name: str, summary: str) -> dict[str, Any]:
    content = {"application/json": {"schema": ref(asked)}}
    body = {"required": True, "content": content}
    return {"operationId": name, "summary": summary, "requestBody": body, "responses": answers}


def _get(answered: str | None, name: str, summary: str) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "responses": _answers(answered, None, *OF_A_TURN)}


def _answers(answered: str | None, failed: str | None, *more: str) -> dict[str, Any]:
    schema = ref(answered) if answered else {"type": "object"}
    done = {"200": {"description": "Done.", "content": {"application/json": {"schema": schema}}}}
    return done | _failures(failed, (*ALWAYS, *more))


def _failures(shape: str | None, statuses: tuple[str, ...]) -> dict[str, Any]:
    """The errors of a path; where either API's clients may call, they are in the caller's shape."""
    schema = ref(shape) if shape else either(ref("OpenAIError"), ref("MessagesError"))
    content = {"application/json": {"schema": schema}}
    return {status: {"description": ERRORS[status], "content": content} for status in sorted(set(statuses))}


def _parameter(name: str, place: str, schema: Schema, text: str) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": schema, "description": text, "required": place == "path"}
