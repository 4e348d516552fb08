"""How a turn ended, put together from what the CLI said and what we wanted of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from msgspec import UNSET, structs

from adapter.process.child import last_lines
from protocol.errors import AdapterError, ErrorKind
from protocol.events import StopReason, TurnCompleted, TurnError
from protocol.signals import TurnEnded

if TYPE_CHECKING:
    from adapter.session.turn import Turn
    from protocol.signals import ProcessExited


def completed_event(turn: Turn, ended: TurnEnded, now: float) -> TurnCompleted:
    """The `turn_completed` of a turn. Our own verdict (a watchdog's) beats the CLI's word, which only knows of an
    interrupt."""
    stop_reason, error = ended.stop_reason, ended.error
    if turn.verdict is not None:
        stop_reason, error = "error", turn.verdict
    return TurnCompleted(
        stop_reason=cast("StopReason", stop_reason),
        is_error=error is not None,
        result=ended.result,
        structured_output=ended.structured_output if ended.has_structured_output else UNSET,
        error=error,
        usage=ended.usage,
        cost_usd=ended.cost_usd,
        duration_ms=ended.duration_ms if ended.duration_ms is not None else round((now - turn.accepted_at) * 1000),
        num_turns=ended.num_turns,
        context_window=UNSET if ended.context_window is None else ended.context_window,
    )


def cut_turn(ended: TurnEnded) -> TurnEnded:
    """The CLI's own end of a turn that was cut short: claude 2.1.197 calls it an error and exits while a hook waits."""
    if ended.stop_reason != "error":
        return ended
    return structs.replace(ended, stop_reason="interrupted", error=None)


def failed_turn(error: AdapterError) -> TurnEnded:
    """The end of a turn that failed on our side."""
    about = TurnError(kind=error.kind, message=error.message, hint=error.hint or UNSET)
    return TurnEnded(stop_reason="error", error=about)


def crashed_turn(exited: ProcessExited) -> TurnEnded:
    """The end of a turn whose CLI died."""
    how = f"ended by {exited.signal}" if exited.signal else f"ended with exit code {exited.exit_code}"
    if exited.signal is None and exited.exit_code is None:
        how = "closed its output"
    said = last_lines(exited.stderr_tail)
    text = f"The CLI {how} in the middle of the turn{': ' + said if said else '.'}"
    hint = "The next message starts the CLI again and goes on with the conversation."
    return TurnEnded(stop_reason="error", error=TurnError(kind=ErrorKind.PROCESS_EXITED, message=text, hint=hint))
