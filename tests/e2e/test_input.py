"""SPEC-2.18 with the real CLI: documents, files that a text names, slash commands."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tests.support.real_session import allow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.real_session import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli, pytest.mark.spec("2.18")]

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n"


async def test_documents_and_links_reach_the_model_as_they_are_and_a_named_file_is_read(
    stage: Stage, workspace: Path
) -> None:
    (workspace / "note.txt").write_text("High water comes at nine.\n")
    sources = [
        {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(PDF).decode()},
        {"type": "text", "media_type": "text/plain", "data": "A tide table."},
        {"type": "url", "url": "https://example.com/tide.pdf"},
    ]
    blocks = [{"type": "document", "source": source, "title": "Tides"} for source in sources]
    link = {"type": "url", "url": "https://example.com/tide.png"}
    async with stage.session(workspace) as talk:
        heard = await talk.turn([*blocks, {"type": "image", "source": link}, {"type": "text", "text": "SC:hello"}])
        content = talk.requests[-1].body["messages"][0]["content"]
        named = await talk.turn("SC:two @note.txt")
        read = talk.latest
    assert (heard.text, named.text) == ("Hello there, friend.", "Second answer.")
    assert [block["source"] for block in content if block["type"] == "document"] == sources
    assert [block["source"] for block in content if block["type"] == "image"] == [link]
    assert "High water comes at nine." in read


async def test_slash_commands_are_listed_and_used_and_compaction_is_told(stage: Stage, workspace: Path) -> None:
    commands = workspace / ".claude" / "commands"
    commands.mkdir(parents=True)
    (commands / "greet.md").write_text("---\ndescription: Greet\n---\nSC:hello for $ARGUMENTS\n")
    async with stage.session(workspace, answer=allow()) as talk:
        started = await talk.wait("session_started")
        assert {"compact", "greet"} <= set(started["event"]["slash_commands"])
        greeted = await talk.turn("/greet everybody")
        assert "SC:hello for everybody" in talk.latest
        await talk.turn("SC:two")
        compacted = await talk.turn("/compact")
        after = await talk.turn("SC:two")
        told = [each["event"] for each in talk.events if each["event"]["type"] == "notice"]
    assert (greeted.text, after.text) == ("Hello there, friend.", "Second answer.")
    assert compacted.completed["stop_reason"] == "end_turn"
    steps = [notice["compaction"] for notice in told if "compaction" in notice]
    assert [step["status"] for step in steps] == ["started", "completed"]
    assert (steps[1]["trigger"], steps[1]["pre_tokens"] > 0, steps[1]["post_tokens"] > 0) == ("manual", True, True)
    assert after.completed["context_window"] >= 200_000
