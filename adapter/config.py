"""The settings: every limit and time-out of the daemon, named here with its reason, and where each may be set.

Flags beat the environment (`AGENT_ADAPTER_…`), which beats the file (`config.toml` in the platform's config
folder), which beats the defaults. One model is the table of all of them; SPEC.md's table is checked against it.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar, get_args, get_origin

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapter import __version__
from adapter.process.environment import ALLOWED, DENIED
from protocol.framing import MAX_CLI_LINE, MAX_PARENT_MESSAGE
from protocol.trust import TrustPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFIX = "AGENT_ADAPTER_"

SECTIONS = ("http",)
"""Tables of the settings file that hold for one subcommand only; the others pass over them."""


class ConfigError(Exception):
    """A setting that cannot be used; the message says which, where it came from, and what would do."""


class Settings(BaseModel):
    """All settings. Times in seconds, sizes in bytes; 0 turns a time-out or a cap off where the description says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    section: ClassVar[str | None] = None
    """The table of the settings file for what a model has beyond this one, and the second part of its variables."""

    claude_path: str | None = Field(
        None, description="The Claude CLI: a path or a name. Otherwise `claude`, then `claude-code`, is looked for."
    )
    max_sessions: int = Field(
        64, ge=1, description="Live sessions at once. A CLI takes about 250 MB, so 64 fill 16 GB."
    )
    max_queue: int = Field(32, ge=0, description="Messages of a session that wait for their turn.")
    idle_timeout: float = Field(600, ge=0, description="An idle session is ended after this. 0: never.")
    silence_timeout: float = Field(
        120, ge=0, description="A turn without any sign of life from the CLI ends after this. 0: never."
    )
    tool_silence_timeout: float = Field(
        1800, ge=0, description="The same while a tool runs: builds and tests are silent for long. 0: never."
    )
    compaction_timeout: float = Field(600, ge=0, description="The same while the CLI compacts its context. 0: never.")
    permission_timeout: float = Field(
        0, ge=0, description="An unanswered permission request counts as deny after this. 0: never; people go to lunch."
    )
    trust: TrustPolicy = Field(
        "ask",
        description="What a folder would run unasked, in sessions of acp and http: ask, always or never take it.",
    )
    warm: int = Field(
        0,
        ge=0,
        description="Spare CLIs kept ready for a session with the options of the last one; max_sessions counts them.",
    )
    handshake_timeout: float = Field(
        60,
        gt=0,
        description="From spawn to the CLI's first answer (measured: 0.4 to 1.1 s; slow MCP servers add theirs).",
    )
    interrupt_grace: float = Field(
        5,
        gt=0,
        description="From an interrupt to the end of the turn, before the process is ended (measured: at most 1.6 s).",
    )
    shutdown_timeout: float = Field(10, gt=0, description="All sessions must be gone after this when the daemon ends.")
    max_message: int = Field(MAX_PARENT_MESSAGE, ge=1024, description="Longest message from the parent.")
    max_cli_line: int = Field(
        MAX_CLI_LINE, ge=1024, description="Longest line of a CLI; a longer one becomes a notice."
    )
    session_backlog: int = Field(
        64 * 1024,
        ge=1024,
        description="Unsent bytes of a session at which its CLI is held back: a slow parent's fair share.",
    )
    state_dir: str | None = Field(None, description="Folder of the ledger. Otherwise the platform's state folder.")
    env_deny: list[str] = Field(list(DENIED), description="Patterns of variables that a CLI does not inherit.")
    env_allow: list[str] = Field(list(ALLOWED), description="Patterns of variables that it inherits all the same.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="Least level that is logged."
    )
    log_file: str | None = Field(None, description="Log to this file instead of stderr.")
    log_json: bool = Field(False, description="Log JSON lines instead of text.")

    def suited_to(self, environment: Mapping[str, str]) -> Self:
        """These settings, with what this environment needs."""
        return self

    @classmethod
    def read_aliases(cls, environment: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        """Settings that other programs' variables stand for, and the name of each one's variable."""
        return {}, {}

    @classmethod
    def check_sources(cls, values: Mapping[str, Any], sources: Mapping[str, str]) -> None:
        """Refuse a value that may not come from where it does.

        Raises:
            ConfigError: it may not.
        """


def add_flags(parser: argparse.ArgumentParser, model: type[Settings] = Settings) -> None:
    """A flag for each setting that is the model's own: `--idle-timeout 600`. Given flags alone appear in the parsed
    arguments."""
    for name in own_settings(model):
        field = model.model_fields[name]
        flag = "--" + name.replace("_", "-")
        text = (field.description or "").replace("%", "%%")
        if field.annotation is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)
        else:
            words = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
            shown = ", ".join(field.default) if isinstance(field.default, list) else field.default
            if shown not in (None, ""):
                text += f" Default: {shown}"
            parser.add_argument(flag, default=argparse.SUPPRESS, metavar="|".join(words) or "VALUE", help=text)


def own_settings(model: type[Settings]) -> list[str]:
    """The names that a model has beyond `Settings`; all of them for that one."""
    return [name for name in model.model_fields if model is Settings or name not in Settings.model_fields]


def variable(model: type[Settings], name: str) -> str:
    """The environment variable of a setting."""
    section = "" if name in Settings.model_fields or model.section is None else model.section.upper() + "_"
    return PREFIX + section + name.upper()


SettingsModel = TypeVar("SettingsModel", bound=Settings)


def load(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None) -> Settings:
    """The settings that all commands share. See `load_as`."""
    return load_as(Settings, flags, environment, file)


def load_as(
    model: type[SettingsModel], flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None
) -> SettingsModel:
    """Put settings together.

    Args:
        model: which.
        flags: those given on the command line.
        environment: ours.
        file: the settings file; None for the platform's, which need not exist.

    Raises:
        ConfigError: a value cannot be used, an unknown name is set in the file, or the file cannot be read.
    """
    values, where = _read_file(file, environment)
    own = values.pop(model.section, {}) if model.section else {}
    values = {name: value for name, value in values.items() if name not in SECTIONS} | own
    sources = dict.fromkeys(values, where)
    for given, given_sources in (
        model.read_aliases(environment),
        _read_variables(model, environment),
        _read_flags(model, flags),
    ):
        values |= {name: _listed(model, name, value) for name, value in given.items()}
        sources |= given_sources
    try:
        model.check_sources(values, sources)
        return model.model_validate(values).suited_to(environment)
    except ValidationError as error:
        found = [_said(item["loc"], item["msg"], sources) for item in error.errors()]
        raise ConfigError("; ".join(found)) from None


def _said(place: tuple[int | str, ...], message: str, sources: Mapping[str, str]) -> str:
    """What is wrong with a value, and where that value comes from; with no place it is the settings together."""
    name = ".".join(map(str, place))
    message = "there is no such setting" if message == "Extra inputs are not permitted" else message
    return f"{sources.get(str(place[0]), '')} ({name}): {message}" if place else message.removeprefix("Value error, ")


def _read_variables(model: type[Settings], environment: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    names = {name: variable(model, name) for name in model.model_fields}
    found = {name: each for name, each in names.items() if environment.get(each)}
    return {name: environment[each] for name, each in found.items()}, found


def _read_flags(model: type[Settings], flags: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    found = {name: flags[name] for name in model.model_fields if name in flags}
    return found, {name: "--" + name.replace("_", "-") for name in found}


def state_folder(settings: Settings) -> Path:
    """Where the ledger is.

    Raises:
        ConfigError: nowhere, because nobody says where this user's files are.
    """
    given = settings.state_dir
    folder = Path(given).expanduser() if given else Path(platformdirs.user_state_dir("agent-adapter", appauthor=False))
    if not given and not folder.is_absolute():
        raise ConfigError("this user has no home folder: set HOME or state_dir")
    return folder


def default_file() -> Path:
    """The platform's settings file."""
    return Path(platformdirs.user_config_dir("agent-adapter", appauthor=False)) / "config.toml"


def _read_file(file: Path | None, environment: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    chosen = file or (Path(environment[PREFIX + "CONFIG"]) if environment.get(PREFIX + "CONFIG") else None)
    path = chosen or default_file()
    try:
        with path.open("rb") as stream:
            import tomllib  # 12 ms that most starts can do without: few have a settings file

            return tomllib.load(stream), str(path)
    except FileNotFoundError:
        if chosen is not None:
            raise ConfigError(f"{path}: no such settings file") from None
        return {}, str(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _listed(model: type[Settings], name: str, value: Any) -> Any:
    """A list in a flag or a variable is separated by commas."""
    if isinstance(value, str) and isinstance(model.model_fields[name].default, list):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def parse(argv: Sequence[str]) -> tuple[str, Settings, bool]:
    """What to do, with which settings, and whether to answer in JSON; for a command line, our environment and the file.

    The command is `serve` (the default), `acp`, `http`, `acp login`, `doctor`, `sessions` or `sessions clean`.

    Raises:
        ConfigError: see `load_as`.
    """
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", type=Path, default=argparse.SUPPRESS, metavar="FILE", help=f"Default: {default_file()}"
    )
    add_flags(common)
    parser = argparse.ArgumentParser(
        prog="agent-adapter",
        parents=[common],
        description="Without a subcommand: serve a parent process over stdin and stdout (JSON-RPC 2.0; see SPEC.md). "
        "Every setting can also be given in the environment (AGENT_ADAPTER_IDLE_TIMEOUT=600) or in the settings file. "
        "Times are in seconds, sizes in bytes; commas separate a list.",
    )
    parser.add_argument("--version", "-V", action="version", version=f"agent-adapter {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    acp = commands.add_parser("acp", parents=[common], help="Serve an editor that speaks the Agent Client Protocol.")
    acp.add_argument("action", nargs="?", choices=["login"], help="login: run the CLI's own login in this terminal.")
    http = commands.add_parser(
        "http", parents=[common], help="Serve programs that speak the APIs of model vendors, over HTTP."
    )
    doctor = commands.add_parser("doctor", parents=[common], help="Say what does not work, and what to do about it.")
    sessions = commands.add_parser("sessions", parents=[common], help="List the sessions that were written down.")
    sessions.add_argument("action", nargs="?", choices=["clean"], help="clean: end what dead daemons have left.")
    for each in (doctor, sessions):
        each.add_argument("--json", action="store_true", help="Answer in JSON.")
    model = Settings
    if "http" in argv:
        from adapter.config_http import HttpSettings as model

        add_flags(http, model)
    given = parser.parse_args(argv)
    if given.command != "http":
        model = Settings
    settings = load_as(model, vars(given), os.environ, getattr(given, "config", None))
    state_folder(settings)  # where it is nowhere, now is the time to say so
    command = " ".join(filter(None, (given.command or "serve", getattr(given, "action", None))))
    return command, settings, getattr(given, "json", False)
