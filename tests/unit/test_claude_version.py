"""`protocol/codecs/claude_version.py`: versions, and what each can do."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.codecs import claude_version
from protocol.codecs.claude_version import OLDEST, OPTIONS, REFUSES, REQUESTS, TESTED, parse_version
from protocol.session_config import SessionConfig

WARNED = """
Claude configuration file not found at: /root/.claude.json
A backup file exists at: /root/.claude.json.backup.1

1.0.63 (Claude Code)
"""


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("2.1.329 (Claude Code)\n", "2.1.329"),
        ("2.1.329\n", "2.1.329"),
        ("v2.2.0-beta.1 (Claude Code)", "2.2.0-beta.1"),
        ("9.9.9 (Claude Code mock)\n", "9.9.9"),
        (WARNED, "1.0.63"),
        ("node 20.1.0 is too old for this program\n", None),
        ("", None),
    ],
)
def test_the_version_is_found_behind_warnings(output: str, version: str | None) -> None:
    assert claude_version.find_version(output) == version


def test_versions_are_compared_as_numbers() -> None:
    assert parse_version("2.1.99") < parse_version("2.1.197") < parse_version("2.1.329-beta.1")  # type: ignore[operator]
    assert parse_version("soon") is None
    assert parse_version(None) is None


def config(**fields: Any) -> SessionConfig:
    return SessionConfig(working_dir="/", **fields)


def test_an_option_is_missing_in_a_version_before_the_one_that_brought_it() -> None:
    assert claude_version.missing_option(config(effort="low"), (2, 1, 61)) == ("effort", (2, 1, 62))
    assert claude_version.missing_option(config(effort="low"), (2, 1, 62)) is None
    assert claude_version.missing_option(config(), OLDEST) is None
    assert claude_version.missing_option(config(), OLDEST, fork=True) == ("fork", (1, 0, 128))


def test_only_what_an_old_version_would_drop_depends_on_the_version() -> None:
    assert not claude_version.depends_on_version(config(model="opus", max_turns=3, allowed_tools=["Bash"]))
    assert claude_version.depends_on_version(config(system_prompt=""))


def test_every_option_of_the_table_is_a_field_of_the_config_and_no_number_is_newer_than_what_is_tested() -> None:
    assert OPTIONS.keys() <= SessionConfig.model_fields.keys()
    assert all(OLDEST <= since <= TESTED[0] for since in (*OPTIONS.values(), *REQUESTS.values()))


def test_a_request_that_would_not_be_answered_is_known_before_it_is_sent() -> None:
    assert not claude_version.answers("get_context_usage", (2, 1, 61))
    assert claude_version.answers("get_context_usage", REFUSES)
    assert not claude_version.answers("set_model", OLDEST)
    assert claude_version.answers("set_model", (1, 0, 128))
    assert claude_version.answers("interrupt", OLDEST)


def test_an_older_version_is_remarked_with_what_is_missing_and_a_newer_one_in_passing() -> None:
    assert [claude_version.remark(version) for version in TESTED] == [None, None]
    level, text = claude_version.remark((1, 0, 63)) or ("", "")
    assert (level, "forgets" in text, "1.0.63" in text) == ("warning", True, True)
    level, text = claude_version.remark((2, 1, 100)) or ("", "")
    assert (level, text.endswith("(2.1.197).")) == ("warning", True)
    assert (claude_version.remark((3, 0, 0)) or ("",))[0] == "debug"
