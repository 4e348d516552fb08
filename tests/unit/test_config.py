"""The settings: which source wins, and what a person reads where a value cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapter.config import ConfigError, Settings, default_file, load, parse, state_folder
from adapter.process.environment import ALLOWED, DENIED
from protocol.framing import MAX_CLI_LINE, MAX_PARENT_MESSAGE

if TYPE_CHECKING:
    from pathlib import Path


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_contracts_limits_are_the_defaults() -> None:
    settings = load({}, {})
    assert settings == Settings()
    assert (settings.max_queue, settings.idle_timeout, settings.max_sessions) == (32, 600, 64)
    assert (settings.silence_timeout, settings.permission_timeout) == (120, 0)
    assert (settings.max_message, settings.max_cli_line) == (MAX_PARENT_MESSAGE, MAX_CLI_LINE)
    assert (settings.env_deny, settings.env_allow) == (list(DENIED), list(ALLOWED))


def test_flags_beat_the_environment_which_beats_the_file_which_beats_the_defaults(tmp_path: Path) -> None:
    path = file(tmp_path, "max_queue = 1\nidle_timeout = 1\nsilence_timeout = 1\n")
    environment = {"AGENT_ADAPTER_MAX_QUEUE": "2", "AGENT_ADAPTER_IDLE_TIMEOUT": "2.5"}
    settings = load({"max_queue": "3"}, environment, path)
    assert (settings.max_queue, settings.idle_timeout, settings.silence_timeout) == (3, 2.5, 1)
    assert settings.max_sessions == 64


def test_the_file_may_be_named_in_the_environment_and_a_flag_names_another(tmp_path: Path) -> None:
    mine = file(tmp_path, "max_queue = 7\n")
    environment = {"AGENT_ADAPTER_CONFIG": str(tmp_path / "other.toml")}
    assert load({}, environment, mine).max_queue == 7
    assert load({}, {"AGENT_ADAPTER_CONFIG": str(mine)}).max_queue == 7
    with pytest.raises(ConfigError, match=r"other\.toml: no such settings file"):
        load({}, environment)


def test_the_platforms_file_is_read_where_it_is_and_need_not_be() -> None:
    assert load({}, {}).max_queue == 32
    default_file().parent.mkdir(parents=True)
    default_file().write_text("max_queue = 5\n")
    assert load({}, {}).max_queue == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a,b", ["a", "b"]), (" A_* , B ,", ["A_*", "B"]), ("one", ["one"]), (",", [])],
)
def test_a_list_is_separated_by_commas_in_a_flag_and_a_variable(text: str, expected: list[str]) -> None:
    assert load({"env_deny": text}, {}).env_deny == expected
    assert load({}, {"AGENT_ADAPTER_ENV_DENY": text}).env_deny == expected


def test_a_list_in_the_file_is_a_list(tmp_path: Path) -> None:
    assert load({}, {}, file(tmp_path, 'env_allow = ["A", "B,C"]\n')).env_allow == ["A", "B,C"]


def test_an_empty_variable_counts_as_none_and_a_foreign_one_is_nobodys_business() -> None:
    environment = {"AGENT_ADAPTER_MAX_QUEUE": "", "AGENT_ADAPTER_NO_SUCH_SETTING": "1", "MAX_QUEUE": "9"}
    assert load({}, environment) == Settings()


@pytest.mark.parametrize(
    ("flags", "environment", "text", "said"),
    [
        ({"max_queue": "many"}, {}, "", ["--max-queue", "max_queue", "integer"]),
        ({}, {"AGENT_ADAPTER_IDLE_TIMEOUT": "-1"}, "", ["AGENT_ADAPTER_IDLE_TIMEOUT", "greater than or equal to 0"]),
        ({}, {}, "max_sessions = 0\n", ["config.toml", "max_sessions"]),
        ({}, {}, "no_such_setting = 1\n", ["config.toml", "no_such_setting", "no such setting"]),
        ({}, {}, "max_queue = [1\n", ["config.toml"]),
        ({}, {}, 'log_level = "loud"\n', ["log_level", "'debug'"]),
        ({"interrupt_grace": "0"}, {"AGENT_ADAPTER_MAX_QUEUE": "x"}, "", ["--interrupt-grace", "MAX_QUEUE"]),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_source(
    tmp_path: Path, flags: dict[str, Any], environment: dict[str, str], text: str, said: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(flags, environment, file(tmp_path, text))
    for part in said:
        assert part in str(caught.value)


def test_a_file_that_cannot_be_read_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    broken = tmp_path / "latin.toml"
    broken.write_bytes(b'claude_path = "caf\xe9"\n')
    for path in (broken, tmp_path):
        with pytest.raises(ConfigError, match=path.name):
            load({}, {}, path)


def test_a_command_line_has_a_flag_for_every_setting() -> None:
    argv, words = [], {"log_level": "debug", "trust": "never"}
    for name, field in Settings.model_fields.items():
        flag = "--" + name.replace("_", "-")
        argv += [flag] if field.annotation is bool else [flag, words.get(name, "5000")]
    command, settings, as_json = parse(argv)
    assert (command, as_json) == ("serve", False)
    assert settings.max_message == 5000
    assert settings.env_deny == ["5000"]
    assert settings.log_json is True
    assert parse(["--no-log-json"])[1].log_json is False


@pytest.mark.parametrize(
    ("argv", "command", "as_json"),
    [
        ([], "serve", False),
        (["doctor"], "doctor", False),
        (["doctor", "--json"], "doctor", True),
        (["sessions"], "sessions", False),
        (["sessions", "clean", "--json"], "sessions clean", True),
        (["--max-queue", "4", "sessions"], "sessions", False),
        (["sessions", "--max-queue", "4"], "sessions", False),
    ],
)
def test_a_command_is_found_whichever_side_its_flags_stand_on(argv: list[str], command: str, as_json: bool) -> None:
    found, settings, json = parse(argv)
    assert (found, json) == (command, as_json)
    assert settings.max_queue == (4 if "4" in argv else 32)


@pytest.mark.parametrize("argv", [["--no-such-flag"], ["dance"], ["sessions", "burn"], ["--max-queue"]])
def test_a_command_line_that_makes_no_sense_ends_with_code_two(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(argv)
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "usage: agent-adapter" in printed.err


def test_the_flag_for_the_settings_file_is_followed(tmp_path: Path) -> None:
    assert parse(["--config", str(file(tmp_path, "max_queue = 3\n"))])[1].max_queue == 3


def test_the_ledgers_folder_is_the_platforms_or_the_one_that_is_set(tmp_path: Path) -> None:
    assert state_folder(Settings(state_dir=str(tmp_path))) == tmp_path
    assert state_folder(Settings()).name == "agent-adapter"
    assert state_folder(Settings(state_dir="~/x")).is_absolute()


def test_a_user_without_a_home_is_told_to_say_where_files_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_state_dir", lambda *_, **__: "~/.local/state/agent-adapter")
    with pytest.raises(ConfigError, match="HOME"):
        parse([])


def test_the_help_names_the_words_that_a_setting_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["http", "--help"])
    printed = capsys.readouterr().out
    assert "--log-level debug|info|warning|error" in printed
    assert "--permissions deny|ask" in printed
    assert "None" not in printed


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in Settings.model_fields.values())
