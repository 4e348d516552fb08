"""Conversations over the native wire, from transcripts that no CLI has to write."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from adapter.providers.claude_store import folder_name
from tests.support.daemon import RpcError
from tests.support.mock_daemon import mock_daemon, mocked
from tests.support.transcripts import Script, call

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.anyio

NOBODY = "99999999-9999-4999-8999-999999999999"


class Shelf:
    """A CLI's configuration folder with conversations in it."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "claude"
        self.work = tmp_path / "work"
        self.other = tmp_path / "other"
        for folder in (self.folder, self.work, self.other):
            folder.mkdir()
        self._age = 2_000_000_000

    def put(self, script: Script, working_dir: Path | None = None) -> str:
        """A conversation, older than those before it; its id."""
        id = script.write(self.folder, str(working_dir or self.work))
        self._age -= 100
        os.utime(self.path(id, working_dir), (self._age, self._age))
        return id

    def talk(self, *prompts: str, working_dir: Path | None = None) -> str:
        """A conversation of some turns."""
        script = Script(str(working_dir or self.work))
        for at, prompt in enumerate(prompts):
            script.user(f"u{at}", prompt).agent(f"a{at}", f"Answer to {prompt}")
        return self.put(script, working_dir)

    def path(self, id: str, working_dir: Path | None = None) -> Path:
        return self.folder / "projects" / folder_name(str(working_dir or self.work)) / f"{id}.jsonl"

    def serve(self) -> Any:
        return mock_daemon(env={"CLAUDE_CONFIG_DIR": str(self.folder)})


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


async def listed(daemon: Daemon, **params: Any) -> tuple[list[str], str | None]:
    page = await daemon.request("list_conversations", **params)
    return [each["provider_session_id"] for each in page["conversations"]], page["next_cursor"]


async def refused(daemon: Daemon, method: str, **params: Any) -> RpcError:
    with pytest.raises(RpcError) as refusal:
        await daemon.request(method, **params)
    return refusal.value


@pytest.mark.spec("16.1", "16.4")
async def test_conversations_are_listed_latest_first_in_pages_that_nothing_new_shifts(shelf: Shelf) -> None:
    ids = [shelf.talk(f"prompt {n}") for n in range(5)]
    shelf.put(Script().keep("queue-operation", operation="enqueue"))
    elsewhere = shelf.talk("elsewhere", working_dir=shelf.other)
    async with shelf.serve() as daemon:
        first, cursor = await listed(daemon, working_dir=str(shelf.work), limit=2)
        newer = shelf.talk("newer")
        os.utime(shelf.path(newer), (2_100_000_000, 2_100_000_000))
        second, cursor = await listed(daemon, working_dir=str(shelf.work), limit=2, cursor=cursor)
        third, end = await listed(daemon, working_dir=str(shelf.work), limit=2, cursor=cursor)
        assert (first, second, third, end) == (ids[:2], ids[2:4], ids[4:], None)
        everything, _ = await listed(daemon)
        assert sorted(everything) == sorted([newer, *ids, elsewhere])
        page = await daemon.request("list_conversations", working_dir=str(shelf.other))
        assert await listed(daemon, working_dir="/no/such/folder") == ([], None)
        assert await listed(daemon, env={"CLAUDE_CONFIG_DIR": "/no/such/folder"}) == ([], None)
        for wrong in ("x", f"5.{NOBODY}x", "1"):
            assert (await refused(daemon, "list_conversations", cursor=wrong)).code == -32602
        assert (await refused(daemon, "list_conversations", provider="nobody")).code == -32001
    (entry,) = page["conversations"]
    size = shelf.path(elsewhere, shelf.other).stat().st_size
    assert {name: value for name, value in entry.items() if not name.endswith("_at")} == {
        "provider_session_id": elsewhere, "session_id": None, "working_dir": str(shelf.other),
        "title": "elsewhere", "first_prompt": "elsewhere", "size": size,
    }  # fmt: skip
    assert entry["created_at"] < entry["last_used_at"]


@pytest.mark.spec("16.2", "16.4")
async def test_a_history_comes_in_pages_that_end_where_it_ended_at_the_first(shelf: Shelf) -> None:
    id = shelf.talk("one", "two")
    async with shelf.serve() as daemon:
        whole = await daemon.request("get_history", session_id=id)
        assert [entry["event"]["type"] for entry in whole["events"]] == [
            "turn_started",
            "message",
            "message",
            "turn_completed",
        ] * 2
        assert (whole["next_cursor"], whole["title"], whole["working_dir"]) == (None, "one", str(shelf.work))
        page = await daemon.request("get_history", session_id=id, limit=3)
        with shelf.path(id).open("ab") as file:
            file.writelines(line + b"\n" for line in Script().after("a1").user("u2", "three").text)
        told: list[Json] = page["events"]
        while page["next_cursor"]:
            page = await daemon.request("get_history", session_id=id, limit=3, cursor=page["next_cursor"])
            told += page["events"]
        assert told == whole["events"]
        assert len((await daemon.request("get_history", session_id=id))["events"]) == 11
        assert (await refused(daemon, "get_history", session_id=id, cursor="x")).code == -32602
        assert (await refused(daemon, "get_history", session_id="-p")).code == -32602
        error = await refused(daemon, "get_history", session_id=NOBODY)
        assert (error.code, error.data["hint"]) == (-32003, "See list_conversations.")


@pytest.mark.spec("16.3")
async def test_a_history_has_its_subagents_and_bears_a_broken_file(shelf: Shelf) -> None:
    main = Script(str(shelf.work)).user("u1", "Look.").agent("a1", call("t1", "Agent")).result("r1", "t1", "seen")
    id = shelf.put(main.agent("a2", "All seen."))
    agents = shelf.path(id).with_suffix("") / "subagents"
    agents.mkdir(parents=True)
    (agents / "agent-1.meta.json").write_text('{"toolUseId": "t1"}')
    side = Script().user("i0", "Look.", isSidechain=True).agent("i1", "Looking.", isSidechain=True).text
    (agents / "agent-1.jsonl").write_bytes(b"\n".join([*side, b"{half"]))
    lines = shelf.path(id).read_bytes().split(b"\n")
    shelf.path(id).write_bytes(b"\n".join([lines[0], b"\xff{broken", *lines[1:], b'{"being": "writ']))
    async with shelf.serve() as daemon:
        events = [each["event"] for each in (await daemon.request("get_history", session_id=id))["events"]]
    assert [event["content"] for event in events if event["type"] == "raw"] == ["\ufffd{broken"]
    inner = [event for event in events if event.get("parent_tool_call_id") == "t1"]
    assert [event["content"][0]["text"] for event in inner] == ["Looking."]
    assert events[-1]["result"] == "All seen."


@pytest.mark.spec("16.5", "16.1")
async def test_a_conversation_of_a_live_session_is_kept_and_one_that_has_ended_is_forgotten(shelf: Shelf) -> None:
    id = shelf.talk("one")
    async with shelf.serve() as daemon:
        ours = await daemon.start_session(shelf.work, config=mocked("text_turn", resume=id))
        (entry,) = (await daemon.request("list_conversations"))["conversations"]
        assert entry["session_id"] == ours
        for name in (ours, id):
            error = await refused(daemon, "delete_session", session_id=name)
            assert (error.code, ours in error.message) == (-32602, True)
        assert len((await daemon.request("get_history", session_id=ours))["events"]) == 4
        await daemon.request("stop_session", session_id=ours)
        shelf.path(id).write_bytes(shelf.path(id).read_bytes().rstrip(b"\n"))
        await daemon.request("rename_session", session_id=ours, title="Mine")
        (entry,) = (await daemon.request("list_conversations"))["conversations"]
        assert (entry["title"], entry["session_id"]) == ("Mine", None)
        assert len((await daemon.request("get_history", session_id=ours))["events"]) == 4
        await daemon.request("delete_session", session_id=ours)
        assert not shelf.path(id).exists()
        assert (await daemon.request("list_sessions", include_ended=True))["sessions"] == []
        for method, more in (("get_history", {}), ("rename_session", {"title": "x"}), ("delete_session", {})):
            assert (await refused(daemon, method, session_id=ours, **more)).code == -32003


@pytest.mark.spec("3.4", "16.6")
async def test_what_cannot_be_resumed_is_refused_with_the_reason(shelf: Shelf) -> None:
    empty = shelf.put(Script().keep("queue-operation", operation="enqueue"))
    id = shelf.talk("one", "two")
    async with shelf.serve() as daemon:
        for scenario, resume, reason in (
            ("resume_refused", str(uuid.uuid4()), "No conversation found"),
            ("crash_before_handshake", empty, "holds no message"),
        ):
            with pytest.raises(RpcError, match=reason) as refusal:
                await daemon.start_session(shelf.work, config=mocked(scenario, resume=resume))
            assert refusal.value.code == -32002
            assert str(shelf.folder) in refusal.value.data["hint"]
        mistakes: list[Json] = [{"resume": id, "resume_at": "nobody"}, {"resume_at": "u0"}, {"resume": "-p"}]
        for wrong in mistakes:
            with pytest.raises(RpcError) as refusal:
                await daemon.start_session(shelf.work, config=mocked("crash_before_handshake", **wrong))
            assert refusal.value.code == -32602
