"""Conversations of the real CLI on disk: told again, listed, renamed, deleted, gone back in."""

from __future__ import annotations

import os
import signal
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.daemon import RpcError
from tests.support.real_session import allow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon, Json
    from tests.support.real_session import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
TOLD_AGAIN = {"turn_started", "message", "tool_call_started", "tool_call_input", "tool_call_output", "turn_completed"}
NOT_KEPT = ("usage", "context_window", "cost_usd", "duration_ms", "num_turns")


def comparable(events: list[Json]) -> list[Json]:
    """What live and history have in common: the main agent's events, without prompts and what is not written down."""
    inner = {event["tool_call_id"] for event in events if event["type"] == "tool_call_started" and of_agent(event)}
    return [
        {name: value for name, value in event.items() if name not in NOT_KEPT}
        for event in events
        if event["type"] in TOLD_AGAIN
        and event.get("role") != "user"
        and not of_agent(event)
        and event.get("tool_call_id") not in inner
    ]


def of_agent(event: Json) -> bool:
    return event.get("parent_tool_call_id") is not None


async def history(daemon: Daemon, id: str, **params: Any) -> list[Json]:
    """A whole history, page by page."""
    entries: list[Json] = []
    cursor = None
    while True:
        page = await daemon.request("get_history", session_id=id, cursor=cursor, **params)
        entries += page["events"]
        cursor = page["next_cursor"]
        if cursor is None:
            return entries


def of_turn(entries: list[Json], turn_id: str) -> list[Json]:
    return [entry["event"] for entry in entries if entry["turn_id"] == turn_id]


def prompts(entries: list[Json]) -> list[str]:
    said = [entry["event"] for entry in entries if entry["event"].get("role") == "user"]
    return [event["content"][0]["text"] for event in said]


@pytest.mark.spec("16.1", "16.2", "16.3", "16.4", "16.5")
async def test_a_conversation_is_told_again_as_it_was_live_and_then_renamed_and_deleted(
    stage: Stage, workspace: Path
) -> None:
    async with stage.session(workspace, answer=allow()) as talk:
        first = [{"type": "text", "text": "SC:saybash echo hi"}, IMAGE]
        heard = [await talk.turn(message) for message in (first, f"SC:write {workspace}/a.txt", "SC:parallel")]
        turn = await talk.send(f"SC:gate told again {stage.version}")
        await talk.wait("text_delta", turn_id=turn)
        await talk.call("interrupt")
        heard.append(await talk.heard(turn))
        heard.append(await talk.turn("SC:two"))
        heard.append(await talk.turn("SC:agent SC:bash echo inner"))
        if not stage.is_old:  # its agents work in the background, and a turn of their own tells that they have ended
            unasked = await talk.wait("turn_started", origin="background")
            await talk.wait("turn_completed", turn_id=unasked["turn_id"])
        listed = await talk.daemon.request("list_conversations", working_dir=str(workspace))
        with pytest.raises(RpcError) as refusal:
            await talk.call("delete_session")
        assert refusal.value.code == -32602
        await talk.call("rename_session", title="Low water")
    (entry,) = listed["conversations"]
    assert (entry["session_id"], entry["working_dir"]) == (talk.id, str(workspace.resolve()))
    assert (entry["first_prompt"], entry["title"]) == ("SC:saybash echo hi", "SC:saybash echo hi")
    entries = await history(talk.daemon, talk.id)
    for each in heard:
        assert comparable(of_turn(entries, each.id)) == comparable(each.events)
        assert of_turn(entries, each.id)[1]["role"] == "user"
    assert of_turn(entries, heard[0].id)[1]["content"] == first
    assert len(prompts(entries)) == len(heard)
    told = [entry["event"] for entry in entries]
    (agent,) = [event for event in told if event["type"] == "tool_call_started" and event["name"] == "Agent"]
    (inner,) = [event for event in told if event["type"] == "tool_call_started" and of_agent(event)]
    (output,) = [
        event
        for event in told
        if event["type"] == "tool_call_output" and event["tool_call_id"] == inner["tool_call_id"]
    ]
    assert (inner["parent_tool_call_id"], output["content"]) == (agent["tool_call_id"], "inner")
    ids = [entry["turn_id"] for entry in entries]
    assert [id for at, id in enumerate(ids) if id in {each.id for each in heard} and id not in ids[:at]] == [
        each.id for each in heard
    ]
    assert await history(talk.daemon, talk.provider_session_id, limit=7) == entries
    await delete_after_rename(talk.daemon, workspace, talk.provider_session_id)


async def delete_after_rename(daemon: Daemon, workspace: Path, id: str) -> None:
    """An ended conversation gets a name, and an end."""
    (entry,) = (await daemon.request("list_conversations", working_dir=str(workspace)))["conversations"]
    assert (entry["session_id"], entry["title"]) == (None, "Low water")
    await daemon.request("rename_session", session_id=id, title="Slack water")
    (entry,) = (await daemon.request("list_conversations", working_dir=str(workspace)))["conversations"]
    assert entry["title"] == "Slack water"
    await daemon.request("delete_session", session_id=id)
    assert (await daemon.request("list_conversations", working_dir=str(workspace)))["conversations"] == []
    sessions = (await daemon.request("list_sessions", include_ended=True))["sessions"]
    assert id not in [session["provider_session_id"] for session in sessions]
    for method in ("get_history", "delete_session"):
        with pytest.raises(RpcError) as refusal:
            await daemon.request(method, session_id=id)
        assert refusal.value.code == -32003


@pytest.mark.spec("16.6", "16.3")
async def test_a_conversation_goes_on_from_an_earlier_turn_in_a_copy_or_in_place(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, answer=allow()) as talk:
        one = await talk.turn("SC:hello")
        two = await talk.turn("SC:bash echo hi")
        await talk.turn("SC:two")
    async with stage.session(workspace, resume=talk.id, resume_at=one.id, fork=True) as fork:
        # Killed before it has been given anything: the next process has to go back as well.
        os.kill(fork.started["pid"], signal.SIGKILL)
        await fork.wait("notice", level="warning")
        assert (await fork.turn("SC:echo")).text == "history: 2 user messages; first: SC:hello"
    assert prompts(await history(talk.daemon, talk.id)) == ["SC:hello", "SC:bash echo hi", "SC:two"]
    async with stage.session(workspace, resume=talk.id, resume_at=two.id) as back:
        assert (await back.turn("SC:echo")).text == "history: 3 user messages; first: SC:hello"
    assert back.provider_session_id == talk.provider_session_id
    entries = await history(talk.daemon, talk.provider_session_id)
    assert prompts(entries) == ["SC:hello", "SC:bash echo hi", "SC:echo"]
    assert comparable(of_turn(entries, two.id)) == comparable(two.events)
    with pytest.raises(RpcError) as refusal:
        await talk.daemon.start_session(workspace, config={"resume": talk.id, "resume_at": str(uuid.uuid4())})
    assert (refusal.value.code, refusal.value.data["errors"][0]["path"]) == (-32602, "config.resume_at")


@pytest.mark.spec("3.4", "16.7")
async def test_what_was_held_elsewhere_goes_on_there_or_the_hint_says_where(stage: Stage, workspace: Path) -> None:
    held, other, kept = workspace / "held", workspace / "other", workspace / "kept"
    for folder in (held, other):
        folder.mkdir()
    elsewhere = {"CLAUDE_CONFIG_DIR": str(kept)}
    async with stage.session(held, env=elsewhere, checkpoint=True, answer=allow()) as talk:
        written = await talk.turn(f"SC:write {held}/new.txt")
    assert [each["provider_session_id"] for each in await listed(stage.daemon, env=elsewhere)] == [
        talk.provider_session_id
    ]
    assert await listed(stage.daemon, working_dir=str(held)) == []
    assert len(prompts(await history(stage.daemon, talk.id))) == 1
    if stage.is_old:
        with pytest.raises(RpcError, match="No conversation found") as refusal:
            await stage.daemon.start_session(other, config={"resume": talk.id, "env": elsewhere})
        assert str(held.resolve()) in refusal.value.data["hint"]
    else:
        async with stage.session(other, resume=talk.id, env=elsewhere, fork=True) as moved:
            assert "history: 2 user messages" in (await moved.turn("SC:echo")).text
    async with stage.session(held, resume=talk.id, env=elsewhere, checkpoint=True) as again:
        await again.call("rewind_files", turn_id=written.id)
        assert not (held / "new.txt").exists()


async def listed(daemon: Daemon, **params: Any) -> list[Json]:
    return (await daemon.request("list_conversations", **params))["conversations"]  # type: ignore[no-any-return]
