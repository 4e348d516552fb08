"""What each version of Claude Code can do for us. Pure.

Measured with the versions 1.0.63, 1.0.88, 1.0.128, 2.0.0, 2.0.76, 2.1.0, 2.1.29, 2.1.62, 2.1.197, 2.1.329 and 2.1.330
from npm: each number below is the first of them that can. What older ones do with a field or a request that they do not
know is mostly nothing, without a word, so that it has to be known here before it is sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from protocol.session_config import SessionConfig

Version = tuple[int, int, int]

OLDEST: Final[Version] = (1, 0, 63)
"""1.0.62 and older never answer `initialize`."""

TESTED: Final[tuple[Version, Version]] = ((2, 1, 197), (2, 1, 329))
"""All tests against the real CLI run with these two."""

OPTIONS: Final[dict[str, Version]] = {
    "hooks": (1, 0, 88),
    "plans_directory": (1, 0, 88),
    "fork": (1, 0, 128),
    "resume_at": (1, 0, 128),
    "setting_sources": (1, 0, 128),
    "tools": (1, 0, 128),
    "checkpoint": (2, 0, 76),
    "max_budget_usd": (2, 0, 76),
    "max_thinking_tokens": (2, 0, 76),
    "output_schema": (2, 0, 76),
    "agents": (2, 1, 29),
    "append_system_prompt": (2, 1, 29),
    "system_prompt": (2, 1, 29),
    "effort": (2, 1, 62),
    "settings": (2, 1, 62),
}
"""Fields of a session's config. Prompts and agents travel in the handshake, where older versions pass over them."""

REQUESTS: Final[dict[str, Version]] = {
    "set_model": (1, 0, 128),
    "set_permission_mode": (1, 0, 128),
    "mcp_status": (1, 0, 128),
    "set_max_thinking_tokens": (2, 0, 76),
    "rewind_files": (2, 0, 76),
    "mcp_reconnect": (2, 1, 29),
    "mcp_toggle": (2, 1, 29),
}
"""Control requests. Before `REFUSES` those that are not here are never answered; from then on the CLI refuses."""

REFUSES: Final[Version] = (2, 1, 62)
"""From here on a control request that the CLI does not know is refused at once."""

DELTAS: Final[Version] = (1, 0, 128)
"""From here on there is `--include-partial-messages`."""

INLINE_SETTINGS: Final[Version] = (1, 0, 88)
"""From here on `--settings` takes JSON; before, only the path of a file."""

SKIPS_PERMISSIONS: Final[Version] = (2, 0, 76)
"""From here on there is `--allow-dangerously-skip-permissions`."""

AUTH_STATUS: Final[Version] = (2, 1, 62)
"""From here on there is `claude auth status`; older ones would take the words for a prompt."""

_GAPS: Final[tuple[tuple[Version, str], ...]] = (
    ((1, 0, 88), "the agent forgets the earlier messages of a session"),
    ((1, 0, 128), "text comes in whole messages, and an interrupt while a question is open ends the process"),
    ((2, 1, 62), "many requests to a live session are unsupported"),
)
"""What a user of an old version is told: what is missing before which version."""


def find_version(output: str) -> str | None:
    """The version in what `--version` prints, also behind warnings: `2.1.329 (Claude Code)`; None without one.

    1.0.63 prints a warning of a missing configuration file before it.
    """
    named = re.findall(r"^\s*v?(\d+\.\d+\.\d+\S*) \(Claude Code", output, re.MULTILINE)
    plain = re.findall(r"^\s*v?(\d+\.\d+\.\d+\S*)\s*$", output, re.MULTILINE)
    return next(iter([*named, *plain]), None)


def parse_version(text: str | None) -> Version | None:
    """`2.1.329` and `2.1.329-beta.1` as numbers; None for what is no version."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", text or "")
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def show(version: Version) -> str:
    """As the CLI writes it."""
    return ".".join(map(str, version))


def missing_option(chosen: SessionConfig, version: Version, *, fork: bool = False) -> tuple[str, Version] | None:
    """The first option that a session asks for and this version does not have, and since when there is one."""
    for name, since in OPTIONS.items():
        if version < since and (fork if name == "fork" else _is_chosen(getattr(chosen, name))):
            return name, since
    return None


def depends_on_version(chosen: SessionConfig, *, fork: bool = False) -> bool:
    """Whether a session asks for anything that an old version would drop without a word."""
    return missing_option(chosen, (0, 0, 0), fork=fork) is not None


def answers(subtype: str, version: Version) -> bool:
    """Whether this version answers a control request, be it with a refusal."""
    return version >= REFUSES or subtype in ("initialize", "interrupt") or version >= REQUESTS.get(subtype, REFUSES)


def remark(version: Version) -> tuple[Literal["debug", "warning"], str] | None:
    """What to tell of a version that is older or newer than the tested ones: level and text; None for the others."""
    oldest, newest = TESTED
    if version > newest:
        return "debug", f"Claude Code {show(version)} is newer than the newest that was tested ({show(newest)})."
    if version >= oldest:
        return None
    gaps = [gap for before, gap in _GAPS if version < before]
    text = f"Claude Code {show(version)} is older than the oldest that is fully supported ({show(oldest)})"
    return "warning", f"{text}: {'; '.join(gaps)}." if gaps else f"{text}."


def _is_chosen(value: Any) -> bool:
    return value is not None and value is not False and value != [] and value != {}
