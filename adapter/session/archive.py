"""Conversations that their providers have written down, for every face: listed, read page by page, renamed, deleted;
by our session id, of any daemon, or by the provider's own id.

Knows which conversations live sessions have; what is on disk is the provider's to know. Made by the registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.conversations import Window
from protocol.errors import AdapterError, ErrorKind, invalid_param
from protocol.lifecycle import SessionState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from adapter.providers.base import ProviderAdapter
    from adapter.providers.manager import ProviderManager
    from adapter.session.session import Session
    from protocol.conversations import Conversation
    from protocol.events import Event


@dataclass(frozen=True, slots=True)
class Known:
    """What the registry and the ledger know of a session, live or ended. `env` is empty where it is not known."""

    session_id: str
    provider: str
    provider_session_id: str | None
    working_dir: str
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A part of what was said, oldest first: events with the ids of their turns."""

    provider_session_id: str
    working_dir: str | None
    title: str | None
    events: list[tuple[str | None, Event]]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Place:
    adapter: ProviderAdapter
    id: str
    working_dir: str | None
    env: Mapping[str, str]


class Archive:
    """What has been said, by all who said it.

    Args:
        providers: who keep it.
        live: the live session of this id, ours or the provider's.
        known: a session of this id of ours, live, ended, or of an earlier daemon.
        holder: our id of the session that has this conversation of a provider, or is about to have it.
        forget: called when a conversation has been deleted.
    """

    def __init__(
        self,
        providers: ProviderManager,
        *,
        live: Callable[[str], Session | None],
        known: Callable[[str], Awaitable[Known | None]],
        holder: Callable[[str], str | None],
        forget: Callable[[str], None],
    ) -> None:
        self._providers = providers
        self._live = live
        self._known = known
        self._holder = holder
        self._forget = forget

    async def conversations(
        self,
        provider: str,
        *,
        working_dir: str | None = None,
        cursor: str | None = None,
        limit: int,
        env: Mapping[str, str] | None = None,
    ) -> tuple[list[tuple[Conversation, str | None]], str | None]:
        """What can be resumed, latest first, each with the id of the live session that has it; the next page's
        cursor.

        Raises:
            AdapterError: `not_found`, `unsupported`, `invalid_params` for a cursor that is none.
        """
        adapter = self._providers.get(provider)
        found, following = await adapter.list_conversations(working_dir, cursor, limit, env=env or {})
        return [(each, self._holder(each.provider_session_id)) for each in found], following

    async def history(
        self,
        id: str,
        provider: str,
        *,
        working_dir: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        max_bytes: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> HistoryPage:
        """What was said in a conversation, as the same events as live.

        Args:
            id: of a session of ours, or of a conversation of the provider.
            provider: whose conversation it is, where the session is not known.
            working_dir: where it was held, where the session is not known.
            cursor: of the page before; None for the beginning. Later pages tell no more than was there at the first.
            limit: how many events at most; None for all.
            max_bytes: how many bytes the events of a page take at most as JSON; at least one is told.
            env: as in a session's config; None for the known session's own.

        Raises:
            AdapterError: `session_not_found`, `unsupported`, `protocol_error`, `invalid_params`.
        """
        place = await self._find(id, provider, working_dir, env)
        live = self._live(id)
        start, leaf = _parse_cursor(cursor)
        window = Window(start, limit, max_bytes, leaf, running=live is not None and live.state is SessionState.BUSY)
        history = await place.adapter.read_history(place.id, place.working_dir, env=place.env, window=window)
        following = f"{start + len(history.events)}.{history.leaf}" if history.more else None
        return HistoryPage(place.id, history.working_dir, history.title, history.events, following)

    async def rename(
        self,
        id: str,
        provider: str,
        title: str,
        *,
        working_dir: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Give a conversation a title; a live one by way of its process.

        Raises:
            AdapterError: `session_not_found`, `unsupported`, or why the process did not do it.
        """
        session = self._live(id)
        if session is not None and session.pid is not None:
            await session.query("rename_session", {"title": title})
            return
        place = await self._find(id, provider, working_dir, env)
        await place.adapter.rename_conversation(place.id, title, place.working_dir, env=place.env)

    async def delete(
        self, id: str, provider: str, *, working_dir: str | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        """Delete a conversation that no live session has.

        Raises:
            AdapterError: `session_not_found`, `unsupported`, `invalid_params` where a live session has it.
        """
        live = self._live(id)
        place = None if live is not None else await self._find(id, provider, working_dir, env)
        holder = live.id if live is not None else self._holder(place.id) if place is not None else None
        if holder is not None or place is None:
            raise invalid_param("session_id", f"the live session {holder} has this conversation: stop it first")
        await place.adapter.delete_conversation(place.id, place.working_dir, env=place.env)
        self._forget(place.id)

    async def _find(self, id: str, provider: str, working_dir: str | None, env: Mapping[str, str] | None) -> _Place:
        known = await self._known(id)
        if known is None:
            return _Place(self._providers.get(provider), id, working_dir, env or {})
        if known.provider_session_id is None:
            text = f"The session {known.session_id!r} has no conversation."
            raise AdapterError(ErrorKind.SESSION_NOT_FOUND, text, session_id=known.session_id)
        adapter = self._providers.get(known.provider)
        folder = working_dir or known.working_dir
        return _Place(adapter, known.provider_session_id, folder, known.env if env is None else env)


def _parse_cursor(cursor: str | None) -> tuple[int, str | None]:
    """`120.<leaf>`: the number of events that have been told, and the end of what is told at all."""
    if cursor is None:
        return 0, None
    count, _, leaf = cursor.partition(".")
    if not count.isdecimal() or len(count) > 12 or not leaf:
        raise invalid_param("cursor", "not one of this method's next_cursor")
    return int(count), leaf
