"""What an editor may ask before it has a session: the handshake, and the login."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapter import __version__
from adapter.faces.acp.login import terminal_method
from protocol.errors import AdapterError, ErrorKind
from protocol.wire.acp import PROTOCOL_VERSION, BadParams, Client, read_client, read_text

if TYPE_CHECKING:
    from adapter.peer import Call
    from adapter.providers.manager import ProviderManager

Json = dict[str, Any]


class Connection:
    """One editor.

    Args:
        providers: the providers.
        provider: the name of the one that is served.
    """

    def __init__(self, providers: ProviderManager, provider: str) -> None:
        self._providers = providers
        self._provider = provider
        self.client = Client()
        """What the editor can do, as it has said last."""

    async def initialize(self, call: Call, params: Json) -> Json:
        """Who we are and what we can do; starts nothing, so that it is answered at once."""
        self.client = read_client(params)
        return describe(self.client)

    async def authenticate(self, call: Call, params: Json) -> Json:
        """Whether the CLI's own login or key is there."""
        if read_text(params, "methodId") != "cli-login":
            raise BadParams("methodId", "is not a method to authenticate by: cli-login is")
        health = await self._providers.health_check(self._provider)
        if not health.is_available:
            raise AdapterError(ErrorKind.NOT_FOUND, health.error or "The CLI cannot be used.", hint=health.hint)
        if health.authenticated is False:
            hint = "Run `claude` in a terminal and log in with /login, or set ANTHROPIC_API_KEY."
            raise AdapterError(ErrorKind.NOT_AUTHENTICATED, "The Claude CLI is not logged in.", hint=hint)
        return {}

    async def log_out(self, call: Call, params: Json) -> Json:
        """End the CLI's own login."""
        await self._providers.get(self._provider).log_out()
        return {}


def describe(client: Client) -> Json:
    """Who we are and what we can do for this editor: the answer to `initialize`."""
    nothing: Json = {}
    sessions = ("list", "delete", "additionalDirectories", "resume", "close", "fork")
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "agentInfo": {"name": "agent-adapter", "title": "Claude Code", "version": __version__},
        "agentCapabilities": {
            "loadSession": True,
            "promptCapabilities": {"image": True, "audio": False, "embeddedContext": True},
            "mcpCapabilities": {"http": True, "sse": True},
            "sessionCapabilities": dict.fromkeys(sessions, nothing),
            "auth": {"logout": nothing},
        },
        "authMethods": _auth_methods(client),
    }


def _auth_methods(client: Client) -> list[Json]:
    methods: list[Json] = [
        {
            "id": "cli-login",
            "name": "Use the login of Claude Code",
            "description": "Takes the login or the API key that Claude Code itself uses on this machine",
        }
    ]
    if client.terminal_login:
        methods.append(terminal_method(whole_command=client.terminal_command))
    return methods
