"""The command line. Takes hold of stdin and stdout before anything is imported that could print, and imports late."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE_ERROR = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run `agent-adapter`; the exit code: 0 after an orderly end, 2 for a command line or a setting that cannot be
    used."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments in (["--version"], ["-V"]):
        from adapter import __version__

        sys.stdout.write(f"agent-adapter {__version__}\n")
        return 0
    return _serve(arguments)


def _serve(arguments: list[str]) -> int:
    from adapter import config, log

    try:
        settings = config.parse(arguments)
        log.set_up(settings.log_level, file=settings.log_file, as_json=settings.log_json)
    except (config.ConfigError, OSError) as error:
        sys.stderr.write(f"agent-adapter: {error}\n")
        return USAGE_ERROR

    from adapter import stdio

    claimed = stdio.claim()

    import anyio

    from adapter import app

    anyio.run(app.serve, settings, claimed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
