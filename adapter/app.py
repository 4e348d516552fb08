"""The composition root: builds the daemon from its settings, runs it, and ends it in order. Knows the concrete
classes of both sides.

One task group holds everything. `finish` is the one way to the end, whoever asks for it: the end of stdin, a
signal, `shutdown`, a parent that no longer reads.
"""

from __future__ import annotations

import logging
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, cast

import anyio

from adapter.config import ConfigError, state_folder
from adapter.faces.base import Surroundings
from adapter.guard import GuardedTasks
from adapter.process.child import watch_without_threads
from adapter.process.host import ProcessHost
from adapter.process.identity import new_daemon_id
from adapter.providers.claude import ClaudeAdapter
from adapter.providers.claude_handshake import PROVIDER as CLAUDE
from adapter.providers.manager import ProviderManager
from adapter.session.ledger import Ledger
from adapter.session.limits import RegistryLimits, SessionLimits, SilenceLimits
from adapter.session.registry import Registry
from adapter.stdio import Outbox, Stdio, wait_reader_gone

if TYPE_CHECKING:
    from collections.abc import Collection

    from anyio.abc import TaskGroup

    from adapter.config import Settings
    from adapter.config_http import HttpSettings
    from adapter.faces.base import Face, FaceBuilder
    from adapter.opening import Opening

log = logging.getLogger(__name__)

LAST_WORDS_S = 2.0
"""How long the parent may take to read the last events once everything has ended, as long as it reads."""

NOT_READING_S = 0.3
"""A parent that takes nothing for so long is gone or asleep; with the stop ladder before it, nothing of ours is left
after two seconds."""

CALLS_END_S = 3.0
"""How long calls in flight may take to answer once the sessions have ended: `echo REQUEST | agent-adapter` gets
its answer."""


def find_face(name: str, settings: Settings) -> FaceBuilder:
    """The face of this name: `native`, `acp` or `http`. Imported here, because each needs what the others do not, and
    the time to start counts.

    Raises:
        ConfigError: it cannot be served with these settings.
    """
    if name == "acp":
        from adapter.faces.acp.face import AcpFace

        return AcpFace
    if name == "http":
        return _open_http(settings)
    from adapter.faces.native import NativeFace

    return NativeFace


def _open_http(settings: Settings) -> FaceBuilder:
    """The HTTP face behind its entrance, which is opened before anything else is done."""
    try:
        from adapter.faces.http.entrance import open_entrance
        from adapter.faces.http.face import HttpFace
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is missing: install agent-adapter with its extra, agent-adapter[http]"
        ) from None
    return partial(HttpFace, open_entrance(cast("HttpSettings", settings), [CLAUDE]))


async def serve(
    settings: Settings,
    stdio: Stdio,
    build_face: FaceBuilder,
    opening: Opening | None = None,
    ended: Collection[bool] = (),
) -> None:
    """Serve a face until the end is asked for; nothing of ours runs when this returns.

    Args:
        settings: the daemon's.
        stdio: its descriptors.
        build_face: makes the face.
        opening: what was heard and said on the descriptors before; None for nothing.
        ended: has something in it once a signal came before there was somebody here to receive it.
    """
    watch_without_threads()
    over = anyio.Event()
    async with anyio.create_task_group() as tasks:
        daemon_id = new_daemon_id()
        ledger = Ledger(state_folder(settings), daemon_id)
        host = ProcessHost(daemon_id, ledger, tasks, os.environ, denied=settings.env_deny, allowed=settings.env_allow)
        outbox = Outbox(stdio.output)
        providers = build_providers(host, settings)
        registry = Registry(providers, _limits(settings), ledger, tasks)
        face = build_face(Surroundings(stdio.input, outbox, registry, providers, settings, over.set, opening))
        tasks.start_soon(outbox.run)
        tasks.start_soon(_wait_for_signals, over, ended)
        if face.over_stdio:
            tasks.start_soon(_wait_for_broken_pipe, stdio.output, outbox, over)
        services = GuardedTasks(tasks, "the daemon")
        services.start_soon(ledger.run)
        services.start_soon(host.open)
        services.start_soon(registry.reap_idle)
        looking = anyio.CancelScope()
        services.start_soon(_look_at_providers, providers, looking)
        async with anyio.create_task_group() as calls:
            await _read_until(over, face, calls)
            looking.cancel()
            await finish(registry, providers, face, host, ledger, outbox, settings)
            calls.cancel_scope.cancel()
        tasks.cancel_scope.cancel()


async def finish(
    registry: Registry,
    providers: ProviderManager,
    face: Face,
    host: ProcessHost,
    ledger: Ledger,
    outbox: Outbox,
    settings: Settings,
) -> None:
    """End all sessions, answer what was asked, leave nothing running, let the parent read the last words. Bounded
    in every step."""
    with anyio.CancelScope(shield=True):
        await _stop_sessions(registry, settings.shutdown_timeout)
        await face.close(CALLS_END_S)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_say_last_words, outbox)
            await providers.close()
            await host.close()
            await ledger.close()


async def _say_last_words(outbox: Outbox) -> None:
    with anyio.move_on_after(LAST_WORDS_S):
        before = None
        while outbox.size and outbox.size != before:
            before = outbox.size
            await outbox.flush(NOT_READING_S)


async def _stop_sessions(registry: Registry, patience: float) -> None:
    """The orderly way goes on when patience is over, because nothing may cut it short: it is hurried."""
    async with anyio.create_task_group() as tasks:
        stopped = anyio.Event()

        async def stop_in_order() -> None:
            await registry.stop_all("shutdown")
            stopped.set()

        tasks.start_soon(stop_in_order)
        with anyio.move_on_after(patience):
            await stopped.wait()
        if not stopped.is_set():
            log.warning("sessions did not end within %g s", patience)
            await registry.stop_all("shutdown", fast=True)


async def _read_until(over: anyio.Event, face: Face, calls: TaskGroup) -> None:
    """Serve until the end of input, or until somebody else asks for the end."""
    with anyio.CancelScope() as reading:

        async def stop_reading() -> None:
            await over.wait()
            reading.cancel()

        calls.start_soon(stop_reading)
        await face.run(calls)
        log.info("end of input")
    over.set()


async def _look_at_providers(providers: ProviderManager, scope: anyio.CancelScope) -> None:
    with scope:
        await providers.warn_of_unavailable()


async def _wait_for_signals(over: anyio.Event, ended: Collection[bool]) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
        if ended:
            over.set()
        async for number in received:
            log.info("%s", signal.Signals(number).name)
            over.set()


async def _wait_for_broken_pipe(output: int, outbox: Outbox, over: anyio.Event) -> None:
    async with anyio.create_task_group() as tasks:

        async def watch(wait: object) -> None:
            await wait  # type: ignore[misc]
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch, wait_reader_gone(output))
        tasks.start_soon(watch, outbox.broken.wait())
    log.info("the parent no longer reads")
    over.set()


def build_providers(host: ProcessHost, settings: Settings) -> ProviderManager:
    """The providers of this daemon."""
    claude = ClaudeAdapter(
        host,
        cli_path=settings.claude_path,
        max_line=settings.max_cli_line,
        handshake_timeout=settings.handshake_timeout,
        warm=settings.warm,
        warm_age=settings.idle_timeout,
    )
    return ProviderManager([claude])


def _limits(settings: Settings) -> RegistryLimits:
    silence = SilenceLimits(settings.silence_timeout, settings.tool_silence_timeout, settings.compaction_timeout)
    session = SessionLimits(
        silence=silence,
        permission_timeout=settings.permission_timeout,
        interrupt_grace=settings.interrupt_grace,
        max_queue=settings.max_queue,
    )
    return RegistryLimits(max_sessions=settings.max_sessions, idle_timeout=settings.idle_timeout, session=session)
