"""What a CLI inherits of our environment, and what not."""

from __future__ import annotations

import pytest

from adapter.process.environment import ALLOWED, DENIED, scrub


@pytest.mark.parametrize(
    "name",
    [
        "CLAUDECODE",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_SSE_PORT",
        "CLAUDE_CODE_SESSION_ID",
        "CLAUDE_CODE_CHILD_SESSION",
        "CLAUDE_AGENT_SDK_VERSION",
        "AI_AGENT",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "AGENT_ADAPTER_MAX_SESSIONS",
    ],
)
def test_what_a_running_cli_leaves_to_its_children_is_taken_out(name: str) -> None:
    assert scrub({name: "x", "PATH": "/bin"}) == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CONFIG_DIR",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_SKIP_VERTEX_AUTH",
        "CLAUDE_CODE_MAX_RETRIES",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "CLAUDE_CODE_SHELL_PREFIX",
        "CLAUDE_CODE_TMPDIR",
        "AWS_PROFILE",
        "HTTPS_PROXY",
        "claudecode",
        "MY_CLAUDECODE",
        "CLAUDECODE_X",
    ],
)
def test_what_a_user_sets_stays(name: str) -> None:
    assert scrub({name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    ("url", "stays"),
    [
        ("http://127.0.0.1:4000", False),
        ("http://127.0.0.1:4000/v1", False),
        ("http://localhost:4000", False),
        ("http://[::1]:4000", False),
        ("http://127.1.2.3:4000", False),
        ("HTTP://LOCALHOST:4000", False),
        ("http://127.0.0.1:4001", True),
        ("http://127.0.0.1", True),
        ("http://10.0.0.1:4000", True),
        ("https://models.example:4000", True),
        ("http://127.0.0.1:99999", True),
        ("http://[", True),
        ("4000", True),
        ("", True),
    ],
)
def test_a_base_url_stays_unless_it_leads_back_to_ourselves(url: str, stays: bool) -> None:
    environment = {"ANTHROPIC_BASE_URL": url, "PATH": "/bin"}
    expected = environment if stays else {"PATH": "/bin"}
    assert scrub(environment, own_ports=[4000, 5000]) == expected


def test_without_ports_of_our_own_every_base_url_stays() -> None:
    assert scrub({"ANTHROPIC_BASE_URL": "http://127.0.0.1:4000"}) == {"ANTHROPIC_BASE_URL": "http://127.0.0.1:4000"}


def test_the_lists_can_be_others_and_allowed_beats_denied() -> None:
    environment = {"SECRET_A": "1", "SECRET_B": "2", "CLAUDECODE": "1"}
    assert scrub(environment, denied=["SECRET_*"], allowed=["*_B"]) == {"SECRET_B": "2", "CLAUDECODE": "1"}
    assert scrub(environment, denied=(), allowed=()) == environment


def test_our_own_environment_is_not_touched() -> None:
    environment = {"CLAUDECODE": "1"}
    assert scrub(environment) == {}
    assert environment == {"CLAUDECODE": "1"}


def test_every_allowed_name_would_be_denied_otherwise() -> None:
    names = [pattern.replace("*", "X") for pattern in ALLOWED]
    assert scrub(dict.fromkeys(names, "x"), denied=DENIED, allowed=()) == {}
