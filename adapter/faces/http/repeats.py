"""Requests that come again: known by an `Idempotency-Key`, or by what the vendors' libraries say of their own retries.

The answer to a request is kept for a while, as it was told or is being told. A turn that was cut short before any tool
ran, or that never reached the CLI, may simply be asked for again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import anyio

from protocol.httperrors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapter.faces.http.reply import Reply

KEY_HEADER = "idempotency-key"
RETRY_HEADER = "x-stainless-retry-count"
"""The vendors' libraries count their retries in it (anthropic 2.12, openai 3.54 for Python, and the npm twins)."""

KEPT = 256
"""Answers that are kept."""

KEPT_S = 900.0
"""For how long: a client's own time-out is 600 s (both vendors' libraries), and then come its retries."""

KEPT_BYTES = 64 * 1024 * 1024
"""Their texts together; the oldest goes first."""


@dataclass(slots=True)
class _Kept:
    digest: bytes
    reply: Reply
    at: float


class Repeats:
    """The answers that can be asked for again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def find(self, headers: Mapping[str, str], body: bytes) -> Reply | None:
        """The answer to the same request, asked before; None where it has to be made.

        Raises:
            HttpError: the key was used for another request.
        """
        self._forget()
        name, digest = _name(headers, body)
        kept = self._kept.get(name)
        if kept is None or not (KEY_HEADER in headers or headers.get(RETRY_HEADER, "0") != "0"):
            return None
        if kept.digest != digest:
            raise invalid("this key was used for another request", KEY_HEADER)
        reply = kept.reply
        if reply.abandoned.is_set():
            # Being interrupted: only its end tells whether anything was done.
            await reply.ended.wait()
        may_run_again = not reply.delivered or (reply.abandoned.is_set() and not reply.ran_tools)
        if reply.ended.is_set() and reply.failure is not None and may_run_again:
            del self._kept[name]
            return None
        return reply

    def note(self, headers: Mapping[str, str], body: bytes, reply: Reply) -> None:
        """Keep the answer that is being made for a request."""
        name, digest = _name(headers, body)
        self._kept[name] = _Kept(digest, reply, anyio.current_time())
        self._kept.move_to_end(name)

    def _forget(self) -> None:
        due = anyio.current_time() - KEPT_S
        total = sum(kept.reply.written for kept in self._kept.values())
        for name, kept in list(self._kept.items()):
            if len(self._kept) <= KEPT and kept.at >= due and total <= KEPT_BYTES:
                break
            total -= kept.reply.written
            del self._kept[name]


def _name(headers: Mapping[str, str], body: bytes) -> tuple[str, bytes]:
    digest = blake2b(body, digest_size=16)
    for header in ("x-agent-adapter-session", "x-arch-claude-cli-session"):
        digest.update(b"\0" + headers.get(header, "").encode())
    key = headers.get(KEY_HEADER)
    return (f"key {key}" if key is not None else digest.hexdigest()), digest.digest()
