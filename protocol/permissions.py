"""Permission requests and the decisions on them (SPEC.md, section 7): validated here, once, for every face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protocol.signals import DecisionOutcome, PermissionAsked

DENIED_BY_PARENT = "The user denied this."
DENIED_BY_TIMEOUT = "Nobody answered in time, so this was denied."
DENIED_BY_ERROR = "The request could not be put to the user, so this was denied."
DENIED_BY_PLAN_MODE = "Plan mode: nothing may be changed until the plan is approved."


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a permission request.

    Attributes:
        outcome: `allow` or `deny`.
        updated_input: replaces the tool's input; the answers travel here for a question.
        remember: one of the request's suggestions, to be applied from now on.
        message: told to the agent when denied.
        interrupt: with `deny`: end the turn, too.
    """

    outcome: DecisionOutcome
    updated_input: dict[str, Any] | None = None
    remember: Any = None
    message: str | None = None
    interrupt: bool = False


def deny(message: str) -> Decision:
    """The decision that everything that goes wrong comes to."""
    return Decision("deny", message=message)


def parse_decision(result: Any, asked: PermissionAsked) -> Decision:
    """The parent's answer to `asked`.

    Raises:
        ValueError: it is not of the contract's form; the message says where. Such an answer counts as deny.
    """
    if not isinstance(result, dict):
        raise ValueError("the answer must be an object")
    unknown = set(result) - {"outcome", "updated_input", "remember", "message", "interrupt"}
    if unknown:
        raise ValueError(f"unknown members: {', '.join(sorted(unknown))}")
    outcome = result.get("outcome")
    if outcome not in ("allow", "deny"):
        raise ValueError('outcome must be "allow" or "deny"')
    updated, message, interrupt = result.get("updated_input"), result.get("message"), result.get("interrupt")
    if not isinstance(updated, dict | None):
        raise ValueError("updated_input must be an object")
    if not isinstance(message, str | None):
        raise ValueError("message must be a string")
    if not isinstance(interrupt, bool | None):
        raise ValueError("interrupt must be true or false")
    remember = result.get("remember")
    if remember is not None and remember not in asked.suggestions:
        raise ValueError("remember must be one of the suggestions")
    return Decision(outcome, updated, remember, message, bool(interrupt))
