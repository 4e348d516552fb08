"""The config of a session: its fields and what each may hold (SPEC.md, section 3). Pure.

Whether a folder is there, and whether a provider can honour a field, is not known here.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue, ValidationInfo, field_validator

from protocol.conversations import check_conversation_id
from protocol.hooks import HookSubscription, check_hooks
from protocol.mcp_config import McpServers
from protocol.model import Params, Text
from protocol.tools import OWN_SERVER, ParentTool, check_tools
from protocol.trust import TrustPolicy

RuntimeModeName = Literal["supervised", "accept_edits", "plan", "full_access"]


class SessionConfig(Params):
    """How a session is to run. A provider that cannot honour an option answers `unsupported` and names it."""

    working_dir: Text = Field(description="Absolute path of an existing folder.")
    model: Text | None = None
    runtime_mode: RuntimeModeName = "supervised"
    system_prompt: str | None = Field(None, description="Replaces the CLI's own.")
    append_system_prompt: str | None = None
    allowed_dirs: list[Text] = Field(default_factory=list, description="Further folders that the agent may use.")
    plans_directory: Text | None = None
    mcp_servers: McpServers | None = Field(None, description="In the CLI ecosystem's own shape.")
    allowed_tools: list[Text] | None = None
    disallowed_tools: list[Text] | None = None
    tools: list[ParentTool] = Field(default_factory=list, description="The parent's own, which it runs (`call_tool`).")
    hooks: list[HookSubscription] = Field(
        default_factory=list, description="Events at which the parent is asked (`run_hook`)."
    )
    max_turns: int | None = Field(None, ge=1)
    max_budget_usd: float | None = Field(None, gt=0)
    output_schema: dict[str, JsonValue] | None = Field(None, description="JSON Schema of the structured output.")
    effort: Text | None = None
    max_thinking_tokens: int | None = Field(None, ge=0, description="How many tokens the model may think; 0 for none.")
    fallback_model: Text | None = Field(None, description="Takes over when the model is overloaded.")
    setting_sources: list[Literal["user", "project", "local"]] | None = Field(
        None, description="Which settings files, memory files, hooks and project MCP servers count; [] for none."
    )
    agents: dict[str, dict[str, JsonValue]] | None = Field(
        None, description="Further subagents, in the CLI's own shape."
    )
    trust: TrustPolicy = Field("ask", description="What becomes of what the folder would run without being asked.")
    settings: dict[str, JsonValue] | Text | None = Field(
        None, description="Settings of the CLI's own for this session: an object, or the path of a JSON file."
    )
    checkpoint: bool = Field(False, description="Keep what files were before each turn, for `rewind_files`.")
    resume: Text | None = Field(None, description="A `session_id` or a `provider_session_id`.")
    resume_at: Text | None = Field(None, description="With `resume`: go on as it was after this turn or message.")
    fork: bool = Field(False, description="With `resume`: go on in a copy.")
    env: dict[str, str] = Field(default_factory=dict, description="Added to the scrubbed environment.")
    transport: Literal["pipe", "pty"] = "pipe"
    extra_args: list[str] = Field(default_factory=list, description="Appended to the CLI's command line.")

    @field_validator("resume", "resume_at")
    @classmethod
    def _are_no_options(cls, value: str | None) -> str | None:
        return None if value is None else check_conversation_id(value)

    @field_validator("tools")
    @classmethod
    def _tools_fit(cls, tools: list[ParentTool], info: ValidationInfo) -> list[ParentTool]:
        if tools and OWN_SERVER in (info.data.get("mcp_servers") or ()):
            raise ValueError(f"beside them no server in mcp_servers can be called {OWN_SERVER!r}")
        return check_tools(tools)

    _hooks_fit = field_validator("hooks")(check_hooks)

    @field_validator("agents")
    @classmethod
    def _agents_fit(cls, agents: dict[str, dict[str, JsonValue]] | None) -> dict[str, dict[str, JsonValue]] | None:
        for name, agent in (agents or {}).items():
            for field in ("description", "prompt"):
                if not isinstance(agent.get(field), str) or not agent[field]:
                    # The CLI passes over such an agent without a word (claude 2.1.x).
                    raise ValueError(f"{name}: a {field} is needed")
        return agents

    @field_validator("env")
    @classmethod
    def _names_fit(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if not name or "=" in name or "\0" in name or "\0" in value:
                raise ValueError(f"{name!r} cannot be an environment variable")
        return env

    @field_validator("extra_args")
    @classmethod
    def _arguments_fit(cls, arguments: list[str]) -> list[str]:
        if any("\0" in argument for argument in arguments):
            raise ValueError("an argument cannot hold a NUL character")
        return arguments
