"""The methods of the native face about conversations on disk: rendering between the models of
`protocol.conversations` and the archive. Used by the native face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol import conversations as models
from protocol.model import Empty

if TYPE_CHECKING:
    from adapter.dispatch import Handler
    from adapter.peer import Call
    from adapter.session.registry import Registry

MAX_PAGE = 8 * 1024 * 1024
"""Bytes of events on a page, however many were asked for: pictures and file contents make long events. Far below
what a parent has to be able to read in one line."""


class ConversationMethods:
    """Handlers for `list_conversations`, `get_history`, `rename_session` and `delete_session`.

    Args:
        registry: its archive knows the conversations.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.handlers: dict[str, Handler] = {
            "list_conversations": self._list,
            "get_history": self._history,
            "rename_session": self._rename,
            "delete_session": self._delete,
        }

    async def _list(self, call: Call, params: models.ListConversationsParams) -> models.ListConversationsResult:
        found, following = await self._registry.archive.conversations(
            params.provider, working_dir=params.working_dir, cursor=params.cursor, limit=params.limit, env=params.env
        )
        entries = [
            models.ConversationEntry(
                provider_session_id=each.provider_session_id,
                session_id=holder,
                working_dir=each.working_dir,
                title=each.title,
                first_prompt=each.first_prompt,
                created_at=each.created_at,
                last_used_at=each.last_used_at,
                size=each.size,
            )
            for each, holder in found
        ]
        return models.ListConversationsResult(conversations=entries, next_cursor=following)

    async def _history(self, call: Call, params: models.HistoryParams) -> dict[str, Any]:
        page = await self._registry.archive.history(
            params.session_id,
            params.provider,
            working_dir=params.working_dir,
            cursor=params.cursor,
            limit=params.limit,
            max_bytes=MAX_PAGE,
            env=params.env or None,
        )
        events = [{"turn_id": turn_id, "event": event} for turn_id, event in page.events]
        return {
            "provider_session_id": page.provider_session_id,
            "working_dir": page.working_dir,
            "title": page.title,
            "events": events,
            "next_cursor": page.next_cursor,
        }

    async def _rename(self, call: Call, params: models.RenameParams) -> Empty:
        await self._registry.archive.rename(
            params.session_id,
            params.provider,
            params.title,
            working_dir=params.working_dir,
            env=params.env or None,
        )
        return Empty()

    async def _delete(self, call: Call, params: models.DeleteParams) -> Empty:
        await self._registry.archive.delete(
            params.session_id, params.provider, working_dir=params.working_dir, env=params.env or None
        )
        return Empty()
