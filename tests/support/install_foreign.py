"""Installs the clients that nobody here wrote, for the tests: `python -m tests.support.install_foreign`.

npm packages go into `.cache/foreign`, exactly as `tests/foreign/package-lock.json` pins them. A browser is installed
where we are root and Debian's packages are at hand, because it needs a hundred libraries of the system's. Refuses to
fail where npm or a browser cannot be had: it says so in one line, and the tests that need them are then skipped. Run
by the Makefile and by people; only tests import it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from .foreign import CACHE, SOURCE, browser

# The packages take three seconds on a quick line, the browser thirty; so these allow for a slow one.
NPM_SECONDS = 300
BROWSER_SECONDS = 500
STAMP = "installed-package-lock.json"


class InstallError(Exception):
    """Something could not be installed; the message says why in one line."""


def install_packages() -> str:
    """Install the npm packages unless they are there already; what happened, in one line. Raises InstallError."""
    wanted, stamp = (SOURCE / "package-lock.json").read_text(), CACHE / STAMP
    if stamp.exists() and stamp.read_text() == wanted:
        return "foreign clients: already installed"
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed: the tests with foreign clients from npm will be skipped"
    CACHE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(SOURCE / name, CACHE / name)
    _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], NPM_SECONDS, cwd=str(CACHE))
    stamp.write_text(wanted)
    return "foreign clients: installed"


def install_browser() -> str:
    """Install a browser unless there is one; what happened, in one line. Raises InstallError."""
    if (found := browser()) is not None:
        return f"browser: {found}"
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return "no Chromium is installed: the test with a real browser will be skipped (Debian's package: chromium)"
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = [apt, "install", "--yes", "--no-install-recommends", "chromium"]
    try:
        _run(install, BROWSER_SECONDS, env=quiet)
    except InstallError:
        _run([apt, "update"], BROWSER_SECONDS, env=quiet)
        _run(install, BROWSER_SECONDS, env=quiet)
    return "browser: installed"


def _run(
    command: Sequence[str], seconds: float, *, cwd: str | None = None, env: Mapping[str, str] | None = None
) -> None:
    try:
        run = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, cwd=cwd, env=env
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"{' '.join(command[:2])}: {error}") from error
    if run.returncode != 0:
        reason = " / ".join(run.stderr.strip().splitlines()[:2]) or f"exit code {run.returncode}"
        raise InstallError(f"{' '.join(command[:2])} failed: {reason}")


def main() -> int:
    """Install everything, one line each. Always 0: what is missing is skipped by the tests, which say so."""
    with ThreadPoolExecutor() as pool:
        for running in [pool.submit(each) for each in (install_packages, install_browser)]:
            try:
                print(running.result(), flush=True)
            except InstallError as error:
                print(f"NOT installed, its tests will be skipped: {error}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
