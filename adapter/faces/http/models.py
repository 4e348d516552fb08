"""The models on offer: the CLI's own list, told so that clients of both vendors understand it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio

from adapter.providers.base import SessionConfig
from protocol.httperrors import invalid, not_found
from protocol.turnrequest import MODEL_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapter.faces.http.conversations import Conversations
    from adapter.session.registry import Registry

log = logging.getLogger(__name__)

FRESH_S = 600.0
"""How long a list holds: it changes with a login or with an update of the CLI, and to get it may take a process."""

MAX_PAGE = 1000
"""The most that a client may ask for at once, as in the Messages API."""

EPOCH = "1970-01-01T00:00:00Z"
"""The CLI does not tell when a model came out."""


class Models:
    """The list of models.

    Args:
        conversations: whose sessions can be asked.
        registry: starts one where there is none.
        working_dir: where.
        provider: whose models.
    """

    def __init__(self, conversations: Conversations, registry: Registry, working_dir: str, provider: str) -> None:
        self._conversations = conversations
        self._registry = registry
        self._working_dir = working_dir
        self._provider = provider
        self._lock = anyio.Lock()
        self._known: list[dict[str, Any]] = []
        self._asked_at = float("-inf")

    async def page(self, query: Mapping[str, str]) -> dict[str, Any]:
        """A page of the list.

        Raises:
            HttpError: the page is not there.
        """
        models = await self._list()
        ids = [model["id"] for model in models]
        for name in ("after_id", "before_id"):
            if name in query and query[name] not in ids:
                raise invalid("there is no such model", name)
        start = ids.index(query["after_id"]) + 1 if "after_id" in query else 0
        end = ids.index(query["before_id"]) if "before_id" in query else len(ids)
        limit = _limit(query.get("limit"))
        page = models[max(start, end - limit) : end] if "before_id" in query else models[start:end][:limit]
        return {
            "object": "list",
            "data": page,
            "has_more": len(page) < end - start,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
        }

    async def find(self, id: str) -> dict[str, Any]:
        """One model, with or without our prefix.

        Raises:
            HttpError: there is none of this name.
        """
        for model in await self._list():
            if model["id"].removeprefix(MODEL_PREFIX) == id.removeprefix(MODEL_PREFIX):
                return model
        raise not_found(f"There is no model {id!r}: see /v1/models.")

    async def _list(self) -> list[dict[str, Any]]:
        async with self._lock:
            if anyio.current_time() - self._asked_at > FRESH_S:
                self._known = [_model(each) for each in await self._ask()]
                self._asked_at = anyio.current_time()
            return self._known

    async def _ask(self) -> list[dict[str, Any]]:
        for conversation in self._conversations.all():
            if conversation.session is not None:
                answer = await conversation.session.query("list_models", {})
                return list(answer["models"])
        config = SessionConfig(working_dir=self._working_dir)
        session = await self._registry.start(self._provider, None, config, self._conversations)
        try:
            answer = await session.query("list_models", {})
            return list(answer["models"])
        finally:
            with anyio.CancelScope(shield=True):
                await session.stop("stopped")


def _model(told: dict[str, Any]) -> dict[str, Any]:
    """A model in the words of both vendors."""
    return {
        "type": "model",
        "object": "model",
        "id": MODEL_PREFIX + told["value"],
        "display_name": told["name"],
        "created_at": EPOCH,
        "created": 0,
        "owned_by": "claude-cli",
        "lifecycle": "active",
    }


def _limit(text: str | None) -> int:
    if text is None:
        return MAX_PAGE
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PAGE:
        raise invalid(f"must be a number from 1 to {MAX_PAGE}", "limit")
    return int(text)
