"""The scripts that a project's commands name belong to what is trusted."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from adapter.providers import scripts
from adapter.providers.claude_trust import find_untrusted
from protocol.codecs.claude_project import commands_of
from protocol.command_words import MAX_WORDS, find_words
from protocol.session_config import SessionConfig
from protocol.trust import Finding

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("./x.sh --quiet", "./x.sh"),
        ('"$CLAUDE_PROJECT_DIR"/.claude/x.sh', ".claude/x.sh"),
        ("${CLAUDE_PROJECT_DIR:-.}/tools/x", "tools/x"),
        ('cd "$(git rev-parse --show-toplevel)/my tools" && ./x', "./x"),
        ("bash -c 'exec tools/x;true'", "tools/x"),
        ("node --require=./x.js", "./x.js"),
        ('"my tools/x" a', "my tools/x"),
        ({"command": "python3", "args": ["-u", "server.py"], "env": {"A": "./b"}}, "server.py"),
        ([{"hooks": [{"type": "command", "command": "a\\ b"}]}], "a b"),
    ],
)
def test_the_names_of_files_are_among_the_words_of_a_command(command: Any, name: str) -> None:
    assert name in find_words(command)


def test_prose_is_no_command_and_words_come_to_an_end() -> None:
    assert find_words({"prompt": "read ./x", "matcher": "./y", "command": "./z"}) == ["./z"]
    assert len(find_words(" ".join(map(str, range(10 * MAX_WORDS))))) == MAX_WORDS
    assert find_words([None, 3, "it's \0 $A"]) == ["it", "s"]


def test_of_a_text_only_the_header_and_what_runs_before_the_model_sees_it_are_commands() -> None:
    text = "---\nhooks: {a: ./one}\n---\nRead ./two. !`./three` Then:\n```!\n./four\n```\n```\n./five\n```\n"
    words = find_words(commands_of(Finding("/p/x.md", "command", "x", text)))
    assert [name for name in ("./one", "./two", "./three", "./four", "./five") if name in words] == [
        "./one",
        "./three",
        "./four",
    ]
    assert commands_of(Finding("/p/s.json", "permission", "allow", "Bash(./x)")) is None


def put(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def look(folder: Path) -> Finding:
    """The one thing that is found in this folder."""
    (finding,) = find_untrusted(SessionConfig(working_dir=str(folder)), {"HOME": str(folder.parent)})
    return finding


def bring(folder: Path, command: str) -> None:
    hooks = {"Stop": [{"hooks": [{"type": "command", "command": command}]}]}
    put(folder / ".claude" / "settings.json", {"hooks": hooks})


def test_a_script_that_changes_or_goes_or_comes_makes_its_hook_another(tmp_path: Path) -> None:
    project = tmp_path / "project"
    bring(project, '"$CLAUDE_PROJECT_DIR"/.claude/hooks/x.sh; ./more.sh')
    keys = [look(project).key]
    script = put(project / ".claude" / "hooks" / "x.sh", "make\n")
    keys.append((first := look(project)).key)
    assert first.shown["scripts"] == [str(script)]
    put(project / ".claude" / "hooks" / "y.sh", "beside it\n")
    assert look(project).key == first.key
    put(project / ".claude" / "hooks" / "x.sh", "make something-else\n")
    keys.append(look(project).key)
    put(project / "more.sh", "more\n")
    keys.append(look(project).key)
    assert len(set(keys)) == 4


def test_what_a_command_reads_and_writes_does_not_make_it_another(tmp_path: Path) -> None:
    project = tmp_path / "project"
    bring(project, './note.sh --db notes.db 2>> errors >"my log" && cat context.md && sh setup.txt')
    script, setup = put(project / "note.sh", "x"), put(project / "setup.txt", "#!/bin/sh\n")
    for name in ("notes.db", "errors", "my log", "context.md"):
        put(project / name, "x")
    assert look(project).shown["scripts"] == sorted([str(script), str(setup)])
    (project / "notes.db").chmod(0o755)
    assert str(project / "notes.db") in look(project).shown["scripts"]


def test_names_are_looked_up_where_the_command_goes_and_nowhere_outside_the_project(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", put(tmp_path / "outside.sh", "x")
    inner = put(project / "tools" / "deep" / "run.sh", "x")
    bring(project, f"cd tools/deep && ./run.sh ../../../outside.sh {outside}")
    assert look(project).shown["scripts"] == [str(inner)]


def test_a_link_counts_by_where_it_leads_and_outside_the_project_by_that_alone(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", put(tmp_path / "outside.sh", "x")
    put(project / "real.sh", "x")
    link = project / "link.sh"
    link.symlink_to(outside)
    bring(project, "./link.sh")
    away = look(project).key
    outside.write_text("y")
    assert look(project).key == away
    link.unlink()
    link.symlink_to("real.sh")
    inside = look(project).key
    put(project / "real.sh", "y")
    assert len({away, inside, look(project).key}) == 3


def test_a_file_that_is_too_large_to_read_is_known_by_what_the_file_system_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "MAX_SCRIPT", 3)
    script = put(tmp_path / "project" / "x", "long")
    bring(tmp_path / "project", "./x")
    first = look(tmp_path / "project")
    assert look(tmp_path / "project").key == first.key
    status = script.stat()
    script.write_text("gone")
    while (now := script.stat()).st_ctime_ns == status.st_ctime_ns or now.st_mtime_ns != status.st_mtime_ns:
        os.utime(script, ns=(status.st_atime_ns, status.st_mtime_ns))  # until the clock of the files goes on: 4 ms
    assert look(tmp_path / "project").key != first.key
