"""The command line. Takes hold of stdin and stdout before anything is imported that could print, and imports late."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapter.config import Settings

USAGE_ERROR = 2

FACES = {"serve": "native", "acp": "acp", "http": "http"}
"""The commands that serve, and the face that each shows."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `agent-adapter`; the exit code.

    0 after an orderly end, 1 where a subcommand found something wrong, 2 for a command line or a setting that cannot
    be used.
    """
    # Nothing has been begun that would have to end. An exception would not do: Python 3.11 makes another of one that is
    # raised in a `__set_name__`, of which there are hundreds in what is imported now.
    _on_signals(lambda: os._exit(0))
    _open_missing_descriptors()

    import gc

    gc.disable()

    from adapter.standin import import_pydantic_without_plugins

    import_pydantic_without_plugins()

    from adapter import config

    try:
        command, settings, as_json = config.parse(sys.argv[1:] if argv is None else argv)
        _set_up_log(settings)
    except config.ConfigError as error:
        sys.stderr.write(f"agent-adapter: {error}\n")
        return USAGE_ERROR
    if command in FACES:
        return _serve(FACES[command], settings)
    return _run(command, settings, as_json=as_json)


def _set_up_log(settings: Settings) -> None:
    from adapter import config, log

    try:
        log.set_up(settings.log_level, file=settings.log_file, as_json=settings.log_json)
    except OSError as error:
        raise config.ConfigError(f"log_file: {settings.log_file}: {error.strerror or error}") from None


def _on_signals(act: Callable[[], object]) -> None:
    """A signal while we still start is an orderly end as well. `app.serve` takes over later."""
    import signal

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: act())


def _open_missing_descriptors() -> None:
    """Who started us may have closed stdin, stdout or stderr: what we open next would come to stand in their places,
    and get what is meant for them."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))


def _serve(face: str, settings: Settings) -> int:
    import gc

    from adapter import config, stdio

    claimed = stdio.claim()

    from adapter.faces.greetings import OPENINGS

    opening = OPENINGS[face](claimed, settings) if face in OPENINGS else None

    import anyio

    from adapter import app

    try:
        build = app.find_face(face, settings)
    except config.ConfigError as error:
        sys.stderr.write(f"agent-adapter: {error}\n")
        return USAGE_ERROR
    # What was imported stays: the collector need not look at it again. It was off while nothing could be garbage.
    gc.freeze()
    gc.enable()
    ended: list[bool] = []
    _on_signals(lambda: ended.append(True))
    anyio.run(app.serve, settings, claimed, build, opening, ended)
    return 0


def _run(command: str, settings: Settings, *, as_json: bool) -> int:
    _on_signals(lambda: sys.exit(0))
    if command == "doctor":
        from adapter.commands import doctor

        return doctor.run(settings, as_json=as_json)
    if command == "acp login":
        from adapter.commands import login

        return login.run(settings)

    from adapter.commands import sessions

    act = sessions.clean if command == "sessions clean" else sessions.run
    return act(settings, as_json=as_json)


if __name__ == "__main__":
    sys.exit(main())
