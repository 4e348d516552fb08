"""JSON text to values and back, tolerant where real programs are sloppy, and never raising anything but
`ValueError`.

msgspec does the work. What it refuses but JSON's grammar allows (lone surrogates, as JavaScript writes them when
it cuts a string in the middle of an emoji) or what careless writers send (invalid UTF-8) takes the slow path
through the standard library, with U+FFFD in the place of what cannot be encoded again.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


def loads(text: bytes) -> Any:
    """Parse one JSON value.

    Raises:
        ValueError: the text is not JSON (also where it nests too deeply or holds NaN or Infinity).
    """
    try:
        return _decoder.decode(text)
    except (ValueError, RecursionError):
        return _loads_slowly(text)


def dumps(value: Any) -> bytes:
    """Render a value of plain JSON types and msgspec structs, compact, without a line end."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_without_surrogates(msgspec.to_builtins(value)))


def _loads_slowly(text: bytes) -> Any:
    try:
        return _without_surrogates(json.loads(text.decode("utf-8", "replace"), parse_constant=_refuse_constant))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value
