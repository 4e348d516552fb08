"""What a repository's own configuration would have git run, and how git is told to do without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapter.providers.git_look import MAX_FILE, find_git_programs
from protocol.git_config import MAX_SWITCHES, find_included, find_programs, parse_git_config, switch_off
from protocol.git_index import find_gitlinks
from protocol.trust import Finding, untrusted_notice

if TYPE_CHECKING:
    from pathlib import Path


def pairs(text: str) -> list[tuple[str, str | None]]:
    return [(setting.key, setting.value) for setting in parse_git_config(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[core]\n\tfsmonitor = ./x.sh\n", [("core.fsmonitor", "./x.sh")]),
        ("[CORE] FSMonitor=./x.sh", [("core.fsmonitor", "./x.sh")]),
        ("\ufeff[core]\r\nfsmonitor\r\nbare = # off\r\n", [("core.fsmonitor", None), ("core.bare", "")]),
        ('[filter "A \\"b\\\\"]\nclean = "a # b" c ; d\n', [('filter.A "b\\.clean', "a # b c")]),
        ("[diff.Ext]\ncommand = a\\\n  b\n", [("diff.ext.command", "a  b")]),
        ('[a]\nb = " x " \\\n\n', [("a.b", " x ")]),
        ("# [core]\n; x = y\n\n", []),
        ('[a]\nb = c\\td\\\\e\\"\n', [("a.b", 'c\td\\e"')]),
    ],
)
def test_a_configuration_is_read_as_git_reads_it(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert pairs(text) == expected


@pytest.mark.parametrize(
    "text", ["[core", "[a]\n-b = c\n", '[a]\nb = "c\n', "[a]\nb = \\q\n", "[a]\nb c\n", "[a]\nb = \0\n"]
)
def test_what_is_not_in_gits_grammar_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="no git configuration"):
        parse_git_config(text)


def test_programs_are_found_and_what_names_none_is_not() -> None:
    text = """
    [core]
        fsmonitor = ./watch
        sshCommand = ssh -o ProxyCommand=./x
        editor = vim
        bare = false
    [filter "lfs"]
        clean = git-lfs clean -- %f
        required = true
    [credential "https://a.example"]
        helper = !./x
    [gpg "ssh"]
        program = ./sign
    [protocol "ext"]
        allow = always
    [remote "origin"]
        url = git@a.example:b.git
    [alias]
        st = !./x
    [core]
        fsmonitor = true
    [credential]
        helper =
    [protocol]
        allow = never
    """
    assert [finding.name for finding in find_programs("/r/.git/config", parse_git_config(text))] == [
        "core.fsmonitor",
        "core.sshcommand",
        "filter.lfs.clean",
        "credential.https://a.example.helper",
        "gpg.ssh.program",
        "protocol.ext.allow",
    ]


def test_included_files_are_named_whatever_the_condition() -> None:
    text = '[include]\npath = a\n[includeIf "gitdir:~/x/"]\npath = ~/b\tc\n[include "x"]\nother = d\n'
    assert find_included(parse_git_config(text)) == ["a", "~/b\tc", "~/b c"]


def program(name: str) -> Finding:
    return Finding("/r/.git/config", "git_program", name, "./x")


def test_each_program_is_overruled_once_beside_what_the_environment_overrules_already() -> None:
    found = [program("filter.A.b.clean"), program("hook.h.command"), Finding("/r/h", "git_hook", "post-checkout", "#!")]
    before = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "x"}
    added = switch_off(found, before)
    assert added == {
        "GIT_CONFIG_COUNT": "5",
        "GIT_CONFIG_KEY_1": "filter.A.b.clean",
        "GIT_CONFIG_VALUE_1": "",
        "GIT_CONFIG_KEY_2": "filter.A.b.required",
        "GIT_CONFIG_VALUE_2": "false",
        "GIT_CONFIG_KEY_3": "hook.h.enabled",
        "GIT_CONFIG_VALUE_3": "false",
        "GIT_CONFIG_KEY_4": "core.hooksPath",
        "GIT_CONFIG_VALUE_4": "/dev/null",
    }
    assert switch_off(found, {**before, **added}) == {}
    assert switch_off([], before) == {}


def test_where_overruling_is_not_enough_git_finds_no_repository() -> None:
    many = [program(f"filter.{number}.clean") for number in range(MAX_SWITCHES)]
    for found in (many, [Finding("/r/.git/config", "git_config", "config", "too large")]):
        assert switch_off(found, {}) == {"GIT_DIR": "/dev/null"}
        assert switch_off(found, {"GIT_DIR": "/dev/null"}) == {}


def test_the_notice_says_which_of_both_is_missing() -> None:
    git, hook = program("core.fsmonitor"), Finding("/r/.claude/settings.json", "hook", "Stop", [])
    assert "/r/.git/config" in untrusted_notice([git])
    assert "MCP servers" not in untrusted_notice([git])
    assert "git" not in untrusted_notice([hook]).replace(".git", "")
    assert all(part in untrusted_notice([git, hook]) for part in ("MCP servers", "git runs none"))


def put(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def make_repository(git_dir: Path, config: str = "", *, shared: bool = False) -> None:
    put(git_dir / "HEAD", "ref: refs/heads/main\n")
    if not shared:
        put(git_dir / "config", f"[core]\n\tbare = false\n{config}")
        (git_dir / "objects").mkdir()
        (git_dir / "refs").mkdir()


def found(folder: Path) -> list[tuple[str, str]]:
    """What is found, with the files as they are from the folder of the test on."""
    home = folder.parent
    return sorted(
        (finding.file.removeprefix(f"{home}/"), finding.name) for finding in find_git_programs(folder, str(home))
    )


WATCH = "[core]\nfsmonitor = ./watch\n"


def test_it_is_looked_in_the_nearest_repository_and_in_what_its_configuration_includes(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    make_repository(repo / ".git", "[include]\npath = more\n[include]\npath = ~/of-home\npath = none\n")
    put(repo / ".git" / "more", "[diff]\nexternal = ./x\n[include]\npath = config\n")
    put(tmp_path / "of-home", '[filter "f"]\nsmudge = ./x\n')
    put(repo / ".git" / "config.worktree", WATCH)
    put(repo / "a" / ".git", "no repository")
    (repo / "a" / "b").mkdir()
    expected = [("diff.external", "more"), ("filter.f.smudge", "../../of-home"), ("core.fsmonitor", "config.worktree")]
    names = {(finding.name, finding.file) for finding in find_git_programs(repo / "a" / "b", str(tmp_path))}
    assert names == {(name, str((repo / ".git" / path).resolve())) for name, path in expected}
    assert find_git_programs(tmp_path, str(tmp_path)) == []


def test_a_folder_that_is_no_repository_for_git_does_not_hide_the_next_one(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    make_repository(repo / ".git", WATCH)
    make_repository(repo / "in" / ".git")
    put(repo / "in" / ".git" / "HEAD", "nonsense")
    assert find_git_programs(repo / "in", "/nowhere")[0].name == "core.fsmonitor"


def test_hooks_are_found_where_they_can_run_wherever_the_configuration_puts_them(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    make_repository(repo / ".git", "[core]\nhooksPath = .husky\n")
    for folder in (repo / ".git" / "hooks", repo / ".husky"):
        put(folder / "post-checkout", "#!/bin/sh\n", 0o755)
        put(folder / "pre-commit", "#!/bin/sh\n", 0o755)
        put(folder / "post-index-change", "#!/bin/sh\n")
    assert found(repo) == [(f"repo/{path}/post-checkout", "post-checkout") for path in (".git/hooks", ".husky")]


def test_work_trees_submodules_and_bare_repositories_are_looked_through(tmp_path: Path) -> None:
    main, tree, bare = tmp_path / "main", tmp_path / "tree", tmp_path / "bare"
    make_repository(main / ".git", WATCH)
    make_repository(main / ".git" / "worktrees" / "tree", shared=True)
    put(main / ".git" / "worktrees" / "tree" / "commondir", "../..\n")
    put(tree / ".git", f"gitdir: {main}/.git/worktrees/tree\n")
    make_repository(main / ".git" / "modules" / "libs" / "one", WATCH)
    make_repository(main / "two" / ".git", WATCH)
    put(main / ".gitmodules", '[submodule "two"]\npath = two\n')
    make_repository(bare, WATCH)
    of_main, of_module = ("main/.git/config", "core.fsmonitor"), ("main/.git/modules/libs/one/config", "core.fsmonitor")
    assert found(tree) == [of_main, of_module]
    assert found(main) == [of_main, of_module, ("main/two/.git/config", "core.fsmonitor")]
    assert found(bare) == [("bare/config", "core.fsmonitor")]


def make_index(version: int, *entries: tuple[str, bool]) -> bytes:
    """An index with these paths, each either another repository or a file whose numbers look like one."""
    parts, before = [b"DIRC" + version.to_bytes(4) + len(entries).to_bytes(4)], ""
    for path, is_link in entries:
        mode = 0o160000 if is_link else 0o100644
        numbers = b"".join(number.to_bytes(4) for number in (0, 0, 0, 0, 0, 0, mode, 0o160000, 0o160000, 0o160000))
        head = numbers + bytes(20) + len(path).to_bytes(2)
        if version == 4:
            parts.append(head + len(before).to_bytes(1) + path.encode() + b"\0")
        else:
            parts.append(head + path.encode() + bytes(8 - (len(head) + len(path)) % 8))
        before = path
    return b"".join(parts) + bytes(20)


@pytest.mark.parametrize("version", [2, 4])
def test_the_repositories_that_an_index_holds_are_found(version: int) -> None:
    index = make_index(version, ("a", False), ("libs/one", True), ("libs/two.txt", False), ("z", True))
    assert find_gitlinks(index) == [b"libs/one", b"z"]
    assert find_gitlinks(make_index(version, ("a", False))) == []


@pytest.mark.parametrize("index", [b"DIRC\0\0\0\7", b"x" * 100, make_index(4, ("a", True))[:50]])
def test_an_index_that_cannot_be_read_is_an_error(index: bytes) -> None:
    with pytest.raises(ValueError, match="index"):
        find_gitlinks(index)


def test_a_repository_that_only_the_index_knows_is_looked_through(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    make_repository(repo / ".git")
    (repo / ".git" / "index").write_bytes(make_index(2, ("inner", True)))
    make_repository(repo / "inner" / ".git", WATCH)
    assert found(repo) == [("repo/inner/.git/config", "core.fsmonitor")]


@pytest.mark.parametrize("text", [" " * (MAX_FILE + 1), "[core", "[core]\nx = \udcff\n"])
def test_a_configuration_that_cannot_be_looked_through_is_found_as_a_whole(tmp_path: Path, text: str) -> None:
    make_repository(tmp_path / "repo" / ".git")
    path = tmp_path / "repo" / ".git" / "config"
    path.write_text(text, errors="surrogateescape")
    (one,) = find_git_programs(tmp_path / "repo", "/nowhere")
    assert (one.file, one.what) == (str(path), "git_config")
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        path.touch()  # until the clock of the files goes on: 4 ms
    assert find_git_programs(tmp_path / "repo", "/nowhere")[0].key != one.key, "it may have become another"
