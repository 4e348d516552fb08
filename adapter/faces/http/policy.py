"""Who decides on the agent's permission requests: HTTP has no way back to a person.

Deny is the default. The other choice is a parent on our stdin and stdout, who is asked as the contract says (SPEC.md,
section 7); the native face is then served there, beside this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from adapter.session.sink import Sink
    from protocol.signals import PermissionAsked

DENIED = "Nobody can be asked here: this agent was called over HTTP. Do without, or say what would be needed."
"""Told to the agent, which passes it on to its user in its own words."""

NO_ANSWER = "Nobody can answer questions here: decide by yourself, or put the question in your answer."
NO_APPROVAL = "Nobody can approve a plan here: give the plan as your answer."


class Policy(Protocol):
    """Decides on permission requests."""

    async def decide(self, session_id: str, turn_id: str | None, asked: PermissionAsked) -> Any:
        """An answer to a permission request, as a parent would give it (SPEC.md, section 7).

        Raises:
            QuestionFailed: there will be none; that counts as deny.
        """


class DenyAll:
    """Denies everything that is asked, with words that help the agent go on."""

    async def decide(self, session_id: str, turn_id: str | None, asked: PermissionAsked) -> dict[str, Any]:
        """See `Policy`."""
        message = {"question": NO_ANSWER, "plan": NO_APPROVAL}.get(asked.kind, DENIED)
        return {"outcome": "deny", "message": message}


class AskParent:
    """Puts everything to a parent.

    Args:
        parent: the face that the parent is at.
    """

    def __init__(self, parent: Sink) -> None:
        self._parent = parent

    async def decide(self, session_id: str, turn_id: str | None, asked: PermissionAsked) -> Any:
        """See `Policy`."""
        return await self._parent.ask(session_id, turn_id, asked)
