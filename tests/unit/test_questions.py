"""The table of a session's open questions: answered once, taken back together, never more than it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from adapter.guard import GuardedTasks
from adapter.session.questions import MAX_OPEN, QuestionTable
from adapter.session.toolcalls import ToolDesk
from protocol.signals import ToolCalled

if TYPE_CHECKING:
    from protocol.answers import Answer

pytestmark = pytest.mark.anyio

SOON_S = 10.0
"""Nothing here waits for anything but other tasks; this allows for a busy machine."""


class Scene:
    """A table, and what came of its questions."""

    def __init__(self, tasks: Any) -> None:
        self.changes = 0
        self.settled: list[str] = []
        self.taken_back: list[str] = []
        self.begun: list[str] = []
        self.release = anyio.Event()
        self.table = QuestionTable(GuardedTasks(tasks, "a test"), self._changed)

    def put(self, id: str) -> None:
        """A question whose answer comes with `release`."""

        async def ask() -> str:
            self.begun.append(id)
            await self.release.wait()
            return id

        async def settle(answer: str) -> None:
            self.settled.append(answer)

        self.table.put(id, ask, settle, lambda: self.taken_back.append(id))

    def _changed(self) -> None:
        self.changes += 1


async def test_each_question_is_settled_once_and_then_nobody_waits() -> None:
    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as tasks:
            scene = Scene(tasks)
            scene.put("a")
            scene.put("b")
            assert scene.table.is_waiting
            scene.release.set()
    assert (sorted(scene.settled), scene.taken_back, scene.changes) == (["a", "b"], [], 2)
    assert not scene.table.is_waiting


async def test_what_is_taken_back_is_not_settled_and_one_that_was_not_begun_is_never_asked() -> None:
    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as tasks:
            scene = Scene(tasks)
            scene.put("a")
            await anyio.lowlevel.checkpoint()
            scene.put("b")
            scene.put("c")
            scene.table.withdraw("b")
            scene.table.withdraw("nothing")
            scene.table.withdraw_all()
            assert not scene.table.is_waiting
            scene.release.set()
    assert (scene.begun, scene.settled, scene.taken_back) == (["a"], [], ["b", "a", "c"])


async def test_a_question_beyond_what_the_table_holds_is_answered_without_the_parent() -> None:
    answers: dict[str, Answer] = {}

    async def answer(request_id: str, answer: Answer) -> None:
        answers[request_id] = answer

    class Sink:
        calls = 0

        async def call_tool(self, session_id: str, turn_id: str | None, called: ToolCalled) -> Any:
            Sink.calls += 1
            await over.wait()
            return {"content": "done"}

    over = anyio.Event()
    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as tasks:
            table = QuestionTable(GuardedTasks(tasks, "a test"), lambda: None)
            desk = ToolDesk("s", Sink(), table, answer)  # type: ignore[arg-type]
            for number in range(MAX_OPEN + 1):
                called = ToolCalled(request_id=str(number), tool_call_id=None, name="t", input={})
                desk.call(called, None, plan_mode=False)
            while str(MAX_OPEN) not in answers:
                await anyio.lowlevel.checkpoint()
            assert "too much waits" in str(answers[str(MAX_OPEN)])
            over.set()
    assert Sink.calls == MAX_OPEN
    assert len(answers) == MAX_OPEN + 1
