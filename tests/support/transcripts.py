"""Transcripts as Claude Code writes them, line by line, for tests that need no CLI.

Owns: the shape of the lines, after recordings of claude 2.1.197 and 2.1.329. May be imported by: tests.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from adapter.providers.claude_store import folder_name

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]


class Script:
    """A conversation that is being written down: each line follows the one before, unless it says otherwise."""

    def __init__(self, cwd: str = "/w") -> None:
        self.lines: list[Json] = []
        self.last: str | None = None
        self._cwd = cwd
        self._second = 0

    def add(self, type: str, id: str, **fields: Any) -> Script:
        """Any line of the tree."""
        self._second += 1
        at = f"2026-11-21T18:{self._second // 60:02d}:{self._second % 60:02d}.000Z"
        line = {"parentUuid": self.last, "isSidechain": False, "type": type, "uuid": id, "timestamp": at}
        self.lines.append({**line, "cwd": self._cwd, "sessionId": "s", **fields})
        self.last = id
        return self

    def user(self, id: str, content: Any, **fields: Any) -> Script:
        """A prompt, or what the CLI says in the user's name."""
        return self.add("user", id, message={"role": "user", "content": content}, **fields)

    def agent(self, id: str, *blocks: Json | str, message: str | None = None, **fields: Any) -> Script:
        """A message of the agent; strings become text."""
        content = [{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks]
        about = {"id": message or f"msg_{id}", "role": "assistant", "model": "m", "content": content}
        usage = {"input_tokens": 10, "output_tokens": 2}
        return self.add("assistant", id, message={**about, "stop_reason": None, "usage": usage}, **fields)

    def result(self, id: str, call: str, content: Any = "done", **fields: Any) -> Script:
        """A tool call's output."""
        return self.user(id, [{"type": "tool_result", "tool_use_id": call, "content": content}], **fields)

    def keep(self, type: str, **fields: Any) -> Script:
        """A line beside the tree."""
        self.lines.append({"type": type, "sessionId": "s", **fields})
        return self

    def after(self, id: str | None) -> Script:
        """Go back: what is added next follows this line."""
        self.last = id
        return self

    @property
    def text(self) -> list[bytes]:
        """The lines as the CLI writes them."""
        return [json.dumps(line).encode() for line in self.lines]

    def write(self, store: Path, working_dir: str, id: str | None = None) -> str:
        """Write it under a CLI's configuration folder; the conversation's id."""
        id = id or str(uuid.uuid4())
        folder = store / "projects" / folder_name(working_dir)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{id}.jsonl").write_bytes(b"".join(line + b"\n" for line in self.text))
        return id


def call(id: str, name: str = "Bash", **given: Any) -> Json:
    """A tool call, as a block."""
    return {"type": "tool_use", "id": id, "name": name, "input": given}
