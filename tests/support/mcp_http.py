"""A tiny MCP server over HTTP for tests, in both of its ways: streamable HTTP (`/mcp`) and the older SSE (`/sse`).

Serves the tool `tide` on loopback from threads, and keeps the headers of every request. Owns no expectation. Standard
library only.
"""

from __future__ import annotations

import json
import queue
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOL = {"name": "tide", "description": "Tells the tide", "inputSchema": {"type": "object", "properties": {}}}


class McpHttpServer(ThreadingHTTPServer):
    """The server; `headers_seen` has the headers of each request, by path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.headers_seen: list[tuple[str, dict[str, str]]] = []
        self.streams: list[queue.Queue[bytes | None]] = []

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def mcp_http_server() -> Iterator[McpHttpServer]:
    """Serve for a block."""
    with McpHttpServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            for stream in server.streams:
                stream.put(None)
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: McpHttpServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The stream of the older way; the newer one has none."""
        self._note()
        if self.path != "/sse":
            self._send(405)
            return
        stream: queue.Queue[bytes | None] = queue.Queue()
        self.server.streams.append(stream)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b"event: endpoint\ndata: /messages\n\n")
        while (body := stream.get()) is not None:
            try:
                self.wfile.write(b"event: message\ndata: " + body + b"\n\n")
            except OSError:
                return

    def do_POST(self) -> None:
        """A message of the client."""
        self._note()
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = _answer(message)
        if answer is None or self.path == "/messages":
            if answer is not None:
                self.server.streams[-1].put(answer)
            self._send(202)
        else:
            self._send(200, answer)

    def do_DELETE(self) -> None:
        """The end of a session."""
        self._send(200)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def _note(self) -> None:
        self.server.headers_seen.append((self.path, dict(self.headers.items())))

    def _send(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _answer(message: dict[str, Any]) -> bytes | None:
    if "id" not in message:
        return None
    results: dict[str, Any] = {
        "initialize": {
            "protocolVersion": (message.get("params") or {}).get("protocolVersion"),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "tide", "version": "1"},
        },
        "tools/list": {"tools": [TOOL]},
        "tools/call": {"content": [{"type": "text", "text": "High water at noon."}]},
    }
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": results.get(message["method"], {})}).encode()
