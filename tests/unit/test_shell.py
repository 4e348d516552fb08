"""What counts as a command that only reads."""

from __future__ import annotations

import pytest

from protocol.shell import is_read_only


@pytest.mark.parametrize(
    "command",
    [
        "ls",
        "ls -la /etc *.py",
        "cat a | grep -n 'x > y; $z' | head -5",
        "cd src && git status --short; git log --oneline -5 || true",
        'grep -r "a b" . 2>/dev/null | wc -l',
        "ls missing 2>&1",
        "find . -name '*.py' -type f",
        "git --no-pager diff HEAD~1 -- a.py",
        "sed -n '10,$p' file",
        "sort -rn names",
        "uniq -c names",
        "echo 'it is #1'",
        "pwd\nls",
        "rg --files src",
    ],
)
def test_a_list_of_programs_that_read_is_read_only(command: str) -> None:
    assert is_read_only(command)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "   ",
        "touch a",
        "ls > a",
        "ls >> a",
        "ls 2>&1file",
        "cat <(touch a)",
        "ls; touch a",
        "ls\ntouch a",
        "ls && touch a",
        "ls | tee a",
        "ls & touch a",
        "ls &",
        "echo $(touch a)",
        'echo "$(touch a)"',
        'echo "`touch a`"',
        "echo `touch a`",
        "echo $x",
        "ls {a,b}",
        "ls \\; touch a",
        "ls # it's\ntouch a # '",
        "FOO=bar ls",
        "env touch a",
        "xargs touch",
        "find . -delete",
        "find . -exec touch a +",
        "find . -fprintf a x",
        "find *",
        "sort -o a b",
        "sort -uo a b",
        "sort --output=a b",
        "sort --out=a b",
        "sort *",
        "uniq a b",
        "rg --pre touch x",
        "tree -o a",
        "file -C -m x",
        "sed -n 'w a' b",
        "sed -n 1p -i b",
        "sed -i s/a/b/ c",
        "awk 'BEGIN{system(1)}'",
        "git commit",
        "git -c core.pager=touch log",
        "git log --output=a",
        "git diff --ext-diff",
        "git branch new",
        "git",
        "/bin/ls",
        "./ls",
        "echo 'unclosed",
        'echo "unclosed',
        "ls\x00",
        "ls !x",
        "time ls",
        "if ls; then ls; fi",
        "exec ls",
    ],
)
def test_whatever_could_do_more_is_not(command: str) -> None:
    assert not is_read_only(command)
