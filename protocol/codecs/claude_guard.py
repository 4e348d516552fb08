"""The guard of plan mode: a hook of the daemon's own that Claude Code consults before every tool call. Pure.

The CLI's permission question is no guard. In plan mode, measured with claude 2.1.197 and 2.1.329, a call is not
asked about, and runs, where a rule, a hook or an agent of its own permission mode allows it, where the session was in
`acceptEdits` before (2.1.197), and wherever permissions may be skipped (2.1.197). A PreToolUse hook that denies has
the last word over all of these, in subagents too. What is harmless gets no opinion: then the CLI decides as ever.

Commands and skills can run shell commands while they are expanded, which no hook sees; the setting
`disableSkillShellExecution` keeps them from it, and can be changed in a running CLI.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, Final

from protocol.permissions import DENIED_BY_PLAN_MODE
from protocol.shell import is_read_only
from protocol.wire.claude import PLAN_TOOL, QUESTION_TOOL

if TYPE_CHECKING:
    from collections.abc import Iterable

GUARD_ID: Final = "agent-adapter-plan-guard"

HOOK_TIMEOUT_S: Final = 86400
"""As good as never: the CLI refuses the tool when a hook takes longer, and while the parent does not read, we do not
either."""

WATCH_ID: Final = "agent-adapter-settings-guard"

WATCH: Final[dict[str, Any]] = {"matcher": None, "hookCallbackIds": [WATCH_ID], "timeout": HOOK_TIMEOUT_S}
"""The entry under `ConfigChange`: a running CLI takes in what a project's settings become, new hooks too, within
seconds, unless such a hook blocks it (measured with claude 2.1.197 and 2.1.329). What the CLI itself writes there does
not come this way."""

SKILLS: Final = "skills"
"""Skills, commands and agents, of the project and of the user. 2.1.197 runs what such an agent's own permission mode
allows without a question; blocked, neither version takes it in."""

WATCHED: Final = frozenset({"project_settings", "local_settings", SKILLS})
"""The sources that a project holds."""

HOOK: Final[dict[str, Any]] = {"matcher": None, "hookCallbackIds": [GUARD_ID], "timeout": HOOK_TIMEOUT_S}
"""The entry under `PreToolUse` in the handshake's `hooks`."""

SETTINGS_ID: Final = f"{GUARD_ID}-settings"
FLAGS_ID: Final = f"{GUARD_ID}-flags"
"""The ids of its own control requests. The CLI takes one id many times (measured with both)."""

HARMLESS_TOOLS: Final = frozenset(
    {
        "Read", "NotebookRead", "LS", "Glob", "Grep", "LSP", "ToolSearch", "WebFetch", "WebSearch",
        "ListMcpResourcesTool", "ReadMcpResourceTool", "ListAgents", "TodoWrite", "TaskCreate", "TaskUpdate",
        "TaskList", "TaskGet", "TaskOutput", "BashOutput", "SendMessage", "StructuredOutput", "EnterPlanMode",
        PLAN_TOOL, QUESTION_TOOL,
    }
)  # fmt: skip
"""Tools that change nothing themselves."""

AGENT_TOOLS: Final = frozenset({"Agent", "Task"})
"""A subagent's own calls come to the guard one by one."""

_EDITS: Final = {"Write": "file_path", "Edit": "file_path", "MultiEdit": "file_path"}
"""The tools that the agent writes its plan with, and where each names the file."""


class PlanGuard:
    """Knows whether the plan mode holds, and what may be done while it does.

    Args:
        harmless: tools that change nothing besides those of `HARMLESS_TOOLS`, as the CLI calls them.
    """

    def __init__(self, harmless: Iterable[str] = ()) -> None:
        self.active = False
        """Whether the plan mode holds."""
        self._held = False
        self._harmless = HARMLESS_TOOLS.union(harmless)
        self._plans_directory: str | None = None

    def hold(self) -> None:
        """The CLI is about to be told to go to plan mode: from now on, not from its answer on."""
        self._held = self.active = True

    def release(self) -> None:
        """The CLI has not gone to plan mode."""
        self._held = False

    def follow(self, runtime_mode: str | None) -> bool:
        """The CLI is in this runtime mode; whether the plan mode begins or ends by that."""
        before = self.active and not self._held
        if runtime_mode == "plan":
            self._held = False
        self.active = runtime_mode == "plan" or self._held
        return before != (runtime_mode == "plan")

    def denies(self, consulted: Any) -> bool:
        """Whether a tool call, given as a PreToolUse hook's input, could change something that may not be changed."""
        if not self.active:
            return False
        if not isinstance(consulted, dict):
            return True
        tool, given = consulted.get("tool_name"), consulted.get("tool_input")
        if not isinstance(tool, str) or not isinstance(given, dict):
            return True
        if tool == "Bash":
            command = given.get("command")
            in_background = bool(given.get("run_in_background"))
            return in_background or not isinstance(command, str) or not is_read_only(command)
        if tool in AGENT_TOOLS:
            # With its own working tree an agent begins by making one; elsewhere nobody looks at what it does.
            return given.get("isolation") is not None
        if tool in _EDITS:
            return not self._is_plan(given.get(_EDITS[tool]), consulted)
        return tool not in self._harmless

    def learn(self, settings: Any) -> None:
        """The CLI's answer to `get_settings`: where plans are written. Without it, it is the CLI's own folder."""
        effective = settings.get("effective") if isinstance(settings, dict) else None
        directory = effective.get("plansDirectory") if isinstance(effective, dict) else None
        self._plans_directory = directory if isinstance(directory, str) else None

    def _is_plan(self, path: Any, consulted: dict[str, Any]) -> bool:
        """Whether this is a file for a plan. Which of them is this session's, the CLI knows, and asks about others."""
        if not isinstance(path, str) or not path.endswith(".md"):
            return False
        folder = posixpath.dirname(posixpath.normpath(path))
        return folder in self._plan_folders(consulted)

    def _plan_folders(self, consulted: dict[str, Any]) -> list[str]:
        if self._plans_directory is not None:
            return [posixpath.normpath(posixpath.join(str(consulted.get("cwd")), self._plans_directory))]
        own = _own_folder(consulted)
        return [] if own is None else [posixpath.join(own, "plans")]


def with_guard(
    hooks: dict[str, list[dict[str, Any]]] | None, *, watched: bool = True
) -> dict[str, list[dict[str, Any]]]:
    """The field `hooks` of the handshake, with the guard in it, and with the watch over the project's settings."""
    others = hooks or {}
    guarded = {"PreToolUse": [HOOK, *others.get("PreToolUse", [])]}
    if watched:
        guarded["ConfigChange"] = [WATCH, *others.get("ConfigChange", [])]
    return {**others, **guarded}


def flags(*, planning: bool) -> dict[str, Any]:
    """The CLI's settings while the plan mode holds, and when it no longer does."""
    return {"disableSkillShellExecution": planning}


def changed_file(consulted: Any) -> str | None:
    """The project's file that has changed, given a ConfigChange hook's input; None for what is the user's."""
    if not isinstance(consulted, dict) or consulted.get("source") not in WATCHED:
        return None
    path = str(consulted.get("file_path"))
    own = _own_folder(consulted)
    return None if consulted["source"] == SKILLS and own is not None and path.startswith(f"{own}/") else path


def _own_folder(consulted: dict[str, Any]) -> str | None:
    """The CLI's own folder: a transcript is `<the CLI's own folder>/projects/<project>/<session>.jsonl`."""
    parts = str(consulted.get("transcript_path")).rpartition("/projects/")
    return posixpath.normpath(parts[0]) if parts[1] else None


def blocked(reason: str) -> dict[str, Any]:
    """The hook's answer that keeps the CLI at the settings that it has."""
    return {"decision": "block", "reason": reason}


def verdict(*, denied: bool) -> dict[str, Any]:
    """The hook's answer."""
    if not denied:
        return {}
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": DENIED_BY_PLAN_MODE,
        }
    }
