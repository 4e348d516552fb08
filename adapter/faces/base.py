"""What a face is to the daemon, and what it is built from. Imported by `app` and by every face; knows none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from adapter.config import Settings
    from adapter.opening import Opening
    from adapter.providers.manager import ProviderManager
    from adapter.session.registry import Registry
    from adapter.stdio import Outbox


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a face is built from.

    Attributes:
        input: descriptor of the claimed stdin.
        outbox: writer of the claimed stdout; a face that is not served over stdio leaves both alone.
        registry: the sessions.
        providers: the providers.
        settings: the daemon's.
        shut_down: asks for the end of the daemon; may be called at any time, also again.
        opening: what was heard and said on stdin and stdout before.
    """

    input: int
    outbox: Outbox
    registry: Registry
    providers: ProviderManager
    settings: Settings
    shut_down: Callable[[], None]
    opening: Opening | None = None


class Face(Protocol):
    """One way for the world to see the sessions. Most faces are the `Sink` of the sessions that they start, too."""

    over_stdio: bool
    """Whether the parent is at the other end of stdin and stdout: then its going away is the end of the daemon."""

    async def run(self, tasks: TaskGroup) -> None:
        """Serve until there is nothing more to serve; cancelled when the daemon is to end. What has to outlive this
        call runs in `tasks`."""

    async def close(self, grace: float) -> None:
        """Called when all sessions have ended: let open calls answer for `grace` seconds, and cut short the rest."""


FaceBuilder = Callable[[Surroundings], Face]
"""What each face's module offers."""
