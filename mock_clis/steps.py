"""What each ordinary step of a scenario does.

Owns: the step table; steps that go wrong on purpose are in ``faults``, recordings in ``replay``.
Refuses: reading lines itself; the player does.
May be imported by: ``player``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_clis import faults, replay
from mock_clis.dialect import prompt_text
from mock_clis.endings import Unexpected
from mock_clis.matching import differences, shorten
from mock_clis.streams import STDIN, STDOUT
from mock_clis.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_clis.dialect import Json
    from mock_clis.player import Player


def _expect(player: Player, step: Json, where: str) -> None:
    player.expect(step["expect"], where, step.get("required", False))


def _reply(player: Player, step: Json, where: str) -> None:
    lines = step["reply"] if isinstance(step["reply"], list) else [step["reply"]]
    for index, template in enumerate(lines):
        line = player.filled(template, f"{where}.reply[{index}]")
        if line.get("type") == "control_request":
            player.own_requests.add(str(line.get("request_id")))
        last = step.get("no_newline", False) and index == len(lines) - 1
        player.emit(line, b"" if last else None)
    player.breathe()


def _system(player: Player, step: Json, where: str) -> None:
    fields = dict(player.filled(step["system"], where))
    player.say(player.session.system(fields.pop("subtype", "informational"), **fields))


def _request(player: Player, step: Json, where: str) -> None:
    request_id, question = player.ask(player.filled(step["request"], where))
    answer = player.wait_for_answer(question) or {}
    player.questions.pop(request_id, None)
    player.captures["answer"] = answer
    found = differences(step.get("expect", {}), answer, player.captures, "response")
    if found:
        raise Unexpected(f"{player.scenario.name}: {where}: unexpected answer\n    " + "\n    ".join(found))


def _loop(player: Player, step: Json, where: str) -> None:
    for _ in range(int(step.get("times", 1))):
        player.run(step["loop"], f"{where}.loop")


def _forever(player: Player, step: Json, where: str) -> None:
    while True:
        player.run(step["forever"], f"{where}.forever")


def _case(player: Player, step: Json, where: str) -> None:
    line = player.expect({}, where, claim=False)
    text = prompt_text(line) if line.get("type") == "user" else None
    for index, case in enumerate(step["case"]):
        if "prompt" in case and (text is None or differences({"$regex": f"(?is){case['prompt']}"}, text, {})):
            continue
        if differences(player.filled(case.get("expect", {}), where, whole=False), line, player.captures):
            continue
        place = f"{where}.case[{index}]"
        player.captures["prompt"] = text or ""
        if "turn" in case:
            Turn(player, case, line, place).play()
        else:
            player.run(case["steps"], f"{place}.steps")
        return
    raise Unexpected(f"{player.scenario.name}: {where}: no case fits {shorten(line)}")


def _turn(player: Player, step: Json, where: str) -> None:
    prompt = None
    if step.get("prompt", "") is not None:
        prompt = player.expect_prompt()
        found = differences({"$regex": step.get("prompt", "")}, prompt_text(prompt), {}, "prompt")
        if found:
            raise Unexpected(f"{player.scenario.name}: {where}: unexpected prompt\n    {found[0]}")
    Turn(player, step, prompt, where).play()


def _set_policies(player: Player, step: Json, where: str) -> None:
    player.policies.update(step["on"])


STEP_TABLE: dict[str, Callable[[Player, Json, str], None]] = {
    "expect": _expect,
    "reply": _reply,
    "system": _system,
    "request": _request,
    "delay_ms": lambda player, step, where: player.breathe(step["delay_ms"] / 1000),
    "close_stdout": lambda player, step, where: player.streams.close(STDOUT),
    "close_stdin": lambda player, step, where: player.streams.close(STDIN),
    "on": _set_policies,
    "loop": _loop,
    "forever": _forever,
    "case": _case,
    "turn": _turn,
    "replay": replay.play,
    **faults.STEPS,
}
