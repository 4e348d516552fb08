"""The Agent Client Protocol's dialect, version 1: its names, its error codes, and how what a client sends is read.

Facts from the published schema (npm `@agentclientprotocol/sdk` 2.4.0, `schema/v1`). As the schema's rules ask, a
malformed optional field counts as absent; a malformed required one is an error that names its place. `_meta` is never
looked at for a parameter. Pure; used by the codecs and the face of the same name.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from protocol.errors import INTERNAL_ERROR, INVALID_PARAMS, AdapterError, ErrorKind, with_hint
from protocol.mcp_config import McpServerConfig

PROTOCOL_VERSION: Final = 1
"""The only version that is spoken; a client that asks for another one is told this one, and decides."""

AUTH_REQUIRED: Final = -32000
NOT_FOUND: Final = -32002
CANCELLED: Final = -32800

MODES: Final[dict[str, str]] = {
    "default": "supervised",
    "acceptEdits": "accept_edits",
    "plan": "plan",
    "bypassPermissions": "full_access",
}
"""Mode ids and the contract's runtime modes. The ids are those that editors have in their users' settings already."""

MODE_OF: Final[dict[str, str]] = {ours: theirs for theirs, ours in MODES.items()}

STOP_REASONS: Final[dict[str, str]] = {
    "end_turn": "end_turn",
    "max_tokens": "max_tokens",
    "max_turns": "max_turn_requests",
    "max_budget": "max_turn_requests",
    "refusal": "refusal",
    "interrupted": "cancelled",
}
"""The contract's stop reasons; `error` has none, because the prompt is answered with an error then."""

ERROR_CODES: Final[dict[ErrorKind, int]] = {
    ErrorKind.NOT_AUTHENTICATED: AUTH_REQUIRED,
    ErrorKind.SESSION_NOT_FOUND: NOT_FOUND,
    ErrorKind.INVALID_PARAMS: INVALID_PARAMS,
    ErrorKind.UNSUPPORTED: INVALID_PARAMS,
}
"""The codes of the contract's kinds; every other kind is an internal error to this protocol."""

Json = dict[str, Any]


class BadParams(Exception):
    """A required parameter is missing or cannot be used. `path` says which, as `prompt.0.text`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


@dataclass(frozen=True, slots=True)
class Client:
    """What the client can do; everything is off until it says otherwise."""

    name: str = ""
    elicits_forms: bool = False
    elicits_urls: bool = False
    notices: bool = False
    compaction: bool = False
    terminal_login: bool = False
    terminal_output: bool = False
    """Shows the output of commands that the agent runs (`_meta.terminal_output`, which Zed has)."""
    terminal_command: bool = False
    """Runs the command of a method of the terminal that is told to it whole (`_meta["terminal-auth"]`)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session works, and with what."""

    cwd: str
    mcp_servers: Json = field(default_factory=dict)
    additional_directories: list[str] = field(default_factory=list)


def read_client(params: Json) -> Client:
    """The params of `initialize`."""
    version = params.get("protocolVersion")
    if isinstance(version, bool) or not isinstance(version, int):
        raise BadParams("protocolVersion", "must be a number")
    told = _object(params.get("clientCapabilities"))
    session, elicitation = _object(told.get("session")), _object(told.get("elicitation"))
    name = _object(params.get("clientInfo")).get("name")
    return Client(
        name=name if isinstance(name, str) else "",
        elicits_forms=isinstance(elicitation.get("form"), dict),
        elicits_urls=isinstance(elicitation.get("url"), dict),
        notices=isinstance(session.get("notices"), dict),
        compaction=isinstance(session.get("compaction"), dict),
        terminal_login=_object(told.get("auth")).get("terminal") is True,
        terminal_output=_object(told.get("_meta")).get("terminal_output") is True,
        terminal_command=_object(told.get("_meta")).get("terminal-auth") is True,
    )


def read_place(params: Json) -> Place:
    """`cwd`, `mcpServers` and `additionalDirectories` of the methods that begin a session."""
    given = params.get("additionalDirectories")
    folders = [] if given is None else given
    if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
        raise BadParams("additionalDirectories", "must be a list of absolute paths")
    for at, folder in enumerate(folders):
        _check_absolute(folder, f"additionalDirectories.{at}")
    cwd = read_text(params, "cwd")
    _check_absolute(cwd, "cwd")
    return Place(cwd, read_mcp_servers(params.get("mcpServers")), list(folders))


def _check_absolute(folder: str, path: str) -> None:
    if not folder.startswith("/") or "\0" in folder:
        raise BadParams(path, "must be an absolute path")


def read_mcp_servers(given: Any) -> Json:
    """The client's MCP servers in the shape of a session's config: by name, `env` and `headers` as objects."""
    if given is None:
        return {}
    if not isinstance(given, list):
        raise BadParams("mcpServers", "must be a list")
    servers: Json = {}
    for at, server in enumerate(given):
        path = f"mcpServers.{at}"
        if not isinstance(server, dict):
            raise BadParams(path, "must be an object")
        kind = server.get("type")
        if kind in ("http", "sse"):
            one: Json = {"type": kind, "url": read_text(server, "url", path)}
            one["headers"] = _pairs(server.get("headers"), f"{path}.headers")
        elif kind in (None, "stdio"):
            arguments = server.get("args") or []
            if not isinstance(arguments, list) or not all(isinstance(each, str) for each in arguments):
                raise BadParams(f"{path}.args", "must be a list of strings")
            one = {"command": read_text(server, "command", path), "args": arguments}
            one["env"] = _pairs(server.get("env"), f"{path}.env")
        else:
            raise BadParams(f"{path}.type", "must be http or sse, or absent for a command")
        servers[read_text(server, "name", path)] = _checked(one, path)
    return servers


def _checked(server: Json, path: str) -> Json:
    """A server that a session's config takes."""
    try:
        _server_shape().validate_python(server)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(map(str, wrong["loc"][1:2]))
        raise BadParams(f"{path}.{field}", wrong["msg"].removeprefix("Value error, ")) from None
    return server


@functools.cache
def _server_shape() -> TypeAdapter[Any]:
    return TypeAdapter(McpServerConfig)


def read_text(params: Json, name: str, where: str = "") -> str:
    """A required string that is not empty."""
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise BadParams(f"{where}.{name}" if where else name, "must be a string that is not empty")
    return value


def optional_text(params: Json, name: str) -> str | None:
    """A string; None where it is absent or malformed."""
    value = params.get(name)
    return value if isinstance(value, str) else None


def error_of(error: AdapterError) -> tuple[int, str, Json]:
    """Code, text and data of an error. The text holds the hint, because editors show nothing else."""
    text = with_hint(error.message, error.hint)
    return ERROR_CODES.get(error.kind, INTERNAL_ERROR), text, error.data


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _pairs(given: Any, path: str) -> dict[str, str]:
    """A list of `{name, value}` as an object."""
    pairs = given if given is not None else []
    if not isinstance(pairs, list):
        raise BadParams(path, "must be a list")
    found: dict[str, str] = {}
    for at, pair in enumerate(pairs):
        if not isinstance(pair, dict) or not isinstance(pair.get("value"), str):
            raise BadParams(f"{path}.{at}", "must have a name and a value")
        found[read_text(pair, "name", f"{path}.{at}")] = pair["value"]
    return found
