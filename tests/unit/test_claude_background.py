"""A message that meets a turn which the CLI has just begun by itself. Lines as claude 2.1.197 wrote them, shortened."""

from __future__ import annotations

import json
from typing import Any

from protocol.codecs.claude import ClaudeCodec
from protocol.events import Notice
from protocol.signals import TurnBegan, TurnEnded

INIT = {"type": "system", "subtype": "init", "session_id": "s"}
OF_A_TASK = {"kind": "task-notification"}


def _result(text: str, total: float, **more: Any) -> dict[str, Any]:
    line = {"type": "result", "subtype": "success", "is_error": False, "result": text, "total_cost_usd": total}
    return {**line, "usage": {"input_tokens": 1, "output_tokens": 1}, **more}


def _hear(codec: ClaudeCodec, *lines: dict[str, Any]) -> list[Any]:
    return [item for line in lines for item in codec.receive(json.dumps(line).encode())]


def _turns(items: list[Any]) -> list[Any]:
    return [item for item in items if isinstance(item, TurnBegan | TurnEnded)]


def test_the_message_has_one_turn_which_ends_with_its_own_result() -> None:
    codec = ClaudeCodec()
    codec.prompt("m1", "hello")
    heard = _hear(codec, INIT, _result("news", 0.25, origin=OF_A_TASK), INIT, _result("answer", 0.75))
    began, ended = _turns(heard)
    assert began == TurnBegan(origin="message")
    assert (ended.result, ended.cost_usd) == ("answer", 0.75)
    assert [item.level for item in heard if isinstance(item, Notice)] == ["info"]
    assert codec.turns.at_rest


def test_so_it_does_however_many_turns_of_its_own_the_cli_puts_first() -> None:
    codec = ClaudeCodec()
    codec.prompt("m1", "hello")
    news = [INIT, _result("news", 0.25, origin=OF_A_TASK), INIT, _result("more news", 0.5, origin=OF_A_TASK)]
    assert [type(item) for item in _turns(_hear(codec, *news))] == [TurnBegan]
    assert not codec.turns.at_rest
    (ended,) = _turns(_hear(codec, INIT, _result("answer", 0.75)))
    assert ended.result == "answer"
    assert codec.turns.at_rest


def test_a_turn_of_the_clis_own_before_any_message_is_a_background_turn() -> None:
    codec = ClaudeCodec()
    heard = _hear(codec, INIT, _result("news", 0.25, origin=OF_A_TASK))
    assert [getattr(item, "origin", None) for item in _turns(heard)] == ["background", None]
    codec.prompt("m1", "hello")
    began, ended = _turns(_hear(codec, INIT, _result("answer", 0.75)))
    assert (began.origin, ended.result, ended.cost_usd) == ("message", "answer", 0.5)
