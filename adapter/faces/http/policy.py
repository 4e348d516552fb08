"""Who decides on the agent's permission requests where nobody can be asked: HTTP has no way back to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protocol.signals import PermissionAsked

DENIED = "Nobody can be asked here: this agent was called over HTTP. Do without, or say what would be needed."
"""Told to the agent, which passes it on to its user in its own words."""


class Policy:
    """Denies everything that is asked."""

    async def decide(self, session_id: str, turn_id: str | None, asked: PermissionAsked) -> dict[str, Any]:
        """An answer to a permission request, as a parent would give it (SPEC.md, section 4)."""
        return {"outcome": "deny", "message": DENIED}
