"""A session's config as Claude Code wants it: command line, handshake fields, files. No process is started here.

Flags and fields measured with claude 2.1.197 and 2.1.329. What can be long or secret stays off the command line:
system prompts and schemas travel in the `initialize` request, MCP servers in a file that only we can read.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from protocol.codecs.claude_guard import with_guard
from protocol.codecs.claude_hooks import hook_fields
from protocol.codecs.claude_tools import ALLOW_RULE, SERVER
from protocol.codecs.claude_version import DELTAS, INLINE_SETTINGS, SKIPS_PERMISSIONS, Version
from protocol.mcp_config import dump_servers
from protocol.wire.claude import RUNTIME_MODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapter.providers.base import Launch
    from protocol.session_config import SessionConfig

BASE_ARGUMENTS = (
    "--input-format",
    "stream-json",
    "--output-format",
    "stream-json",
    "--verbose",
    "--permission-prompt-tool",
    "stdio",
)

SANDBOX = "IS_SANDBOX"
"""With this variable at `1` the CLI lets root skip permissions (measured with claude 2.1.197 and 2.1.329)."""

ROOT_HINT = (
    "The CLI refuses it as root: run the daemon as another user, choose another runtime_mode, or, where this machine "
    f"is a throw-away sandbox, start the session with {SANDBOX}=1 in config.env."
)

FORBIDDEN_HINT = "The CLI's settings forbid it (permissions.disableBypassPermissionsMode): choose another runtime_mode."


def full_access_hint() -> str:
    """What can be done where the CLI refuses `full_access`."""
    return ROOT_HINT if os.geteuid() == 0 else FORBIDDEN_HINT


CHECKPOINTING = "CLAUDE_CODE_ENABLE_SDK_FILE_CHECKPOINTING"
"""Makes the CLI keep files for `rewind_files` (claude 2.1.x; there is no flag)."""

FLUSHING = "CLAUDE_CODE_EAGER_FLUSH"
"""Makes the CLI write a turn to its transcript before it tells of the end. Without it a fork or a kill right after a
turn loses the answer (measured: claude 2.1.197 lags by up to 0.1 s; 2.1.329 writes in time by itself)."""


def build_arguments(
    launch: Launch,
    provider_session_id: str,
    mcp_file: str | None,
    remembered: Sequence[str] = (),
    version: Version | None = None,
) -> list[str]:
    """The command line after the program.

    Args:
        launch: what to start.
        provider_session_id: the CLI's id for a new conversation or a fork.
        mcp_file: path of the MCP configuration.
        remembered: rules that were remembered for the project. The CLI writes them down, but 2.1.197 obeys them only
            in folders that were trusted in its own dialogue (2.1.329 in all).
        version: the CLI's, as far as it is known; without one it is taken for a new one.
    """
    config = launch.config
    # On a terminal the CLI would open its own screen; with a pipe it takes the stream without being told to print.
    printing = ["--print"] if config.transport == "pty" else []
    deltas = [] if version is not None and version < DELTAS else ["--include-partial-messages"]
    arguments = [*printing, *BASE_ARGUMENTS, *deltas, "--permission-mode", RUNTIME_MODES[config.runtime_mode]]
    if launch.resume is not None:
        arguments += ["--resume", launch.resume]
    if launch.resume_at is not None:
        # Hidden, and takes the id of any message: the conversation goes on behind it (measured with claude 2.1.x).
        arguments += ["--resume-session-at", launch.resume_at]
    if launch.fork:
        arguments.append("--fork-session")
    if launch.resume is None or launch.fork:
        arguments += ["--session-id", provider_session_id]
    if may_skip_permissions(config) and (version is None or version >= SKIPS_PERMISSIONS):
        # Lets `set_runtime_mode` go to full_access later; where the CLI refuses that, it would not even start.
        arguments.append("--allow-dangerously-skip-permissions")
    for flag, value in _options(config, remembered, version).items():
        if value is not None:
            arguments += [flag, str(value)]
    for folder in config.allowed_dirs:
        arguments += ["--add-dir", folder]
    if mcp_file is not None:
        arguments += ["--mcp-config", mcp_file]
    return arguments + config.extra_args


def may_skip_permissions(config: SessionConfig) -> bool:
    """Whether the CLI will run with `full_access`: as root only where it is told that the machine is a sandbox."""
    return os.geteuid() != 0 or {**os.environ, **config.env}.get(SANDBOX) == "1"


def _options(config: SessionConfig, remembered: Sequence[str], version: Version | None) -> dict[str, Any]:
    takes_settings = version is None or version >= INLINE_SETTINGS
    allowed = [*(config.allowed_tools or ()), *remembered, *([ALLOW_RULE] if config.tools else ())]
    return {
        "--model": config.model,
        "--effort": config.effort,
        "--max-turns": config.max_turns,
        "--max-budget-usd": config.max_budget_usd,
        "--allowedTools": ",".join(allowed) if allowed else None,
        "--disallowedTools": ",".join(config.disallowed_tools) if config.disallowed_tools else None,
        "--fallback-model": config.fallback_model,
        "--setting-sources": ",".join(config.setting_sources) if config.setting_sources is not None else None,
        "--settings": json.dumps(_settings(config)) if takes_settings else None,
    }


def _settings(config: SessionConfig) -> dict[str, Any]:
    # By default the CLI (2.1.329) lets a model judge in plan mode what may run, and runs it without a question.
    settings: dict[str, Any] = {"useAutoModeDuringPlan": False}
    if config.plans_directory:
        settings["plansDirectory"] = config.plans_directory
    return settings


def handshake_fields(config: SessionConfig) -> dict[str, Any]:
    """The fields of the `initialize` request."""
    fields = {
        "systemPrompt": config.system_prompt,
        "appendSystemPrompt": config.append_system_prompt,
        "jsonSchema": config.output_schema,
        "agents": config.agents,
        "sdkMcpServers": [SERVER] if config.tools else None,
    }
    # Without `forwardSubagentText` subagents are known by their tool calls only.
    return {
        "hooks": with_guard(hook_fields(config.hooks), watched=config.trust != "always"),
        "forwardSubagentText": True,
        **{name: value for name, value in fields.items() if value is not None},
    }


def told_after_handshake(config: SessionConfig) -> list[tuple[str, str, dict[str, Any]]]:
    """Options that go to the CLI as control requests once it has answered `initialize`: the option, the request's
    subtype, its fields. This way settings are on no command line and in no file; they hold as those of `--settings`
    would (measured with claude 2.1.62 to 2.1.329)."""
    told: list[tuple[str, str, dict[str, Any]]] = []
    if config.settings:
        told.append(("settings", "apply_flag_settings", {"settings": config.settings}))
    if config.max_thinking_tokens is not None:
        fields = {"max_thinking_tokens": config.max_thinking_tokens}
        told.append(("max_thinking_tokens", "set_max_thinking_tokens", fields))
    return told


def build_environment(config: SessionConfig) -> dict[str, str]:
    """What is added to the scrubbed environment: the parent's, and what switches on what only a variable can."""
    return {FLUSHING: "1", **({CHECKPOINTING: "true"} if config.checkpoint else {}), **config.env}


def mcp_file_text(config: SessionConfig) -> str | None:
    """What the MCP configuration file holds; None where there are no servers."""
    return json.dumps({"mcpServers": dump_servers(config.mcp_servers)}) if config.mcp_servers else None
