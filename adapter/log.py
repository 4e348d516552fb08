"""Logging to stderr or a file, as text or as JSON lines. Never a prompt, an answer, an environment or a key: only
ids, sizes and reasons."""

from __future__ import annotations

import json
import logging
import sys
import time

LEVELS = ("debug", "info", "warning", "error")


class JsonFormatter(logging.Formatter):
    """One JSON object per record: `time` (UTC), `level`, `logger`, `message`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        value = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            value["exception"] = self.formatException(record.exc_info)
        return json.dumps(value, ensure_ascii=False)


def set_up(level: str, *, file: str | None = None, as_json: bool = False) -> None:
    """Send the log to a file, else to stderr.

    Args:
        level: one of `LEVELS`.
        file: path to append to.
        as_json: JSON lines instead of text.

    Raises:
        OSError: the file cannot be written.
    """
    handler: logging.Handler = (
        logging.FileHandler(file, encoding="utf-8") if file else logging.StreamHandler(sys.stderr)
    )
    handler.setFormatter(
        JsonFormatter() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # asyncio warns of slow callbacks and unread pipes with whole reprs in them.
    logging.getLogger("asyncio").setLevel(max(root.level, logging.WARNING))
    logging.raiseExceptions = False
