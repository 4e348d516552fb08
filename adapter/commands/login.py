"""`agent-adapter acp login`: the CLI's own login, in the terminal that it was called from.

An editor that speaks ACP runs it when its user chooses the login of the terminal (`docs/acp.md`); it can as well be run
by hand.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from adapter.process.discover import find_cli
from adapter.providers.claude import INSTALL_HINT, NAMES, SETTING
from protocol.errors import AdapterError, with_hint

if TYPE_CHECKING:
    from adapter.config import Settings


def run(settings: Settings) -> int:
    """Become the CLI's login; returns, with 1, only where there is no CLI."""
    try:
        path = find_cli(settings.claude_path, NAMES, setting=SETTING, install_hint=INSTALL_HINT)
        os.execv(path, [path, "auth", "login"])
    except AdapterError as error:
        why = with_hint(error.message, error.hint)
    except OSError as error:
        why = f"{path}: {error.strerror}. See `agent-adapter doctor`."
    sys.stderr.write(f"agent-adapter: {why}\n")
    return 1
