"""What Claude Code tells of its MCP servers beside their list: which of them has failed, what a user has finished.

Pure. Shapes measured with claude 2.1.197 and 2.1.329. The list itself is `mcp_servers` of `session_updated`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol.events import Notice

if TYPE_CHECKING:
    from protocol.signals import ProviderEvent

_TROUBLES = {"failed": "could not be reached", "needs-auth": "wants a login"}
"""Statuses that a user has to know of, and what they mean."""


def tell_failures(before: Any, now: Any) -> list[Notice]:
    """A notice for each server that is in trouble and was not before.

    Args:
        before: `mcp_servers` as it was known, or None.
        now: as it is told, or None.
    """
    known = _statuses(before)
    return [
        Notice(
            level="warning",
            message=f"The MCP server {name} {_TROUBLES[status]} (status {status}; list_mcp_servers may tell why).",
        )
        for name, status in _statuses(now).items()
        if status in _TROUBLES and known.get(name) != status
    ]


def read_elicitation_complete(line: dict[str, Any], out: list[ProviderEvent]) -> None:
    """What an MCP server had sent the user to a page for is done (claude 2.1.329; 2.1.197 has no pages)."""
    server, id = line["mcp_server_name"], line["elicitation_id"]
    out.append(Notice(level="info", message=f"What the MCP server {server} asked of the user is done ({id})."))


def _statuses(servers: Any) -> dict[str, Any]:
    listed = servers if isinstance(servers, list) else []
    return {str(each["name"]): each.get("status") for each in listed if isinstance(each, dict) and "name" in each}
