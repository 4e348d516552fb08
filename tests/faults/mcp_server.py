"""The least MCP server over stdio, with a stubborn child in a session of its own: `python mcp_server.py SECONDS`.

Answers the handshake and an empty list of tools. It leaves at the end of its input as it should, and its child stays,
as those of careless servers do. Run as a program by the CLI, never imported.
"""

import json
import signal
import subprocess
import sys

RESULTS = {
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "faults", "version": "1"},
    },
    "tools/list": {"tools": []},
    "ping": {},
}


def main(seconds: str) -> None:
    """Start the child and serve until the end of input."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    subprocess.Popen(
        ["sleep", seconds], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message and "method" in message:
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": RESULTS.get(message["method"], {})}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
