"""Looks through the files of a project for what Claude Code would run or allow unasked. Reads, and starts nothing.

Where the CLI looks, measured with claude 2.1.197 and 2.1.329:

    .mcp.json                                     the working folder and every folder above it
    .claude/settings.json                         the working folder
    .claude/settings.local.json                   the working folder; 2.1.329 also the root of its repository
    .claude/agents, commands, skills              the working folder and those above it, up to the root of its
                                                  repository (to the very top where there is none); `--add-dir` folders

Without the setting sources `project` and `local` the CLI takes none of these. Scripts that they name belong to them.
Whatever the setting sources, the CLI starts git, and lets the agent start it unasked: what the repository has git run
is found, too. Blocking: called in a thread. For the provider `claude` only. What stands in subfolders, and is found by
the CLI only when the agent works there, is not looked at.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from adapter.providers.claude_store import CONFIG_VARIABLE
from adapter.providers.git_look import find_git_programs
from adapter.providers.scripts import Scripts, describe
from protocol.codecs.claude_project import commands_of, local_rules, read_markdown, read_mcp, read_settings
from protocol.git_config import GIT_PROGRAM, is_of_git, switch_off
from protocol.trust import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from protocol.session_config import SessionConfig

MAX_FILE = 1024 * 1024
"""Bytes of a file that is read. Settings and skills have kilobytes; a larger one is a finding as it is."""

MAX_FILES = 2000
"""Agents, commands and skills that are read. The largest collections have hundreds."""

LOCAL_SETTINGS = Path(".claude") / "settings.local.json"

_MARKDOWN = {"agents": "agent", "commands": "command", "skills": "skill"}


def sources_of(config: SessionConfig) -> set[str]:
    """The setting sources that a session takes."""
    return {"user", "project", "local"} if config.setting_sources is None else set(config.setting_sources)


def without_project(config: SessionConfig) -> SessionConfig:
    """The config of a session that takes nothing of its project."""
    kept = ["user"] if "user" in sources_of(config) else []
    return config.model_copy(update={"setting_sources": kept})


def without(config: SessionConfig, findings: Sequence[Finding], environment: Mapping[str, str]) -> SessionConfig:
    """The config of a session that does without these: without its project, and with git told what not to run.

    Args:
        config: the session's.
        findings: what is not trusted.
        environment: what the CLI inherits.
    """
    if any(not is_of_git(finding) for finding in findings):
        config = without_project(config)
    switches = switch_off(filter(is_of_git, findings), {**environment, **config.env})
    return config.model_copy(update={"env": {**config.env, **switches}}) if switches else config


def find_untrusted(config: SessionConfig, environment: Mapping[str, str]) -> list[Finding]:
    """All that a session's project would run or allow.

    Args:
        config: the session's.
        environment: what the CLI inherits.
    """
    environment = {**environment, **config.env}
    folder = Path(os.path.realpath(config.working_dir))
    root = _repository(folder)
    home = Path(os.path.realpath(_home(environment)))
    found = _of_project(config, folder, root, _own_folder(environment))
    programs = find_git_programs(folder, str(home))
    owners = {finding.file: _owner(finding.file) for finding in found}
    scripts = Scripts([folder, root or folder, *(owner for owner in owners.values() if owner != home)])
    return [
        *(
            scripts.note(finding, commands_of(finding), [folder, owners[finding.file], Path(finding.file).parent])
            for finding in found
        ),
        *(
            scripts.note(finding, finding.content if finding.what == GIT_PROGRAM else None, [root or folder])
            for finding in programs
        ),
    ]


def _owner(file: str) -> Path:
    """The folder to which a file belongs, or its `.claude`."""
    before, inside, _ = file.partition("/.claude/")
    return Path(before or "/") if inside else Path(file).parent


def _of_project(config: SessionConfig, folder: Path, root: Path | None, own: Path) -> list[Finding]:
    sources = sources_of(config)
    found: list[Finding] = []
    if "local" in sources:
        for place in dict.fromkeys([folder, root or folder, _main_repository(root) or folder]):
            found += _settings(place / LOCAL_SETTINGS, own, local=True)
    if "project" in sources:
        found += _settings(folder / ".claude" / "settings.json", own, local=False)
        for place in (folder, *folder.parents):
            path = place / ".mcp.json"
            if (text := _read(path)) is not None:
                found += read_mcp(str(path), text) if isinstance(text, str) else [text]
        places = [place for place in (folder, *folder.parents) if root is None or place.is_relative_to(root)]
        found += _markdown([*places, *map(Path, config.allowed_dirs)], own)
    return found


def remembered_path(config: SessionConfig) -> str:
    """The file in which the CLI writes down what is remembered for the project."""
    return str(Path(os.path.realpath(config.working_dir)) / LOCAL_SETTINGS)


def remembered_rules(config: SessionConfig) -> list[str]:
    """The rules that were remembered for the project, to be given to a CLI that does not obey the file."""
    text = _read(Path(remembered_path(config))) if "local" in sources_of(config) else None
    return local_rules(text) if isinstance(text, str) else []


def _settings(path: Path, own: Path, *, local: bool) -> list[Finding]:
    text = _read(path) if path.parent != own else None
    if text is None:
        return []
    return read_settings(str(path), text, local=local) if isinstance(text, str) else [text]


def _markdown(places: list[Path], own: Path) -> list[Finding]:
    found: list[Finding] = []
    left = MAX_FILES
    for place in places:
        for name, what in _MARKDOWN.items():
            if place / ".claude" == own:
                continue
            for path in _markdown_files(place / ".claude" / name):
                left -= 1
                if left < 0:
                    return [*found, Finding(str(path), "unreadable", path.name, f"more than {MAX_FILES} files")]
                text = _read(path)
                if text is not None:
                    found += read_markdown(str(path), text, what) if isinstance(text, str) else [text]
    return found


def _markdown_files(folder: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for current, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(current)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from (Path(current) / name for name in sorted(files) if name.lower().endswith(".md"))


def _read(path: Path) -> str | Finding | None:
    """A file's text; None where there is none; a finding where it cannot be read here, but perhaps by the CLI."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError:
        return None  # the CLI runs as the same user: it cannot read it either
    if len(content) > MAX_FILE:
        return Finding(str(path), "unreadable", path.name, describe(str(path)))
    return content.decode("utf-8", "replace")


def _own_folder(environment: Mapping[str, str]) -> Path:
    """The user's own `.claude`, which is no project's."""
    return Path(os.path.realpath(environment.get(CONFIG_VARIABLE) or Path(_home(environment)) / ".claude"))


def _home(environment: Mapping[str, str]) -> str:
    return environment.get("HOME") or os.path.expanduser("~")


def _repository(folder: Path) -> Path | None:
    """The root of the git repository that a folder is in."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)


def _main_repository(root: Path | None) -> Path | None:
    """Where a worktree belongs to, whose `.git` is a file: `gitdir: <main>/.git/worktrees/<name>`."""
    text = _read(root / ".git") if root is not None else None
    if not isinstance(text, str) or not text.startswith("gitdir:"):
        return None
    parts = text.removeprefix("gitdir:").strip().partition("/.git/worktrees/")
    return Path(parts[0]) if parts[1] else None
