"""Finding, reading and checking scenarios.

Owns: the vocabulary of the format (every step, its value and its options) and errors that say where and what.
Refuses: playing anything.
May be imported by: the other modules of ``mock_clis``, and tests that want to check a scenario of their own.
"""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Callable
from typing import Any

SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scenarios")
# Every option object may carry a remark for its reader.
REMARK = "comment"


class ScenarioError(Exception):
    """The scenario is at fault, not the parent; the mock exits with 2 and prints the text."""


Check = Callable[[Any, str], None]


def _a(kind: type | tuple[type, ...], words: str) -> Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ScenarioError(f"{where}: expected {words}, got {json.dumps(value)[:80]}")

    return check


text = _a(str, "text")
flag = _a(bool, "true or false")
obj = _a(dict, "an object")
number = _a((int, float), "a number")


def amount(value: Any, where: str) -> None:
    number(value, where)
    if value < 0:
        raise ScenarioError(f"{where}: expected zero or more, got {value}")


def one_of(*choices: Any) -> Check:
    def check(value: Any, where: str) -> None:
        if not any(value is choice or (isinstance(choice, str) and value == choice) for choice in choices):
            raise ScenarioError(f"{where}: expected one of {json.dumps(choices)}, got {json.dumps(value)[:80]}")

    return check


def lines(value: Any, where: str) -> None:
    for index, line in enumerate(value if isinstance(value, list) else [value]):
        obj(line, f"{where}[{index}]")


def nullable(check: Check) -> Check:
    return lambda value, where: None if value is None else check(value, where)


def base64_text(value: Any, where: str) -> None:
    text(value, where)
    try:
        base64.b64decode(value, validate=True)
    except ValueError as error:
        raise ScenarioError(f"{where}: not base64: {error}") from error


def exit_or_signal(value: Any, where: str) -> None:
    if isinstance(value, str) and value in signal.Signals.__members__:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 255:
        raise ScenarioError(f"{where}: expected an exit code or a signal's name, got {json.dumps(value)[:80]}")


def keys_of(allowed: dict[str, Check]) -> Check:
    def check(value: Any, where: str) -> None:
        obj(value, where)
        for key, inner in value.items():
            if key == REMARK:
                continue
            if key not in allowed:
                raise ScenarioError(f"{where}: unknown key {key!r}{_suggest(key, allowed)}")
            allowed[key](inner, f"{where}.{key}")

    return check


def steps(value: Any, where: str) -> None:
    _check_list(value, where, STEPS)


def parts(value: Any, where: str) -> None:
    _check_list(value, where, {**STEPS, **PARTS})


def cases(value: Any, where: str) -> None:
    if not isinstance(value, list) or not value:
        raise ScenarioError(f"{where}: expected a list of cases")
    for index, case in enumerate(value):
        place = f"{where}[{index}]"
        keys_of({"prompt": text, "expect": obj, "steps": steps, **STEPS["turn"]})(case, place)
        if ("steps" in case) == ("turn" in case):
            raise ScenarioError(f"{place}: a case has either 'steps' or 'turn'")


def policies(value: Any, where: str) -> None:
    obj(value, where)
    for subtype, policy in value.items():
        place = f"{where}.{subtype}"
        if isinstance(policy, dict):
            keys_of({"error": text, "response": obj, "steps": steps, "delay_ms": amount})(policy, place)
        else:
            one_of("default", "ignore", "queue")(policy, place)


Vocabulary = dict[str, dict[str, Check]]

TEXT_OPTIONS: dict[str, Check] = {"open": flag, "chunk": amount, "delta_ms": amount}
GRANDCHILD = keys_of({"seconds": amount, "hold_stdout": flag, "setsid": flag, "double_fork": flag,
                      "ignore_signals": flag, "scrub_environment": flag, "clean_up": flag})  # fmt: skip
# The check under a step's own name is for its value, the others are for its options.
STEPS: Vocabulary = {
    "expect": {"expect": obj, "required": flag},
    "reply": {"reply": lines, "no_newline": flag},
    "system": {"system": obj},
    "request": {"request": obj, "expect": obj},
    "delay_ms": {"delay_ms": amount},
    "stderr": {"stderr": text},
    "stderr_flood": {"stderr_flood": amount},
    "garbage": {"garbage": text},
    "garbage_base64": {"garbage_base64": base64_text},
    "huge_line": {"huge_line": amount},
    "crash": {"crash": exit_or_signal, "stderr": text},
    "exit": {"exit": exit_or_signal},
    "hang": {"hang": one_of(True, "deaf"), "seconds": amount},
    "ignore_sigterm": {"ignore_sigterm": flag},
    "ignore_sigint": {"ignore_sigint": flag},
    "close_stdout": {"close_stdout": one_of(True)},
    "close_stdin": {"close_stdin": one_of(True)},
    "grandchild": {"grandchild": GRANDCHILD},
    "on": {"on": policies},
    "loop": {"loop": steps, "times": amount},
    "forever": {"forever": steps},
    "case": {"case": cases},
    "turn": {"turn": parts, "prompt": nullable(text), "result": obj, "origin": obj,
             "asks": one_of("together", "in_turn"), "no_newline_at_end": flag, "chunk": amount, "delta_ms": amount},
    "replay": {"replay": text, "speed": amount},
}  # fmt: skip
PARTS: Vocabulary = {
    "text": {"text": text, **TEXT_OPTIONS},
    "thinking": {"thinking": text, **TEXT_OPTIONS},
    "split_utf8": {"split_utf8": text, "pause_ms": amount},
    "flood": {"flood": keys_of({"deltas": amount, "text": text, "assistant": flag})},
    "tool": {"tool": text, "input": obj, "id": text, "ask": one_of(True, False, "always"), "output": text,
             "is_error": flag, "takes_ms": amount, "during": steps, "if_allowed": parts, "if_denied": parts,
             "withdraw_after_ms": amount, "request": obj},
    "api_error": {"api_error": keys_of({"text": text, "status": nullable(number), "kind": text, "type": text})},
}  # fmt: skip
SETTINGS = keys_of({
    "model": text, "version": text, "logged_in": flag, "session_id": text, "permission_mode": text, "delta_ms": amount,
    "chunk": amount, "newline": one_of("lf", "crlf"), "tools": _a(list, "a list"), "resume": one_of("accept", "refuse"),
    "prompts_while_busy": one_of("queue", "refuse"), "initialize": obj, "init": obj,
})  # fmt: skip
DOCUMENT = keys_of({"description": text, "settings": SETTINGS, "on": policies, "steps": steps})


def kind_of(step: dict[str, Any], vocabulary: Vocabulary) -> str | None:
    """The name of a step: of its keys the one to which all others are options."""
    for key in step:
        if key in vocabulary and all(other in vocabulary[key] or other == REMARK for other in step):
            return key
    return None


def _check_list(value: Any, where: str, vocabulary: Vocabulary) -> None:
    if not isinstance(value, list):
        raise ScenarioError(f"{where}: expected a list of steps, got {json.dumps(value)[:80]}")
    for index, step in enumerate(value):
        place = f"{where}[{index}]"
        obj(step, place)
        kind = kind_of(step, vocabulary)
        if kind is None:
            raise ScenarioError(f"{place}: {_explain(step, vocabulary)}")
        for key, inner in step.items():
            if key != REMARK:
                vocabulary[kind][key](inner, f"{place}.{key}")


def _explain(step: dict[str, Any], vocabulary: Vocabulary) -> str:
    known = [key for key in step if key in vocabulary]
    if not known:
        names = ", ".join(step) or "nothing"
        hint = _suggest(next(iter(step), ""), vocabulary)
        only_in_turn = [key for key in step if key in PARTS]
        if only_in_turn:
            return f"{only_in_turn[0]!r} belongs inside a 'turn'"
        return f"no step of that name: {names}{hint}"
    kind = known[0]
    odd = [key for key in step if key != kind and key not in vocabulary[kind]]
    return f"{kind!r} has no option {odd[0]!r}{_suggest(odd[0], vocabulary[kind])}"


def _suggest(word: str, known: dict[str, Any]) -> str:
    # Imported late: needed only when something is wrong, and the mock has to start fast.
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else f" (known: {', '.join(sorted(known))})"


class Scenario:
    """A checked scenario: ``name`` for messages, ``folder`` to which its file names are relative, and its parts."""

    def __init__(self, name: str, folder: str, data: dict[str, Any]) -> None:
        DOCUMENT(data, name)
        if "steps" not in data:
            raise ScenarioError(f"{name}: 'steps' is missing")
        self.name = name
        self.folder = folder
        self.settings: dict[str, Any] = data.get("settings", {})
        self.policies: dict[str, Any] = dict(data.get("on", {}))
        self.steps: list[dict[str, Any]] = data["steps"]


def load(reference: str) -> Scenario:
    """Read a scenario by file name or by the name of a shipped one; a ``.jsonl`` file is a recording to replay.

    Raises ScenarioError with the place of the mistake.
    """
    path = reference
    if os.path.sep not in reference and not reference.endswith((".json", ".jsonl")):
        path = os.path.join(SHIPPED, f"{reference}.json")
        if not os.path.exists(path):
            known = ", ".join(shipped())
            raise ScenarioError(f"no shipped scenario {reference!r} (known: {known}); a path ends in .json")
    if path.endswith(".jsonl"):
        return Scenario(reference, os.getcwd(), {"steps": [{"replay": os.path.abspath(path)}]})
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except OSError as error:
        raise ScenarioError(f"{reference}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ScenarioError(f"{reference}: not JSON: {error}") from error
    return Scenario(reference, os.path.dirname(os.path.abspath(path)), data)


def shipped() -> list[str]:
    """The names of the scenarios that come with the mock."""
    return sorted(name[:-5] for name in os.listdir(SHIPPED) if name.endswith(".json"))
