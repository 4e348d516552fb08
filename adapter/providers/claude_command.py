"""A session's config as Claude Code wants it: command line, handshake fields, files. No process is started here.

Flags and fields measured with claude 2.1.197 and 2.1.329. What can be long or secret stays off the command line:
system prompts and schemas travel in the `initialize` request, MCP servers in a file that only we can read.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import TYPE_CHECKING, Any

from protocol.wire.claude import RUNTIME_MODES

if TYPE_CHECKING:
    from adapter.providers.base import Launch
    from protocol.methods import SessionConfig

BASE_ARGUMENTS = (
    "--input-format",
    "stream-json",
    "--output-format",
    "stream-json",
    "--verbose",
    "--include-partial-messages",
    "--permission-prompt-tool",
    "stdio",
)


def build_arguments(launch: Launch, provider_session_id: str, mcp_file: str | None) -> list[str]:
    """The command line after the program.

    Args:
        launch: what to start.
        provider_session_id: the CLI's id for a new conversation or a fork.
        mcp_file: path of the MCP configuration.
    """
    config = launch.config
    arguments = [*BASE_ARGUMENTS, "--permission-mode", RUNTIME_MODES[config.runtime_mode]]
    if launch.resume is not None:
        arguments += ["--resume", launch.resume]
    if launch.fork:
        arguments.append("--fork-session")
    if launch.resume is None or launch.fork:
        arguments += ["--session-id", provider_session_id]
    if os.geteuid() != 0:
        # Lets `set_runtime_mode` go to full_access later; as root the CLI refuses to start with it.
        arguments.append("--allow-dangerously-skip-permissions")
    for flag, value in _options(config).items():
        if value is not None:
            arguments += [flag, str(value)]
    for folder in config.allowed_dirs:
        arguments += ["--add-dir", folder]
    if mcp_file is not None:
        arguments += ["--mcp-config", mcp_file]
    return arguments + config.extra_args


def _options(config: SessionConfig) -> dict[str, Any]:
    return {
        "--model": config.model,
        "--effort": config.effort,
        "--max-turns": config.max_turns,
        "--max-budget-usd": config.max_budget_usd,
        "--allowedTools": ",".join(config.allowed_tools) if config.allowed_tools else None,
        "--disallowedTools": ",".join(config.disallowed_tools) if config.disallowed_tools else None,
        "--settings": json.dumps({"plansDirectory": config.plans_directory}) if config.plans_directory else None,
    }


def handshake_fields(config: SessionConfig) -> dict[str, Any]:
    """The fields of the `initialize` request."""
    fields = {
        "systemPrompt": config.system_prompt,
        "appendSystemPrompt": config.append_system_prompt,
        "jsonSchema": config.output_schema,
    }
    return {"hooks": None, **{name: value for name, value in fields.items() if value is not None}}


def write_mcp_file(config: SessionConfig) -> str | None:
    """Write the MCP servers to a new file that only we can read; its path, or None where there are none.

    Raises:
        OSError: it cannot be written.
    """
    if not config.mcp_servers:
        return None
    descriptor, path = tempfile.mkstemp(prefix="agent-adapter-mcp-", suffix=".json")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"mcpServers": config.mcp_servers}, file)
    return path


def remove_file(path: str | None) -> None:
    """Remove a file that may be gone already."""
    if path is not None:
        try:
            os.unlink(path)
        except OSError:
            return
