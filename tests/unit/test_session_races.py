"""A session in moments that a real process comes to once in thousands of times."""

from __future__ import annotations

from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest

from adapter.session.enforcer import Enforcer
from adapter.session.turn import Turn
from protocol.errors import AdapterError, ErrorKind
from protocol.events import TextDelta
from protocol.signals import PermissionAsked, TurnBegan, TurnEnded
from tests.support.stepped_session import BEGAN, ROUNDS, SOON_S, Gate, scene_of

pytestmark = pytest.mark.anyio

CIRCLE = 5.0
"""Fewer calls than a task makes that turns in circles, in a round of the event loop: measured with Python 3.11: 25."""

ENDED = TurnEnded(stop_reason="end_turn")
CUT = TurnEnded(stop_reason="interrupted")


async def test_a_turn_on_its_way_to_the_cli_waits_quietly_for_the_end_of_its_session() -> None:
    async with scene_of() as scene:
        at_rest = await scene.busyness()
        scene.book.flush.shut()
        turn = await scene.send()
        await scene.book.flush.somebody()
        scene.provider.stopping.shut()
        scene.tasks.start_soon(scene.session.stop, "stopped")
        await scene.provider.stopping.somebody()
        assert await scene.busyness() < at_rest + CIRCLE
        scene.provider.stopping.open()
        await scene.session.ended.wait()
    (completed,) = scene.parent.all("turn_completed")
    assert (completed["turn_id"], completed["event"]["stop_reason"]) == (turn, "interrupted")


async def test_a_turn_that_is_being_cut_is_waited_for_quietly_though_the_silence_lasts_too_long() -> None:
    looks = 0

    class Overdue:
        """A watchdog that has fired."""

        def touch(self) -> None:
            return

        def remaining(self) -> float:
            nonlocal looks
            looks += 1
            return 0.0

    turn, nothing = Turn("message", "hello", 0.0), cast("Any", None)
    turn.cut = True
    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as tasks:
            enforcer = Enforcer("ours", nothing, nothing, cast("Any", Overdue()), grace=1, warn=nothing)
            tasks.start_soon(enforcer.watch, turn)
            for _ in range(ROUNDS):
                await anyio.lowlevel.checkpoint()
            turn.done.set()
    assert looks <= 1


async def test_a_turn_that_ends_before_it_reached_the_cli_is_told_outside_of_one_that_the_agent_has_begun() -> None:
    async def go_on() -> None:
        await scene.settle()
        scene.provider.stream.say(TextDelta(text="news"), ENDED)

    async with scene_of() as scene:
        scene.book.flush.shut()
        turn = await scene.send()
        await scene.book.flush.somebody()
        scene.provider.stream.say(TurnBegan(origin="background"))
        scene.tasks.start_soon(go_on)
        assert await scene.session.interrupt()
    order = [params["turn_id"] for params in scene.parent.events if params["turn_id"] is not None]
    assert order[-1] == turn
    assert order.index(turn) == len(order) - order.count(turn)


async def test_a_stop_that_comes_as_the_start_is_done_leaves_no_session_behind() -> None:
    async with scene_of(start=False) as scene:
        outcome: list[AdapterError] = []

        async def start() -> None:
            with pytest.raises(AdapterError) as refused:
                await scene.session.start(None, fork=False)
            outcome.append(refused.value)

        scene.provider.starting.shut()
        scene.tasks.start_soon(start)
        await scene.provider.starting.somebody()
        scene.provider.starting.open()
        await scene.session.stop("stopped")
        await scene.settle()
        assert scene.provider.stream.has_exited
    assert [error.kind for error in outcome] == [ErrorKind.INTERRUPTED]
    assert scene.parent.events == []


@pytest.mark.spec("6.4")
async def test_a_session_that_ends_before_its_parent_knows_it_tells_nothing_before_and_all_of_it_then() -> None:
    async with scene_of(start=False) as scene:
        await scene.session.start(None, fork=False)
        turn = await scene.send()
        await scene.session.stop("stopped")
        assert scene.parent.events == []
        scene.session.activate()
        assert [params["turn_id"] for params in scene.parent.all("turn_completed")] == [turn]


@pytest.mark.spec("6.2")
async def test_nothing_follows_the_last_event_though_somebody_is_still_at_work() -> None:
    async with scene_of() as scene:
        scene.provider.setting.shut()
        scene.tasks.start_soon(scene.session.set_model, "another")
        await scene.provider.setting.somebody()
        await scene.session.stop("stopped")
        scene.provider.setting.open()
        await scene.settle()
    assert scene.parent.all("session_updated") == []


async def test_an_interrupt_goes_through_though_who_asked_for_it_has_gone() -> None:
    async with scene_of(grace=0.01) as scene:
        await scene.begin_turn()
        scene.provider.interrupting.shut()
        scene.provider.stopping.shut()
        with anyio.move_on_after(SOON_S) as asking:
            scene.tasks.start_soon(_cancel, asking, scene.provider.stopping)
            await scene.session.interrupt()
        await scene.settle()
        assert [params["event"]["stop_reason"] for params in scene.parent.all("turn_completed")] == ["interrupted"]


async def _cancel(scope: anyio.CancelScope, gate: Gate) -> None:
    await gate.somebody()
    scope.cancel()
    gate.open()


async def test_a_message_that_is_cut_before_its_turn_begins_is_listened_to_though_the_parent_is_behind() -> None:
    async with scene_of() as scene:
        await scene.send()
        await scene.settle()
        scene.parent.is_behind = True
        scene.provider.stream.say(TextDelta(text="late news"))
        await scene.settle()
        scene.tasks.start_soon(scene.session.interrupt)
        await scene.settle()
        for said in (TextDelta(text="more"), BEGAN, CUT):
            scene.provider.stream.say(said)
        await scene.settle()
        assert len(scene.parent.all("turn_completed")) == 1


async def test_what_the_daemon_decides_itself_is_told_within_the_turn_that_asked() -> None:
    asked = PermissionAsked(
        request_id="1",
        tool_call_id="call",
        tool_name="Bash",
        kind="execute",
        input={},
        title=None,
        suggestions=[],
    )
    async with scene_of() as scene:
        await scene.session.set_runtime_mode("plan")
        turn = await scene.begin_turn()
        scene.provider.stream.say(asked, ENDED)
        await scene.settle()
    assert [params["turn_id"] for params in scene.parent.all("permission_resolved")] == [turn]
