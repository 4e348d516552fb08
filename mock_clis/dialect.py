"""The lines of Claude Code's stream-json dialect, as 2.1.329 writes them.

Owns: the facts of one running CLI (session, model, mode, totals) and the shape of every line that carries them.
Refuses: deciding when a line is said; that is for ``player`` and ``turn``.
May be imported by: the other modules of ``mock_clis``.
The shapes were compared, key by key, with recorded runs of claude 2.1.329.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from mock_clis.flags import Flags, mcp_servers

Json = dict[str, Any]

VERSION = "2.1.329"
DEFAULT_MODEL = "claude-mock-1"
CONTEXT_WINDOW = 200_000
MAX_OUTPUT_TOKENS = 64_000
# Prices of an invented model, in dollars for one token.
INPUT_PRICE, OUTPUT_PRICE = 0.000003, 0.000015
PERMISSION_MODES = ("acceptEdits", "auto", "bypassPermissions", "default", "dontAsk", "plan")
TOOLS = ["Task", "AskUserQuestion", "Bash", "Edit", "ExitPlanMode", "Read", "WebFetch", "WebSearch", "Write"]
COMMANDS = [
    {"name": "compact", "description": "Summarise the conversation", "argumentHint": "", "builtin": True},
    {"name": "mock-help", "description": "What this mock can do", "argumentHint": "", "builtin": True},
]
AGENTS = [
    {"name": "general-purpose", "description": "Works on a task of several steps", "model": "inherit"},
    {"name": "Explore", "description": "Searches and reads, changes nothing", "model": "inherit"},
]
CAPABILITIES = ["interrupt_receipt_v1", "interrupt_cancel_queued_v1", "msg_lifecycle_v1"]
EFFORT_LEVELS = ["low", "medium", "high", "max"]


def fresh_id() -> str:
    """A random UUID (version 4) without the cost of importing ``uuid``."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def timestamp() -> str:
    """Now, in the CLI's format (UTC, milliseconds)."""
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"


def tokens_of(text: str) -> int:
    """A believable number of tokens for ``text``."""
    return max(1, len(text) // 4)


class Session:
    """What one running CLI knows about itself, and the lines it says about it."""

    def __init__(self, flags: Flags, settings: Json) -> None:
        self.version: str = settings.get("version", VERSION)
        self.default_model: str = settings.get("model", DEFAULT_MODEL)
        self.model: str = flags.text("model") or self.default_model
        self.bypass_allowed = flags.on("dangerously-skip-permissions") or flags.on("allow-dangerously-skip-permissions")
        self.permission_mode = self._first_mode(flags, settings)
        self.partial_messages = flags.on("include-partial-messages")
        self.asks_host = flags.text("permission-prompt-tool") == "stdio"
        self.replays_prompts = flags.on("replay-user-messages")
        self.session_id: str = self._first_session_id(flags, settings)
        hidden = {word for given in flags.many("disallowedTools") for word in given.replace(",", " ").split()}
        self.tools = [tool for tool in settings.get("tools", TOOLS) if tool not in hidden]
        self.mcp_servers = [{"name": name, "status": "connected"} for name in mcp_servers(flags)]
        self.logged_in = is_logged_in(settings)
        self.overrides = settings
        self.allowed_tools: set[str] = set()
        self.cost_usd = 0.0
        self.model_usage: Json = {}
        self.results = 0
        self.last_result_was_error = False

    def initialize_response(self) -> Json:
        """The body of the answer to ``initialize``."""
        models = [
            {"value": value, "resolvedModel": resolved, "displayName": name, "description": "Invented for tests",
             "supportsEffort": True, "supportedEffortLevels": EFFORT_LEVELS, "supportsAdaptiveThinking": True}
            for value, resolved, name in (("default", self.default_model, "Default (recommended)"),
                                          ("mock-large", "claude-mock-large-1", "Mock Large"))
        ]  # fmt: skip
        account: Json = {"tokenSource": "none", "apiProvider": "firstParty"}
        if self.logged_in:
            account["apiKeySource"] = "ANTHROPIC_API_KEY"
        return {
            "commands": COMMANDS, "agents": AGENTS, "output_style": "default", "available_output_styles": ["default"],
            "models": models, "account": account, "pid": os.getpid(), "claude_code_version": self.version,
            "current_permission_mode": self.permission_mode, "fast_mode_state": "off", "session_state": "idle",
            "capabilities": CAPABILITIES, **self.overrides.get("initialize", {}),
        }  # fmt: skip

    def init(self) -> Json:
        """``system/init``, said at the start of every turn and never at start-up."""
        return {
            "type": "system", "subtype": "init", "cwd": os.getcwd(), "session_id": self.session_id, "tools": self.tools,
            "mcp_servers": self.mcp_servers, "model": self.model, "permissionMode": self.permission_mode,
            "slash_commands": [command["name"] for command in COMMANDS],
            "apiKeySource": "ANTHROPIC_API_KEY" if self.logged_in else "none", "claude_code_version": self.version,
            "output_style": "default", "agents": [agent["name"] for agent in AGENTS], "skills": [], "plugins": [],
            "capabilities": CAPABILITIES, "uuid": fresh_id(), "fast_mode_state": "off", "original_cwd": os.getcwd(),
            "additional_directories": [], "view_mode": "default", **self.overrides.get("init", {}),
        }  # fmt: skip

    def system(self, subtype: str, **fields: Any) -> Json:
        """Any other ``system`` line."""
        return {"type": "system", "subtype": subtype, **fields, "session_id": self.session_id, "uuid": fresh_id()}

    def stream_event(self, event: Json, message_id: str) -> Json:
        """A piece of the model's own stream, which the CLI passes on."""
        return {
            "type": "stream_event", "event": event, "session_id": self.session_id, "parent_tool_use_id": None,
            "uuid": fresh_id(), "api_message_id": message_id,
        }  # fmt: skip

    def assistant(self, message_id: str, block: Json, usage: Json) -> Json:
        """One finished content block; the CLI says each on a line of its own."""
        return {
            "type": "assistant",
            "message": {
                "id": message_id, "type": "message", "role": "assistant", "model": self.model, "content": [block],
                "stop_reason": None, "stop_sequence": None, "usage": usage, "context_management": None,
            },
            "parent_tool_use_id": None, "session_id": self.session_id, "uuid": fresh_id(), "timestamp": timestamp(),
            "request_id": f"req_mock_{message_id}",
        }  # fmt: skip

    def api_error(self, text: str, kind: str, status: int | None, error_type: str | None) -> Json:
        """The message that the CLI makes up when the model's server fails."""
        line = self.assistant(fresh_id(), {"type": "text", "text": text}, message_usage(0, 0))
        line["message"].update(model="<synthetic>", stop_reason="stop_sequence", stop_sequence="")
        line.update(error=kind, is_api_error_message=True)
        if status is not None:
            line.update(api_error_status=status, api_error_type=error_type or "api_error")
        return line

    def user(self, content: Any, **fields: Any) -> Json:
        """A ``user`` line of the CLI's own making: tool results, interrupts, replayed prompts."""
        return {
            "type": "user", "message": {"role": "user", "content": content}, "parent_tool_use_id": None,
            "session_id": self.session_id, "uuid": fresh_id(), "timestamp": timestamp(), **fields,
        }  # fmt: skip

    def result(self, fields: Json, spent: tuple[int, int], started: float) -> Json:
        """The end of a turn; keeps the totals. ``spent``: input and output tokens; ``started``: monotonic seconds."""
        spent_in, spent_out = spent
        self._add_up(spent_in, spent_out)
        duration = int((time.monotonic() - started) * 1000)
        # The real CLI says these of successful turns only.
        succeeded = {"api_error_status": None, "ttft_ms": min(duration, 1)} if not fields.get("is_error") else {}
        line: Json = {
            "duration_api_ms": duration, "stop_reason": "end_turn", "session_id": self.session_id,
            "total_cost_usd": round(self.cost_usd, 6), "usage": usage(spent_in, spent_out),
            "modelUsage": {model: dict(numbers) for model, numbers in self.model_usage.items()},
            "permission_denials": [], "terminal_reason": "completed", "fast_mode_state": "off", "is_error": False,
            "num_turns": 1, "subtype": "success", **succeeded, "type": "result", "duration_ms": duration,
            "uuid": fresh_id(), "queued_turn_count": 0, "result_index": self.results, **fields,
        }  # fmt: skip
        self.results += 1
        self.last_result_was_error = bool(line["is_error"])
        return line

    def _add_up(self, spent_in: int, spent_out: int) -> None:
        cost = spent_in * INPUT_PRICE + spent_out * OUTPUT_PRICE
        self.cost_usd += cost
        entry = self.model_usage.setdefault(self.model, {
            "inputTokens": 0, "outputTokens": 0, "cacheReadInputTokens": 0, "cacheCreationInputTokens": 0,
            "webSearchRequests": 0, "costUSD": 0.0, "contextWindow": CONTEXT_WINDOW,
            "maxOutputTokens": MAX_OUTPUT_TOKENS,
        })  # fmt: skip
        entry["inputTokens"] += spent_in
        entry["outputTokens"] += spent_out
        entry["costUSD"] = round(entry["costUSD"] + cost, 6)

    def _first_mode(self, flags: Flags, settings: Json) -> str:
        if flags.on("dangerously-skip-permissions"):
            return "bypassPermissions"
        mode: str = flags.text("permission-mode") or settings.get("permission_mode", "default")
        self.bypass_allowed = self.bypass_allowed or mode == "bypassPermissions"
        return mode

    def _first_session_id(self, flags: Flags, settings: Json) -> str:
        given = flags.text("session-id")
        if given is None and not flags.on("fork-session"):
            given = flags.text("resume")
        return given or settings.get("session_id") or fresh_id()


def usage(spent_in: int, spent_out: int) -> Json:
    """Token counts as the model's server reports them."""
    return {
        "input_tokens": spent_in, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "output_tokens": spent_out, "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
        "service_tier": "standard",
    }  # fmt: skip


def message_usage(spent_in: int, spent_out: int) -> Json:
    """The shorter form that messages carry."""
    return {
        "input_tokens": spent_in, "output_tokens": spent_out, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }  # fmt: skip


def is_logged_in(settings: Json) -> bool:
    """Whether the mock pretends to be logged in: ``MOCK_CLAUDE_LOGGED_IN`` (0 or 1), else the scenario, else yes."""
    told = os.environ.get("MOCK_CLAUDE_LOGGED_IN")
    return told not in ("0", "false", "no") if told else bool(settings.get("logged_in", True))


def prompt_text(line: Json) -> str:
    """The text of a ``user`` line: its string, or its text blocks joined."""
    content = line.get("message", {}).get("content", "")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(str(block.get("text", "")) for block in content if isinstance(block, dict) and "text" in block)


def encode(line: Json) -> bytes:
    """One line of the dialect without its end; text goes out as plain UTF-8 where it can."""
    try:
        return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(line, separators=(",", ":")).encode()


def delta(index: int, kind: str, key: str, value: str) -> Json:
    """A piece of content block ``index`` in the model's stream."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, key: value}}
