"""A real browser without a window, for tests of what a web page can reach.

Owns how it is started, and that nothing of it is left. Needs Chromium (`foreign.browser`). Tests may import it.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import anyio

from tests.support.foreign import browser

if TYPE_CHECKING:
    from pathlib import Path

PAGE_S = 40.0
"""A page takes about two seconds; this allows for a machine that is busy with other tests."""

# It must neither look for updates nor talk to anybody: this machine may have no network at all.
SILENT = (
    "--disable-background-networking --disable-component-update --disable-sync --disable-quic --no-first-run "
    "--disable-default-apps --disable-extensions --metrics-recording-only"
).split()


class NoBrowserError(Exception):
    """There is no browser here."""


async def render(url: str, profile: Path, *flags: str, virtual_ms: int = 4000) -> str:
    """Open a page, let its scripts and requests come to their end, and give its document as HTML.

    Args:
        url: what to open.
        profile: an empty folder for all that the browser writes.
        flags: further ones.
        virtual_ms: how far the page's own clock runs before the document is taken. It stands still while a request is
            under way.

    Raises:
        NoBrowserError: none is installed.
        TimeoutError: the page did not come to its end.
    """
    path = browser()
    if path is None:
        raise NoBrowserError
    command = [
        path, "--headless", "--disable-gpu", "--no-sandbox", *SILENT, *flags, f"--user-data-dir={profile}",
        f"--virtual-time-budget={virtual_ms}", "--dump-dom", url,
    ]  # fmt: skip
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(profile)}
    with anyio.fail_after(PAGE_S):
        run = await anyio.run_process(command, stderr=subprocess.DEVNULL, env=environment, check=False)
    return run.stdout.decode()
