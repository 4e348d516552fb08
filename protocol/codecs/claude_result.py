"""Claude Code's `result` line: how a turn ended, what it cost. Pure; measured with claude 2.1.197 and 2.1.329.

Success is `is_error == false`, not the subtype: API failures come as `subtype: success`. Costs and `modelUsage`
count up over the process; usage and turns are the turn's own.
"""

from __future__ import annotations

from typing import Any

from protocol.errors import ErrorKind
from protocol.events import TurnError, TurnUsage, Usage
from protocol.signals import ProviderEvent, TurnEnded
from protocol.wire.claude import RESULT_SUBTYPES, STOP_REASONS, usage_fields


class ResultReader:
    """Remembers over the turns what a `result` does not repeat or counts up."""

    def __init__(self) -> None:
        self.usage_sent = False
        """Whether the running turn has told a model call's usage (an older or quieter CLI may not)."""
        self._cost = 0.0
        self._context_window: int | None = None
        self._failure: str | None = None

    def note_failure(self, kind: str) -> None:
        """The CLI's own word for the API failure that ends the running turn (`assistant.error`)."""
        self._failure = kind

    def context_window(self) -> dict[str, int]:
        """`{"context_window": tokens}`, once known."""
        return {} if self._context_window is None else {"context_window": self._context_window}

    def read(self, line: dict[str, Any], out: list[ProviderEvent]) -> TurnEnded:
        """Translate one `result`; a `usage` event goes to `out` if the turn has told none."""
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
        )
        self.usage_sent, self._failure = False, None
        return ended

    def _cost_of_turn(self, total: Any) -> float | None:
        if not isinstance(total, int | float):
            return None
        before, self._cost = self._cost, float(total)
        return round(max(0.0, self._cost - before), 9)

    def _learn_context_window(self, models: Any) -> None:
        windows = [model.get("contextWindow") for model in models.values()] if isinstance(models, dict) else []
        self._context_window = max(
            (window for window in windows if isinstance(window, int)), default=self._context_window
        )


def _stop_reason(line: dict[str, Any], failure: str | None) -> str:
    terminal = line.get("terminal_reason")
    if isinstance(terminal, str) and terminal.startswith("aborted"):
        return "interrupted"
    if line.get("subtype") in RESULT_SUBTYPES:
        return RESULT_SUBTYPES[line["subtype"]]
    if line.get("stop_reason") == "refusal":
        return "refusal"
    if failure == "max_output_tokens":
        return "max_tokens"
    if line.get("is_error"):
        return "error"
    return STOP_REASONS.get(line.get("stop_reason") or "", "end_turn")


def _error(line: dict[str, Any], failure: str | None) -> TurnError:
    status = line.get("api_error_status")
    said = (
        line.get("result")
        or "; ".join(map(str, line.get("errors") or ()))
        or "The CLI reported an error without a text."
    )
    if failure == "authentication_failed" or status == 401:
        hint = "Log in with the CLI (run `claude` and use /login), or check the API key in its environment."
        return TurnError(kind=ErrorKind.NOT_AUTHENTICATED, message=said, api_status=_whole(status), hint=hint)
    if failure is not None or status is not None:
        return TurnError(kind=ErrorKind.API_ERROR, message=said, api_status=_whole(status))
    return TurnError(kind=ErrorKind.PROTOCOL_ERROR, message=said)


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None
