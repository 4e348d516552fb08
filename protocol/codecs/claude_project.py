"""What the files of a project make Claude Code run or allow without a question. Pure: texts in, findings out.

Measured with claude 2.1.197 and 2.1.329, over pipes, where the CLI shows no trust dialogue of its own: hooks,
`apiKeyHelper`, `fileSuggestion`, `env` and MCP servers of a project take effect at once. Permission rules count where
they stand in `settings.local.json` (2.1.329; before, only in folders trusted by the CLI's own dialogue). Agents bring
hooks, MCP servers and a permission mode of their own, skills hooks, and both skills and commands the tools that they
may use unasked. Whatever cannot be read as expected is a finding as a whole: the CLI may read it in its own way.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from protocol.trust import Finding

HARMLESS_SETTINGS: Final = frozenset(
    {
        "$schema", "alwaysThinkingEnabled", "attribution", "autoMemoryEnabled", "autoUpdatesChannel",
        "availableModels", "cleanupPeriodDays", "companyAnnouncements", "defaultShell", "disableAllHooks",
        "disabledMcpjsonServers", "disableSkillShellExecution", "effortLevel", "enableAllProjectMcpServers",
        "enabledMcpjsonServers", "feedbackSurveyState", "forceLoginMethod", "forceLoginOrgUUID",
        "includeCoAuthoredBy", "includeGitInstructions", "language", "model", "outputStyle", "plansDirectory",
        "prefersReducedMotion", "respectGitignore", "showTurnDuration", "spinnerTipsEnabled", "spinnerVerbs",
        "terminalProgressBarEnabled", "theme", "useAutoModeDuringPlan",
    }
)  # fmt: skip
"""Settings that run nothing and allow nothing. Every other one is a finding, so that those of later CLIs are, too."""

HARMLESS_PERMISSIONS: Final = frozenset({"ask", "deny", "defaultMode", "disableBypassPermissionsMode"})
"""Members of `permissions` that only tighten, or that the daemon's own command line overrules (`defaultMode`)."""

READING_TOOLS: Final = frozenset({"Read", "Grep", "Glob", "LS", "TodoWrite", "WebSearch", "AskUserQuestion"})
"""What a command or a skill may be allowed without that anybody cares."""

_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)(?:\r?\n---|\Z)", re.DOTALL)
_RISKY_KEY = re.compile(r"""(?:^|[\s{,"'])(hooks|mcpServers|permissionMode)["']?\s*:""", re.IGNORECASE)
_ALLOWED = re.compile(r"""(?:^|[\s{,"'])allowed[-_]?tools["']?\s*:(.*?)(?=\n\S|\Z)""", re.IGNORECASE | re.DOTALL)
_ESCAPED_KEY = re.compile(r"""["'][^"'\n]*\\[^"'\n]*["']\s*:""")
_RUN_BEFORE = re.compile(r"!`[^`\n]+`")
_RULE = re.compile(r"[A-Za-z_][\w-]*(?:\([^\n]*\))?")
_TOOL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\([^)]*\))?")


def read_settings(path: str, text: str, *, local: bool) -> list[Finding]:
    """What a settings file brings.

    Args:
        path: the file's.
        text: its content.
        local: whether it is a `settings.local.json`, whose permission rules the CLI obeys unasked.
    """
    settings = _parse(text)
    if not isinstance(settings, dict):
        return _whole(path, text)
    found: list[Finding] = []
    for name, value in settings.items():
        if name == "hooks" and isinstance(value, dict):
            found += [Finding(path, "hook", str(event), hooks) for event, hooks in value.items() if hooks]
        elif name == "permissions" and isinstance(value, dict):
            found += _read_permissions(path, value, local=local)
        elif name not in HARMLESS_SETTINGS and value not in (None, {}, []):
            found.append(Finding(path, "setting", name, value))
    return found


def read_mcp(path: str, text: str) -> list[Finding]:
    """What a `.mcp.json` brings."""
    content = _parse(text)
    servers = content.get("mcpServers") if isinstance(content, dict) else None
    if not isinstance(servers, dict):
        return _whole(path, text)
    return [Finding(path, "mcp_server", str(name), server) for name, server in servers.items()]


def read_markdown(path: str, text: str, what: str) -> list[Finding]:
    """What an agent, a skill or a command brings.

    Args:
        path: the file's.
        text: its content.
        what: `agent`, `skill` or `command`.
    """
    front = _FRONT_MATTER.match(text)
    if front is None:
        return []
    header = front.group(1)
    allowed = [tool for line in _ALLOWED.findall(header) for tool in _TOOL.findall(line)]
    risky = _RISKY_KEY.search(header) or _ESCAPED_KEY.search(header)
    if risky or any(tool not in READING_TOOLS for tool in allowed):
        return [Finding(path, what, path.rpartition("/")[2].removesuffix(".md"), text)]
    return []


def commands_of(finding: Finding) -> Any:
    """The part of a finding's content that the CLI runs, and that may name scripts; None for none.

    Of a text (an agent, a skill, a command) that is its header, and what the CLI runs before the model sees it. Rules
    that were remembered hold for what they name, whatever becomes of it.
    """
    if finding.what in ("hook", "mcp_server", "setting"):
        return finding.content
    if finding.what not in ("agent", "skill", "command"):
        return None
    header = _FRONT_MATTER.match(finding.content)
    fenced = [block for block in finding.content.split("```")[1::2] if block.startswith("!")]
    return [header.group(1) if header else "", *fenced, *_RUN_BEFORE.findall(finding.content)]


def remembered_rules(path: str, remembered: Any) -> list[Finding]:
    """The findings that a suggestion will be in this file once the CLI has written it down there."""
    if not isinstance(remembered, dict) or remembered.get("destination") != "localSettings":
        return []
    if remembered.get("type") == "addDirectories":
        return [Finding(path, "permission", "additionalDirectories", each) for each in remembered["directories"]]
    if remembered.get("type") != "addRules" or remembered.get("behavior") != "allow":
        return []
    return [Finding(path, "permission", "allow", _rule(rule)) for rule in remembered.get("rules", ())]


def local_rules(text: str) -> list[str]:
    """The rules that a `settings.local.json` allows."""
    settings = _parse(text)
    permissions = settings.get("permissions") if isinstance(settings, dict) else None
    rules = permissions.get("allow") if isinstance(permissions, dict) else None
    return (
        [rule for rule in rules if isinstance(rule, str) and _RULE.fullmatch(rule)] if isinstance(rules, list) else []
    )


def _read_permissions(path: str, permissions: dict[str, Any], *, local: bool) -> list[Finding]:
    found = []
    for name, value in permissions.items():
        if name in HARMLESS_PERMISSIONS or (name in ("allow", "additionalDirectories") and not local):
            continue
        values = value if isinstance(value, list) else [value]
        found += [Finding(path, "permission", name, each) for each in values]
    return found


def _rule(rule: Any) -> str:
    """A rule as settings files have it: `Bash(make *)`."""
    name, content = rule.get("toolName"), rule.get("ruleContent")
    return f"{name}({content})" if content is not None else str(name)


def _parse(text: str) -> Any:
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None


def _whole(path: str, text: str) -> list[Finding]:
    return [Finding(path, "unreadable", path.rpartition("/")[2], text)] if text.strip() else []
