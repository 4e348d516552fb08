"""Which conversation a request belongs to, as a client sees it and as the CLI is told; with the mock CLI."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from adapter.faces.http.conversations import OWNERS

if TYPE_CHECKING:
    from tests.http.calls import Answer, Caller

pytestmark = pytest.mark.anyio


def texts(prompt: Any) -> str:
    return prompt if isinstance(prompt, str) else "".join(block.get("text", "") for block in prompt)


async def test_a_warm_session_is_given_only_what_is_new(caller: Caller) -> None:
    first = await caller.ask("warm one")
    second = await caller.ask("warm one", first.text, "warm two")
    third = await caller.ask("warm one", f"  {first.text}\n", "warm two", second.text, "warm three", stream=True)
    assert [each.history for each in (first, second, third)] == ["new", "continued", "continued"]
    assert len({each.session for each in (first, second, third)}) == 1
    given = [texts(prompt) for prompt in caller.prompts() if "warm" in texts(prompt)]
    assert given == ["warm one", "warm two", "warm three"]
    assert len(caller.launches_with("warm")) == 1
    assert third.text == "You said: warm three"


async def test_whoever_stops_an_answer_and_asks_the_next_thing_goes_on_in_the_same_session(caller: Caller) -> None:
    """Also where the next request is there before the end of the connection that was left."""
    answers: list[Answer] = []

    async def ask_next() -> None:
        answers.append(await caller.ask("endless", "I begin", "and now?"))

    async with anyio.create_task_group() as tasks:
        async with caller.stream("endless") as left:
            tasks.start_soon(ask_next)
            assert (await caller.client.get("/healthz")).status_code == 200, "sent after it, on a third connection"
    (answer,) = answers
    assert (answer.history, answer.text) == ("continued", "You said: and now?")
    assert answer.session == left.response.headers["x-agent-adapter-session"]


async def test_an_edited_message_goes_to_a_fork_and_old_turns_are_not_played_again(caller: Caller) -> None:
    first = await caller.ask("edit one")
    await caller.ask("edit one", first.text, "edit two")
    edited = await caller.ask("edit one", first.text, "edit changed")
    again = await caller.ask("edit one", first.text, "edit changed", edited.text, "edit more")
    assert [edited.history, again.history] == ["forked", "continued"]
    assert edited.session == again.session != first.session
    (launch,) = caller.launches_with("edit changed")
    assert "--resume" in launch
    assert "--fork-session" in launch
    given = [texts(prompt) for prompt in caller.prompts() if "edit" in texts(prompt)]
    assert given == ["edit one", "edit two", "edit changed", "edit more"]


async def test_a_past_that_nobody_here_has_heard_is_told_in_one_message(caller: Caller) -> None:
    answer = await caller.ask("past one", "an answer from elsewhere", "past two")
    assert answer.history == "replayed"
    (given,) = [texts(prompt) for prompt in caller.prompts() if "past one" in texts(prompt)]
    assert "an answer from elsewhere" in given
    assert given.endswith("past two\n")
    assert (
        await caller.ask("past one", "an answer from elsewhere", "past two", answer.text, "past three")
    ).history == ("continued")


async def test_two_conversations_that_begin_alike_never_mix(caller: Caller) -> None:
    one, other = await caller.ask("alike"), await caller.ask("alike")
    assert one.session != other.session
    assert one.text == other.text
    third = await caller.ask("alike", one.text, "and then")
    assert third.history == "replayed", "nobody can tell which of the two it is"
    assert third.session not in (one.session, other.session)


async def test_conversations_that_were_ended_stand_in_nobodys_way(caller: Caller) -> None:
    for _ in range(OWNERS):
        ended = await caller.ask("begins alike")
        await caller.client.delete(f"/v1/sessions/{ended.session}")
    first = await caller.ask("begins alike")
    second = await caller.ask("begins alike", first.text, "and then")
    assert (second.history, second.session) == ("continued", first.session)


async def test_users_and_system_prompts_tell_conversations_apart_that_begin_alike(caller: Caller) -> None:
    hers = await caller.ask("users", metadata={"user_id": "her"})
    his = await caller.ask("users", metadata={"user_id": "him"})
    poet = await caller.ask("systems", system="You are a poet.")
    await caller.ask("systems", system="You are a judge.")
    again = await caller.ask("users", his.text, "more", metadata={"user_id": "him"})
    nobody = await caller.ask("users", hers.text, "more")
    poem = await caller.ask("systems", poet.text, "more", system="You are a poet.")
    assert (again.history, again.session) == ("continued", his.session)
    assert nobody.history == "replayed", "another user's conversation is nobody else's"
    assert (poem.history, poem.session) == ("continued", poet.session)


@pytest.mark.parametrize("header", ["x-agent-adapter-session", "x-arch-claude-cli-session"])
async def test_a_header_names_the_session(caller: Caller, header: str) -> None:
    id = str(uuid.uuid4())
    first = await caller.ask("named one", headers={header: id})
    second = await caller.ask("named one", first.text, "named two", headers={header: id})
    assert (first.session, first.history, second.session, second.history) == (id, "new", id, "continued")
    regenerated = await caller.ask("named one", first.text, "named other", headers={header: id})
    assert (regenerated.session, regenerated.history) == (id, "replayed")
    appended = await caller.ask("named last", headers={header: id, "x-agent-adapter-history": "append"})
    assert (appended.session, appended.history) == (id, "continued")
    token = await caller.ask("named by a word", headers={header: "my-editor"})
    assert token.session == str(uuid.uuid5(uuid.NAMESPACE_OID, "my-editor"))


async def test_the_model_changes_in_place_and_the_system_prompt_by_a_new_process_that_resumes(caller: Caller) -> None:
    first = await caller.ask("switch one", system="You are brief. It is 2026-01-01 10:00.")
    second = await caller.ask(
        "switch one", first.text, "switch two", system="You are brief. It is 2026-01-02 11:11.", model="opus"
    )
    assert second.body["model"] == "opus"
    assert len(caller.launches_with("switch")) == 1, "neither a model nor a date needs a new process"
    third = await caller.ask(
        "switch one", first.text, "switch two", second.text, "switch three", system="You are long."
    )
    assert (third.history, third.session) == ("continued", first.session)
    _, launch = caller.launches_with("switch")
    assert [told for told in caller.cli.told() if "You are long." in str(told)], "the CLI was told of it"
    assert "--resume" in launch
    given = [texts(prompt) for prompt in caller.prompts() if "switch" in texts(prompt)]
    assert given == ["switch one", "switch two", "switch three"]


async def test_a_session_that_has_ended_is_taken_up_again(caller: Caller) -> None:
    first = await caller.ask("die soon")
    id = str(uuid.uuid4())
    assert (first.status, first.body["error"]["type"]) == (502, "api_error")
    assert first.response.headers["x-should-retry"] == "false"
    with_name = {"x-agent-adapter-session": id}
    before = await caller.ask("ended one", headers=with_name)
    died = await caller.ask("ended one", before.text, "die now", headers=with_name, stream=True)
    assert died.body["error"]["kind"] == "process_exited"
    after = await caller.ask("ended one", before.text, "die now", "I beg", "ended two", headers=with_name)
    assert (after.history, after.text) == ("continued", "You said: ended two")


async def test_sessions_are_listed_shown_and_ended(caller: Caller) -> None:
    answer = await caller.ask("listed", headers={"x-agent-adapter-session": "by name"})
    assert (await caller.client.get("/v1/sessions/by name")).json()["id"] == answer.session
    (entry,) = [each for each in await caller.sessions() if each["id"] == answer.session]
    assert (entry["state"], entry["turns"], entry["requests"]) == ("idle", 1, 0)
    assert (await caller.client.get(f"/v1/sessions/{answer.session}")).json() == entry

    async with caller.stream("endless", headers={"x-agent-adapter-session": answer.session}) as streamed:
        ended = await caller.client.delete(f"/v1/sessions/{answer.session}")
        assert ended.json() == {"id": answer.session, "object": "session", "deleted": True}
        with anyio.fail_after(20):
            rest = await streamed.rest()
    assert '"kind":"interrupted"' in rest
    gone = await caller.client.get(f"/v1/sessions/{answer.session}")
    assert (gone.status_code, gone.json()["error"]["type"]) == (404, "not_found_error")


async def test_responses_go_on_from_the_response_they_name(caller: Caller) -> None:
    async def respond(text: str, previous: str | None = None) -> tuple[Any, str | None]:
        body = {"model": "sonnet", "input": text, "previous_response_id": previous}
        response = await caller.client.post("/v1/responses", json=body)
        return response.json(), response.headers.get("x-agent-adapter-history")

    first, _ = await respond("response one")
    second, history = await respond("response two", first["id"])
    assert history == "continued"
    assert second["output"][0]["content"][0]["text"] == "You said: response two"
    _, history = await respond("response branch", first["id"])
    assert history == "forked"
    missing, _ = await respond("response three", "resp_none")
    assert missing["error"]["type"] == "not_found_error"
    given = [texts(prompt) for prompt in caller.prompts() if "response" in texts(prompt)]
    assert given == ["response one", "response two", "response branch"]
