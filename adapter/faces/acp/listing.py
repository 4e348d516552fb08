"""`session/list`: the conversations on disk, by the ids that the editor knows them by."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from protocol.codecs.acp_prompt import plain_title
from protocol.wire.acp import optional_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapter.session.archive import Archive

Json = dict[str, Any]

LIST_LIMIT = 50
"""Sessions on a page of `session/list`: what fits on a screen of an editor."""


async def list_sessions(archive: Archive, provider: str, params: Json, ids: Mapping[str, str]) -> Json:
    """The answer to `session/list`.

    Args:
        archive: where they are.
        provider: whose they are.
        params: the request's.
        ids: what the editor calls the sessions that it has, by their own ids.

    Raises:
        AdapterError: why they cannot be listed.
    """
    cwd, cursor = optional_text(params, "cwd"), optional_text(params, "cursor")
    found, following = await archive.conversations(provider, working_dir=cwd, cursor=cursor, limit=LIST_LIMIT)
    sessions: dict[str, Json] = {}
    for each, holder in found:
        id = ids.get(holder or "", each.provider_session_id)
        told: Json = {"sessionId": id}
        told |= {"cwd": each.working_dir or cwd or "/", "updatedAt": _iso(each.last_used_at)}
        title = each.title if each.title != each.first_prompt else plain_title(each.first_prompt or "")
        # The CLI may have begun anew under a session: the older part is then not to be had by the session's id.
        sessions.setdefault(id, {**told, **({"title": title} if title else {})})
    return {"sessions": list(sessions.values()), **({"nextCursor": following} if following else {})}


def _iso(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
