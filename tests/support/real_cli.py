"""Where the tests find the real Claude CLI, and the environment they run it in.

Owns the cache's layout and the scrubbed environment. Installs nothing (that is `install_cli.py`). Tests may import it.
"""

import os
import re
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]
CACHE = PROJECT_ROOT / ".cache" / "claude"
SCRIPTS = PROJECT_ROOT / ".cache" / "claude-script"
# The oldest on npm that speaks the control protocol; it is a script for node, as all were at that time.
OLDEST = "1.0.63"


def cached_cli(version: str) -> Path:
    """Where the CLI of that version is, or would be once it is installed."""
    return CACHE / version / "claude"


def cached_script(version: str) -> Path:
    """Where the CLI of a version that is a script for node is, or would be once it is installed."""
    return SCRIPTS / version / "claude"


def installed_versions() -> dict[str, Path]:
    """The installed versions, oldest first, each with its executable; empty where there is none."""
    found = (path for path in CACHE.glob("*/claude") if os.access(path, os.X_OK))
    return {path.parent.name: path for path in sorted(found, key=lambda path: _sort_key(path.parent.name))}


def cli_environment(home: Path | str, base_url: str) -> dict[str, str]:
    """A scrubbed environment for a CLI that talks to `base_url`; of ours it inherits only PATH.

    `home` is an existing temporary folder: all that the CLI writes of its own stays inside it.
    """
    scratch = Path(home) / "tmp"
    scratch.mkdir(exist_ok=True)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "ANTHROPIC_API_KEY": "sk-test",
        "ANTHROPIC_BASE_URL": base_url,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_TMPDIR": str(scratch),
        "DISABLE_AUTOUPDATER": "1",
    }


def _sort_key(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
