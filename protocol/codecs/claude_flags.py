"""Which arguments of Claude Code a parent may not add by itself, and what to use instead. Pure.

They would make the CLI speak another protocol than ours, talk about another conversation than the daemon says, or end
at once. Measured with claude 2.1.197 and 2.1.329. Everything else is the parent's own business.
"""

from __future__ import annotations

import re

_STREAM = "The daemon talks to the CLI through its streams: they have one form."
_RESUME = "Use config.resume and config.fork, so that the daemon knows which conversation it is."
_MODE = "Use config.runtime_mode."
_ONCE = "It makes the CLI do something else and end; run the CLI by hand for it."
_AWAY = "It hands the conversation to another process, which the daemon could neither drive nor end."
_FOLDER = "Make the worktree first, and give it as config.working_dir."

RESERVED = {
    "--input-format": _STREAM,
    "--output-format": _STREAM,
    "--permission-prompt-tool": "The daemon puts the CLI's questions to the parent as request_permission.",
    "--permission-prompts": "The daemon puts the CLI's questions to the parent as request_permission.",
    "--resume": _RESUME,
    "-r": _RESUME,
    "--continue": _RESUME,
    "-c": _RESUME,
    "--from-pr": _RESUME,
    "--session-id": _RESUME,
    "--fork-session": _RESUME,
    "--permission-mode": _MODE,
    "--dangerously-skip-permissions": _MODE,
    "--allow-dangerously-skip-permissions": _MODE,
    "--help": _ONCE,
    "-h": _ONCE,
    "--version": _ONCE,
    "-v": _ONCE,
    "--init-only": _ONCE,
    "--background": _AWAY,
    "--bg": _AWAY,
    "--cloud": _AWAY,
    "--teleport": _AWAY,
    "--tmux": _AWAY,
    "--desktop": _AWAY,
    "--environment": _AWAY,
    "--remote-control": _AWAY,
    "--worktree": _FOLDER,
    "-w": _FOLDER,
    "--": "What follows would be a prompt: use send_message.",
}
"""Flag to the reason, or to what does it here."""

_CLUSTER = re.compile(r"-p+(?P<rest>[crhv])")
"""Short flags may be written together: `-pc` is `-p -c`."""

_NO_FLAG = "A word that is no flag and no flag's value would be a prompt: use send_message."


def find_reserved(arguments: list[str]) -> tuple[str, str] | None:
    """The first argument that cannot be passed on, and what to do instead; None where all can."""
    if arguments and not arguments[0].startswith("-"):
        return arguments[0], _NO_FLAG
    for argument in arguments:
        cluster = _CLUSTER.match(argument)
        flag = f"-{cluster['rest']}" if cluster else argument.partition("=")[0]
        if flag in RESERVED:
            return flag, RESERVED[flag]
    return None
