"""Holds the providers by name, and what is known of their health. Never refuses to start because of one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from protocol.errors import AdapterError, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapter.providers.base import ProviderAdapter, ProviderHealth

log = logging.getLogger(__name__)


class ProviderManager:
    """The providers of this daemon.

    Args:
        adapters: one per provider.
    """

    def __init__(self, adapters: Iterable[ProviderAdapter]) -> None:
        self._adapters = {adapter.provider: adapter for adapter in adapters}
        self._checks: dict[str, _Check] = {}

    @property
    def names(self) -> list[str]:
        """The providers' names."""
        return list(self._adapters)

    def get(self, provider: str) -> ProviderAdapter:
        """The provider of this name.

        Raises:
            AdapterError: `not_found`.
        """
        adapter = self._adapters.get(provider)
        if adapter is None:
            hint = f"Known providers: {', '.join(self._adapters)}."
            raise AdapterError(ErrorKind.NOT_FOUND, f"Unknown provider {provider!r}.", hint=hint, provider=provider)
        return adapter

    @property
    def spares(self) -> int:
        """Spare processes of all providers."""
        return sum(adapter.spares for adapter in self._adapters.values())

    async def drop_spare(self) -> bool:
        """End one spare process; False where there is none."""
        for adapter in self._adapters.values():
            if await adapter.drop_spare():
                return True
        return False

    async def close(self) -> None:
        """End what no session uses."""
        for adapter in self._adapters.values():
            await adapter.close()

    async def health_check(self, provider: str) -> ProviderHealth:
        """Look at a provider now; those who ask at the same time share one look.

        Raises:
            AdapterError: `not_found` for a provider that is not known.
        """
        adapter = self.get(provider)
        running = self._checks.get(provider)
        if running is not None:
            await running.done.wait()
            if running.health is not None:
                return running.health
        check = self._checks[provider] = _Check()
        try:
            check.health = await adapter.health_check()
            return check.health
        finally:
            check.done.set()
            if self._checks.get(provider) is check:
                del self._checks[provider]

    async def health_check_all(self) -> list[ProviderHealth]:
        """Look at all providers, side by side."""
        found: dict[str, ProviderHealth] = {}

        async def check(name: str) -> None:
            found[name] = await self.health_check(name)

        async with anyio.create_task_group() as tasks:
            for name in self._adapters:
                tasks.start_soon(check, name)
        return [found[name] for name in self._adapters]

    async def warn_of_unavailable(self) -> None:
        """The look at start-up: log a warning for each provider that cannot be used."""
        for adapter in self._adapters.values():
            health = await adapter.look()
            if not health.is_available:
                log.warning("provider %s is not available: %s", health.provider, health.complaint)


class _Check:
    """A look that is under way."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.health: ProviderHealth | None = None
