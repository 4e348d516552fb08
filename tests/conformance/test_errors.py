"""What is wrong on the wire is answered with an object that programs can switch on (SPEC.md, sections 1 and 8).

Owns: the shape of JSON-RPC's own errors, as the dispatcher and the peer give them. Refuses: to start a process.
Imported by nobody.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from adapter import peer as peer_module
from adapter import stdio
from adapter.dispatch import Dispatcher
from adapter.peer import Call, Peer
from protocol import jsonrpc
from protocol.errors import JSONRPC_KINDS, METHOD_NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.anyio

WAIT_S = 5.0
"""For what takes a millisecond; a busy machine takes longer."""


async def converse(lines: Iterable[bytes]) -> list[Any]:
    """What a peer without any method answers to these lines."""
    reading, to_peer = os.pipe()
    from_peer, writing = os.pipe()
    outbox = stdio.Outbox(writing)
    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outbox.run)
            peer = Peer(reading, outbox, Dispatcher({}).serve, limit=1024)
            os.write(to_peer, b"".join(line + b"\n" for line in lines))
            os.close(to_peer)
            await peer.run(tasks)
            await peer.wait_quiet()
            await outbox.flush(WAIT_S)
            tasks.cancel_scope.cancel()
    os.close(writing)
    answers = b""
    while chunk := os.read(from_peer, 65536):
        answers += chunk
    os.close(from_peer)
    os.close(reading)
    return [json.loads(line) for line in answers.splitlines()]


@pytest.mark.spec("8.1")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"start_sesion"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"x","params":[1]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * 2000 + b'"}', -32600),
    ],
)
async def test_every_error_of_the_envelope_names_its_kind(line: bytes, code: int) -> None:
    (answer,) = await converse([line])
    assert answer["error"]["code"] == code
    assert answer["error"]["data"]["kind"] == (JSONRPC_KINDS | {-32602: "invalid_params"})[code]


async def test_the_dispatcher_answers_an_unknown_method_with_a_kind() -> None:
    reply = await Dispatcher({}).serve(Call(jsonrpc.Request("a", "nope", {})))
    assert reply is not None
    assert (reply["id"], reply["error"]["code"]) == ("a", METHOD_NOT_FOUND)
    assert reply["error"]["data"] == {"kind": "method_not_found"}


@pytest.mark.spec("1.11")
async def test_what_is_refused_of_a_batch_is_answered_in_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_module, "MAX_IN_FLIGHT", 1)
    items = [{"jsonrpc": "2.0", "id": id, "method": "nope"} for id in (1, 2, 3)]
    (answers,) = await converse([json.dumps(items).encode()])
    codes = {answer["id"]: answer["error"]["code"] for answer in answers}
    assert codes == {1: -32601, 2: -32006, 3: -32006}
