"""Finding a CLI: the configured path, else its names on PATH, else the usual install places. Imported by
providers and by the command that logs in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.errors import AdapterError, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Sequence

USUAL_PLACES = (
    "~/.local/bin",
    "~/.claude/local",
    "~/.npm-global/bin",
    "~/.bun/bin",
    "~/.volta/bin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
)
"""Where installers put command-line programs; an editor started from a desktop often has none of them on its PATH."""


def find_cli(configured: str | None, names: Sequence[str], *, setting: str, install_hint: str) -> str:
    """The path of a CLI.

    Args:
        configured: a path or a name from the settings; when given, nothing else is tried.
        names: program names, in order of preference.
        setting: how the user sets the path, for the hint.
        install_hint: how the user installs it.

    Raises:
        AdapterError: `not_found`, with a hint.
    """
    if configured:
        path = os.path.expanduser(configured)
        found = shutil.which(path)
        if found is None:
            text = f"{configured}: {_why_no_program(path)}"
            raise AdapterError(ErrorKind.NOT_FOUND, text, hint=f"Correct {setting}. {install_hint}")
        return os.path.abspath(found)
    places = os.pathsep.join(str(Path(place).expanduser()) for place in USUAL_PLACES)
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=places)
        if found is not None:
            return os.path.abspath(found)
    message = f"{' or '.join(names)} is not installed: not on PATH and not in the usual places"
    raise AdapterError(ErrorKind.NOT_FOUND, message, hint=f"{install_hint} Or set {setting}.")


def _why_no_program(path: str) -> str:
    if os.path.isdir(path):
        return "is a folder, not a program"
    return "is not executable (chmod +x would make it so)" if os.path.isfile(path) else "no such program"
