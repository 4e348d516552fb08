"""The settings of `agent-adapter http` alone, and the variables of another bridge that are taken for them.

They stand in the table `[http]` of the settings file, and their variables begin with `AGENT_ADAPTER_HTTP_`. Imported
where that face is served only, so that the others need not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from adapter.config import ConfigError, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class HttpSettings(Settings):
    """All settings of the daemon, and those of its HTTP face."""

    section: ClassVar[str | None] = "http"

    host: str = Field(
        "127.0.0.1", description="Address to listen on. One that other machines can reach needs expose and a token."
    )
    port: int = Field(14001, ge=0, le=65535, description="Port to listen on. 0: any that is free; stderr tells which.")
    socket: str | None = Field(None, description="Listen on a Unix socket at this path instead, for our user alone.")
    token: str | None = Field(
        None,
        repr=False,
        description="What clients must show. On a command line others can read it: better in the variable or a file.",
    )
    token_file: str | None = Field(None, description="File with the token. Otherwise one is made in the state folder.")
    auth: bool = Field(True, description="Ask for the token. Only a Unix socket may do without.")
    expose: bool = Field(
        False, description="Allow a host that other machines can reach; token or token_file is needed."
    )
    allowed_hosts: list[str] = Field([], description="Further names by which clients call this server (Host header).")
    accept_risk: bool = Field(
        False,
        description="Acknowledge once and for all what an agent may do on this machine (it is said at the start).",
    )
    working_dir: str | None = Field(None, description="Where the agent works. Otherwise where the daemon was started.")
    runtime_mode: Literal["supervised", "accept_edits", "plan", "full_access"] = Field(
        "supervised", description="Runtime mode of the sessions. full_access is taken from the command line only."
    )
    permissions: Literal["deny", "ask"] = Field(
        "deny",
        description="What happens to guarded tool calls. ask: the parent on stdin and stdout is asked, as in SPEC.md.",
    )
    allowed_tools: list[str] = Field([], description="Tools that need no permission, in the CLI's pattern language.")
    visibility: Literal["hidden", "text", "blocks"] = Field(
        "hidden", description="How clients see the tools that the CLI runs by itself."
    )
    when_gone: Literal["interrupt", "continue"] = Field(
        "interrupt", description="What becomes of a turn whose client has gone."
    )
    max_waiting: int = Field(
        8, ge=0, description="Requests that wait for one conversation's turn; one more is answered with 409."
    )
    max_conversations: int = Field(
        1024, ge=1, description="Conversations that are remembered; of older ones the client's history is told anew."
    )
    turn_timeout: float = Field(
        0, ge=0, description="A turn is interrupted after this, waits for the client's tools left out. 0: never."
    )
    tool_result_timeout: float = Field(
        600, gt=0, description="How long a turn waits for the client to run its tools, before it is interrupted."
    )
    ping_interval: float = Field(
        10, gt=0, description="Silence on a stream after which a ping goes out; proxies give up after 30 s or more."
    )
    max_body: int = Field(32_000_000, ge=1024, description="Largest body of a request; that of the Messages API.")
    max_connections: int = Field(256, ge=1, description="Connections at once; one more is answered with 503.")
    head_timeout: float = Field(15, gt=0, description="For the head of a request, from its first byte on.")
    body_timeout: float = Field(120, gt=0, description="For the body of a request, from the end of its head on.")
    stall_timeout: float = Field(
        60, gt=0, description="A client that takes nothing of its answer for so long counts as gone."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> HttpSettings:
        if self.token and self.token_file:
            raise ValueError("give token or token_file, not both")
        if not self.auth and not self.socket:
            raise ValueError("only a Unix socket may do without a token: give socket, too, or leave auth on")
        return self

    def suited_to(self, environment: Mapping[str, str]) -> Self:
        """A CLI that inherited our own address as that of its model would call us, who would start a CLI, and so on."""
        url = urlsplit(environment.get("ANTHROPIC_BASE_URL", ""))
        if url.hostname in (self.host, "localhost", "127.0.0.1", "::1") and self.port and url.port == self.port:
            return self.model_copy(update={"env_deny": [*self.env_deny, *OF_A_CLIENT]})
        return self

    @classmethod
    def read_aliases(cls, environment: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        """See `ALIASES`."""
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for variable, read in ALIASES.items():
            if text := environment.get(variable, "").strip():
                found = read(variable, text)
                values |= found
                sources |= dict.fromkeys(found, variable)
        return values, sources

    @classmethod
    def check_sources(cls, values: Mapping[str, Any], sources: Mapping[str, str]) -> None:
        """Nothing but a flag may let an agent do what it likes: a variable or a file can be set by others, and
        forgotten."""
        source = sources.get("runtime_mode", "")
        if values.get("runtime_mode") == "full_access" and not source.startswith("--"):
            raise ConfigError(f"{source}: full access is taken from the command line only: --runtime-mode full_access")


OF_A_CLIENT = ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
"""What a user sets to make programs our clients: with our address, the keys are ours, too."""

MODES = {
    "default": "supervised",
    "dontAsk": "supervised",
    "acceptEdits": "accept_edits",
    "plan": "plan",
    "bypassPermissions": "full_access",
}
"""Their names of permission modes and ours. Their `auto`, in which a model decides, has no like here."""


def _listen_address(variable: str, text: str) -> dict[str, Any]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        raise ConfigError(f"{variable}: {text!r} is no address with a port, such as 127.0.0.1:14001")
    return {"host": host.strip("[]"), "port": port}


def _mode(variable: str, text: str) -> dict[str, Any]:
    if text not in MODES:
        raise ConfigError(f"{variable}: {text!r} is none of {', '.join(MODES)}")
    return {"runtime_mode": MODES[text]}


def _same(name: str) -> Callable[[str, str], dict[str, Any]]:
    return lambda _, text: {name: text}


ALIASES = {
    "CLAUDE_CLI_BIN": _same("claude_path"),
    "CLAUDE_CLI_LISTEN_ADDR": _listen_address,
    "CLAUDE_CLI_MAX_SESSIONS": _same("max_sessions"),
    "CLAUDE_CLI_PERMISSION_MODE": _mode,
    "CLAUDE_CLI_SESSION_TTL_SECS": _same("idle_timeout"),
    "CLAUDE_CLI_WATCHDOG_SECS": _same("silence_timeout"),
}
"""Variables of Plano's claude-cli bridge (its pull request 936) and what they set. Our own variables beat them."""
