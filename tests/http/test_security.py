"""`agent-adapter http` from the outside, with the mock CLI behind: how it starts, who gets in, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx
import psutil
import pytest

from tests.support.daemon import ROOT, run_daemon
from tests.support.http_daemon import TOKEN, mock_http
from tests.support.mock_daemon import MOCK, mock_environment, wait_gone, write_scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.daemon import Json
    from tests.support.http_daemon import HttpDaemon

pytestmark = pytest.mark.anyio

QUESTION = {"model": "claude-cli/x", "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
async def strict_server(anyio_backend: str) -> AsyncIterator[HttpDaemon]:
    """A daemon with narrow limits, for several tests."""
    async with mock_http("--max-body", "20000", "--body-timeout", "1", scenario="text_turn") as server:
        async with server.client() as client:
            # What the daemon starts once, with its first session, would else be some test's stray child.
            await client.post("/v1/messages", json=QUESTION)
            await end_sessions(client)
        yield server


@pytest.fixture
async def client(strict_server: HttpDaemon) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it, whose sessions are ended."""
    async with strict_server.client() as client:
        yield client
        await end_sessions(client)


async def end_sessions(client: httpx.AsyncClient) -> None:
    for session in (await client.get("/v1/sessions")).json()["data"]:
        await client.delete(f"/v1/sessions/{session['id']}")


async def refused_start(*flags: str, env: dict[str, str] | None = None) -> str:
    """Start it where it must not; what it says."""
    command = [sys.executable, "-m", "adapter", "http", *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    with anyio.fail_after(20):
        run = await anyio.run_process(command, check=False, env=environment, stdin=subprocess.DEVNULL)
    assert (run.returncode, run.stdout) == (2, b"")
    return run.stderr.decode()


async def test_a_first_start_says_what_an_agent_may_do_and_goes_no_further() -> None:
    said = await refused_start("--port", "0")
    assert "runs commands" in said
    assert "--accept-risk" in said
    assert "Traceback" not in said


async def test_what_cannot_be_listened_on_is_an_error_of_the_command_line() -> None:
    assert "other machines can reach" in await refused_start("--accept-risk", "--host", "0.0.0.0")
    assert "at least 16" in await refused_start("--accept-risk", env={"AGENT_ADAPTER_HTTP_TOKEN": "short"})


async def test_a_server_that_nobody_configured_keeps_its_token_in_a_file_and_needs_no_parent(tmp_path: Path) -> None:
    environment = mock_environment("default", "x", str(tmp_path))
    flags = ("http", "--port", "0", "--accept-risk", "--claude-path", str(MOCK))
    async with run_daemon(*flags, env=environment, ends=False) as daemon:
        url = (await daemon.wait_stderr(r"listening on (\S+)\n"))[1]
        path = Path((await daemon.wait_stderr(r"\$\(cat ([^)]+)\)"))[1])
        token = path.read_text().strip()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        await daemon.close_stdin()
        async with httpx.AsyncClient(base_url=url) as client:
            health = await client.get("/healthz")
            assert (health.status_code, health.headers["request-id"][:4]) == (200, "req_")
            assert (await client.post("/v1/messages", json=QUESTION)).status_code == 401
            answer = await client.post("/v1/messages", json=QUESTION, headers={"authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.json()["type"]) == (200, "message")
        daemon.process.send_signal(signal.SIGTERM)
        assert await daemon.wait_exit() == 0
        assert daemon.messages == []
        assert token not in daemon.stderr


async def test_a_server_turns_away_what_does_not_belong_and_starts_nothing_for_it(client: httpx.AsyncClient) -> None:
    refused: list[tuple[int, dict[str, str]]] = [
        (403, {"host": "evil.example"}),
        (403, {"origin": "https://evil.example"}),
        (401, {"x-api-key": "wrong"}),
        (415, {"content-type": "text/plain"}),
    ]
    for status, headers in refused:
        answer = await client.post("/v1/messages", json=QUESTION, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (status, "error")
    preflight = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = await client.options("/v1/messages", headers=preflight)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert (await client.get("/v1/sessions")).json()["data"] == []


async def test_a_body_that_is_too_large_is_refused_while_it_is_still_being_sent(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b'{"x": "' + b"x" * 65536

    headers = {"content-type": "application/json"}
    answer = await client.post("/v1/messages", content=endless(), headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "request_too_large")
    assert (await client.post("/v1/messages", json=QUESTION)).status_code == 200


async def test_a_slow_sender_is_told_to_go_and_others_are_served_meanwhile(
    strict_server: HttpDaemon, client: httpx.AsyncClient
) -> None:
    head = b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: " + TOKEN.encode()
    async with await anyio.connect_tcp("127.0.0.1", int(strict_server.url.rsplit(":", 1)[1])) as slow:
        await slow.send(head + b"\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{")
        assert (await client.post("/v1/messages", json=QUESTION)).status_code == 200
        with anyio.fail_after(20):
            assert b"408" in (await slow.receive()).split(b"\r\n")[0]


async def test_a_client_that_asks_the_next_thing_at_once_is_known_each_time(client: httpx.AsyncClient) -> None:
    talk: list[Json] = []
    taken = []
    for number in range(12):
        talk.append({"role": "user", "content": f"question {number}"})
        answer = await client.post("/v1/messages", json={**QUESTION, "messages": talk})
        talk.append({"role": "assistant", "content": answer.json()["content"]})
        taken.append(answer.headers["x-agent-adapter-history"])
    assert taken == ["new", *["continued"] * 11]


async def test_fifty_clients_at_once_each_get_the_answer_to_their_own_question(client: httpx.AsyncClient) -> None:
    answers: dict[int, httpx.Response] = {}

    async def ask(number: int) -> None:
        messages = [{"role": "user", "content": f"client {number}"}]
        headers = {"x-agent-adapter-session": f"talk {number % 10}", "x-agent-adapter-history": "append"}
        answers[number] = await client.post("/v1/messages", json={**QUESTION, "messages": messages}, headers=headers)

    with anyio.fail_after(50):
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(ask, number)
    said = {number: answer.json()["content"][0]["text"] for number, answer in answers.items()}
    assert said == {number: f"You said: client {number}" for number in range(50)}
    sessions = {(number % 10, answer.headers["x-agent-adapter-session"]) for number, answer in answers.items()}
    assert len(sessions) == len({session for _, session in sessions}) == 10


async def test_a_unix_socket_serves_its_user_and_is_gone_with_the_daemon(tmp_path: Path) -> None:
    path = tmp_path / "adapter.sock"
    async with mock_http("--socket", str(path), "--no-auth") as server:
        assert server.url == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport, base_url="http://anything") as client:
            assert (await client.post("/v1/messages", json=QUESTION)).status_code == 200
            assert (await client.post("/v1/messages", json=QUESTION, headers={"origin": "http://x"})).status_code == 403
    assert not path.exists()


async def test_nothing_is_left_when_the_daemon_is_killed_in_the_middle_of_a_turn() -> None:
    async with mock_http(scenario="hang_mid_turn", ends=False) as server, server.client() as client:
        async with client.stream("POST", "/v1/messages", json={**QUESTION, "stream": True}) as answer:
            lines = answer.aiter_lines()
            while "text_delta" not in await anext(lines):
                pass
            server.daemon.process.kill()
        await wait_gone(server.daemon.process.pid)


async def test_a_client_that_reads_nothing_holds_the_agent_back_and_no_memory_until_it_counts_as_gone(
    tmp_path: Path,
) -> None:
    flood = {"flood": {"deltas": 300_000, "text": "x" * 100}}
    scenario = write_scenario(tmp_path, {"forever": [{"turn": [flood]}]})
    async with mock_http("--stall-timeout", "2", "--log-level", "info", scenario=scenario) as server:
        daemon = psutil.Process(server.daemon.process.pid)
        with socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1]))) as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            body = json.dumps({**QUESTION, "stream": True}).encode()
            head = f"host: localhost\r\nx-api-key: {TOKEN}\r\ncontent-type: application/json\r\n"
            head += f"content-length: {len(body)}\r\n\r\n"
            before = daemon.memory_info().rss
            stalled.sendall(b"POST /v1/messages HTTP/1.1\r\n" + head.encode() + body)
            await server.daemon.wait_stderr("is being interrupted", within=40)
            grown = daemon.memory_info().rss - before
        # The whole answer would be 30 MB of text, twice that on its way; the sockets' own buffers take 6 MB at most.
        assert grown < 20_000_000
        async with server.client() as client:
            assert (await client.get("/v1/sessions")).status_code == 200


async def test_a_parent_on_stdin_is_asked_and_the_server_ends_when_it_goes() -> None:
    asked: list[Json] = []

    async def answer(params: Json) -> Json:
        asked.append(params)
        return {"outcome": "allow"}

    async with mock_http("--permissions", "ask", scenario="tool_allowed", ends=False) as server:
        server.daemon.answer = answer
        async with server.client() as client:
            allowed = await client.post("/v1/messages", json=QUESTION)
        assert allowed.status_code == 200
        assert asked[0]["session_id"] == allowed.headers["x-agent-adapter-session"]
        sessions = (await server.daemon.request("list_sessions"))["sessions"]
        assert [each["session_id"] for each in sessions] == [asked[0]["session_id"]]
        await server.daemon.close_stdin()
        assert await server.daemon.wait_exit() == 0


async def test_a_cli_that_was_led_to_us_for_its_model_starts_no_further_one(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/messages", json=QUESTION)).status_code == 200
    (session,) = (await client.get("/v1/sessions")).json()["data"]
    of_ours = {"x-claude-code-session-id": session["provider_session_id"]}
    answer = await client.post("/v1/messages", json=QUESTION, headers=of_ours)
    assert (answer.status_code, "ANTHROPIC_BASE_URL" in answer.text) == (400, True)
    assert len((await client.get("/v1/sessions")).json()["data"]) == 1
    of_another = {"x-claude-code-session-id": "5f0c6d7e-0000-4000-8000-000000000000"}
    assert (await client.post("/v1/messages", json=QUESTION, headers=of_another)).status_code == 200
