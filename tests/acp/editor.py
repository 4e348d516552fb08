"""An editor for tests: speaks ACP with the real daemon, keeps each word of both sides, checks the rules at the end.

Built on the parent for tests; what it answers to the agent's questions is a table that a test fills. Tests may import
it.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.acp.rules import Rules, Said
from tests.support.daemon import WAIT_S, Daemon, Json, RpcError, run_daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

ALL_CAPABILITIES: Json = {
    "fs": {"readTextFile": True, "writeTextFile": True},
    "terminal": True,
    "auth": {"terminal": True},
    "session": {"notices": {}, "compaction": {}, "configOptions": {"boolean": {}}},
    "elicitation": {"form": {}, "url": {}},
}


def choose(option: str) -> Callable[[Json], Json]:
    """Answers a permission request with an option."""
    return lambda params: {"outcome": {"outcome": "selected", "optionId": option}}


class Editor:
    """A running daemon behind ACP. Made by `run_editor`."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.talk: list[Said] = []
        self.answers: dict[str, Callable[[Json], Any]] = {}
        """What is answered to the agent's requests, by method; None leaves a question open."""
        self.questions: list[Json] = []
        """The agent's requests, whole."""
        self._next_id = 0
        self._take = daemon._take
        daemon._take = self._taken  # type: ignore[method-assign]

    async def send(self, message: Any) -> None:
        """Send a message."""
        self.talk.append(Said(False, message))
        await self.daemon.send(message)

    async def post(self, method: str, **params: Any) -> str:
        """Send a request without waiting; its id."""
        self._next_id += 1
        id = f"e{self._next_id}"
        await self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        return id

    async def response(self, id: Any, *, within: float = WAIT_S) -> Any:
        """Wait for the result of a request.

        Raises:
            RpcError: it was answered with an error.
        """
        answer = await self.daemon.wait_response(id, within=within)
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    async def request(self, method: str, *, within: float = WAIT_S, **params: Any) -> Any:
        """Send a request and wait for its result."""
        return await self.response(await self.post(method, **params), within=within)

    async def notify(self, method: str, **params: Any) -> None:
        """Send a notification."""
        await self.send({"jsonrpc": "2.0", "method": method, "params": params})

    async def answer(self, question: Json, result: Any) -> None:
        """Answer a question of the agent."""
        await self.send({"jsonrpc": "2.0", "id": question["id"], "result": result})

    async def initialize(self, **capabilities: Any) -> Json:
        """Shake hands."""
        info = {"name": "tests", "version": "1"}
        return await self.request(  # type: ignore[no-any-return]
            "initialize", protocolVersion=1, clientCapabilities=capabilities, clientInfo=info
        )

    async def new(self, cwd: Path | str, **params: Any) -> str:
        """Begin a session; its id."""
        result = await self.request("session/new", cwd=str(cwd), mcpServers=[], **params)
        return result["sessionId"]  # type: ignore[no-any-return]

    async def prompt(self, session: str, text: str, *, within: float = WAIT_S) -> str:
        """Run a prompt; its stop reason."""
        result = await self.response(await self.post_prompt(session, text), within=within)
        return result["stopReason"]  # type: ignore[no-any-return]

    async def post_prompt(self, session: str, text: str) -> str:
        """Send a prompt; its id."""
        return await self.post("session/prompt", sessionId=session, prompt=[{"type": "text", "text": text}])

    async def wait_question(self, method: str, *, after: int = 0, within: float = WAIT_S) -> Json:
        """Wait for a request of the agent, the first behind the first `after` of all its requests."""

        def fits(message: Any) -> bool:
            asked = isinstance(message, dict) and message.get("method") == method and "id" in message
            return asked and message in self.questions[after:]

        return await self.daemon.wait_for(fits, within=within)

    async def wait_update(self, kind: str, *, after: int = 0, within: float = WAIT_S, **fields: Any) -> Json:
        """Wait for an update of a kind with these fields; the update."""

        def fits(message: Any) -> bool:
            update = _update(message)
            return (
                update is not None
                and update["sessionUpdate"] == kind
                and all(update.get(name) == value for name, value in fields.items())
            )

        message = await self.daemon.wait_for(fits, after=after, within=within)
        return message["params"]["update"]  # type: ignore[no-any-return]

    def updates(self, kind: str | None = None, *, after: int = 0) -> list[Json]:
        """The updates so far, of all kinds or one, from the message number `after` on."""
        found = [update for message in self.daemon.messages[after:] if (update := _update(message)) is not None]
        return [update for update in found if kind is None or update["sessionUpdate"] == kind]

    def text(self, kind: str = "agent_message_chunk", *, after: int = 0) -> str:
        """The text of the chunks so far, joined."""
        return "".join(update["content"].get("text", "") for update in self.updates(kind, after=after))

    @property
    def heard(self) -> int:
        """How many messages have come so far."""
        return len(self.daemon.messages)

    def _taken(self, message: Any) -> None:
        self.talk.append(Said(True, message, len(json.dumps(message, ensure_ascii=False).encode())))
        if isinstance(message, dict) and "method" in message and "id" in message:
            self.questions.append(message)
            answer = self.answers.get(message["method"])
            if answer is not None and (result := answer(message["params"])) is not None:
                self.daemon._tasks.start_soon(self.answer, message, result)
        self._take(message)


def _update(message: Any) -> Json | None:
    if isinstance(message, dict) and message.get("method") == "session/update":
        return message["params"]["update"]  # type: ignore[no-any-return]
    return None


@asynccontextmanager
async def run_editor(
    *flags: str,
    env: Mapping[str, str] | None = None,
    capabilities: Json | None = None,
    background: bool = False,
    ends: bool = True,
) -> AsyncIterator[Editor]:
    """Run the daemon as an editor does, for a block, and check the rules when it is over.

    Args:
        flags: the daemon's.
        env: its whole environment.
        capabilities: of the editor, told in `initialize`; None sends none.
        background: see `Rules`.
        ends: whether the block leaves the daemon running.
    """
    async with run_daemon("acp", *flags, env=env, ends=ends) as daemon:
        editor = Editor(daemon)
        if capabilities is not None:
            await editor.initialize(**capabilities)
        yield editor
    broken = Rules(background=background, ended=ends).check(editor.talk)
    assert not broken, "\n".join(broken)
