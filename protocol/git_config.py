"""Which programs a repository's own configuration names for git to run, and how git is told to do without. Pure.

The CLI asks git about its folder, and lets the agent run what only reads (`git status`, `diff`, `show`, `ls-remote`)
without a question; each of these can start programs that stand in `.git/config`. Here are those that run so, measured
with git 2.39 and claude 2.1.197 and 2.1.329. Those of commands that are asked about first (editors, aliases, pagers,
the hooks of a commit or a push) are not among them. Grammar and names from git-config(1). Which files there are is
looked up elsewhere; the daemon's providers may import it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from protocol.trust import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GIT_PROGRAM: Final = "git_program"
GIT_HOOK: Final = "git_hook"
GIT_CONFIG: Final = "git_config"
"""What a finding is: a setting that names a program; a hook; a configuration that cannot be looked through."""

HOOKS: Final = ("post-checkout", "post-index-change", "pre-auto-gc", "reference-transaction")
"""Hooks that run without a question: `git status` writes the index, a subagent's worktree is fetched for and checked
out."""

MAX_SWITCHES: Final = 200
"""Settings that are overruled one by one. Each takes two variables of the CLI's environment, which has its limits."""

NOWHERE: Final = "/dev/null"

_PLAIN_DIFF: Final = 'f() { diff -u -- "$2" "$5"; true; }; f'
"""git has no value for "no external diff", and takes an empty one for a program."""

_OFF: Final[dict[str, tuple[str, str]]] = {
    "core.alternaterefscommand": ("core.alternateRefsCommand", "true"),
    "core.askpass": ("core.askPass", ""),
    "core.fsmonitor": ("core.fsmonitor", "false"),
    "core.gitproxy": ("protocol.git.allow", "never"),  # of several git takes the first, so it cannot be overruled
    "core.sshcommand": ("core.sshCommand", "ssh"),
    "credential.*.helper": ("credential.*.helper", ""),
    "credential.helper": ("credential.helper", ""),
    "diff.*.command": ("diff.*.command", _PLAIN_DIFF),
    "diff.*.textconv": ("diff.*.textconv", "cat"),
    "diff.external": ("diff.external", _PLAIN_DIFF),
    "filter.*.clean": ("filter.*.clean", ""),
    "filter.*.process": ("filter.*.process", ""),
    "filter.*.smudge": ("filter.*.smudge", ""),
    "gpg.openpgp.program": ("gpg.openpgp.program", "gpg"),
    "gpg.program": ("gpg.program", "gpg"),
    "gpg.ssh.program": ("gpg.ssh.program", "ssh-keygen"),
    "gpg.x509.program": ("gpg.x509.program", "gpgsm"),
    "hook.*.command": ("hook.*.enabled", "false"),
    "lfs.*.clean": ("lfs.*.clean", "cat"),  # extensions and transfer agents of Git LFS: git-lfs-config(5), not measured
    "lfs.*.path": ("lfs.*.path", "false"),
    "lfs.*.smudge": ("lfs.*.smudge", "cat"),
    "merge.*.driver": ("merge.*.driver", "git merge-file -q %A %O %B"),
    "protocol.allow": ("protocol.ext.allow", "never"),
    "protocol.ext.allow": ("protocol.ext.allow", "never"),
    "remote.*.uploadpack": ("protocol.file.allow", "never"),  # as with the proxy; elsewhere it runs on the other side
}
"""Settings by which git runs a program, `*` for any subsection, and what overrules each: a setting and its value."""

_HARMLESS: Final = {
    "core.fsmonitor": frozenset({"true", "false", "yes", "no", "on", "off", "1", "0"}),
    "protocol.allow": frozenset({"never", "user"}),
    "protocol.ext.allow": frozenset({"never"}),
}
"""Values that name no program: git's own file monitor; transports that stay as they are by default, or shut."""

_VALUE = r'(?:[^"\\\n#;]|\\[\nntb"\\]|"(?:[^"\\\n]|\\[\nntb"\\])*")*'
_TOKEN = re.compile(
    r"[ \t\n\r]+|[#;][^\n]*"
    r'|\[(?P<section>[A-Za-z0-9.-]+)(?:[ \t]+"(?P<subsection>(?:[^"\\\n]|\\[^\n])*)")?\]'
    rf"|(?P<name>[A-Za-z][A-Za-z0-9-]*)[ \t]*(?:=(?P<value>{_VALUE})(?:[#;][^\n]*)?)?(?=\n|\Z)"
)
_BLANKS = (" ", "\t", "\r", "\\\n")
_ESCAPED = re.compile(r'\\(.)|"', re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "b": "\b", "\n": ""}


class Setting(NamedTuple):
    """One setting: section and name in small letters, the subsection as it stands; None for no value at all."""

    section: str
    subsection: str | None
    name: str
    value: str | None

    @property
    def key(self) -> str:
        """As git prints it: `filter.lfs.clean`."""
        return ".".join(part for part in (self.section, self.subsection, self.name) if part is not None)

    @property
    def pattern(self) -> str:
        """Its key in `_OFF`, if it is there."""
        plain = f"{self.section}.{self.name}"
        if self.subsection is None:
            return plain
        return self.key.lower() if self.section in ("gpg", "protocol") else f"{self.section}.*.{self.name}"


def parse_git_config(text: str) -> list[Setting]:
    """The settings of a file, in order.

    Raises:
        ValueError: it is not in git's grammar; git itself stops at such a file.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    settings: list[Setting] = []
    section, subsection, at = "", None, 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None or "\0" in token[0]:
            raise ValueError(f"no git configuration, from character {at} on")
        at = token.end()
        if token["section"] is not None:
            section, dot, rest = token["section"].lower().partition(".")
            subsection = rest if dot else None
            if token["subsection"] is not None:
                quoted = re.sub(r"\\(.)", r"\1", token["subsection"])
                subsection = quoted if subsection is None else f"{subsection}.{quoted}"
        elif token["name"] is not None:
            value = token["value"]
            settings.append(Setting(section, subsection, token["name"].lower(), value and _unquote(value)))
    return settings


def find_programs(path: str, settings: Iterable[Setting]) -> list[Finding]:
    """The programs that the settings of this file name."""
    return [
        Finding(path, GIT_PROGRAM, setting.key, setting.value)
        for setting in settings
        if setting.value
        and setting.pattern in _OFF
        and setting.value.lower() not in _HARMLESS.get(setting.pattern, frozenset())
    ]


def find_included(settings: Iterable[Setting]) -> list[str]:
    """The files that are taken in, on whatever condition."""
    values = [
        setting.value
        for setting in settings
        if setting.section in ("include", "includeif") and setting.name == "path" and setting.value
    ]
    # Of a tab outside quotes some versions of git make a blank (measured with git 2.39).
    return [*values, *(value.replace("\t", " ") for value in values if "\t" in value)]


def is_of_git(finding: Finding) -> bool:
    """Whether this is about git, and not about the CLI."""
    return finding.what in (GIT_PROGRAM, GIT_HOOK, GIT_CONFIG)


def switch_off(findings: Iterable[Finding], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables with which git runs none of these, whoever starts it.

    What is set so counts more than any file (git-config(1), `GIT_CONFIG_COUNT`). Where that is not enough, git is made
    to find no repository.

    Args:
        findings: those of git that are not trusted; others are passed over.
        environment: what the CLI has otherwise; its own overrules of this kind are kept.

    Returns:
        What is to be added to it; nothing where all is there already.
    """
    wanted: dict[tuple[str, str], None] = {}
    for finding in findings:
        if finding.what == GIT_CONFIG:
            return _missing({"GIT_DIR": NOWHERE}, environment)
        if finding.what == GIT_HOOK:
            wanted["core.hooksPath", NOWHERE] = None
        elif finding.what == GIT_PROGRAM:
            wanted |= dict.fromkeys(_overrule(finding.name))
    if len(wanted) > MAX_SWITCHES:
        return _missing({"GIT_DIR": NOWHERE}, environment)
    count = environment.get("GIT_CONFIG_COUNT", "")
    start = int(count) if count.isascii() and count.isdigit() else 0
    there = {
        (environment.get(f"GIT_CONFIG_KEY_{at}", ""), environment.get(f"GIT_CONFIG_VALUE_{at}", ""))
        for at in range(min(start, 10 * MAX_SWITCHES))
    }
    new = [each for each in wanted if each not in there]
    if not new:
        return {}
    added = {"GIT_CONFIG_COUNT": str(start + len(new))}
    for at, (key, value) in enumerate(new, start):
        added |= {f"GIT_CONFIG_KEY_{at}": key, f"GIT_CONFIG_VALUE_{at}": value}
    return added


def _overrule(key: str) -> list[tuple[str, str]]:
    section, _, rest = key.partition(".")
    subsection, dot, name = rest.rpartition(".")
    setting = Setting(section, subsection if dot else None, name, None)
    overruling, value = _OFF[setting.pattern]
    overruled = [(overruling.replace("*", subsection), value)]
    if section == "filter":
        overruled.append((f"filter.{subsection}.required", "false"))
    return overruled


def _missing(wanted: dict[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in wanted.items() if environment.get(name) != value}


def _unquote(value: str) -> str:
    start, end = 0, len(value)
    # No regular expression: on a megabyte of blanks one that is tied to the end takes for ever.
    while value.startswith(_BLANKS, start, end):
        start += 2 if value[start] == "\\" else 1
    while value.endswith(_BLANKS, start, end):
        end -= 2 if value[end - 1] == "\n" else 1
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]) if found[1] else "", value[start:end])
