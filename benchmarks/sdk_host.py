"""Drives the CLI through the peer `claude-agent-sdk`, in that peer's own environment. Run by the benchmarks.

The peer is a library: its deltas end in the program that uses it, so this counts them and writes none of them to
anybody. That is less work than an adapter's. The one argument is the CLI's path; each line of stdin is a prompt.
"""

from __future__ import annotations

import json
import sys

import anyio
import anyio.to_thread
from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient  # type: ignore[import-not-found]
from claude_agent_sdk.types import StreamEvent  # type: ignore[import-not-found]

MAX_LINE = 64 * 1024 * 1024
"""Its own default of 1 MiB ends the connection at a longer line."""


def tell(**message: object) -> None:
    """One line to the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def main(cli: str) -> None:
    """Serve prompts until the end of input."""
    options = ClaudeAgentOptions(cli_path=cli, include_partial_messages=True, max_buffer_size=MAX_LINE)
    async with ClaudeSDKClient(options) as client:
        tell(method="ready")
        while prompt := await anyio.to_thread.run_sync(sys.stdin.readline):
            await client.query(prompt)
            deltas = 0
            async for message in client.receive_response():
                if isinstance(message, StreamEvent) and message.event["type"] == "content_block_delta":
                    deltas += 1
            tell(method="done", deltas=deltas)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
