"""Where the tests find clients that nobody here wrote: npm packages, and a browser.

Owns the places alone. Installs nothing (that is `install_foreign.py`). Tests may import it.
"""

import shutil
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]
SOURCE = PROJECT_ROOT / "tests" / "foreign"
"""The packages' names, versions and hashes, and the scripts that use them."""

CACHE = PROJECT_ROOT / ".cache" / "foreign"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def npm_package(name: str) -> Path | None:
    """The folder of an installed npm package, for example `@agentclientprotocol/sdk`; None where it is not there."""
    folder = CACHE / "node_modules" / name
    return folder if (folder / "package.json").is_file() and shutil.which("node") else None


def browser() -> str | None:
    """A browser of Chromium's family; None where there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)
