"""What a folder would run without being asked, and the question whether it may (SPEC.md, section 7). Pure.

A finding is one thing in one file; it is trusted by the file's path, its own content and that of the scripts it names,
so that a change of these is asked about again, and a change beside them is not. Which files matter, and what in them,
the provider knows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal

from protocol.signals import PermissionAsked

if TYPE_CHECKING:
    from collections.abc import Sequence

TrustPolicy = Literal["ask", "always", "never"]

TRUST_TOOL: Final = "trust"
"""`tool_name` and `kind` of the question."""

SETTINGS_CHANGED: Final = "It counts from the CLI's next start on, as far as it is trusted then."
"""What the parent, and the CLI, are told of a project's settings that change while the CLI runs."""

MAX_DETAIL: Final = 300
"""Characters of a finding that are shown: enough for a command line, and a hostile file cannot fill a screen."""

MAX_SHOWN: Final = 100
"""Findings that one question shows. A folder with more than that has them counted."""

MAX_SCRIPTS: Final = 20
"""Scripts that are shown of a finding."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a file brings.

    Attributes:
        file: the file's absolute path.
        what: `hook`, `mcp_server`, `setting`, `permission`, `agent`, `skill`, `command`, `unreadable`; of a
            repository's own `git_program`, `git_hook`, `git_config`.
        name: which of them: a hook's event, a server's or a setting's name.
        content: what it would do, as it stands in the file.
        scripts: the project's own files that it names, each with what it is known by.
    """

    file: str
    what: str
    name: str
    content: Any
    scripts: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> str:
        """The same for the same thing, whatever stands around it in its file."""
        parts = [self.what, self.name, self.content, *([self.scripts] if self.scripts else [])]
        text = json.dumps(parts, sort_keys=True, default=str)
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def key(self) -> tuple[str, str]:
        """What it is remembered by."""
        return self.file, self.digest

    @property
    def shown(self) -> dict[str, Any]:
        """What the parent is shown of it."""
        text = self.content if isinstance(self.content, str) else json.dumps(self.content, default=str)
        detail = text if len(text) <= MAX_DETAIL else f"{text[:MAX_DETAIL]}…"
        scripts = [path for path, _ in self.scripts[:MAX_SCRIPTS]]
        return {"file": self.file, "what": self.what, "name": self.name, "detail": detail, "scripts": scripts}


def trust_question(request_id: str, working_dir: str, findings: Sequence[Finding]) -> PermissionAsked:
    """The question whether these may run.

    Args:
        request_id: made up by the daemon; also the question's `tool_call_id`.
        working_dir: the session's.
        findings: what is not trusted yet.
    """
    kinds = sorted({finding.what.replace("_", " ") for finding in findings})
    title = f"Trust {working_dir}? Without being asked, it would run or allow: {', '.join(kinds)}."
    return PermissionAsked(
        request_id=request_id,
        tool_call_id=request_id,
        tool_name=TRUST_TOOL,
        kind=TRUST_TOOL,
        input={
            "working_dir": working_dir,
            "items": [finding.shown for finding in findings[:MAX_SHOWN]],
            "more": max(0, len(findings) - MAX_SHOWN),
        },
        title=title,
        suggestions=[],
    )


def untrusted_notice(findings: Sequence[Finding]) -> str:
    """What the parent is told when a session starts without them."""
    lacking = []
    if project := [finding for finding in findings if not finding.what.startswith("git_")]:
        kinds = "settings, hooks, MCP servers, agents, skills and commands"
        lacking.append(f"the session has none of the project's {kinds} ({_files(project)})")
    if git := [finding for finding in findings if finding.what.startswith("git_")]:
        lacking.append(f"git runs none of the programs and hooks that the repository's own files name ({_files(git)})")
    return f"This folder is not trusted: {', and '.join(lacking)}."


def _files(findings: Sequence[Finding]) -> str:
    files = sorted({finding.file for finding in findings})
    return ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
