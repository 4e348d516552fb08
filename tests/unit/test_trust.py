"""Trust: what the files of a project would run or allow, and how it is asked and remembered."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from adapter.providers.claude_trust import MAX_FILE, find_untrusted, remembered_path, remembered_rules, without_project
from protocol.codecs import claude_project
from protocol.codecs.claude_project import read_markdown, read_mcp, read_settings
from protocol.session_config import SessionConfig
from protocol.trust import MAX_DETAIL, MAX_SHOWN, Finding, trust_question, untrusted_notice

if TYPE_CHECKING:
    from pathlib import Path

HOOKS = {"PreToolUse": [{"hooks": [{"type": "command", "command": "make"}]}]}


def what(found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.what, finding.name) for finding in found]


def settings(*, local: bool = False, **members: Any) -> list[tuple[str, str]]:
    return what(read_settings("/p/settings.json", json.dumps(members), local=local))


def test_hooks_and_settings_that_can_run_something_are_found_and_harmless_ones_are_not() -> None:
    assert settings(hooks=HOOKS, model="opus", outputStyle="terse", permissions={"deny": ["Bash"]}) == [
        ("hook", "PreToolUse")
    ]
    assert settings(apiKeyHelper="key", env={"A": "b"}, hooks={}, env2=None) == [
        ("setting", "apiKeyHelper"),
        ("setting", "env"),
    ]
    assert settings(fromTheFuture={"command": "x"}) == [("setting", "fromTheFuture")]
    assert settings(hooks="not an object") == [("setting", "hooks")]


def test_permission_rules_count_only_where_the_cli_obeys_them_unasked() -> None:
    rules = {"allow": ["Bash(make *)", "Write"], "ask": ["Read"], "additionalDirectories": ["/etc"], "other": 1}
    assert settings(permissions=rules) == [("permission", "other")]
    assert settings(permissions=rules, local=True) == [
        ("permission", "allow"),
        ("permission", "allow"),
        ("permission", "additionalDirectories"),
        ("permission", "other"),
    ]


@pytest.mark.parametrize("text", ["{", "[]", '"x"', '{"a": 1,}', "// json\n{}", "[" * 100_000])
def test_what_cannot_be_read_is_found_as_a_whole(text: str) -> None:
    assert what(read_settings("/p/settings.json", text, local=False)) == [("unreadable", "settings.json")]
    assert what(read_mcp("/p/.mcp.json", text)) == [("unreadable", ".mcp.json")]


def test_an_empty_file_brings_nothing() -> None:
    assert read_settings("/p/settings.json", " \n", local=True) == []
    assert read_mcp("/p/.mcp.json", '{"mcpServers": {}}') == []


@pytest.mark.parametrize(
    "front",
    [
        "hooks:\n  PreToolUse: []",
        "name: x\nmcpServers:\n  - tide",
        "permissionMode: bypassPermissions",
        '"hooks": {}',
        "{name: x, hooks: {}}",
        '"\\x68ooks": {}',
        "allowed-tools: Bash(make:*)",
        "allowed-tools:\n  - Read\n  - Write",
        "allowed-tools: [Read, Edit]",
        "allowed-tools: Read, mcp__tide__set",
    ],
)
def test_a_header_that_brings_hooks_servers_a_mode_or_tools_is_found(front: str) -> None:
    assert what(read_markdown("/p/skills/x/SKILL.md", f"---\n{front}\n---\nDo it.\n", "skill")) == [("skill", "SKILL")]


@pytest.mark.parametrize(
    "text",
    [
        "Only text; hooks: none.",
        "---\nname: x\ndescription: mends hooks and servers\n---\nhooks: in the text\n",
        "---\nallowed-tools: Read, Grep\n---\nLook.\n",
        "---\ntools: Bash\n---\n",
    ],
)
def test_a_header_that_only_describes_or_narrows_is_not(text: str) -> None:
    assert read_markdown("/p/agents/x.md", text, "agent") == []


def test_a_finding_is_known_by_its_file_and_its_own_content_alone() -> None:
    one, two = (Finding("/p/a", "hook", "Stop", content) for content in (["x"], ["y"]))
    assert one.key != two.key
    assert one.key == Finding("/p/a", "hook", "Stop", ["x"]).key
    assert one.key != Finding("/p/b", "hook", "Stop", ["x"]).key
    assert Finding("/p/a", "hook", "Stop", "\ud800").key[0] == "/p/a"


def test_the_question_shows_what_would_run_and_is_never_endless() -> None:
    many = [Finding("/p/a", "mcp_server", str(at), "x" * 10_000) for at in range(MAX_SHOWN + 5)]
    asked = trust_question("id", "/p", many)
    assert (asked.kind, asked.tool_name, asked.tool_call_id) == ("trust", "trust", "id")
    assert (len(asked.input["items"]), asked.input["more"]) == (MAX_SHOWN, 5)
    assert len(asked.input["items"][0]["detail"]) == MAX_DETAIL + 1
    assert "mcp server" in str(asked.title)
    assert "/p/a" in untrusted_notice(many)


def put(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def find(folder: Path, home: Path, **config: Any) -> list[str]:
    """The files with findings, from the common parent of folder and home on."""
    found = find_untrusted(SessionConfig(working_dir=str(folder), **config), {"HOME": str(home)})
    return sorted({os.path.relpath(finding.file, home.parent) for finding in found})


def bring_everything(folder: Path) -> None:
    put(folder / ".mcp.json", {"mcpServers": {"a": {}}})
    put(folder / ".claude" / "settings.json", {"hooks": HOOKS})
    put(folder / ".claude" / "settings.local.json", {"permissions": {"allow": ["Bash"]}})
    put(folder / ".claude" / "commands" / "deep" / "a.md", "---\nallowed-tools: Bash\n---\n")


def test_it_is_looked_where_the_cli_looks_and_nowhere_else(tmp_path: Path) -> None:
    home, repo, other = tmp_path / "home", tmp_path / "repo", tmp_path / "other"
    folder = repo / "mid" / "cwd"
    for place in (tmp_path, home, repo, repo / "mid", folder, other):
        bring_everything(place)
    (repo / ".git").mkdir()
    command = ".claude/commands/deep/a.md"
    local, shared = ".claude/settings.local.json", ".claude/settings.json"
    mcp = [".mcp.json", "repo/.mcp.json", "repo/mid/.mcp.json", "repo/mid/cwd/.mcp.json"]
    locals_ = [f"repo/{local}", f"repo/mid/cwd/{local}"]
    commands = [f"repo/{command}", f"repo/mid/{command}", f"repo/mid/cwd/{command}"]
    assert find(folder, home) == sorted([*mcp, f"repo/mid/cwd/{shared}", *locals_, *commands])
    assert find(folder, home, setting_sources=["user", "local"]) == sorted(locals_)
    assert find(folder, home, setting_sources=["user"]) == []
    assert f"other/{command}" in find(folder, home, allowed_dirs=[str(other)])
    assert find(home, home) == sorted([".mcp.json", "home/.mcp.json", command]), "the user's own folder is no project's"


def test_a_worktree_belongs_to_its_main_repository(tmp_path: Path) -> None:
    home, main, tree = tmp_path / "home", tmp_path / "main", tmp_path / "tree"
    put(main / ".claude" / "settings.local.json", {"permissions": {"allow": ["Bash"]}})
    put(tree / ".git", f"gitdir: {main}/.git/worktrees/tree\n")
    assert find(tree, home) == ["main/.claude/settings.local.json"]


def test_a_file_that_is_too_large_to_read_is_found_as_it_is(tmp_path: Path) -> None:
    put(tmp_path / "p" / ".mcp.json", " " * (MAX_FILE + 1))
    assert find(tmp_path / "p", tmp_path / "home") == ["p/.mcp.json"]


def test_folders_that_link_to_each_other_come_to_an_end(tmp_path: Path) -> None:
    put(tmp_path / "p" / ".claude" / "skills" / "x" / "SKILL.md", "---\nhooks: {}\n---\n")
    (tmp_path / "p" / ".claude" / "skills" / "x" / "loop").symlink_to(tmp_path / "p" / ".claude" / "skills")
    assert find(tmp_path / "p", tmp_path / "home") == ["p/.claude/skills/x/SKILL.md"]


def test_what_is_remembered_for_the_project_is_trusted_as_the_cli_will_write_it_down(tmp_path: Path) -> None:
    config = SessionConfig(working_dir=str(tmp_path))
    path = remembered_path(config)
    rules = [{"toolName": "Bash", "ruleContent": "make *"}, {"toolName": "WebFetch"}]
    suggestion = {"type": "addRules", "rules": rules, "behavior": "allow", "destination": "localSettings"}
    put(tmp_path / ".claude" / "settings.local.json", {"permissions": {"allow": ["Bash(make *)", "WebFetch", "-x", 1]}})
    found = {finding.key for finding in find_untrusted(config, {"HOME": "/nowhere"})}
    assert {finding.key for finding in claude_project.remembered_rules(path, suggestion)} <= found
    assert remembered_rules(config) == ["Bash(make *)", "WebFetch"]
    assert remembered_rules(without_project(config)) == []
    for other in ({**suggestion, "destination": "session"}, {**suggestion, "behavior": "deny"}, None, {}):
        assert claude_project.remembered_rules(path, other) == []


def test_without_the_project_only_the_users_own_settings_are_left() -> None:
    for before, after in ((None, ["user"]), (["project", "local"], []), (["user", "project"], ["user"]), ([], [])):
        config = SessionConfig.model_validate({"working_dir": "/p", "setting_sources": before})
        assert without_project(config).setting_sources == after
