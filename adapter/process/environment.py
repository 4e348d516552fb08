"""The environment of a child: ours, less what would make the CLI talk to the wrong place or refuse to run inside
another one.

The lists are documented in SPEC.md (section 11) and can be changed in the settings. Imported by `host`, by the
settings, which have the lists as defaults, and by the doctor.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DENIED = ("CLAUDECODE", "CLAUDE_CODE_*", "CLAUDE_AGENT_SDK_*", "AI_AGENT", "OTEL_*", "AGENT_ADAPTER_*")
"""Names that are taken out: the marks that a running Claude Code leaves to its children (with `CLAUDECODE` set, a
nested CLI refuses to start or hangs), telemetry that belongs to somebody else, and our own settings."""

ALLOWED = (
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_*",
    "CLAUDE_CODE_SKIP_*",
    "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "CLAUDE_CODE_MAX_RETRIES",
    "CLAUDE_CODE_SUBAGENT_MODEL",
    "CLAUDE_CODE_DISABLE_*",
    "CLAUDE_CODE_ENABLE_*",
    "CLAUDE_CODE_AUTO_COMPACT_WINDOW",
    "CLAUDE_CODE_CLIENT_*",
    "CLAUDE_CODE_PROXY_*",
    "CLAUDE_CODE_SHELL*",
    "CLAUDE_CODE_GIT_BASH_PATH",
    "CLAUDE_CODE_TMPDIR",
)
"""Names that stay although a denied pattern matches: what a user sets for the CLI, as opposed to what a CLI sets
for its children."""

BASE_URL = "ANTHROPIC_BASE_URL"


def scrub(
    environment: Mapping[str, str],
    *,
    denied: Iterable[str] = DENIED,
    allowed: Iterable[str] = ALLOWED,
    own_ports: Iterable[int] = (),
) -> dict[str, str]:
    """What of an environment a child may inherit.

    Args:
        environment: ours.
        denied: shell patterns of the names that are taken out.
        allowed: patterns of the names that stay all the same.
        own_ports: loopback ports that this daemon listens on: a base URL that leads back to us is taken out.
    """
    denied, allowed, own_ports = tuple(denied), tuple(allowed), frozenset(own_ports)
    kept = {name: value for name, value in environment.items() if not _matches(name, denied) or _matches(name, allowed)}
    if _leads_to(kept.get(BASE_URL, ""), own_ports):
        del kept[BASE_URL]
    return kept


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _leads_to(url: str, ports: frozenset[int]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.port in ports and _is_loopback(parts.hostname or "")
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
