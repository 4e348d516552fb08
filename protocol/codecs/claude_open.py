"""What a question on Claude Code's control channel comes to: somebody is asked, it is answered at once, or it takes
another one back. Pure; for the modules that read those questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protocol.signals import Question

Render = Callable[[Any], dict[str, Any]]
"""Makes the CLI's `response` from our answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody has to answer; `render` makes the CLI's `response` from the answer."""

    question: Question
    render: Render


@dataclass(frozen=True, slots=True)
class Replied:
    """It is answered at once, by `response` or by `error`; it may take back the question `withdrawn`."""

    response: dict[str, Any] | None = None
    error: str | None = None
    withdrawn: str | None = None
