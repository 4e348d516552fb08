"""Prompts with the real CLI that end otherwise than well: cancelled in every state, the CLI or the daemon killed.

Also two prompts at once, several sessions side by side, and answers that are longer than a line may be.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.acp.conftest import PARAMETERS
from tests.acp.editor import ALL_CAPABILITIES, Editor, choose, run_editor
from tests.acp.rules import MAX_LINE
from tests.support.bell import Bell
from tests.support.daemon import RpcError
from tests.support.real_session import marked_processes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.acp.conftest import Backstage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

WAIT_S = 40.0
"""For one call: several times what it takes on a busy machine."""

GONE_S = 10.0
"""The guardian needs well under a second."""

BIG = 5_000_000


async def _cancelled(editor: Editor, session: str, directive: str, ready: Callable[[], Awaitable[Any]]) -> None:
    """Cancel a prompt, and one that waits behind it, when the first is ready for it."""
    prompts = [await editor.post_prompt(session, directive), await editor.post_prompt(session, "SC:two")]
    await ready()
    await editor.notify("session/cancel", sessionId=session)
    for prompt in prompts:
        assert await editor.response(prompt, within=WAIT_S) == {"stopReason": "cancelled"}


async def test_prompts_are_cancelled_in_every_state_and_a_killed_cli_comes_back(
    backstage: Backstage, workspace: Path
) -> None:
    flags, server = ("--claude-path", str(backstage.cli)), backstage.server
    async with run_editor(*flags, env=backstage.environment, capabilities=ALL_CAPABILITIES) as editor:
        session = await editor.new(workspace)
        assert await editor.prompt(session, "SC:hello", within=WAIT_S) == "end_turn"

        async def at_once() -> None:
            pass

        async def streams() -> None:
            await editor.wait_update("agent_message_chunk", after=start, within=WAIT_S)

        async def asks() -> None:
            await editor.wait_question("session/request_permission", after=asked, within=WAIT_S)

        async def is_silent() -> None:
            await server.off_loop(server.wait_for_directive, "hanghdr")

        start, asked = editor.heard, len(editor.questions)
        await _cancelled(editor, session, "SC:hello", at_once)
        await _cancelled(editor, session, "SC:hanghdr", is_silent)
        start = editor.heard
        await _cancelled(editor, session, "SC:gate never", streams)
        await _cancelled(editor, session, f"SC:bash echo x > {workspace}/never", asks)
        taken_back = [each for each in editor.daemon.messages if each.get("method") == "$/cancel_request"]
        assert [each["params"]["requestId"] for each in taken_back] == [editor.questions[-1]["id"]]
        assert not (workspace / "never").exists()

        editor.answers["session/request_permission"] = choose("allow")
        with Bell(workspace / "bell") as bell, Bell(workspace / "mute") as mute:
            await _cancelled(editor, session, f"SC:bash echo on > {bell}; cat {mute}", bell.heard)
        ended = [each for each in editor.updates("tool_call_update") if each.get("status") in ("completed", "failed")]
        assert {each["status"] for each in ended} == {"failed"}

        start = editor.heard
        prompt = await editor.post_prompt(session, "SC:gate taken back")
        await streams()
        await editor.notify("$/cancel_request", requestId=prompt)
        assert await editor.response(prompt, within=WAIT_S) == {"stopReason": "cancelled"}

        start = editor.heard
        prompt = await editor.post_prompt(session, "SC:gate killed")
        await streams()
        (cli,) = [each for each in marked_processes(backstage.home) if str(backstage.cli) in each.cmdline()[0]]
        os.kill(cli.pid, signal.SIGKILL)
        with pytest.raises(RpcError) as failure:
            await editor.response(prompt, within=WAIT_S)
        assert (failure.value.code, "SIGKILL" in failure.value.message) == (-32603, True)
        start = editor.heard
        assert await editor.prompt(session, "SC:echo", within=WAIT_S) == "end_turn"
        assert "first: SC:hello" in editor.text(after=start)


@pytest.mark.parametrize("backstage", PARAMETERS[-1:], indirect=True)
async def test_several_sessions_with_two_prompts_each_keep_to_themselves_and_long_answers_come_whole(
    backstage: Backstage, workspace: Path
) -> None:
    flags = ("--claude-path", str(backstage.cli))
    async with run_editor(*flags, env=backstage.environment, capabilities={}) as editor:
        begun = [await editor.post("session/new", cwd=str(workspace), mcpServers=[]) for _ in range(2)]
        sessions = [(await editor.response(id, within=WAIT_S))["sessionId"] for id in begun]
        prompts = [
            await editor.post_prompt(session, prompt)
            for prompt in ("SC:hello", "SC:two", f"SC:bigtext {BIG}")
            for session in sessions
        ]
        for id in prompts:
            assert await editor.response(id, within=WAIT_S) == {"stopReason": "end_turn"}
        for session in sessions:
            own = [each["params"] for each in editor.daemon.messages if each.get("method") == "session/update"]
            chunks = [each["update"] for each in own if each["sessionId"] == session]
            said = "".join(each["content"]["text"] for each in chunks if each["sessionUpdate"] == "agent_message_chunk")
            assert said == "Hello there, friend." + "Second answer." + "x" * BIG
        assert max(each.size for each in editor.talk if each.by_agent) <= MAX_LINE


@pytest.mark.parametrize("backstage", PARAMETERS[-1:], indirect=True)
async def test_a_killed_daemon_leaves_nothing_of_a_running_tool(backstage: Backstage, workspace: Path) -> None:
    flags = ("--claude-path", str(backstage.cli))
    with Bell(workspace / "bell") as bell, Bell(workspace / "mute") as mute:
        async with run_editor(*flags, env=backstage.environment, capabilities={}, ends=False) as editor:
            editor.answers["session/request_permission"] = choose("allow")
            session = await editor.new(workspace)
            await editor.post_prompt(session, f"SC:bash (setsid cat {mute} &); echo on > {bell}; cat {mute}")
            await bell.heard(within=WAIT_S)
            left = marked_processes(backstage.home)
            assert len(left) >= 3
            editor.daemon.process.send_signal(signal.SIGKILL)
            await editor.daemon.process.wait()
            with anyio.fail_after(GONE_S):
                await anyio.to_thread.run_sync(_wait_gone, left)


def _wait_gone(processes: list[Any]) -> None:
    for process in processes:
        process.wait(GONE_S)
