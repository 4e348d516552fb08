"""The command line of the real CLI, as far as a parent may use it.

Owns: which flags exist and how many values each takes (``claude --help`` of 2.1.329 plus the hidden ones that drive the
stdio protocol), the checks the real CLI makes before it starts, and their exact words.
Refuses: doing anything with the flags; ``dialect`` reads the few that change what is said.
May be imported by: the other modules of ``mock_clis``.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

NONE, ONE, OPTIONAL, MANY = "none", "one", "optional", "many"

_NONE = """allow-dangerously-skip-permissions ax-screen-reader bare bg background brief chrome continue
dangerously-skip-permissions desktop disable-slash-commands exclude-dynamic-system-prompt-sections fork-session
forward-subagent-text help ide include-hook-events include-partial-messages no-chrome no-session-persistence print
replay-user-messages restricted safe-mode strict-mcp-config verbose version text json"""
_ONE = """agent agents append-system-prompt append-system-prompt-file autocompact debug-file effort environment
fallback-model input-format json-schema max-budget-usd max-thinking-tokens max-turns model name output-format
permission-mode permission-prompt-tool permission-prompts plan-mode-instructions plugin-dir plugin-url
remote-control-session-name-prefix resume-session-at scenario session-id setting-sources settings system-prompt
system-prompt-file system-prompt-snapshot thinking"""
_OPTIONAL = "cloud debug from-pr prompt-suggestions remote-control resume teleport tmux worktree"
_MANY = "add-dir allowedTools allowed-tools betas disallowedTools disallowed-tools file mcp-config tools"

ARITY: dict[str, str] = {
    f"--{name}": arity
    for arity, names in ((NONE, _NONE), (ONE, _ONE), (OPTIONAL, _OPTIONAL), (MANY, _MANY))
    for name in names.split()
}
SHORT = {"-p": "--print", "-c": "--continue", "-r": "--resume", "-d": "--debug", "-h": "--help", "-v": "--version",
         "-n": "--name", "-w": "--worktree"}  # fmt: skip
ALIASES = {"--allowed-tools": "--allowedTools", "--disallowed-tools": "--disallowedTools"}
SCENARIO_VARIABLE = "MOCK_CLAUDE_SCENARIO"
DEFAULT_SCENARIO = "default"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)


class Refused(Exception):
    """The command line is one that the real CLI refuses; the text is what it prints, the exit code is 1."""


class Flags:
    """A parsed command line: ``values`` by long name without dashes, and the words that belong to no flag."""

    def __init__(self, values: dict[str, Any], words: list[str]) -> None:
        self.values = values
        self.words = words

    def on(self, name: str) -> bool:
        """Whether the flag was given at all."""
        return name in self.values

    def text(self, name: str) -> str | None:
        """The value of a flag that takes one; None when it was not given (or given without its optional value)."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def many(self, name: str) -> list[str]:
        """The values of a flag that takes several."""
        value = self.values.get(name, [])
        return value if isinstance(value, list) else []

    @property
    def scenario(self) -> str:
        """The scenario that was asked for, by flag, else by environment, else the default one."""
        return self.text("scenario") or os.environ.get(SCENARIO_VARIABLE) or DEFAULT_SCENARIO


def parse(arguments: list[str]) -> Flags:
    """Read a command line; raises Refused in the words of the real CLI."""
    values: dict[str, Any] = {}
    words: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words.extend(rest)
            break
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        flag, equals, given = word.partition("=")
        flag = SHORT.get(flag, flag)
        if flag not in ARITY:
            raise Refused(f"error: unknown option '{word}'")
        name = ALIASES.get(flag, flag)[2:]
        if equals:
            rest.insert(0, given)
        _take(name, word, ARITY[flag], rest, values, bool(equals))
    return Flags(values, words)


def _take(name: str, word: str, arity: str, rest: list[str], values: dict[str, Any], attached: bool) -> None:
    if arity == NONE:
        values[name] = True
    elif arity == ONE:
        if not rest:
            raise Refused(f"error: option '{word}' argument missing")
        values[name] = rest.pop(0)
    elif arity == OPTIONAL:
        values[name] = rest.pop(0) if rest and (attached or not rest[0].startswith("-")) else True
    else:
        taken = values.setdefault(name, [])
        while rest and (attached or not rest[0].startswith("-")):
            taken.append(rest.pop(0))
            attached = False


def check(flags: Flags) -> None:
    """Refuse the combinations that the real CLI refuses (measured with claude 2.1.197 and 2.1.329)."""
    if flags.text("input-format") == "stream-json" and flags.text("output-format") != "stream-json":
        raise Refused("Error: --input-format=stream-json requires output-format=stream-json.")
    if flags.text("output-format") == "stream-json" and not flags.on("verbose"):
        raise Refused("Error: When using --print, --output-format=stream-json requires --verbose")
    if flags.text("input-format") == "stream-json" and os.isatty(1) and not flags.on("print"):
        raise Refused("Error: --input-format=stream-json requires --print.")
    session_id = flags.text("session-id")
    if session_id is not None and not _UUID.match(session_id):
        raise Refused("Error: Invalid session ID. Must be a valid UUID.")
    if session_id and (flags.on("resume") or flags.on("continue")) and not flags.on("fork-session"):
        raise Refused(
            "Error: --session-id can only be used with --continue or --resume if --fork-session is also specified."
        )
    mcp_servers(flags)


def mcp_servers(flags: Flags) -> list[str]:
    """Names of the servers in ``--mcp-config`` (JSON text or file names); raises Refused for anything else."""
    names: list[str] = []
    for entry in flags.many("mcp-config"):
        try:
            if not entry.lstrip().startswith("{"):
                with open(entry, encoding="utf-8") as file:
                    entry = file.read()
            servers = json.loads(entry)["mcpServers"]
            names.extend(servers)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Refused(f"Error: Invalid MCP configuration:\n{error}") from error
    return names
