"""What the handler threads and the test share: the log of requests, the gates, the open streams.

Owns that state and the waits on it; every field is guarded by `changed`. No socket. Only this package imports it.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from .prompts import Conversation, Directive


class Waker(Protocol):
    """A stream whose thread may be waiting."""

    def wake(self) -> None:
        """Make a running wait look at its condition again."""

    def abort(self) -> None:
        """Make a running write or wait fail, for good."""


@dataclass(frozen=True)
class RecordedRequest:
    """One request that the server received."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: dict[str, Any]
    conversation: Conversation
    side_call: bool
    """The CLI asked for something of its own (a title, a summary), not for the next step of the conversation."""

    @property
    def directive(self) -> Directive | None:
        """The directive that this request is answered by; none for a side call."""
        return None if self.side_call else self.conversation.directive


@dataclass
class State:
    """What handler threads and the test share; guarded by `changed`."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    requests: list[RecordedRequest] = field(default_factory=list)
    attempts: Counter[tuple[str, int]] = field(default_factory=Counter)
    released: set[str] = field(default_factory=set)
    waiting: Counter[str] = field(default_factory=Counter)
    streams: set[Waker] = field(default_factory=set)
    faults: list[BaseException] = field(default_factory=list)
    closing: bool = False

    def poke(self) -> None:
        """Wake every waiting test and every waiting stream; the caller holds `changed`."""
        self.changed.notify_all()
        for wire in self.streams:
            wire.wake()

    def wait(self, ready: Callable[[], bool], timeout: float, what: str) -> None:
        """Block until `ready()`, which is called with `changed` held. Raises TimeoutError that names `what`."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while not ready():
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    seen = [f"{request.method} {request.path} {request.directive}" for request in self.requests]
                    raise TimeoutError(f"{what} did not happen within {timeout} s; requests: {seen}")
