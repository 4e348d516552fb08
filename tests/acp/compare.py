"""The same conversations with `agent-adapter acp` and with the peer claude-agent-acp, side by side.

Run by hand: `python -m tests.acp.compare` (`make bench` brings the peer). docs/acp-peer.md explains what differs. Both
drive the newest installed CLI, which talks to a model server on this machine.
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from benchmarks.peers import bring
from tests.acp.editor import Editor, choose
from tests.support.daemon import ROOT, RpcError, run_daemon
from tests.support.model_server import ModelServer
from tests.support.real_cli import cli_environment, installed_versions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

WAIT_S = 40.0
Json = dict[str, Any]


@asynccontextmanager
async def agent(name: str, home: Path, url: str) -> AsyncIterator[Editor]:
    """One of the two, shaken hands with."""
    version, cli = list(installed_versions().items())[-1]
    environment = {**cli_environment(home, url), "PYTHONPATH": str(ROOT), "CLAUDE_CODE_EXECUTABLE": str(cli)}
    environment |= {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "STATE", "CACHE", "DATA")}
    ours = [sys.executable, "-m", "adapter", "acp", "--claude-path", str(cli)]
    command = ours if name == "ours" else bring()["acp"].command
    async with run_daemon(command=command, env=environment, ends=False) as daemon:
        editor = Editor(daemon)
        print(f"## {name}, claude {version}\n{_short(await editor.initialize())}")
        yield editor


async def converse(editor: Editor, folder: Path) -> None:
    """All the conversations, each told in a few lines."""
    new = await editor.request("session/new", within=WAIT_S, cwd=str(folder), mcpServers=[])
    session: str = new["sessionId"]
    print(f"- session/new: {_short({key: value for key, value in new.items() if key != 'sessionId'}, 1500)}")
    editor.answers["session/request_permission"] = _by_kind("allow_once")

    async def prompt(text: str) -> Any:
        return await editor.response(await editor.post_prompt(session, text), within=WAIT_S)

    await _told(editor, "text", lambda: prompt("SC:hello"))
    await _told(editor, "thinking", lambda: prompt("SC:think"))
    await _told(editor, "tool, allowed", lambda: prompt("SC:bash echo made > made && echo done"))
    editor.answers["session/request_permission"] = _by_kind("reject_once")
    await _told(editor, "tool, rejected", lambda: prompt("SC:bash echo never > never"))
    editor.answers["session/request_permission"] = lambda params: {"outcome": {"outcome": "cancelled"}}
    await _told(editor, "permission request answered with cancelled", lambda: prompt("SC:bash echo x > x"))
    editor.answers["session/request_permission"] = _by_kind("allow_once")
    await _told(editor, "file written", lambda: prompt(f"SC:write {folder}/new.txt"))
    await _told(editor, "question", lambda: prompt("SC:askuser"))
    await _told(editor, "unknown command", lambda: prompt("/nonsense"))

    async def cancelled() -> Any:
        start = editor.heard
        id = await editor.post_prompt(session, "SC:gate never")
        await editor.wait_update("agent_message_chunk", after=start, within=WAIT_S)
        await editor.notify("session/cancel", sessionId=session)
        return await editor.response(id, within=WAIT_S)

    await _told(editor, "cancelled in the middle", cancelled)
    unknown = "00000000-0000-0000-0000-000000000000"
    for what, method, params in (
        ("prompt of an unknown session", "session/prompt", {"sessionId": unknown, "prompt": []}),
        ("relative working folder", "session/new", {"cwd": "here", "mcpServers": []}),
        ("unknown method", "session/nonsense", {}),
        ("load of an unknown session", "session/load", {"sessionId": unknown, "cwd": str(folder), "mcpServers": []}),
        ("list", "session/list", {"cwd": str(folder)}),
        ("prompt without params", "session/prompt", {}),
    ):
        await _told(editor, what, lambda method=method, params=params: editor.request(method, within=WAIT_S, **params))  # type: ignore[misc]
    await _told(editor, "close", lambda: editor.request("session/close", within=WAIT_S, sessionId=session))
    load = {"sessionId": session, "cwd": str(folder), "mcpServers": []}
    await _told(editor, "load", lambda: editor.request("session/load", within=WAIT_S, **load))


async def _told(editor: Editor, what: str, talk: Callable[[], Awaitable[Any]]) -> None:
    start = editor.heard
    try:
        with anyio.fail_after(WAIT_S):
            answer = _short(await talk())
    except RpcError as error:
        answer = f"error {error.code} {error.message} {error.data}"
    except TimeoutError:
        answer = "NO ANSWER"
    print(f"- {what}: {answer}")
    seen = [_brief(message) for message in editor.daemon.messages[start:] if "method" in message]
    for line, same in groupby(seen):
        count = len(list(same))
        print(f"    {line}{f' x{count}' if count > 1 else ''}")


def _brief(message: Json) -> str:
    if message["method"] != "session/update":
        return f"{message['method']} {_short([each['name'] for each in message['params'].get('options', [])])}"
    update = message["params"]["update"]
    kind = update["sessionUpdate"]
    if kind.endswith("_chunk"):
        return str(kind)
    kept = {
        key: value
        for key, value in update.items()
        if key in ("status", "kind", "title", "locations", "content", "size")
    }
    return f"{kind} {_short(kept, 160)}"


def _by_kind(kind: str) -> Callable[[Json], Json]:
    def answer(params: Json) -> Json:
        return choose(next(option["optionId"] for option in params["options"] if option["kind"] == kind))(params)

    return answer


def _short(value: Any, limit: int = 900) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


async def main() -> None:
    """Both, one after the other."""
    for name in ("ours", "claude-agent-acp"):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place, ModelServer() as server:
            home, folder = Path(place) / "home", Path(place) / "work"
            home.mkdir()
            folder.mkdir()
            async with agent(name, home, server.url) as editor:
                await converse(editor, folder)


if __name__ == "__main__":
    anyio.run(main)
