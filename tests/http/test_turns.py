"""Turns over HTTP when something is in their way: other requests, clients that go or ask again, CLIs that die; with the
mock CLI."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.http.calls import WAIT_S
from tests.http.sse import read_events, read_message

if TYPE_CHECKING:
    from tests.http.calls import Answer, Caller

pytestmark = pytest.mark.anyio

LOOK = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}}


def named() -> dict[str, str]:
    return {"x-agent-adapter-session": str(uuid.uuid4())}


async def test_a_stream_and_a_body_tell_the_same_in_one_message(caller: Caller) -> None:
    whole, streamed = await caller.ask("bash 1"), await caller.ask("bash 1", stream=True)
    assert whole.body["content"] == [{"type": "text", "text": "I look."}, {"type": "text", "text": "Then not."}]
    for member in ("content", "stop_reason", "usage"):
        assert whole.body[member] == streamed.body[member]
    assert whole.response.headers["request-id"].startswith("req_")
    assert whole.response.headers["x-agent-adapter-ignored"] == "max_tokens"
    assert streamed.response.headers["cache-control"] == "no-cache"
    shown = await caller.ask("bash 1", headers={"x-agent-adapter-tools": "text"})
    assert shown.text == 'I look.[Bash {"command":"ls"}][Bash failed]Then not.'


async def test_a_client_that_goes_interrupts_its_turn_and_the_session_stays_clean(caller: Caller) -> None:
    headers = named()
    id = headers["x-agent-adapter-session"]
    async with caller.stream("endless", headers=headers):
        await caller.wait_session(id, state="busy")
    after = await caller.ask("endless", "I begin", "still there?", headers=headers)
    assert (after.history, after.text) == ("continued", "You said: still there?")
    with anyio.move_on_after(WAIT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: caller.ask("endless", headers={**headers, "x-agent-adapter-history": "append"}))
            await caller.wait_session(id, state="busy", turns=2)
            tasks.cancel_scope.cancel()
    again = await caller.ask("and now?", headers={**headers, "x-agent-adapter-history": "append"})
    assert again.text == "You said: and now?", "the same for a client that waits for a body"


async def test_a_request_that_comes_again_gets_the_answer_of_the_first(caller: Caller) -> None:
    key = {"idempotency-key": str(uuid.uuid4())}
    answers: list[Answer] = []

    async def ask(headers: dict[str, str]) -> None:
        answers.append(await caller.ask("repeat me", headers=headers))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, key)
        tasks.start_soon(ask, key)
    await ask(key)
    await ask({"x-stainless-retry-count": "1"})
    first = answers[0]
    assert [each.body for each in answers[:3]] == [first.body] * 3
    assert len({each.session for each in answers}) == 2, "a retry without a first try is asked"
    other = await caller.ask("repeat something else", headers=key)
    assert (other.status, other.body["error"]["type"]) == (400, "invalid_request_error")
    fresh = await caller.ask("repeat me")
    assert fresh.session not in {each.session for each in answers}, "without a word of it, it is a new request"


async def test_a_librarys_retry_never_runs_tools_twice(caller: Caller) -> None:
    headers = named()
    async with caller.stream("endless retry", headers=headers):
        pass
    # Before the daemon sees that the client has gone, the retry would find the turn running, and read on.
    await caller.wait_session(headers["x-agent-adapter-session"], requests=0)
    retried = await caller.ask("endless retry", stream=True, headers={**headers, "x-stainless-retry-count": "1"})
    assert (retried.status, retried.body["error"]["kind"]) == (503, "interrupted")
    assert retried.response.headers["x-should-retry"] == "false"
    assert str(caller.prompts()).count("endless retry") == 1


async def test_requests_wait_for_a_session_in_a_short_line(caller: Caller) -> None:
    headers = named()
    answers: list[Answer] = []

    async def ask(text: str) -> None:
        answers.append(await caller.ask(text, headers={**headers, "x-agent-adapter-history": "append"}))

    async with anyio.create_task_group() as tasks:
        async with caller.stream("endless", headers=headers):
            tasks.start_soon(ask, "second")
            await caller.wait_session(headers["x-agent-adapter-session"], requests=2)
            refused = await caller.ask("third", headers=headers)
    assert (refused.status, refused.body["error"]["type"]) == (409, "conflict_error")
    assert refused.response.headers["x-should-retry"] == "true"
    assert int(refused.response.headers["retry-after"]) > 0
    assert [each.text for each in answers] == ["You said: second"]


async def test_silence_is_filled_with_pings_and_patience_ends(hasty_caller: Caller) -> None:
    body = hasty_caller.body("quiet", stream=True)
    data = (await hasty_caller.client.post("/v1/messages", json=body)).content
    names = [name for name, _ in read_events(data)]
    assert names[:4] == ["message_start", "ping", "ping", "ping"]
    assert read_message(data)["content"] == [{"type": "text", "text": "At last."}]
    chat = {"model": "x", "stream": True, "messages": body["messages"]}
    assert (await hasty_caller.client.post("/v1/chat/completions", json=chat)).text.count(": ping\n\n") > 1

    headers = {**named(), "x-agent-adapter-when-gone": "continue", "idempotency-key": str(uuid.uuid4())}
    async with hasty_caller.stream("quiet going on", headers=headers, until="message_start"):
        pass
    answer = await hasty_caller.ask("quiet going on", headers=headers, stream=True)
    assert answer.text == "At last.", "a turn that goes on without its client can be asked for again"
    assert str(hasty_caller.prompts()).count("quiet going on") == 1

    first, _ = await begin_call(hasty_caller, {}, "call_nobody_answers")
    await hasty_caller.wait_session(first.session, state="idle")


async def test_failures_have_their_status_and_the_shape_of_the_api(caller: Caller) -> None:
    messages = [{"role": "user", "content": "overload"}]
    for path, body in (
        ("/v1/messages", {"model": "x", "messages": messages}),
        ("/v1/chat/completions", {"model": "x", "messages": messages}),
        ("/v1/responses", {"model": "x", "input": "overload"}),
    ):
        for stream in (False, True):
            response = await caller.client.post(path, json={**body, "stream": stream})
            assert (response.status_code, response.headers["x-should-retry"]) == (529, "false")
            error = response.json()["error"]
            assert (error["type"], error["message"]) == ("overloaded_error", "API Error: 529 overloaded")
            assert ("code" in error) == (path != "/v1/messages")
            assert (response.json().get("type") == "error") == (path == "/v1/messages")
    await caller.wait_no_sessions()  # one that has answered nothing is not kept


async def test_what_is_no_request_is_told_so_in_each_apis_shape(caller: Caller) -> None:
    async def post(path: str, content: bytes, **headers: str) -> Any:
        given = {"content-type": "application/json", **headers}
        return await caller.client.post(path, content=content, headers=given)

    bad = await post("/v1/messages", b"{")
    assert (bad.status_code, bad.json()["error"]["type"]) == (400, "invalid_request_error")
    assert bad.json()["request_id"] == bad.headers["request-id"] == bad.headers["x-request-id"]
    refused = await post("/v1/messages", b"{}", **{"x-api-key": "wrong"})
    assert refused.json()["request_id"] == refused.headers["request-id"] == refused.headers["x-request-id"]
    assert (await post("/v1/chat/completions", b"[1]")).json()["error"]["code"] is None
    missing = await caller.client.get("/v1/nothing", headers={"anthropic-version": "2023-06-01"})
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")
    wrong = await caller.client.get("/v1/messages")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    wrong = await caller.client.put("/v1/sessions/any")
    assert {each.strip() for each in wrong.headers["allow"].split(",")} == {"GET", "HEAD", "DELETE"}
    strict = await caller.ask("x", headers={"x-agent-adapter-strict": "true"}, temperature=1)
    assert (strict.status, "temperature" in strict.body["error"]["message"]) == (400, True)
    odd = await caller.ask("x", headers={"x-agent-adapter-tools": "some"})
    assert "hidden, text, blocks" in odd.body["error"]["message"]


async def test_models_are_the_clis_own_for_clients_of_both_vendors(caller: Caller) -> None:
    page = (await caller.client.get("/v1/models", params={"limit": 1})).json()
    (first,) = page["data"]
    assert (page["object"], page["has_more"], page["first_id"]) == ("list", True, first["id"])
    assert {"type": "model", "object": "model", "owned_by": "claude-cli"}.items() <= first.items()
    after = (await caller.client.get("/v1/models", params={"after_id": first["id"]})).json()["data"]
    assert first["id"] not in [model["id"] for model in after]
    for id in (first["id"], first["id"].removeprefix("claude-cli/")):
        assert (await caller.client.get(f"/v1/models/{id}")).json() == first
    for path in ("/v1/models/none", "/v1/models?limit=0", "/v1/models?after_id=none"):
        assert (await caller.client.get(path)).status_code in (400, 404)


async def test_tokens_are_guessed_and_the_guess_says_so(caller: Caller) -> None:
    body = {"model": "x", "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hm"}]}
    counted = await caller.client.post("/v1/messages/count_tokens", json=body)
    assert 5 < counted.json()["input_tokens"] < 20
    assert counted.headers["x-agent-adapter-estimate"] == "true"


# The client's tools


async def begin_call(caller: Caller, headers: dict[str, str], name: str) -> tuple[Answer, list[Any]]:
    """Ask for a call; the answer, and the conversation with it."""
    first = await caller.ask(name, headers=headers, tools=[LOOK], stream=True)
    assert first.body["stop_reason"] == "tool_use"
    (block,) = first.body["content"]
    assert {"type": "tool_use", "name": "look", "input": {"at": "sea"}}.items() <= block.items()
    messages = [{"role": "user", "content": name}, {"role": "assistant", "content": first.body["content"]}]
    return first, messages


def result(answer: Answer, content: Any) -> Any:
    return {"type": "tool_result", "tool_use_id": answer.body["content"][-1]["id"], "content": content}


async def test_a_turn_waits_for_the_clients_tool_and_goes_on_with_its_result(caller: Caller) -> None:
    first, messages = await begin_call(caller, {}, "call_sea")
    await caller.wait_session(first.session, state="busy")
    messages.append({"role": "user", "content": [result(first, "blue")]})
    second = await caller.ask(messages=messages, tools=[LOOK])
    assert (second.history, second.session) == ("tool_results", first.session)
    assert second.text == "You gave me: blue"
    messages += [{"role": "assistant", "content": second.body["content"]}, {"role": "user", "content": "thanks"}]
    third = await caller.ask(messages=messages, tools=[LOOK])
    assert (third.history, third.session, third.text) == ("continued", first.session, "You said: thanks")
    assert len(caller.launches_with("call_sea")) == 1


async def test_calls_without_all_their_results_are_refused_and_the_turn_goes_on_waiting(caller: Caller) -> None:
    first, messages = await begin_call(caller, {}, "call_part")
    stray = {"type": "tool_result", "tool_use_id": "none", "content": "x"}
    refused = await caller.ask(messages=[*messages, {"role": "user", "content": [stray]}], tools=[LOOK])
    assert (refused.status, "none" in refused.body["error"]["message"]) == (400, True)
    answer = {"role": "user", "content": [result(first, "grey")]}
    assert (await caller.ask(messages=[*messages, answer], tools=[LOOK])).text == "You gave me: grey"


async def test_somebody_who_speaks_instead_of_answering_a_call_ends_that_turn(caller: Caller) -> None:
    headers = named()
    await begin_call(caller, headers, "call_nobody")
    spoken = await caller.ask("never mind", headers={**headers, "x-agent-adapter-history": "append"})
    assert spoken.text == "You said: never mind"
    first, messages = await begin_call(caller, {}, "call_unheard")
    unnamed = await caller.ask(messages=[*messages, {"role": "user", "content": "never mind"}], tools=[LOOK])
    assert (unnamed.history, unnamed.session) == ("continued", first.session), "the history tells it as well"
    assert unnamed.text == "You said: never mind"


async def test_results_that_come_too_late_are_told_to_a_session_that_begins_anew(caller: Caller) -> None:
    first, messages = await begin_call(caller, {}, "call_late")
    await caller.client.delete(f"/v1/sessions/{first.session}")
    messages.append({"role": "user", "content": [result(first, "black")]})
    late = await caller.ask(messages=messages, tools=[LOOK])
    assert late.history == "replayed"
    (told,) = [str(prompt) for prompt in caller.prompts() if "black" in str(prompt)]
    assert "(called the tool look" in told
