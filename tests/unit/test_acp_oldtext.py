"""What a tool call is about to overwrite is read only where that is quick and certain."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from adapter.faces.acp.oldtext import MAX_SIZE, read_old_text

if TYPE_CHECKING:
    from pathlib import Path


def test_only_a_small_regular_file_of_text_is_read(tmp_path: Path) -> None:
    text, large, binary, pipe = (tmp_path / name for name in ("text", "large", "binary", "pipe"))
    text.write_text("before\n")
    large.write_bytes(b"x" * (MAX_SIZE + 1))
    binary.write_bytes(b"\xff\xfe\x00")
    os.mkfifo(pipe)
    assert read_old_text(str(text)) == "before\n"
    for path in (large, binary, pipe, tmp_path, tmp_path / "none", "nul\0"):
        assert read_old_text(str(path)) is None
