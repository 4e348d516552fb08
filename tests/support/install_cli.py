"""Installs the real Claude CLI for the tests: `python -m tests.support.install_cli VERSION... script:VERSION...`.

Owns the way from npm to `.cache/claude/VERSION/claude`, and for `script:VERSION`, an old version that is a script for
node, to `.cache/claude-script/VERSION/claude`. Refuses to fail where npm or node is missing: it says so in one line,
and the tests against the real CLI are then skipped. Run by the Makefile and by people; only tests import it.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from .real_cli import cached_cli, cached_script

PACKAGE = "@anthropic-ai/claude-code"
SCRIPT = "script:"
SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
# 370 MB unpacked; five seconds on a quick line, so this allows for a hundredth of it.
DOWNLOAD_SECONDS = 500
# It takes 0.3 s, and several seconds when the file is cold and the machine busy.
VERSION_SECONDS = 60


class InstallError(Exception):
    """A version could not be installed; the message says why in one line."""


def platform_suffix() -> str:
    """The end of the name of this machine's package, such as `linux-x64`. Raises InstallError where there is none."""
    system, machine = platform.system(), platform.machine().lower()
    if system not in SYSTEMS or machine not in MACHINES:
        raise InstallError(f"no build of the CLI for {system} {machine}")
    musl = system == "Linux" and platform.libc_ver()[0] != "glibc"
    return f"{SYSTEMS[system]}-{MACHINES[machine]}{'-musl' if musl else ''}"


def reported_version(executable: Path) -> str | None:
    """The version that `--version` prints, or None where it cannot be run."""
    # In a home of its own: 1.0.63 writes a configuration, and warns of a lost one before it says its version.
    with tempfile.TemporaryDirectory(prefix="claude-version-") as home:
        path = os.pathsep.join(("/usr/bin", "/bin", str(Path(shutil.which("node") or "/usr/bin/node").parent)))
        environment = {"PATH": path, "HOME": home, "DISABLE_AUTOUPDATER": "1"}
        try:
            run = subprocess.run(
                [executable, "--version"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=VERSION_SECONDS,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
    found = re.search(r"^(\d+\.\d+\.\d+\S*) \(Claude Code", run.stdout, re.MULTILINE)
    return found.group(1) if run.returncode == 0 and found else None


def install(version: str, npm: str) -> str:
    """Install one version unless it is there already; what happened, in one line. Raises InstallError."""
    is_script = version.startswith(SCRIPT)
    version = version.removeprefix(SCRIPT)
    target = cached_script(version) if is_script else cached_cli(version)
    if target.exists() and reported_version(target) == version:
        return f"claude {version}: already installed"
    if is_script and shutil.which("node") is None:
        return f"claude {version}: node is not installed, so the tests with it will be skipped"
    package = f"{PACKAGE}@{version}" if is_script else f"{PACKAGE}-{platform_suffix()}@{version}"
    target.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent.parent, prefix=".unpack-") as folder:
        unpacked = Path(folder) / "unpacked"
        unpacked.mkdir()
        archive = _download(package, npm, Path(folder))
        if is_script:
            _extract_script(archive, unpacked)
        else:
            _extract(archive, unpacked / "claude")
        found = reported_version(unpacked / "claude")
        if found != version:
            raise InstallError(f"the unpacked CLI reports {found!r} instead of {version}")
        # A rename is atomic, so that another run never sees half a CLI. What was there before did not work.
        if target.parent.exists():
            target.parent.rename(Path(folder) / "broken")
        unpacked.rename(target.parent)
    return f"claude {version}: installed"


def _download(package: str, npm: str, folder: Path) -> Path:
    command = [npm, "pack", package, "--loglevel=error", "--pack-destination", str(folder)]
    try:
        run = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, cwd=folder
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"npm pack {package}: {error}") from error
    archives = list(folder.glob("*.tgz"))
    if run.returncode != 0 or len(archives) != 1:
        # The first two lines name the error; the last ones only say where npm keeps its log.
        reason = " / ".join(run.stderr.strip().splitlines()[:2]) or f"exit code {run.returncode}"
        raise InstallError(f"npm pack {package} failed: {reason}")
    return archives[0]


def _extract(archive: Path, executable: Path) -> None:
    """Take the one file that is needed out of the archive."""
    try:
        with tarfile.open(archive) as tar:
            source = tar.extractfile("package/claude")
            if source is None:
                raise InstallError(f"{archive.name} holds no executable")
            with source, executable.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
    except (tarfile.TarError, KeyError, OSError) as error:
        raise InstallError(f"{archive.name}: {error}") from error
    executable.chmod(0o755)


def _extract_script(archive: Path, folder: Path) -> None:
    """Take the whole package out of the archive, with its script under the name that a person would call."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                parts = Path(member.name).parts[1:]
                if not member.isfile() or not parts or ".." in parts:
                    continue
                source = tar.extractfile(member)
                assert source is not None
                target = folder.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                target.chmod(0o755 if member.mode & 0o100 else 0o644)
        (folder / "claude").symlink_to("cli.js")
        (folder / "cli.js").chmod(0o755)
    except (tarfile.TarError, OSError) as error:
        raise InstallError(f"{archive.name}: {error}") from error


def main(versions: list[str]) -> int:
    """Install every version, one line each: 0 (also where npm is missing), 1 where one failed, 2 without any."""
    if not versions:
        print("usage: python -m tests.support.install_cli VERSION...", file=sys.stderr)
        return 2
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not installed: the tests against the real Claude CLI will be skipped")
        return 0
    failed = False
    for version in versions:
        try:
            print(install(version, npm), flush=True)
        except InstallError as error:
            failed = True
            print(f"claude {version}: NOT installed: {error}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
