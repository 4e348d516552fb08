"""`protocol/codecs/claude_flags.py`: which arguments a parent may not add by itself."""

from __future__ import annotations

import pytest

from protocol.codecs.claude_flags import find_reserved


@pytest.mark.parametrize(
    "arguments",
    [
        ["--output-format", "json"],
        ["--output-format=json"],
        ["--debug", "--continue"],
        ["-c"],
        ["-pc"],
        ["-r", "x"],
        ["--permission-mode=plan"],
        ["--", "say hello"],
        ["say hello"],
        ["mcp", "list"],
    ],
)
def test_what_would_break_the_stream_or_the_conversation_is_found_with_the_other_way(arguments: list[str]) -> None:
    found = find_reserved(arguments)
    assert found is not None
    assert found[0] in str(arguments) or found[0] == "-c"
    assert len(found[1]) > len(found[0])


@pytest.mark.parametrize(
    "arguments", [[], ["--debug-file", "/tmp/log"], ["--tools", "Bash,Read"], ["-p"], ["--betas", "one", "two"]]
)
def test_everything_else_is_the_parents_own_business(arguments: list[str]) -> None:
    assert find_reserved(arguments) is None
