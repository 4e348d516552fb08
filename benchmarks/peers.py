"""The peers: which versions, where they are, and how they come from their registries into `.cache/bench`.

Everything about their versions is in `PINS`. What cannot be had (no npm, no network) is reported as missing with the
reason, never measured as zero. Used by the benchmarks alone.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "bench"

PINS = {"@agentclientprotocol/claude-agent-acp": "0.100.0", "claude-agent-sdk": "0.2.186"}
ACP, SDK = PINS

INSTALL_S = 400
"""The larger one is 100 MB to download and takes 15 s on a quick line."""

STAMP = "installed.json"


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer's command line, empty where it is missing, and the reason then."""

    name: str
    version: str
    command: list[str]
    missing: str = ""


def bring() -> dict[str, Peer]:
    """Install what is not installed yet; the peers by name."""
    return {"acp": _bring_acp(), "sdk": _bring_sdk()}


def _bring_acp() -> Peer:
    folder, version = CACHE / "acp", PINS[ACP]
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return Peer("claude-agent-acp", version, [], "node and npm are not installed")
    # Its optional part is a copy of the real CLI, 250 MB large: the mock takes its place.
    flags = ["--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    problem = _install(folder, {ACP: version}, [[npm, "install", *flags, "--prefix", ".", f"{ACP}@{version}"]])
    entry = folder / "node_modules" / ACP / "dist" / "index.js"
    if not problem and not entry.is_file():
        problem = "its entry point is not where it was"
    return Peer("claude-agent-acp", version, [] if problem else [node, str(entry)], problem)


def _bring_sdk() -> Peer:
    folder, version = CACHE / "sdk", PINS[SDK]
    python = folder / "bin" / "python"
    steps = [
        [sys.executable, "-m", "venv", "--clear", "."],
        [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet",
         f"{SDK}=={version}"],
    ]  # fmt: skip
    problem = _install(folder, {SDK: version, "python": sys.version.split()[0]}, steps)
    script = str(Path(__file__).with_name("sdk_host.py"))
    return Peer(SDK, version, [] if problem else [str(python), script], problem)


def _install(folder: Path, wanted: dict[str, str], steps: list[list[str]]) -> str:
    """Run the steps unless they have been run for these versions; what went wrong, in one line."""
    stamp = folder / STAMP
    if stamp.is_file() and json.loads(stamp.read_text("utf-8")) == wanted:
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for step in steps:
        try:
            done = subprocess.run(
                step, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_S,
                check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"could not be installed: {error}"
        if done.returncode:
            return f"could not be installed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1][:200]}"
    stamp.write_text(json.dumps(wanted), "utf-8")
    return ""
