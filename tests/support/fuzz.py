"""Lines that no parent in its right mind would send, and some that it might: random, but the same for the same seed.

Owns: the lines, and which of them must be answered. Refuses: lines that would end the daemon or disturb a session: it
knows the id of none. May be imported by: tests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

METHODS = (
    "initialize",
    "health_check",
    "list_providers",
    "start_session",
    "send_message",
    "interrupt",
    "stop_session",
    "list_sessions",
    "set_model",
    "set_runtime_mode",
    "rpc.discover",
    "event",
    "request_permission",
    "cancel_request",
    "",
    "__class__",
    "rpc.",
    "list_sessions ",
    "\u202elist",
)
"""The daemon's methods (without `shutdown`, which is what it says), and what is none."""

NAMES = ("session_id", "config", "message", "provider", "model", "runtime_mode", "self", "call", "__init__", "", "\0")
SCALARS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1e308,
    2**64,
    -(2**70),
    "",
    "x",
    "\0",
    "\ud83d\ude00",
    "ü" * 50,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line, without its end; `ids` are those of the requests in it, each of which must be answered once."""

    data: bytes
    ids: tuple[str, ...] = ()


def lines(chance: random.Random, count: int) -> list[Line]:
    """So many lines, of every kind."""
    kinds = (_request, _request, _request, _envelope, _batch, _response, _noise, _cut, _bent, _deep)
    return [chance.choice(kinds)(chance, f"fuzz-{at}") for at in range(count)]


def _request(chance: random.Random, id: str) -> Line:
    """A request as it should be, but for its params."""
    message = {"jsonrpc": "2.0", "id": id, "method": chance.choice(METHODS), "params": _params(chance)}
    return Line(_text(chance, message), (id,))


def _envelope(chance: random.Random, id: str) -> Line:
    """An object that is nearly a request. One with a readable id is answered, if only with an error."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": id, "method": "list_sessions", "params": {}}
    name = chance.choice(("jsonrpc", "method", "params"))
    if chance.random() < 0.5 and name != "params":
        del message[name]
    else:
        message[name] = _not_an_object(chance)
    return Line(_text(chance, message), (id,))


def _batch(chance: random.Random, id: str) -> Line:
    parts = [chance.choice((_request, _envelope))(chance, f"{id}-{at}") for at in range(chance.randrange(6))]
    items = [json.loads(part.data) for part in parts]
    items += [chance.choice(SCALARS) for _ in range(chance.randrange(3))]
    return Line(_text(chance, items), tuple(id for part in parts for id in part.ids))


def _response(chance: random.Random, id: str) -> Line:
    """An answer to nothing."""
    answer = {"result": _value(chance, 2)} if chance.random() < 0.5 else {"error": _value(chance, 2)}
    return Line(_text(chance, {"jsonrpc": "2.0", "id": chance.choice((id, 10**6, None, 1.5)), **answer}))


def _noise(chance: random.Random, id: str) -> Line:
    """Bytes. They begin with one that no header block begins with."""
    return Line(b"\x01" + chance.randbytes(chance.randrange(200)).replace(b"\n", b""))


def _cut(chance: random.Random, id: str) -> Line:
    """The beginning of a request."""
    whole = _request(chance, id).data
    return Line(whole[: chance.randrange(len(whole) - 1)])


def _bent(chance: random.Random, id: str) -> Line:
    """A request in which a byte is another one. It may still be one, but with which id nobody knows."""
    data = bytearray(_request(chance, id).data)
    data[chance.randrange(len(data))] = chance.choice(b' {}[]",:x\xff\x00')
    return Line(bytes(data))


def _deep(chance: random.Random, id: str) -> Line:
    """Nested for no reason, in a request or by itself, closed or not."""
    depth = chance.choice((10, 500, 5_000, 50_000))
    nest = "[" * depth + ("]" * depth if chance.random() < 0.7 else "")
    if chance.random() < 0.5:
        nest = f'{{"jsonrpc":"2.0","id":{json.dumps(id)},"method":"initialize","params":{{"client_info":{nest}}}}}'
    return Line(nest.encode())


def _params(chance: random.Random) -> Any:
    if chance.random() < 0.2:
        return _not_an_object(chance)
    return {chance.choice(NAMES): _value(chance, 3) for _ in range(chance.randrange(4))}


def _value(chance: random.Random, depth: int) -> Any:
    kind = chance.random()
    if depth and kind < 0.2:
        return [_value(chance, depth - 1) for _ in range(chance.randrange(4))]
    if depth and kind < 0.4:
        return {chance.choice(NAMES): _value(chance, depth - 1) for _ in range(chance.randrange(4))}
    return chance.choice(SCALARS)


def _not_an_object(chance: random.Random) -> Any:
    return chance.choice((*SCALARS[1:], [], [{}], ["session_id"]))


def _text(chance: random.Random, value: Any) -> bytes:
    """One of the ways to write a value down, on one line."""
    return json.dumps(
        value, ensure_ascii=chance.random() < 0.5, separators=chance.choice(((",", ":"), (", ", ": ")))
    ).encode("utf-8", "surrogatepass")
