"""The settings of the HTTP face: where each may come from, and what is refused before anything listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapter.config import ConfigError, Settings, load, load_as, own_settings, parse, variable
from adapter.config_http import ALIASES, HttpSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def load_http(environment: Mapping[str, str] | None = None, file: Path | None = None, **flags: str) -> HttpSettings:
    return load_as(HttpSettings, flags, environment or {}, file)


def settings_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_server_that_nobody_configured_is_for_this_machine_with_a_token_and_allows_nothing() -> None:
    settings = load_http()
    assert (settings.host, settings.port, settings.auth, settings.expose) == ("127.0.0.1", 14001, True, False)
    assert (settings.runtime_mode, settings.permissions, settings.allowed_tools) == ("supervised", "deny", [])
    assert settings.max_body == 32_000_000


def test_its_settings_come_from_flags_variables_and_their_table_in_the_file(tmp_path: Path) -> None:
    path = settings_file(tmp_path, "max_queue = 7\n[http]\nport = 1\nvisibility = 'text'\nmax_sessions = 3\n")
    environment = {"AGENT_ADAPTER_HTTP_PORT": "2", "AGENT_ADAPTER_MAX_QUEUE": "8"}
    settings = load_http(environment, path, allowed_tools="Read,Grep")
    assert (settings.port, settings.visibility, settings.allowed_tools) == (2, "text", ["Read", "Grep"])
    assert (settings.max_queue, settings.max_sessions) == (8, 3)
    assert load_http(environment, path, port="4").port == 4


def test_the_other_commands_pass_over_the_table_and_refuse_its_names_outside_of_it(tmp_path: Path) -> None:
    assert load({}, {}, settings_file(tmp_path, "[http]\nport = 1\n")) == Settings()
    with pytest.raises(ConfigError, match="port"):
        load({}, {}, settings_file(tmp_path, "port = 1\n"))


def test_flags_of_the_http_face_are_those_of_its_subcommand_alone(capsys: pytest.CaptureFixture[str]) -> None:
    argv = []
    for name in own_settings(HttpSettings):
        if HttpSettings.model_fields[name].annotation is not bool and name != "token_file":
            argv += ["--" + name.replace("_", "-"), {"visibility": "text", "when_gone": "continue"}.get(name, "5000")]
    argv = [{"host": "::1"}.get(each, each) for each in argv]
    argv[argv.index("--runtime-mode") + 1] = "plan"
    argv[argv.index("--permissions") + 1] = "ask"
    command, settings, _ = parse(["http", *argv, "--accept-risk"])
    assert command == "http"
    assert isinstance(settings, HttpSettings)
    assert (settings.port, settings.accept_risk, settings.permissions) == (5000, True, "ask")
    with pytest.raises(SystemExit):
        parse(["--port", "5000"])
    assert type(parse(["--state-dir", "http"])[1]) is Settings
    capsys.readouterr()


def test_variables_of_another_bridge_are_honoured_below_our_own() -> None:
    environment = {
        "CLAUDE_CLI_BIN": "/opt/claude",
        "CLAUDE_CLI_LISTEN_ADDR": "[::1]:15000",
        "CLAUDE_CLI_MAX_SESSIONS": "5",
        "CLAUDE_CLI_PERMISSION_MODE": "acceptEdits",
        "CLAUDE_CLI_SESSION_TTL_SECS": "0",
        "CLAUDE_CLI_WATCHDOG_SECS": "90",
    }
    assert set(environment) == set(ALIASES)
    settings = load_http(environment)
    assert (settings.claude_path, settings.host, settings.port) == ("/opt/claude", "::1", 15000)
    assert (settings.max_sessions, settings.idle_timeout, settings.silence_timeout) == (5, 0, 90)
    assert settings.runtime_mode == "accept_edits"
    assert load_http({**environment, "AGENT_ADAPTER_MAX_SESSIONS": "6"}).max_sessions == 6
    assert load({}, environment) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CLAUDE_CLI_LISTEN_ADDR", "nonsense", "CLAUDE_CLI_LISTEN_ADDR"),
        ("CLAUDE_CLI_PERMISSION_MODE", "auto", "none of"),
        ("CLAUDE_CLI_MAX_SESSIONS", "many", "CLAUDE_CLI_MAX_SESSIONS"),
        ("CLAUDE_CLI_PERMISSION_MODE", "bypassPermissions", "--runtime-mode full_access"),
        ("AGENT_ADAPTER_HTTP_RUNTIME_MODE", "full_access", "--runtime-mode full_access"),
        ("AGENT_ADAPTER_HTTP_AUTH", "false", "only a Unix socket"),
    ],
)
def test_what_cannot_be_used_or_may_not_come_from_there_is_refused_with_its_source(
    name: str, value: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load_http({name: value})


def test_full_access_is_taken_from_a_flag_and_from_nowhere_else(tmp_path: Path) -> None:
    assert load_http(runtime_mode="full_access").runtime_mode == "full_access"
    with pytest.raises(ConfigError, match="command line only"):
        load_http({}, settings_file(tmp_path, "[http]\nruntime_mode = 'full_access'\n"))


def test_a_token_is_given_once_and_never_shown() -> None:
    settings = load_http(token="a-secret-of-mine-0123")
    assert "a-secret-of-mine" not in repr(settings)
    with pytest.raises(ConfigError, match="not both"):
        load_http(token="a-secret-of-mine-0123", token_file="/x")


def test_each_setting_of_the_face_has_a_variable_of_its_own_and_a_reason() -> None:
    assert variable(HttpSettings, "port") == "AGENT_ADAPTER_HTTP_PORT"
    assert variable(HttpSettings, "max_queue") == "AGENT_ADAPTER_MAX_QUEUE"
    assert all(HttpSettings.model_fields[name].description for name in own_settings(HttpSettings))


@pytest.mark.parametrize("url", ["http://127.0.0.1:14001", "http://localhost:14001/v1", "http://127.0.0.1:14001/"])
def test_a_cli_does_not_inherit_our_own_address_as_that_of_its_model(url: str) -> None:
    denied = load_http({"ANTHROPIC_BASE_URL": url}).env_deny
    assert {"ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"} <= set(denied)
    assert set(Settings().env_deny) <= set(denied)


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:14002", "https://models.example", "no url"])
def test_a_cli_inherits_the_address_of_another_server(url: str) -> None:
    assert load_http({"ANTHROPIC_BASE_URL": url}).env_deny == Settings().env_deny
