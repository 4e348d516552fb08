"""The token that a client must show: given, or made once and kept in a file that only its owner can read.

Owns the file and what a usable token is. Refuses: to log it, to print it, to compare it (the `gate` does).
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from typing import TYPE_CHECKING

from adapter.config import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

FILE = "http-token"
"""Its name in the state folder."""

MIN_LENGTH = 16
"""Characters of a token that somebody chose: enough that it cannot be tried out."""

RANDOM_BYTES = 32
"""Of a token that we make: 43 characters."""

_USABLE = re.compile(rf"[!-~]{{{MIN_LENGTH},}}")


def check_token(token: str, source: str) -> str:
    """A token that fits into a header.

    Args:
        token: as it was given; white space around it is dropped.
        source: where it comes from, for the error.

    Raises:
        ConfigError: it is too short, or has characters that a header cannot carry.
    """
    token = token.strip()
    if not _USABLE.fullmatch(token):
        raise ConfigError(
            f"{source}: a token needs at least {MIN_LENGTH} printable ASCII characters without spaces; "
            "`openssl rand -hex 24` makes a good one"
        )
    return token


def read_token(path: Path) -> str:
    """The token in a file.

    Raises:
        ConfigError: the file cannot be read, others than its owner can read it, or it holds no usable token.
    """
    try:
        with path.open("rb") as file:
            rights = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read().decode("ascii", "replace")
    except OSError as error:
        raise ConfigError(f"{path}: the token cannot be read: {error.strerror or error}") from None
    if rights & 0o077:
        raise ConfigError(f"{path}: others can read this token; run: chmod 600 {path}")
    return check_token(text, str(path))


def keep_token(folder: Path) -> Path:
    """The file of our own token in the state folder; made at the first call, by one process only.

    Raises:
        ConfigError: it cannot be written.
    """
    path = folder / FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(RANDOM_BYTES) + "\n")
    except OSError as error:
        raise ConfigError(f"{path}: the token cannot be written: {error.strerror or error}; set state_dir") from None
    return path


def _write_once(path: Path, text: str) -> None:
    """Put a whole file in place; the first of several writers wins, and none is seen half-written."""
    own = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.link(own, path)
    except FileExistsError:
        pass
    finally:
        own.unlink()
