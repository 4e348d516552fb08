"""What each face over stdio answers to a plain `initialize`, told without importing the face.

Read by `__main__` for the opening, and by the faces for the answers that they give themselves. Imports nothing that
takes long: see `adapter.opening`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapter import __version__
from adapter.opening import listen
from adapter.providers import PROVIDERS
from protocol import initialize
from protocol.framing import LineFramer, ParentFramer

if TYPE_CHECKING:
    from adapter.config import Settings
    from adapter.opening import Opening
    from adapter.stdio import Stdio

TOLD_LIMITS = ("max_sessions", "max_queue", "idle_timeout", "silence_timeout", "permission_timeout", "max_message")
"""The settings that `initialize` tells a parent."""


def open_native(stdio: Stdio, settings: Settings) -> Opening:
    """Begin the link of the native face."""

    def greet(params: dict[str, Any]) -> dict[str, Any] | None:
        return describe(settings) if initialize.is_plain(params) else None

    return listen(stdio, ParentFramer(settings.max_message), greet)


def open_acp(stdio: Stdio, settings: Settings) -> Opening:
    """Begin the link of the ACP face."""
    from adapter.faces.acp import connection  # its own face's start alone pays for it
    from protocol.wire.acp import BadParams, read_client

    def greet(params: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return connection.describe(read_client(params))
        except BadParams:
            return None

    return listen(stdio, LineFramer(settings.max_message), greet)


OPENINGS = {"native": open_native, "acp": open_acp}
"""By the name of the face."""


def describe(settings: Settings) -> dict[str, Any]:
    """The native face's answer to `initialize`."""
    limits = {name: getattr(settings, name) for name in TOLD_LIMITS}
    return initialize.describe(__version__, PROVIDERS, limits)
