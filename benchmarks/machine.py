"""What the figures were measured on and with. No names, no paths, no dates: nothing that would not help a reader."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import psutil

from adapter import __version__
from benchmarks.peers import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.peers import Peer

VERSION_S = 20


def describe(peers: dict[str, Peer]) -> dict[str, str]:
    """What to tell of the machine and the programs, by name."""
    real = newest_real_cli()
    told = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "load before the run": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "agent-adapter": __version__,
        "msgspec, anyio": ", ".join(importlib.metadata.version(name) for name in ("msgspec", "anyio")),
        "Node.js": _node_version(),
        "real CLI": real.parent.name if real else "missing",
    }
    return told | {peer.name: f"{peer.version}{f' (missing: {peer.missing})' if peer.missing else ''}"
                   for peer in peers.values()}  # fmt: skip


def newest_real_cli() -> Path | None:
    """The newest real CLI that `make real-cli` has brought; None where there is none."""
    found = [path for path in (ROOT / ".cache" / "claude").glob("*/claude") if os.access(path, os.X_OK)]
    return max(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path.parent.name)], default=None)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _node_version() -> str:
    node = shutil.which("node")
    if node is None:
        return "missing"
    done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=VERSION_S, check=False)
    return done.stdout.strip().lstrip("v") or "unknown"
