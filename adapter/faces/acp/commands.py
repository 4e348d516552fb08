"""Slash commands that are not the CLI's to run: the editor's picture of the session would be wrong behind them.

Those that would put another conversation, or another login, under the session are refused in words; those that set what
is an option of the session are set as the option, so that the editor's menus show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol.codecs.acp_options import EFFORT_OPTION, MODEL_OPTION

if TYPE_CHECKING:
    from adapter.faces.acp.session import AcpSession

_NO_CLEARING = "A conversation cannot be cleared here: begin a new session in the editor instead."

REFUSED = {
    "/clear": _NO_CLEARING,
    "/new": _NO_CLEARING,
    "/reset": _NO_CLEARING,
    "/login": "Log in by the editor, or run `claude` in a terminal and log in with /login there.",
    "/logout": "Log out by the editor, or run `claude auth logout` in a terminal.",
}
"""`/new` and `/reset` are other names of `/clear`, and words behind them make no difference (claude 2.1.197 and
2.1.329)."""


async def take(session: AcpSession, content: Any) -> str | None:
    """What is answered to a prompt instead of giving it to the CLI; None for every other prompt.

    Raises:
        AdapterError: an option could not be set.
    """
    words = content.split() if isinstance(content, str) and content.lstrip().startswith("/") else []
    if words and words[0] in REFUSED:
        return REFUSED[words[0]]
    value = words[1] if len(words) == 2 else ""
    if words[:1] == ["/effort"] and value in session.options.values(EFFORT_OPTION):
        await session.set_effort(value)
        return f"The effort is now: {value}."
    if words[:1] == ["/model"] and value in session.options.values(MODEL_OPTION):
        await session.set_model(value)
        return f"The model is now: {value}."
    return None
