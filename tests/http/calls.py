"""Asks a daemon over HTTP as a client would, and reads what it answers. Tests may import it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from tests.http.sse import Json, read_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.support.http_daemon import HttpDaemon
    from tests.support.mock_daemon import RecordedCli

WAIT_S = 20.0


@dataclass
class Answer:
    """An answer: its body and what its headers say."""

    response: httpx.Response
    body: Json

    @property
    def status(self) -> int:
        """Its status."""
        return self.response.status_code

    @property
    def history(self) -> str | None:
        """How the past was taken."""
        history: str | None = self.response.headers.get("x-agent-adapter-history")
        return history

    @property
    def session(self) -> str:
        """Which session answered."""
        return str(self.response.headers["x-agent-adapter-session"])

    @property
    def text(self) -> str:
        """Its texts, joined."""
        assert "content" in self.body, self.body
        return "".join(block["text"] for block in self.body["content"] if block["type"] == "text")


class Streamed:
    """A stream that is being read."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.text = ""
        self._pieces = response.aiter_text()

    async def read_until(self, text: str) -> None:
        """Read until this text has come."""
        while text not in self.text:
            self.text += await anext(self._pieces)

    async def rest(self) -> str:
        """Read to the end; all that has come."""
        async for piece in self._pieces:
            self.text += piece
        return self.text


def said(*texts: str) -> list[Json]:
    """A conversation, beginning with the user."""
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]


@dataclass
class Caller:
    """A client of a daemon with a recorded mock CLI behind it."""

    client: httpx.AsyncClient
    cli: RecordedCli
    server: HttpDaemon

    def body(self, *texts: str, **members: Any) -> Json:
        """A request of the Messages API."""
        return {"model": "claude-cli/sonnet", "max_tokens": 100, "messages": said(*texts), **members}

    async def ask(self, *texts: str, headers: dict[str, str] | None = None, **members: Any) -> Answer:
        """Ask, and wait for the answer; a stream is read to its end and checked."""
        response = await self.client.post("/v1/messages", json=self.body(*texts, **members), headers=headers)
        streamed = response.headers["content-type"].startswith("text/event-stream")
        return Answer(response, read_message(response.content) if streamed else response.json())

    @asynccontextmanager
    async def stream(
        self, *texts: str, headers: dict[str, str] | None = None, until: str = "I begin", **members: Any
    ) -> AsyncIterator[Streamed]:
        """Ask, and go on when a text has come; the block is left with the client's going."""
        body = self.body(*texts, stream=True, **members)
        async with self.client.stream("POST", "/v1/messages", json=body, headers=headers) as response:
            streamed = Streamed(response)
            with anyio.fail_after(WAIT_S):
                await streamed.read_until(until)
            yield streamed

    def prompts(self) -> list[Any]:
        """All that the CLIs were ever given."""
        return [prompt for launch in self.cli.prompts() for prompt in launch]

    def launches_with(self, text: str) -> list[list[str]]:
        """The command lines of those CLIs that were given a prompt with this text."""
        found = zip(self.cli.arguments(), self.cli.prompts(), strict=False)
        return [arguments for arguments, prompts in found if text in str(prompts)]

    async def sessions(self) -> list[Json]:
        """The daemon's list."""
        return list((await self.client.get("/v1/sessions")).json()["data"])

    async def wait_session(self, id: str, **members: Any) -> None:
        """Wait until a session's entry has these members."""
        with anyio.fail_after(WAIT_S):
            while True:
                entry = (await self.client.get(f"/v1/sessions/{id}")).json()
                if all(entry.get(name) == value for name, value in members.items()):
                    return
                await anyio.lowlevel.checkpoint()

    async def wait_no_sessions(self) -> None:
        """Wait until none is left."""
        with anyio.fail_after(WAIT_S):
            while await self.sessions():
                await anyio.lowlevel.checkpoint()

    async def end_sessions(self) -> None:
        """End what there is."""
        for session in await self.sessions():
            await self.client.delete(f"/v1/sessions/{session['id']}")
