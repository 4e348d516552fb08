"""Which versions of Claude Code take a message in a running turn, and what becomes of it. Pure.

Measured: 2.1.197 and 2.1.329 end the turn for a prompt with `priority: now` (a running tool is waited for, an open
permission question is withdrawn), with a result of its own, and begin the prompt's turn. From 1.0.128 to 2.1.62 the
prompt was folded into a turn that used tools and had no result: its end would be anybody's guess. Older ones queue it.
"""

from __future__ import annotations

import re

STEERABLE = (2, 1, 63)
"""The oldest version that gives the message a turn of its own."""


def refusal(version: str | None) -> str | None:
    """Why a turn cannot be steered; None where it can, and where the version has not been told (`init` tells it at the
    beginning of each turn, so it is known wherever a turn runs)."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version or "")
    if found is None or tuple(map(int, found.groups())) >= STEERABLE:
        return None
    return f"Claude Code {version} gives a message that comes in the middle of a turn no turn of its own."
