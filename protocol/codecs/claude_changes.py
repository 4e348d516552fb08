"""What an edit of Claude Code really changed: the hunks of its structured patch, as `FileChange`s. Pure.

Shapes measured with claude 2.1.197 and 2.1.329: `structuredPatch` of Edit and Write, with some lines of context; a
created file has none, and `type` `create`. What has another shape tells no change.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from protocol.events import FileChange


def read_changes(detail: Any) -> list[FileChange] | UnsetType:
    """The changes that a tool result's structured `detail` tells; unset where it tells none."""
    if not isinstance(detail, dict) or not isinstance(path := detail.get("filePath"), str):
        return UNSET
    hunks = detail.get("structuredPatch")
    changes = [_change(path, hunk) for hunk in hunks if _is_hunk(hunk)] if isinstance(hunks, list) else []
    content = detail.get("content")
    if not changes and detail.get("type") == "create" and isinstance(content, str):
        changes.append(FileChange(path=path, line=1, old_text=None, new_text=content))
    return changes or UNSET


def _is_hunk(hunk: Any) -> bool:
    return (
        isinstance(hunk, dict)
        and type(hunk.get("newStart")) is int
        and isinstance(lines := hunk.get("lines"), list)
        and all(isinstance(line, str) for line in lines)
    )


def _change(path: str, hunk: dict[str, Any]) -> FileChange:
    lines: list[str] = hunk["lines"]
    old = [line[1:] for line in lines if line[:1] in (" ", "-")]
    new = [line[1:] for line in lines if line[:1] in (" ", "+")]
    start = max(hunk["newStart"], 1)
    return FileChange(path=path, line=start, old_text="\n".join(old), new_text="\n".join(new))
