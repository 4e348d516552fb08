"""`agent-adapter doctor`: why it does not work, in one call. Each failing line says what to do."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from adapter import __version__
from adapter.app import build_providers
from adapter.commands.report import write_json, write_lines
from adapter.config import state_folder
from adapter.process.environment import scrub
from adapter.process.host import ProcessHost
from adapter.process.identity import marked, new_daemon_id
from adapter.session import store
from adapter.session.ledger import is_living

if TYPE_CHECKING:
    from adapter.config import Settings
    from adapter.process.identity import ProcessId
    from adapter.providers.base import ProviderHealth

PROVIDERS_S = 60.0
"""For all providers together: each of their probes has its own, shorter limit."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. `ok` is None where it cannot be told."""

    subject: str
    check: str
    ok: bool | None
    detail: str
    hint: str | None = None


class NoLog:
    """A doctor leaves nothing behind that would have to be found again: its probes are ended before it returns."""

    async def spawning(self, mark: str, owner: str | None) -> None:
        """Nothing to write down."""

    async def spawned(self, mark: str, process: ProcessId) -> None:
        """Nothing to write down."""

    def exited(self, mark: str) -> None:
        """Nothing to write down."""


def run(settings: Settings, *, as_json: bool) -> int:
    """Make the checks and report them; exit code 0 where none has failed, else 1."""
    checks = anyio.run(examine, settings)
    healthy = all(check.ok is not False for check in checks)
    if as_json:
        write_json({"version": __version__, "healthy": healthy, "checks": [asdict(check) for check in checks]})
    else:
        write_lines(render(checks))
    return 0 if healthy else 1


async def examine(settings: Settings) -> list[Check]:
    """All checks."""
    checks: list[Check] = []
    async with anyio.create_task_group() as tasks:
        host = ProcessHost(
            new_daemon_id(), NoLog(), tasks, os.environ, denied=settings.env_deny, allowed=settings.env_allow
        )
        with anyio.move_on_after(PROVIDERS_S):
            for health in await build_providers(host, settings).health_check_all():
                checks += check_provider(health)
        await host.close()
        tasks.cancel_scope.cancel()
    return [*checks, check_nesting(settings), check_folder(), *check_state(state_folder(settings))]


def render(checks: list[Check]) -> list[str]:
    """The report for people."""
    signs = {True: "ok  ", False: "FAIL", None: "?   "}
    lines = [f"agent-adapter {__version__}"]
    for check in checks:
        lines.append(f"{signs[check.ok]}  {check.subject}: {check.check}: {check.detail}")
        if check.hint and check.ok is not True:
            lines.append(f"      -> {check.hint}")
    return lines


def check_provider(health: ProviderHealth) -> list[Check]:
    """Found, version, logged in, billing."""
    name = health.provider
    if health.cli_path is None:
        return [Check(name, "CLI found", False, health.error or "no", health.hint)]
    found = Check(name, "CLI found", True, health.cli_path)
    if not health.is_available:
        return [found, Check(name, "version", False, health.error or "unknown", health.hint)]
    login = {True: "yes", False: "no", None: "cannot be told: the CLI has no such command"}[health.authenticated]
    hint = "Run `claude` in a terminal and log in with /login, or set ANTHROPIC_API_KEY."
    return [
        found,
        Check(name, "version", True, health.version or "unknown"),
        Check(name, "logged in", health.authenticated, login, hint),
        Check(name, "billing", None if health.billing is None else True, health.billing or "unknown until logged in"),
    ]


def check_nesting(settings: Settings) -> Check:
    """Variables of a CLI that we run inside of: harmless, for they are taken out."""
    kept = scrub(os.environ, denied=settings.env_deny, allowed=settings.env_allow)
    nested = sorted(name for name in os.environ if name not in kept and name.startswith(("CLAUDE", "AI_AGENT")))
    detail = f"{', '.join(nested)}: taken out of the CLI's environment" if nested else "none"
    return Check("environment", "nested run", True, detail)


def check_folder() -> Check:
    """Whether the agent could write where we are."""
    hint = "Start sessions in another working_dir, or change the rights of this one."
    try:
        folder = Path.cwd()
    except OSError as error:
        return Check("working folder", "writable", False, f"it is gone ({error.strerror})", hint)
    return Check("working folder", "writable", os.access(folder, os.W_OK | os.X_OK), str(folder), hint)


def check_state(folder: Path) -> list[Check]:
    """The ledger can be used by us and by nobody else; what dead daemons have left."""
    try:
        with closing(store.connect(folder)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check").fetchone()
            daemons = store.read_daemons(connection)
    except (sqlite3.Error, OSError) as error:
        hint = "Free space, or change the rights; or set state_dir. Without it the daemon works, but remembers nothing."
        return [Check("state folder", "healthy", False, f"{folder}: {error}", hint)]
    rights = stat.S_IMODE(folder.stat().st_mode)
    healthy = answer == "ok" and not rights & 0o077
    hint = f"chmod 700 {folder}" if answer == "ok" else f"Move {folder / store.FILE} away: it is damaged."
    orphans = [process.pid for daemon in daemons if not is_living(daemon) for process in marked(daemon.daemon_id)]
    detail = f"PIDs {', '.join(map(str, orphans))}" if orphans else "none"
    return [
        Check("state folder", "healthy", healthy, f"{folder} ({answer}, {rights:o})", hint),
        Check("processes", "orphans", not orphans, detail, "Run `agent-adapter sessions clean`."),
    ]
