"""The trust notice: what an agent on this machine may do, said before the first start, and acknowledged once for each
provider.

Owns the words and the file that remembers. Refuses to serve without: a warning that nobody has to read is none.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING

from adapter.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE = "http-acknowledged.json"
"""Its name in the state folder."""

NOTICE = """\
Behind this server is no model but an agent on this machine ({providers}). It reads files, and where it is allowed to it
changes them, runs commands and uses the network: with your rights, your logins and your keys. Whoever has the token of
this server can talk to it; guarded actions are denied unless you choose otherwise (--permissions, --runtime-mode).
Do not run it as root, nor where others depend on what it could change."""


def check_risk(folder: Path, providers: Sequence[str], *, accept: bool) -> None:
    """See that the notice has been acknowledged, or acknowledge it.

    Args:
        folder: the state folder.
        providers: whose agents are served; one that is new has to be acknowledged for itself.
        accept: acknowledge it now.

    Raises:
        ConfigError: it has not been acknowledged; its text says what, and how to.
    """
    known = read_acknowledged(folder)
    missing = sorted(set(providers) - known)
    if not missing:
        return
    if not accept:
        notice = NOTICE.format(providers=", ".join(missing))
        raise ConfigError(f"not started:\n{notice}\nTo go on, start it once with --accept-risk.")
    _write(folder, sorted(known | set(providers)))


def read_acknowledged(folder: Path) -> set[str]:
    """The providers that were acknowledged; none where the file is not as we write it."""
    try:
        names = json.loads((folder / FILE).read_bytes())["acknowledged"]
    except (OSError, ValueError, TypeError, KeyError):
        return set()
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _write(folder: Path, providers: list[str]) -> None:
    text = json.dumps({"acknowledged": providers, "at": round(time.time())})
    own = folder / f"{FILE}.{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        own.write_text(text + "\n")
        own.replace(folder / FILE)
    except OSError as error:
        with contextlib.suppress(OSError):
            own.unlink()
        raise ConfigError(f"{folder}: cannot be written: {error.strerror or error}; set state_dir") from None
