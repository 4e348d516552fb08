"""Whether a shell command can only read. Pure; errs on the side of no.

A command passes only if every word of it is understood: a list or pipeline of programs from the table below, with
plain words for arguments. Whatever could expand to something else (variables, substitutions, braces, redirections to
files, a backslash) fails, and so does every program that is not in the table.
"""

from __future__ import annotations

import re

PROGRAMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "basename", "cat", "cd", "cksum", "cmp", "comm", "cut", "df", "diff", "dirname", "du", "echo", "egrep",
            "expr", "false", "fgrep", "fold", "grep", "groups", "head", "id", "jq", "ls", "md5sum", "nl", "nproc",
            "paste", "ps", "pwd", "readlink", "realpath", "rev", "seq", "sha1sum", "sha256sum", "stat",
            "strings", "tac", "tail", "tr", "true", "type", "uname", "wc", "which", "whoami",
        ),
        (),
    ),
    "file": ("-C", "--compile"),
    "find": ("-delete", "-exec", "-fls", "-fprint", "-ok"),
    "rg": ("--pre", "--hostname-bin"),
    "sort": ("-o", "--o", "--compress-program", "-T", "--temporary-directory"),
    "tree": ("-o", "-R"),
}  # fmt: skip
"""Programs that only read, with the beginnings of the options that make them do more. `printf` and `test` are missing:
their `-v` sets or looks up a shell variable, and runs what stands in the brackets of its name."""

FILE_TESTS = frozenset({"-d", "-e", "-f", "-h", "-L", "-r", "-s", "-w", "-x"})
"""What `test` may ask of a file."""

GIT_COMMANDS = frozenset(
    {"blame", "describe", "diff", "log", "ls-files", "ls-tree", "rev-parse", "shortlog", "show", "status"}
)
"""Subcommands of git that only read. `branch`, `tag`, `remote`, `config`, `stash` read or write by their arguments."""

GIT_OPTIONS = ("--output", "--ext-diff", "--textconv", "-O", "--open-files-in-pager")
"""Beginnings of options with which they would write a file or start a program."""

_TO_NOWHERE = re.compile(r"(?<=[ \t])(?:[12&]?>>?[ \t]*/dev/null|2>&1)(?=[ \t\n|;&]|\Z)")
_PRINTS_LINES = re.compile(r"(?:\d+|\$)(?:,(?:\d+|\$))?p")
_EXPANDS = frozenset("\\$`(){}<>!#\0\r")
_GLOB = frozenset("*?[")
_PLAIN = str.maketrans("*?[", "___")


def is_read_only(command: str) -> bool:
    """Whether running this in a POSIX shell changes nothing, as far as can be told from its text alone."""
    lines = _split(_TO_NOWHERE.sub(" ", command))
    if not lines:
        return False
    programs = {words[0] for words in lines}
    # A folder may be a repository with settings of its own, which name programs for git to run.
    return not {"cd", "git"} <= programs and all(_reads(words) for words in lines)


def _split(command: str) -> list[list[str]] | None:
    """The words of each simple command; None where one cannot be told."""
    commands: list[list[str]] = [[]]
    word: str | None = None
    at = 0
    while at < len(command):
        char = command[at]
        if char in "'\"":
            end = command.find(char, at + 1)
            if end < 0:
                return None
            inside = command[at + 1 : end]
            if char == '"' and set(inside) & {"\\", "$", "`", "!"}:
                return None
            # A quoted star is only a star.
            word, at = (word or "") + inside.translate(_PLAIN), end + 1
            continue
        if char in _EXPANDS:
            return None
        if char in " \t\n;|&":
            if word is not None:
                commands[-1].append(word)
                word = None
            if char == "&" and command[at : at + 2] != "&&":
                return None
            if char not in " \t":
                at += command[at : at + 2] in ("&&", "||")
                commands.append([])
        else:
            word = (word or "") + char
        at += 1
    if word is not None:
        commands[-1].append(word)
    return [words for words in commands if words]


def _reads(words: list[str]) -> bool:
    program, arguments = words[0], words[1:]
    if program == "git":
        return _git_reads(arguments)
    if program == "sed":
        return _sed_reads(arguments)
    if program == "test":
        return len(arguments) == 2 and arguments[0] in FILE_TESTS and not arguments[1].startswith("-")
    if program == "uniq":
        return _uniq_reads(arguments)
    refused = PROGRAMS.get(program)
    if refused is None:
        return False
    return not refused or not any(_may_be(word, refused) for word in arguments)


def _uniq_reads(arguments: list[str]) -> bool:
    """Its second operand is the file that it writes. `-` is an operand, too, and so is all that follows `--`."""
    operands = [word for word in arguments if not word.startswith("-") or word == "-"]
    return len(operands) <= 1 and "--" not in arguments and not any(_GLOB & set(word) for word in arguments)


def _sed_reads(arguments: list[str]) -> bool:
    """`sed -n 10,20p file`: a script can write files and run programs, so only the printing of lines passes."""
    if len(arguments) < 2 or arguments[0] != "-n" or _PRINTS_LINES.fullmatch(arguments[1]) is None:
        return False
    return not any(word.startswith("-") or word[:1] in _GLOB for word in arguments[2:])


def _git_reads(arguments: list[str]) -> bool:
    if arguments[:1] == ["--no-pager"]:
        arguments = arguments[1:]
    if not arguments or arguments[0] not in GIT_COMMANDS:
        return False
    return not any(_may_be(word, GIT_OPTIONS) for word in arguments[1:])


def _may_be(word: str, options: tuple[str, ...]) -> bool:
    """Whether a word is one of these options, or expands to a file's name that looks like one. Long options can be
    cut short, short ones joined (`sort -ro file`)."""
    if word[:1] in _GLOB:
        return True
    if not word.startswith("-"):
        return False
    if _GLOB & set(word):
        return True
    for option in options:
        if word.startswith(option):
            return True
        if option.startswith("--"):
            name = word.partition("=")[0]
            if len(name) > 2 and option.startswith(name):
                return True
        elif len(option) == 2 and not word.startswith("--") and option[1] in word[1:]:
            return True
    return False
