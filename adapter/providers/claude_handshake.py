"""What the start of a Claude Code tells: its answer to `initialize`, or why it died before one. Starts nothing.

For the provider `claude` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapter.process.child import last_lines
from adapter.providers.base import ProviderError
from adapter.providers.claude_command import ROOT_HINT
from protocol.errors import ErrorKind
from protocol.signals import ProcessExited, ProviderEvent, TurnEnded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from protocol.events import SessionStarted

PROVIDER = "claude"

UNKNOWN_FLAG = "unknown option"
"""In what the CLI says of a flag that it does not know."""

NOT_FOUND = "No conversation found"
"""In what the CLI says of a conversation that it cannot resume."""

_ROOT_REFUSAL = "cannot be used with root"

_HINTS = {
    NOT_FOUND: "The CLI looks for a conversation under the working folder that it was held in.",
    "already in use": "Another conversation has this id: resume it instead, or choose another id.",
    UNKNOWN_FLAG: "The CLI does not know one of the arguments: check extra_args and the CLI's version.",
    "Invalid MCP configuration": "Check mcp_servers.",
}
"""A part of what the CLI says when it will not start, and what the user can do."""

_NO_HINT = "Run the CLI by hand in this folder, or `agent-adapter doctor`, to see what is wrong with it."
"""What the user can do where nobody knows more."""


def read_handshake(answer: dict[str, Any], started: SessionStarted) -> dict[str, Any]:
    """Complete `started` from the CLI's answer to `initialize`.

    Returns:
        What is known of the session now, by field.

    Raises:
        AdapterError: `not_authenticated`.
    """
    account = answer.get("account") or {}
    if _is_logged_out(account):
        hint = "Run `claude` in a terminal and log in with /login, or set ANTHROPIC_API_KEY."
        raise ProviderError(PROVIDER, ErrorKind.NOT_AUTHENTICATED, "The Claude CLI is not logged in.", hint=hint)
    commands = answer.get("commands")
    if isinstance(commands, list):
        started.slash_commands = [
            command["name"] for command in commands if isinstance(command, dict) and "name" in command
        ]
    started.cli_version = answer.get("claude_code_version")
    started.api_key_source = account.get("apiKeySource") or account.get("tokenSource")
    fields = {name: getattr(started, name) for name in started.__struct_fields__}
    return {name: value for name, value in fields.items() if value is not None}


def explain_death(exited: ProcessExited, said_before: Iterable[ProviderEvent]) -> ProviderError:
    """The error for a CLI that ended before its handshake.

    Args:
        exited: how it ended.
        said_before: what it had said on its stdout.
    """
    said = last_lines(exited.stderr_tail) or next(
        (event.error.message for event in said_before if isinstance(event, TurnEnded) and event.error), None
    )
    if said and _ROOT_REFUSAL in said:
        return ProviderError(
            PROVIDER,
            ErrorKind.UNSUPPORTED,
            "The CLI refuses full_access when it runs as root.",
            hint=ROOT_HINT,
            option="runtime_mode",
            stderr_tail=said,
        )
    text = f"The CLI ended before its handshake ({exited.how}): {said or 'it gave no reason'}"
    hint = next((hint for part, hint in _HINTS.items() if part in (said or "")), _NO_HINT)
    return ProviderError(PROVIDER, ErrorKind.SPAWN_FAILED, text, hint=hint, stderr_tail=said)


def too_talkative(limit: int, stderr: str) -> ProviderError:
    """The error for a CLI that says so much instead of its handshake that it must be something else.

    Args:
        limit: events that were too many.
        stderr: what it wrote there.
    """
    text = f"The CLI said more than {limit} things before it answered its handshake."
    hint = "Run it by hand: if it is not Claude Code, correct claude_path."
    return ProviderError(PROVIDER, ErrorKind.PROTOCOL_ERROR, text, hint=hint, stderr_tail=last_lines(stderr))


def _is_logged_out(account: dict[str, Any]) -> bool:
    """Measured: no login is `{"tokenSource": "none", "apiProvider": "firstParty"}` without an `apiKeySource`."""
    first_party = account.get("apiProvider") in (None, "firstParty")
    return first_party and account.get("tokenSource") == "none" and not account.get("apiKeySource")
