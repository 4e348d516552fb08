"""The Python SDK's client, which nobody here wrote, drives the real CLI through `agent-adapter acp`.

It validates every answer and update against its own models, and drops or refuses what does not fit.
"""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import acp
import anyio
import pytest
from acp.schema import AllowedOutcome, RequestPermissionResponse

from tests.acp.conftest import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.acp.conftest import Backstage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

WAIT_S = 40.0
"""For one call: several times what it takes on a busy machine."""


class Client:
    """The editor's side: keeps the updates, answers permission requests by kind of option."""

    def __init__(self) -> None:
        self.updates: list[Any] = []
        self.asked: list[Any] = []
        self.kind = "allow_once"
        self._changed = anyio.Event()

    def on_connect(self, conn: Any) -> None:
        """Called by the SDK."""

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        """Called by the SDK for each update that fits its models."""
        self.updates.append(update)
        self._changed.set()
        self._changed = anyio.Event()

    async def request_permission(
        self, session_id: str, tool_call: Any, options: list[Any], **_: Any
    ) -> RequestPermissionResponse:
        """Called by the SDK for each permission request."""
        self.asked.append(tool_call)
        chosen = next(option.option_id for option in options if option.kind == self.kind)
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=chosen))

    async def wait(self, fits: Callable[[Any], bool]) -> Any:
        """Wait for an update."""
        while not (found := [update for update in self.updates if fits(update)]):
            await self._changed.wait()
        return found[0]

    def of(self, kind: str) -> list[Any]:
        """The updates of a kind."""
        return [update for update in self.updates if update.session_update == kind]

    def text(self, kind: str = "agent_message_chunk") -> str:
        """The text of the chunks of a kind."""
        return "".join(update.content.text for update in self.of(kind))

    def forget(self) -> None:
        """Begin anew."""
        self.updates.clear()
        self.asked.clear()


@asynccontextmanager
async def connected(backstage: Backstage) -> AsyncIterator[tuple[Client, Any]]:
    """The SDK's client, connected with a daemon that it started itself."""
    client = Client()
    command = [sys.executable, "-m", "adapter", "acp", "--claude-path", str(backstage.cli)]
    spawned = acp.spawn_agent_process(
        client,  # type: ignore[arg-type]
        *command,
        env=backstage.environment,
        transport_kwargs={"stderr": None},
    )
    async with spawned as (connection, process):
        with anyio.fail_after(WAIT_S):
            answer = await connection.initialize(protocol_version=acp.PROTOCOL_VERSION)
        assert answer.protocol_version == acp.PROTOCOL_VERSION
        yield client, connection
    assert process.returncode == 0


async def prompt(connection: Any, session: str, text: str) -> str:
    with anyio.fail_after(WAIT_S):
        answer = await connection.prompt(prompt=[acp.text_block(text)], session_id=session)
    return answer.stop_reason  # type: ignore[no-any-return]


async def test_it_prompts_allows_rejects_cancels_and_changes_options(backstage: Backstage, workspace: Path) -> None:
    async with connected(backstage) as (client, connection):
        with anyio.fail_after(WAIT_S):
            new = await connection.new_session(cwd=str(workspace), mcp_servers=[])
        session = new.session_id
        assert await prompt(connection, session, "SC:hello") == "end_turn"
        assert client.text() == "Hello there, friend."

        client.forget()
        assert await prompt(connection, session, f"SC:bash echo made > {workspace}/made && echo done") == "end_turn"
        assert (workspace / "made").read_text() == "made\n"
        (asked,) = client.asked
        assert asked.tool_call_id == client.of("tool_call")[0].tool_call_id
        assert client.of("tool_call_update")[-1].status == "completed"

        client.forget()
        client.kind = "reject_once"
        assert await prompt(connection, session, f"SC:bash echo never > {workspace}/never") == "end_turn"
        assert not (workspace / "never").exists()
        assert client.of("tool_call_update")[-1].status == "failed"

        client.forget()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_after_first_words, client, connection, session)
            assert await prompt(connection, session, "SC:gate never") == "cancelled"

        options = {option.id: option for option in new.config_options}
        assert {option.category for option in options.values()} >= {"mode", "model"}
        mode = next(option for option in options.values() if option.category == "mode")
        with anyio.fail_after(WAIT_S):
            changed = await connection.set_config_option(config_id=mode.id, session_id=session, value="plan")
            assert next(each for each in changed.config_options if each.id == mode.id).current_value == "plan"
            await connection.set_session_mode(session_id=session, mode_id=new.modes.current_mode_id)
            await client.wait(
                lambda update: (
                    update.session_update == "current_mode_update"
                    and update.current_mode_id == new.modes.current_mode_id
                )
            )
            await connection.close_session(session_id=session)


async def _cancel_after_first_words(client: Client, connection: Any, session: str) -> None:
    with anyio.fail_after(WAIT_S):
        await client.wait(lambda update: update.session_update == "agent_message_chunk")
        await connection.cancel(session_id=session)


@pytest.mark.parametrize("backstage", PARAMETERS[-1:], indirect=True)
async def test_it_lists_loads_resumes_and_forks_what_another_daemon_held(backstage: Backstage, workspace: Path) -> None:
    async with connected(backstage) as (_, connection):
        with anyio.fail_after(WAIT_S):
            session = (await connection.new_session(cwd=str(workspace), mcp_servers=[])).session_id
        assert await prompt(connection, session, "SC:hello") == "end_turn"

    async with connected(backstage) as (client, connection):
        with anyio.fail_after(WAIT_S):
            listed = await connection.list_sessions(cwd=str(workspace))
            assert [each.session_id for each in listed.sessions] == [session]
            await connection.load_session(cwd=str(workspace), session_id=session, mcp_servers=[])
        assert client.text("user_message_chunk") == "SC:hello"
        assert client.text() == "Hello there, friend."
        client.forget()
        assert await prompt(connection, session, "SC:echo") == "end_turn"
        assert client.text() == "history: 2 user messages; first: SC:hello"
        with anyio.fail_after(WAIT_S):
            await connection.close_session(session_id=session)
            client.forget()
            await connection.resume_session(cwd=str(workspace), session_id=session, mcp_servers=[])
            assert client.text("user_message_chunk") == ""
            fork = (await connection.fork_session(cwd=str(workspace), session_id=session, mcp_servers=[])).session_id
        assert fork != session
        assert await prompt(connection, fork, "SC:echo") == "end_turn"
        assert client.text() == "history: 3 user messages; first: SC:hello"
