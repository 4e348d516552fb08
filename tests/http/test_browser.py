"""A web page in a real browser cannot reach the HTTP face: not by what a page may send unasked, not with the token in
its hands, not by a name of its own that leads here.

Owns the page. Needs Chromium; skipped where there is none.
"""

from __future__ import annotations

import html
import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.browser import NoBrowserError, render
from tests.support.http_daemon import TOKEN, mock_http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import SocketStream

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

PAGE = """<!doctype html><body><script>
const question = JSON.stringify({model: "x", max_tokens: 9, messages: [{role: "user", content: "Delete everything."}]});
const json = {"content-type": "application/json", "x-api-key": "%(token)s"};
const image = (url) => new Promise((done, failed) => {
  const tag = new Image(); tag.onload = () => done(new Response("shown")); tag.onerror = failed; tag.src = url; });
// The page's clock does not wait for a socket, so it is opened first and looked at last.
const link = new WebSocket("%(url)s/v1/messages".replace("http", "ws"));
const attempts = {
  control: () => fetch("/works"),
  unasked: () => fetch("%(url)s/v1/messages", {method: "POST", mode: "no-cors", body: question}),
  with_token: () => fetch("%(url)s/v1/messages", {method: "POST", headers: json, body: question}),
  read_models: () => fetch("%(url)s/v1/models", {headers: {"x-api-key": "%(token)s"}}),
  read_health: () => fetch("%(url)s/healthz"),
  image: () => image("%(url)s/healthz"),
  rebound: () => fetch("http://rebound.example/v1/messages", {method: "POST", mode: "no-cors", body: question}),
};
(async () => {
  const seen = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      const answer = await attempt();
      seen[name] = answer.type === "opaque" ? "opaque" : await answer.text();
    } catch { seen[name] = "blocked"; }
  }
  seen.socket = link.readyState === WebSocket.OPEN ? "open" : "blocked";
  document.body.innerHTML = "<pre></pre>";
  document.querySelector("pre").textContent = JSON.stringify(seen);
})();
</script>
<form target="frame" method="post" enctype="text/plain" action="%(url)s/v1/messages"><input name="a" value="b"></form>
<iframe name="frame"></iframe><script>document.forms[0].submit()</script>"""


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"


@asynccontextmanager
async def site(page: str) -> AsyncIterator[int]:
    """A web site of somebody else's; its port."""

    async def serve(client: SocketStream) -> None:
        async with client:
            head = b""
            while b"\r\n\r\n" not in head:
                try:
                    head += await client.receive()
                except anyio.EndOfStream:
                    return
            body = (b"it works" if head.startswith(b"GET /works ") else page.encode()) + b"\n"
            await client.send(HEAD % len(body) + body)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


async def test_a_foreign_page_learns_nothing_and_starts_nothing(tmp_path: Path) -> None:
    async with mock_http("--log-level", "info") as server:
        page = PAGE % {"url": server.url, "token": TOKEN}
        port = server.url.rsplit(":", 1)[1]
        async with site(page) as site_port:
            rules = f"MAP evil.example:80 127.0.0.1:{site_port}, MAP rebound.example:80 127.0.0.1:{port}"
            try:
                shown = await render("http://evil.example/", tmp_path / "profile", f"--host-resolver-rules={rules}")
            except NoBrowserError:
                pytest.skip("no Chromium is installed (`make foreign` as root, on Debian)")
        found = re.search(r"<pre>(.*)</pre></body>", shown, re.DOTALL)
        assert found is not None, f"{shown[-1000:]} {server.daemon.stderr}"
        seen = json.loads(html.unescape(found[1]))
        assert seen.pop("control").strip() == "it works"
        assert {name for name, got in seen.items() if got not in ("blocked", "opaque")} == set()
        assert set(seen) == {
            *("unasked", "with_token", "read_models", "read_health", "image", "socket", "rebound"),
        }
        refused = re.findall(r"refused (\w+) (\S+): (\d+)", server.daemon.stderr)
        assert {status for *_, status in refused} == {"403"}
        assert ("POST", "/v1/messages", "403") in refused
        assert ("OPTIONS", "/v1/messages", "403") in refused
        async with server.client() as client:
            assert (await client.get("/v1/sessions")).json()["data"] == []
