"""The runtime modes: what the real CLI does in each, switched in a live session, and what the daemon holds itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.real_session import allow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Json
    from tests.support.real_session import Heard, Stage, Talk

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

ALLOWING_HOOK = {
    "hookSpecificOutput": {
        "hookEventName": "PreToolUse", "permissionDecision": "allow", "permissionDecisionReason": "the project says so",
    }
}  # fmt: skip

COMMAND = """---
description: makes a file while it is expanded
allowed-tools: Bash(touch:*)
---
Made: !`touch ./expanded`
SC:hello
"""


def bring_what_allows_everything(folder: Path) -> None:
    """A project whose hook allows every tool, and whose command runs a shell command."""
    hook = {"type": "command", "command": f"echo '{json.dumps(ALLOWING_HOOK)}'"}
    settings = {"hooks": {"PreToolUse": [{"matcher": "", "hooks": [hook]}]}}
    (folder / ".claude" / "commands").mkdir(parents=True)
    (folder / ".claude" / "settings.json").write_text(json.dumps(settings))
    (folder / ".claude" / "commands" / "make.md").write_text(COMMAND)


def denied_by_mode(heard: Heard) -> list[Json]:
    return heard.all("permission_resolved", outcome="deny", by="mode")


@pytest.mark.spec("7.9", "3.3")
async def test_plan_mode_holds_against_rules_hooks_agents_and_commands_that_would_allow_a_change(
    stage: Stage, workspace: Path
) -> None:
    bring_what_allows_everything(workspace)
    (workspace / "read.txt").write_text("to be read\n")
    config: Json = {"runtime_mode": "plan", "allowed_tools": ["Bash", "Write"]}
    async with stage.session(workspace, answer=allow(), **config) as talk:
        for directive in (f"write {workspace / 'made'}", "bash touch made", "bash cat read.txt > made"):
            heard = await talk.turn(f"SC:{directive}")
            assert len(denied_by_mode(heard)) == 1, directive
            assert heard.one("tool_call_output")["is_error"] is True
        agent = {"description": "Work", "prompt": "SC:bash touch made", "subagent_type": "general-purpose"}
        in_agent = await talk.turn(f"SC:tool Agent {json.dumps({**agent, 'run_in_background': False})}")
        assert denied_by_mode(in_agent)
        await talk.turn("/make")
        read = await talk.turn("SC:bash cat read.txt")
        assert talk.questions == []
    assert read.one("tool_call_output")["content"] == "to be read"
    assert denied_by_mode(read) == []
    assert sorted(path.name for path in workspace.iterdir()) == [".claude", "read.txt"]


async def touch(talk: Talk, workspace: Path) -> tuple[int, bool]:
    """Have a file made: how often the parent was asked, and whether it was made."""
    before, made = len(talk.questions), workspace / "made"
    await talk.turn(f"SC:bash touch {made.name}")
    was_made = made.exists()
    made.unlink(missing_ok=True)
    return len(talk.questions) - before, was_made


@pytest.mark.spec("2.14", "3.3", "7.9")
async def test_every_mode_is_switched_in_a_live_session_in_both_directions(stage: Stage, workspace: Path) -> None:
    expected = {
        "supervised": (1, True), "accept_edits": (0, True), "plan": (0, False), "full_access": (0, True),
    }  # fmt: skip
    order = ["supervised", "accept_edits", "plan", "full_access", "plan", "accept_edits", "full_access", "supervised"]
    async with stage.session(workspace, answer=allow(), runtime_mode="plan", env={"IS_SANDBOX": "1"}) as talk:
        assert await touch(talk, workspace) == expected["plan"]
        for mode in order:
            await talk.call("set_runtime_mode", runtime_mode=mode)
            assert await touch(talk, workspace) == expected[mode], mode


@pytest.mark.spec("7.9", "7.11")
async def test_a_plan_mode_that_the_agent_entered_by_itself_is_held_also_by_a_cli_that_is_started_again(
    stage: Stage, workspace: Path
) -> None:
    async with stage.session(workspace, answer=allow()) as talk:
        await talk.turn("SC:tool EnterPlanMode {}")
        await talk.wait("session_updated", runtime_mode="plan")
        assert await touch(talk, workspace) == (0, False)
        before = len(talk.events)
        psutil.Process((await talk.entry())["pid"]).kill()
        await talk.wait("notice", level="warning")
        assert await touch(talk, workspace) == (0, False)
        updated = [each["event"] for each in talk.events[before:] if each["event"]["type"] == "session_updated"]
    assert {each["runtime_mode"] for each in updated if "runtime_mode" in each} <= {"plan"}
