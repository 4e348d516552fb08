"""The gate, by itself: which requests an application behind it sees, and what the others are told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from adapter.faces.http.gate import Gate, JsonOnly, KnownHost, KnownToken, NoBrowser, host_name, is_loopback

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from adapter.faces.http.gate import Rule

pytestmark = pytest.mark.anyio

TOKEN = "the-token-of-this-test"
GOOD = {"host": "127.0.0.1:14001", "x-api-key": TOKEN, "content-type": "application/json"}


class Client:
    """A client of an application behind a gate, in memory."""

    def __init__(self, *, max_body: int = 1000, body_timeout: float = 5) -> None:
        rules: list[Rule] = [KnownHost(["adapter.example"]), NoBrowser(), KnownToken(TOKEN), JsonOnly()]
        self.gate = Gate(self._app, rules, max_body=max_body, body_timeout=body_timeout)
        self.seen: list[bytes] = []
        self.given: list[Message] = []

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append((await receive())["body"])
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def send(
        self,
        headers: dict[str, str],
        *,
        method: str = "POST",
        path: str = "/v1/messages",
        body: list[Any] | None = None,
    ) -> tuple[int | None, Any]:
        """Send a request; status and body of the answer. `body` is its chunks; an event among them is waited for."""
        chunks = [b"{}"] if body is None else list(body)
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {"type": "http", "method": method, "path": path, "headers": raw}
        sent: list[Message] = []

        async def receive() -> Message:
            while chunks:
                chunk = chunks.pop(0)
                if isinstance(chunk, anyio.Event):
                    await chunk.wait()
                else:
                    return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        with anyio.fail_after(10):
            await self.gate(scope, receive, send)
        if not sent:
            return None, None
        self.given = sent
        text = b"".join(each.get("body", b"") for each in sent)
        return sent[0]["status"], json.loads(text) if text else None


async def test_a_request_that_belongs_gets_through_with_its_whole_body() -> None:
    client = Client()
    assert (await client.send(GOOD, body=[b'{"a"', b": 1", b"}"]))[0] == 200
    assert client.seen == [b'{"a": 1}']


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST:9", "[::1]:14001", "adapter.example", "Adapter.Example:80"])
async def test_every_name_of_ours_is_a_good_host_on_any_port(host: str) -> None:
    assert (await Client().send({**GOOD, "host": host}))[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:14001",
        "evil@evil.example",
        "",
        "[::1",
        "0x7f.1",
    ],
)
async def test_a_name_that_is_not_ours_is_refused_whatever_it_leads_to(host: str) -> None:
    client = Client()
    status, body = await client.send({**GOOD, "host": host})
    assert (status, body["error"]["type"], client.seen) == (403, "permission_error", [])


@pytest.mark.parametrize(
    "header",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://localhost:14001"}]
    + [{"sec-fetch-site": each} for each in ("cross-site", "same-site", "same-origin")],
)
@pytest.mark.parametrize("method", ["POST", "OPTIONS", "GET"])
async def test_a_web_page_is_refused_even_with_the_token(header: dict[str, str], method: str) -> None:
    client = Client()
    status, _ = await client.send({**GOOD, **header}, method=method)
    assert (status, client.seen) == (403, [])
    names = {name for name, _ in client.given[0]["headers"]}
    assert not any(name.startswith(b"access-control") for name in names)


async def test_what_a_person_types_into_the_address_bar_is_no_web_page() -> None:
    assert (await Client().send({**GOOD, "sec-fetch-site": "none"}, method="GET", path="/healthz"))[0] == 200


@pytest.mark.parametrize(
    "header",
    [
        {"x-api-key": TOKEN},
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer  {TOKEN}"},
        {"x-api-key": "sk-of-somebody-else", "authorization": f"Bearer {TOKEN}"},
    ],
)
async def test_the_token_is_taken_from_either_header(header: dict[str, str]) -> None:
    headers = {**GOOD, "x-api-key": "", **header}
    assert (await Client().send(headers))[0] == 200


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"x-api-key": TOKEN[:-1]},
        {"x-api-key": TOKEN + "x"},
        {"x-api-key": TOKEN.upper()},
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer "},
        {"x-api-key": "\xff\xfe"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/openapi.json", "/nowhere"])
async def test_without_the_token_nothing_can_be_learned_nor_done(header: dict[str, str], path: str) -> None:
    client = Client()
    status, body = await client.send({**GOOD, "x-api-key": "", **header}, path=path)
    assert (status, body["error"]["type"], client.seen) == (401, "authentication_error", [])


@pytest.mark.parametrize(("method", "path"), [("GET", "/healthz"), ("HEAD", "/"), ("HEAD", "/api/hello")])
async def test_a_probe_needs_no_token_but_a_host(method: str, path: str) -> None:
    assert (await Client().send({"host": "localhost"}, method=method, path=path, body=[b""]))[0] == 200
    assert (await Client().send({"host": "evil.example"}, method=method, path=path, body=[b""]))[0] == 403


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"])
async def test_a_body_that_a_page_could_send_unasked_is_refused(kind: str) -> None:
    status, body = await Client().send({**GOOD, "content-type": kind})
    assert (status, body["error"]["type"]) == (415, "invalid_request_error")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
async def test_json_is_taken_however_it_is_written(kind: str) -> None:
    assert (await Client().send({**GOOD, "content-type": kind}))[0] == 200


async def test_a_compressed_body_is_refused_and_not_unpacked() -> None:
    assert (await Client().send({**GOOD, "content-encoding": "gzip"}))[0] == 415


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    client = Client()
    status, body = await client.send({**GOOD, "content-length": "1001"}, body=[b"x" * 10, b"y"])
    assert (status, body["error"]["type"], client.seen) == (413, "request_too_large", [])


async def test_a_body_that_grows_too_large_is_refused_where_it_does() -> None:
    client = Client()
    status, _ = await client.send(GOOD, body=[b"x" * 600, b"y" * 600, b"z"])
    assert (status, client.seen) == (413, [])
    assert (await client.send(GOOD, body=[b"x" * 500, b"y" * 500]))[0] == 200


async def test_a_body_that_does_not_come_is_refused_in_time() -> None:
    never = anyio.Event()
    client = Client(body_timeout=0.05)
    status, body = await client.send(GOOD, body=[b"{", never, b"}"])
    assert (status, body["error"]["type"], client.seen) == (408, "timeout_error", [])


async def test_a_client_that_leaves_in_its_body_is_not_answered_and_not_heard() -> None:
    client = Client()
    assert await client.send(GOOD, body=[]) == (None, None)
    assert client.seen == []


async def test_each_api_gets_its_own_shape_of_error() -> None:
    _, ours = await Client().send({**GOOD, "x-api-key": ""}, path="/v1/messages/count_tokens")
    assert (ours["type"], set(ours["error"])) == ("error", {"type", "message"})
    _, theirs = await Client().send({**GOOD, "x-api-key": ""}, path="/v1/responses")
    assert set(theirs) == {"error"}
    assert set(theirs["error"]) == {"message", "type", "param", "code"}


async def test_the_first_of_two_headers_counts() -> None:
    client = Client()
    assert (await client.send({"Host": "evil.example", **GOOD}))[0] == 403
    assert (await client.send({"Authorization": "Bearer x", **GOOD}))[0] == 200


async def test_no_websocket_gets_in() -> None:
    with pytest.raises(ValueError, match="websocket"):
        await Client().gate({"type": "websocket"}, anyio.sleep_forever, anyio.sleep_forever)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "name"),
    [("a:1", "a"), ("[::1]:2", "::1"), ("::1", ""), ("user@h", "h"), ("h/p", "h"), ("[", ""), ("a:b", "a")],
)
async def test_a_host_header_is_read_down_to_its_name(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        *[(host, True) for host in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost")],
        *[(host, False) for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", "::ffff:10.0.0.1")],
    ],
)
async def test_loopback_is_told_from_what_others_reach(host: str, is_one: bool) -> None:
    assert is_loopback(host) == is_one
