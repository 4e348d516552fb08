"""Keeps a line to the client within what clients take. Pure.

Readers built on common libraries stop at 64 KiB to 50 MB and then lose the whole connection, with all its sessions;
4 MiB is far above what an editor can show of one call, and within what all known clients take.
"""

from __future__ import annotations

from typing import Any, Final

from protocol import jsontext

Json = dict[str, Any]

MAX_LINE: Final = 4 * 1024 * 1024
"""Bytes of the longest line that is sent."""

CHUNK_LIMIT: Final = 256 * 1024
"""Characters of one chunk of text: longer ones are sent in pieces, so that no text of the agent is lost. In JSON a
character takes six bytes at most."""

_ENVELOPE: Final = 1024
"""Bytes of what is around an update."""

_LEAST: Final = 256
"""Characters under which a string is not shortened any more."""


def split_text(text: str) -> list[str]:
    """A text in pieces that fit."""
    return [text[at : at + CHUNK_LIMIT] for at in range(0, len(text), CHUNK_LIMIT)]


def fit(value: Any, limit: int = MAX_LINE) -> bytes:
    """A value as JSON within `limit` bytes, less an envelope; its longest strings are cut, with a mark, until it
    fits."""
    body = jsontext.dumps(value)
    longest = limit // 4
    while len(body) > limit - _ENVELOPE and longest >= _LEAST:
        body = jsontext.dumps(_shortened(value, longest))
        longest //= 4
    if len(body) > limit - _ENVELOPE:
        body = jsontext.dumps(_pruned(value))
    return body


def shortened(value: Json) -> Json:
    """An object as `fit` sends it, for what goes into a larger message."""
    fitted: Json = jsontext.loads(fit(value))
    return fitted


def _shortened(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        if len(value) <= longest:
            return value
        head, tail = value[: longest // 2], value[len(value) - longest // 4 :]
        return f"{head}\n… {len(value) - len(head) - len(tail)} characters left out …\n{tail}"
    if isinstance(value, list):
        return [_shortened(item, longest) for item in value]
    if isinstance(value, dict):
        if isinstance(value.get("data"), str) and "mimeType" in value and len(value["data"]) > longest:
            return {"type": "text", "text": f"[an image of {len(value['data'])} characters was left out]"}
        return {key: _shortened(item, longest) for key, item in value.items()}
    return value


def _pruned(value: Any) -> Any:
    """The last resort, for a value of very many small parts: what is free-form is left out."""
    if not isinstance(value, dict):
        return None
    gone = {"rawInput": {}, "rawOutput": "… left out: too large …", "content": []}
    return {key: gone.get(key, item) for key, item in value.items()}
