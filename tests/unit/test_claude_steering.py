"""Which versions of Claude Code can be steered, and the line that does it."""

from __future__ import annotations

import json

import pytest

from protocol.codecs.claude import ClaudeCodec
from protocol.codecs.claude_steering import refusal


@pytest.mark.parametrize("version", ["2.1.63", "2.1.197", "2.1.329", "3.0.0", "2.1.329-beta", None, "who knows"])
def test_a_version_that_gives_the_message_its_own_turn_is_not_refused(version: str | None) -> None:
    assert refusal(version) is None


@pytest.mark.parametrize("version", ["1.0.63", "1.0.128", "2.0.9", "2.1.62"])
def test_an_older_one_is_refused_by_its_name(version: str) -> None:
    assert version in (refusal(version) or "")


@pytest.mark.parametrize(("now", "priority"), [(True, "now"), (False, "later")])
def test_only_a_message_that_cannot_wait_is_urgent_to_the_cli(now: bool, priority: str) -> None:
    line = json.loads(ClaudeCodec().prompt("m1", "hello", now=now))
    assert (line["uuid"], line["priority"]) == ("m1", priority)
