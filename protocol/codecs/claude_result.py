"""Claude Code's `result` line: how a turn ended, what it cost. Pure; measured with claude 2.1.197 and 2.1.329.

Success is `is_error == false`, not the subtype: API failures come as `subtype: success`. Costs and `modelUsage`
count up over the process; usage and turns are the turn's own.
"""

from __future__ import annotations

import re
from typing import Any

from protocol.errors import ErrorKind
from protocol.events import TurnError, TurnUsage, Usage
from protocol.signals import ProviderEvent, TurnEnded
from protocol.wire.claude import RESULT_SUBTYPES, STOP_REASONS, usage_fields

_HUGE = 2**63
"""No count, cost, status or time comes near it, and every number below it can be written as an integer or a float."""


_REPEATED = re.compile(r"API Error: Repeated (5\d\d) ")
"""Where claude 2.1.197 gives up on an overloaded API, only its text tells the status."""


class ResultReader:
    """Remembers over the turns what a `result` does not repeat or counts up."""

    def __init__(self) -> None:
        self.usage_sent = False
        """Whether the running turn has told a model call's usage (an older or quieter CLI may not)."""
        self._cost = 0.0
        self._context_window: int | None = None
        self._failure: str | None = None

    def begin(self) -> None:
        """A turn begins: what was noted of an earlier one does not count for it."""
        self.usage_sent, self._failure = False, None

    def note_failure(self, kind: str) -> None:
        """The CLI's own word for the API failure that ends the running turn (`assistant.error`)."""
        self._failure = kind

    def context_window(self) -> dict[str, int]:
        """`{"context_window": tokens}`, once known."""
        return {} if self._context_window is None else {"context_window": self._context_window}

    def read(self, line: dict[str, Any], out: list[ProviderEvent]) -> TurnEnded:
        """Translate one `result`; a `usage` event goes to `out` if the turn has told none.

        Never raises: a result that is only half understood still ends its turn.
        """
        self._learn_context_window(line.get("modelUsage"))
        usage = usage_fields(line.get("usage"))
        if not self.usage_sent and usage:
            out.append(Usage(**usage, **self.context_window()))
        stop_reason = _stop_reason(line, self._failure)
        ended = TurnEnded(
            stop_reason=stop_reason,
            result=line.get("result") if isinstance(line.get("result"), str) else None,
            structured_output=line.get("structured_output"),
            has_structured_output="structured_output" in line,
            error=_error(line, self._failure) if stop_reason == "error" else None,
            usage=TurnUsage(**usage) if usage else None,
            cost_usd=self._cost_of_turn(line.get("total_cost_usd")),
            duration_ms=_whole(line.get("duration_ms")),
            num_turns=_whole(line.get("num_turns")),
            context_window=self._context_window,
        )
        self.usage_sent, self._failure = False, None
        return ended

    def _cost_of_turn(self, total: Any) -> float | None:
        if not _is_number(total):
            return None
        before, self._cost = self._cost, float(total)
        return round(max(0.0, self._cost - before), 9)

    def _learn_context_window(self, models: Any) -> None:
        described = models.values() if isinstance(models, dict) else ()
        windows = [model.get("contextWindow") for model in described if isinstance(model, dict)]
        self._context_window = max((window for window in windows if type(window) is int), default=self._context_window)


def _stop_reason(line: dict[str, Any], failure: str | None) -> str:
    terminal, subtype, stop = (_text(line.get(name)) for name in ("terminal_reason", "subtype", "stop_reason"))
    if terminal.startswith("aborted"):
        return "interrupted"
    if subtype == "error_during_execution" and not line.get("is_error"):
        # Claude 1.0.63 to 2.0.x: an interrupted turn, without a terminal reason.
        return "interrupted"
    if subtype in RESULT_SUBTYPES:
        return RESULT_SUBTYPES[subtype]
    if stop == "refusal":
        return "refusal"
    if failure == "max_output_tokens":
        return "max_tokens"
    if line.get("is_error"):
        return "error"
    return STOP_REASONS.get(stop, "end_turn")


def _error(line: dict[str, Any], failure: str | None) -> TurnError:
    status, errors = _whole(line.get("api_error_status")), line.get("errors")
    listed = "; ".join(map(str, errors)) if isinstance(errors, list) else ""
    said = _text(line.get("result")) or listed or "The CLI reported an error without a text."
    if status is None and (told := _REPEATED.match(said)):
        status = int(told[1])
    if failure == "authentication_failed" or status == 401:
        hint = "Log in with the CLI (run `claude` and use /login), or check the API key in its environment."
        return TurnError(kind=ErrorKind.NOT_AUTHENTICATED, message=said, api_status=status, hint=hint)
    if failure is not None or status is not None:
        return TurnError(kind=ErrorKind.API_ERROR, message=said, api_status=status)
    return TurnError(kind=ErrorKind.PROTOCOL_ERROR, message=said)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_number(value: Any) -> bool:
    """JSON's `true` is no number, nor is what does not fit into a float (`1e999`)."""
    return type(value) in (int, float) and abs(value) < _HUGE


def _whole(value: Any) -> int | None:
    return int(value) if _is_number(value) else None
