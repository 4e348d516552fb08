"""How an editor runs our login in a terminal: by arguments to add to the command that it started us with, and, for
editors that do not add any, by the whole command."""

from __future__ import annotations

import os
import sys
from typing import Any

Json = dict[str, Any]

ARGUMENT = "login"

LABEL = "Log in"


def terminal_method(*, whole_command: bool) -> Json:
    """The method of the kind `terminal`.

    Args:
        whole_command: whether the editor reads the command from `_meta`. Zed runs nothing without it, unless its tests
            of new features are switched on.
    """
    text = "Opens Claude Code's own login in a terminal"
    method: Json = {"type": "terminal", "id": "terminal-login", "name": LABEL, "description": text}
    method["args"] = [ARGUMENT]
    if whole_command:
        program, *arguments = own_command()
        command = {"label": LABEL, "command": program, "args": [*arguments, ARGUMENT], "env": {}}
        method["_meta"] = {"terminal-auth": command}
    return method


def own_command() -> list[str]:
    """The command that starts us again in the same way."""
    script = os.path.abspath(sys.argv[0])
    if os.path.basename(script) == "__main__.py" or not os.access(script, os.X_OK):
        return [sys.executable, "-m", "adapter", *sys.argv[1:]]
    return [script, *sys.argv[1:]]
